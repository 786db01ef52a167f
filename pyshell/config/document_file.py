# SPDX-License-Identifier: Apache-2.0
"""Files that contain a saved configuration: read, validate, write and back them up.

A file that others can write is not applied: who writes it decides which devices are exported, and
to whom. A file is written with mode 0600 from its first instant, as it contains CHAP secrets.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pyshell.config import shape
from pyshell.config.document import Document, holds_secrets
from pyshell.config.positions import (
    UNFIT,
    WHOLE,
    LocatedProblem,
    Positions,
    Problem,
    as_clause,
    error,
    placed,
)
from pyshell.errors import PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.files.reading import LARGE
from pyshell.quoting import shell_word
from pyshell.text import did_you_mean

_TOO_LARGE = f"larger than {LARGE >> 20} MiB, which no saved configuration is"
_PACKED = 64 << 20
_RATIO = 100
"""Highest compression ratio of a packed file of more than _PACKED bytes."""
_GZIP = b"\x1f\x8b"
_BACKUPS = "backup"
FOREIGN_READ = stat.S_IRGRP | stat.S_IROTH


class DocumentError(PyshellError):
    """A file that is not a saved configuration: `faults` has a line with JSON path for each."""

    def __init__(self, name: str, findings: list[LocatedProblem]) -> None:
        self.findings = findings
        faults = [f"{one.where}: {one}" for one in findings]
        message = f"{name} is not a saved configuration:"
        if len(faults) == 1:
            message, faults = f"{message} {faults[0]}", []
        super().__init__(message, faults=faults)


class TextError(DocumentError):
    """A file that is not JSON."""

    def __init__(
        self, name: str, what: str, why: str = "", at: tuple[int, int] | None = None
    ) -> None:
        line, column = at or (1, 1)
        message = f"{what}: {why}" if why else what
        problem = LocatedProblem(WHOLE, line, column, "error", message)
        super().__init__(name, [problem])
        self.message = ": ".join(filter(None, (f"{name} is {what}", at and problem.where, why)))


def load(path: Path) -> Document:
    """Return the document in a file. Unknown keys are kept.

    Raises NotFoundError, NotPermittedError and the like for the file, DocumentError for its text.
    """
    return from_bytes(read_file(path).data, str(path))


def read_file(path: Path, *, trusted: bool = False) -> reading.FileContent:
    """Return the bytes and the mode of a file, as `reading.read` does. Raises as `load` does."""
    try:
        return reading.read(path, LARGE, trusted=trusted)
    except reading.TooLargeError as error:
        raise TextError(str(path), _TOO_LARGE) from error


def from_bytes(data: bytes, name: str) -> Document:
    """Return the document in the bytes of a file; `name` is its name in errors."""
    return parse(text_of(data, name), name)


def unpacked(data: bytes, name: str) -> bytes:
    """Return the content of a file, which can be packed by gzip like targetcli's backups.

    Raises PyshellError for a damaged file, and for one that would fill the memory.
    """
    if not (name.endswith(".gz") or data.startswith(_GZIP)):
        return data
    limit = min(LARGE, max(_PACKED, _RATIO * len(data)))
    try:
        with gzip.open(io.BytesIO(data)) as packed:
            found = packed.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise PyshellError(f"{name} is damaged: {error}", "Move it to another folder.") from error
    if len(found) > LARGE:
        raise TextError(name, _TOO_LARGE)
    if len(found) > limit:
        size = f"{limit >> 20} MiB"
        raise TextError(name, f"larger than {size} when unpacked, too much for its size")
    return found


def text_of(data: bytes, name: str) -> str:
    """Return the text in the bytes of a file. Raises PyshellError."""
    data = unpacked(data, name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        what = f"not UTF-8 text (byte {error.start})"
        raise TextError(name, what, at=(line, column)) from error


def json_data(text: str, name: str) -> Any:
    """Return the data in `text`; `name` is the name of its source. Raises TextError."""
    if not text.strip():
        raise TextError(name, "empty")
    try:
        return reading.parse_json(text, any_string=True)
    except json.JSONDecodeError as error:
        why = as_clause(error.msg).removesuffix(" at").removesuffix(" starting")
        raise TextError(name, "not JSON", why, (error.lineno, error.colno)) from error


def parse(text: str, name: str) -> Document:
    """Return the document in `text`; `name` is the name of its source in errors."""
    return checked(json_data(text, name), text, name)


def checked(data: Any, text: str, name: str) -> Document:
    """Return the document in the data of a text; `name` is the name of its source in errors."""
    document, problems = type_problems(data, text)
    if problems:
        raise DocumentError(name, placed(Positions(text), problems))
    return document


def unknown_keys_of(document: Document, text: str) -> list[LocatedProblem]:
    """Return a warning for each unknown key of a document, which has no effect."""
    problems = list(unknown_keys(document))
    return placed(Positions(text), problems) if problems else []


def typed(data: Any, name: str) -> Document:
    """Return data as a typed document. Raises PyshellError if it is none."""
    document, problems = type_problems(data)
    if problems:
        raise PyshellError(f"{name} contains no saved configuration: {problems[0].message}")
    return document


def type_problems(data: Any, text: str | None = None) -> tuple[Document, list[Problem]]:
    """Return `data` converted to the types, and a problem for each wrong place.

    `text` is what it was read from, if from JSON: few texts call for a look at each string.
    """
    unfit: list[Problem] = []
    if text is None or reading.suspicious_string(text):
        unfit = _unfit_texts(data)
    if shape.fits(data):
        return data, unfit
    from pyshell.config import document_types  # it takes a while, with its library

    found, wrongs = document_types.typed(data)
    return found, [error(place, message) for place, message in wrongs] + unfit


def _unfit_texts(data: Any) -> list[Problem]:
    """Return problems of texts and keys that no file name and no kernel accepts."""
    message = "contains NUL or half of a surrogate pair"
    return [
        Problem("error", place, message, at_key=is_key)
        for place, value in reading.json_values(data)
        for text, is_key in ((value, False), (place[-1] if place else "", True))
        if isinstance(text, str) and UNFIT.search(text)
    ]


def unknown_keys(data: Any) -> Iterator[Problem]:
    """Yield a warning for each key that is not in the document's types."""
    for place, key, known in shape.unknown_keys(data):
        message = f"unknown key {json.dumps(key, ensure_ascii=False)}, it has no effect"
        yield Problem("warning", place, message, did_you_mean(key, known), at_key=True)


def to_text(document: Document) -> str:
    """Return a document as rtslib writes it: indent 2, sorted keys, a newline at the end."""
    return json.dumps(document, sort_keys=True, indent=2) + "\n"


def digest(data: bytes) -> str:
    """Return the digest that identifies the bytes of a file."""
    from hashlib import sha256  # it loads OpenSSL

    return sha256(data).hexdigest()


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
    with os_errors(f"back up {path}"):
        writing.make_folder(folder)
        if keep > 0 and path.exists():
            made = _backed_up(path, folder / f"saveconfig-{now():%Y%m%d-%H:%M:%S}-json.gz")
        for old in backups(path)[: -keep or None]:
            old.unlink(missing_ok=True)
    return made


def _backed_up(path: Path, backup: Path) -> Path | None:
    data = read_file(path, trusted=True).data
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
    return unpacked(read_file(backup).data, str(backup))


@dataclass(frozen=True)
class Trusted:
    """A document from a file that is trusted to be applied."""

    document: Document
    data: bytes
    """The bytes of the file."""
    text: str
    warnings: tuple[str, ...] = ()
    """Warnings about the file, which is accepted."""
    unknown: tuple[str, ...] = ()
    """Warnings of unknown keys, as `check` prints them."""


def load_trusted(path: Path) -> Trusted:
    """Return the document in a file that only root or the caller can write.

    Raises NotPermittedError with the command that fixes it, and the errors of `load`.
    """
    try:
        found = read_file(path, trusted=True)
        text = text_of(found.data, str(path))
        document = parse(text, str(path))
    except DocumentError as error:
        error.unchanged = True
        raise
    unknown = tuple(
        f"{path}:{one.line}:{one.column}: warning: {one}" for one in unknown_keys_of(document, text)
    )
    if found.mode & FOREIGN_READ and holds_secrets(document):
        fix = f"chmod 600 {shell_word(str(path))}"
        warning = f"{path} contains secrets that other users can read: {fix} fixes it."
        return Trusted(document, found.data, text, (warning,), unknown)
    return Trusted(document, found.data, text, unknown=unknown)
