# SPDX-License-Identifier: Apache-2.0
"""CHAP secrets outside a saved configuration: `"chap_password_file": "/etc/target/secrets/x"`.

A document can refer to a file instead of each secret, so that it can be kept in git. The files are
read when the document is applied, and must not be writable by other users. If they were not read,
their secrets equal any value.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from pyshell.config.document import Document, located
from pyshell.config.positions import as_clause
from pyshell.errors import PyshellError
from pyshell.expressions import expression
from pyshell.files import reading

SUFFIX = "_file"
CHAP = ("chap_password", "chap_mutual_password")
_KEYS = {
    "fabric_modules": ("discovery_password", "discovery_mutual_password"),
    "tpgs": CHAP,
    "node_acls": CHAP,
}
"""The keys of secrets, by the list that holds the entry."""
SECRET_MAX = 4096
"""Maximum size of a secret's file in bytes."""
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH
_NOT_IN_A_FILE_NAME = expression(r"[^A-Za-z0-9._-]+")


def secrets(document: Document) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the CHAP secrets that entries can have: path in the tree, entry, key of the secret."""
    for one in located(document):
        for key in _KEYS.get(one.kind, ()):
            yield one.path, one.entry, key


def has_references(document: Document) -> bool:
    """Return whether a document refers to a file for a secret."""
    return any(f"{key}{SUFFIX}" in entry for _, entry, key in secrets(document))


def resolved(document: Document, failed: list[tuple[str, PyshellError]] | None = None) -> Document:
    """Return a document with the secrets of its references.

    A reference that cannot be read stays; the path of its object and the error are added to
    `failed`. Without `failed`, the error is raised.
    """
    if not has_references(document):
        return document
    found = deepcopy(document)
    for path, entry, key in secrets(found):
        file = entry.get(f"{key}{SUFFIX}")
        if file is None:
            continue
        try:
            if entry.get(key):
                message = f"{key} and {key}{SUFFIX} cannot be combined."
                raise PyshellError(message, "Remove one of them.")
            entry[key] = read_secret(file)
        except PyshellError as error:
            if failed is None:
                error.message = f"{path}: {key}{SUFFIX}: {as_clause(error.message)}"
                raise
            failed.append((path, error))
        else:
            del entry[f"{key}{SUFFIX}"]
    return found


def if_readable(document: Document) -> Document:
    """Return a document with the secrets that this user can read, for a comparison."""
    return resolved(document, [])


def unread(document: Document) -> set[str]:
    """Return the references of a document as paths of `settings.secret_path`."""
    return {
        f"{path}/{key}"
        for path, entry, key in secrets(document)
        if entry.get(f"{key}{SUFFIX}") and not entry.get(key)
    }


def exposed(document: Document) -> list[str]:
    """Return the files of a document's references that other users can read."""
    files = (entry.get(f"{key}{SUFFIX}") for _, entry, key in secrets(document))
    return [file for file in dict.fromkeys(files) if isinstance(file, str) and is_exposed(file)]


def is_exposed(file: str) -> bool:
    """Return whether other users can read a file, as far as its mode and its folder's show."""
    try:
        mode, folder = os.stat(file).st_mode, os.stat(os.path.dirname(file)).st_mode
    except (OSError, ValueError):
        return False  # reading it reports why
    return bool(mode & _OTHERS_READ and folder & _OTHERS_ENTER)


def without(document: Document, paths: Collection[str]) -> Document:
    """Return a document without the references at `paths`."""
    if unread(document).isdisjoint(paths):
        return document
    found = deepcopy(document)
    for path, entry, key in secrets(found):
        if f"{path}/{key}" in paths:
            entry.pop(f"{key}{SUFFIX}", None)
    return found


def kept(
    document: Document, before: Document, missing: Collection[str] = ()
) -> tuple[Document, list[str]]:
    """Return a document with the references of `before`, which it will replace.

    A reference stays if its file contains the secret of `document`. Without a secret in `document`,
    it stays if the file cannot be read, or is in `missing`, as the last restore could not read it.
    The second result has a message for each other secret, which is saved in the document itself.
    """
    references = {
        (path, key): entry[f"{key}{SUFFIX}"]
        for path, entry, key in secrets(before)
        if f"{key}{SUFFIX}" in entry
    }
    if not references:
        return document, []
    found, changed = deepcopy(document), []
    for path, entry, key in secrets(found):
        file = references.get((path, key))
        if file is None:
            continue
        try:
            same = read_secret(file) == entry.get(key)
        except PyshellError:
            same = key not in entry
        if same or (key not in entry and f"{path}/{key}" in missing):
            entry.pop(key, None)
            entry[f"{key}{SUFFIX}"] = file
        elif key in entry:
            changed.append(f"{path}: {key} differs from {file}: the running secret is saved.")
    return found, changed


def moved_out(document: Document, folder: Path) -> tuple[Document, dict[Path, str]]:
    """Return a document with a reference for each secret, and the files to write."""
    found, files = deepcopy(document), dict[Path, str]()
    for path, entry, key in secrets(found):
        if secret := entry.pop(key, None):
            file = file_of(folder, path, key, files)
            files[file] = secret
            entry[f"{key}{SUFFIX}"] = str(file)
    return found, files


def omitted(document: Document) -> Document:
    """Return a document without its secrets."""
    found = deepcopy(document)
    for _, entry, key in secrets(found):
        entry.pop(key, None)
    return found


def file_of(folder: Path, path: str, key: str, taken: dict[Path, str]) -> Path:
    """Return the file in a folder for one secret of the object at a path."""
    name = _NOT_IN_A_FILE_NAME.sub("-", f"{path.strip('/')}-{key}")[-200:].lstrip("-.")
    file, number = folder / name, 1
    while file in taken:
        number += 1
        file = folder / f"{name}.{number}"
    return file


def read_secret(file: str) -> str:
    """Return the secret in a file that only root or this user can write. Raises PyshellError."""
    if not os.path.isabs(file):
        raise PyshellError(  # the value is not quoted: it could be the secret itself
            "The value is not an absolute path.",
            "Write the absolute path of the secret's file: /...",
        )
    try:
        text = reading.read(Path(file), SECRET_MAX).data.decode()
    except UnicodeDecodeError:
        raise PyshellError(f"{file} is not UTF-8 text.") from None
    secret, _, more = text.partition("\n")
    if more.strip():
        raise PyshellError(f"{file} has more than one line.", "Leave only the secret in it.")
    if not secret.rstrip("\r"):
        raise PyshellError(f"{file} is empty: it contains no secret.")
    return secret.removesuffix("\r")
