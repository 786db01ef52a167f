# SPDX-License-Identifier: Apache-2.0
"""Write a saved configuration atomically, and read one that is to be applied.

A file that others can write is refused: who writes it decides which devices are exported, and to
whom. A file is written with mode 0600 from its first instant, as it contains CHAP secrets.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

from pyshell.config import load
from pyshell.config.document import Document, holds_secrets
from pyshell.errors import from_os_error
from pyshell.files import writing
from pyshell.quoting import shell_word

_BACKUPS = "backup"


def to_text(document: Document) -> str:
    """Return a document as rtslib writes it: indent 2, sorted keys, a newline at the end."""
    return json.dumps(document, sort_keys=True, indent=2) + "\n"


def digest(data: bytes) -> str:
    """Return the digest that identifies the bytes of a file."""
    return hashlib.sha256(data).hexdigest()


def write(document: Document, path: Path) -> None:
    """Write a document to a file that the user names, in any folder. Raises PyshellError.

    The folder's mode is never changed (field failure 15).
    """
    writing.replace(path, to_text(document).encode(), private=False)


def back_up(path: Path, keep: int, now: Callable[[], datetime] = datetime.now) -> Path | None:
    """Copy the file that is about to be replaced to `backup/` beside it, as targetcli does.

    It is copied only if it differs from the newest backup; then the oldest beyond `keep` are
    removed. Returns the backup, None if there is none. Raises PyshellError, also for a file that
    other users can change: a backup is trusted.
    """
    folder = path.parent / _BACKUPS
    made = None
    try:
        writing.make_folder(folder)
        if keep > 0 and path.exists():
            made = _backed_up(path, folder / f"saveconfig-{now():%Y%m%d-%H:%M:%S}-json.gz")
        for old in backups(path)[: -keep or None]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, f"back up {path}") from error
    return made


def _backed_up(path: Path, backup: Path) -> Path | None:
    data = load.read_file(path, trusted=True).data
    before = backups(path)
    if before and read_backup(before[-1]) == data:
        return None
    writing.replace(backup, gzip.compress(data))
    return backup


def sweep(path: Path) -> None:
    """Remove temporary files of killed processes beside a saved file and its backups."""
    for folder in (path.parent, path.parent / _BACKUPS):
        writing.remove_left(folder)


def backups(path: Path) -> list[Path]:
    """Return the backups of a saved file, oldest first. Raises OSError."""
    folder = path.parent / _BACKUPS
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(folder / name for name in names if fnmatch(name, "saveconfig-*json*"))


def read_backup(backup: Path) -> bytes:
    """Return the content of a backup. Raises PyshellError, also for a damaged one."""
    return load.unpacked(load.read_file(backup).data, str(backup))


FOREIGN_READ = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True)
class Trusted:
    """A document from a file that is trusted to be applied."""

    document: Document
    data: bytes
    """The bytes of the file."""
    warnings: tuple[str, ...] = ()
    """Warnings about the file, which is accepted."""
    unknown: tuple[str, ...] = ()
    """Warnings of unknown keys, as `check` prints them."""


def load_trusted(path: Path) -> Trusted:
    """Return the document in a file that only root or the caller can write.

    Raises NotPermittedError with the command that fixes it, and the errors of `load`.
    """
    found = load.read_file(path, trusted=True)
    text = load.text_of(found.data, str(path))
    document = load.parse(text, str(path))
    unknown = tuple(
        f"{path}:{one.line}:{one.column}: warning: {one}"
        for one in load.unknown_keys_of(document, text)
    )
    if found.mode & FOREIGN_READ and holds_secrets(document):
        fix = f"chmod 600 {shell_word(str(path))}"
        warning = f"{path} contains secrets that other users can read: {fix} fixes it."
        return Trusted(document, found.data, (warning,), unknown)
    return Trusted(document, found.data, unknown=unknown)
