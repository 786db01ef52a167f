# SPDX-License-Identifier: Apache-2.0
"""Read a saved configuration from a file, held against the document's types before it is used."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from pathlib import Path
from typing import Any

from pyshell.config.document import Document
from pyshell.config.lint.faults import Finding, no_text, not_json, placed
from pyshell.config.lint.types import type_faults, unknown_keys
from pyshell.config.positions import Read, Spot, read
from pyshell.errors import PyshellError
from pyshell.files import jsontext, reading
from pyshell.files.reading import LARGE

EMPTY = "empty"
_PACKED = 64 << 20
_RATIO = 100
"""A packed file may hold more than _PACKED bytes only if it packs them less than so many times."""
_GZIP = b"\x1f\x8b"


class DocumentError(PyshellError):
    """A file that is no saved configuration: `faults` are one line each, with JSON path."""

    def __init__(self, name: str, findings: list[Finding]) -> None:
        self.findings = findings
        faults = [f"line {one.line}, column {one.column}: {one}" for one in findings]
        message = f"{name} is no saved configuration:"
        if len(faults) == 1:
            message, faults = f"{message} {faults[0]}", []
        super().__init__(message, "Nothing was changed.", faults=faults)


class TextError(DocumentError):
    """A file that is not even JSON, which is one fault."""

    def __init__(self, name: str, finding: Finding) -> None:
        super().__init__(name, [finding])
        what, _, why = finding.message.partition(": ")
        where = f"line {finding.line}, column {finding.column}"
        self.message = f"{name} is {what}: {where}" + (f": {why}" if why else "")
        if what == EMPTY:
            self.message = f"{name} is {what}"


def load(path: Path) -> Document:
    """Return the document in a file. Unknown keys are kept.

    Raises NotFoundError, NotPermittedError and the like for the file, DocumentError for its text.
    """
    return from_bytes(read_file(path).data, str(path))


def read_text(path: Path) -> str:
    """Return the text of a file. Raises as `load` does."""
    return text_of(read_file(path).data, str(path))


def read_file(path: Path, *, trusted: bool = False) -> reading.Found:
    """Return the bytes and the mode of a file, as `reading.read` does. Raises as `load` does."""
    try:
        return reading.read(path, LARGE, trusted=trusted)
    except reading.TooLargeError as error:
        raise TextError(str(path), too_large()) from error


def too_large() -> Finding:
    """Return the fault of a file that is larger than any saved configuration."""
    return no_text(f"larger than {LARGE >> 20} MiB, which no saved configuration is")


def from_bytes(data: bytes, name: str) -> Document:
    """Return the document in the bytes of a file; `name` says in errors where they came from."""
    return parse(text_of(data, name), name)


def unpacked(data: bytes, name: str) -> bytes:
    """Return what a file holds, which may be packed as targetcli's backups are.

    Raises PyshellError for a damaged one, and for one that would fill the memory.
    """
    if not (name.endswith(".gz") or data.startswith(_GZIP)):
        return data
    limit = min(LARGE, max(_PACKED, _RATIO * len(data)))
    try:
        with gzip.open(io.BytesIO(data)) as packed:
            found = packed.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise PyshellError(f"{name} is damaged: {error}", "Move it away.") from error
    if len(found) > LARGE:
        raise TextError(name, too_large())
    if len(found) > limit:
        size = f"{limit >> 20} MiB"
        raise TextError(name, no_text(f"larger than {size} when unpacked, too much for its size"))
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
        fault = no_text(f"not UTF-8 text (byte {error.start})", line, column)
        raise TextError(name, fault) from error


def parse(text: str, name: str) -> Document:
    """Return the document in `text`; `name` says in errors where it came from."""
    if not text.strip():
        raise TextError(name, no_text(EMPTY))
    try:
        data = jsontext.loads(text, any_string=True)
    except ValueError as error:
        raise TextError(name, _json_fault(text, error)) from error
    document, faults = type_faults(data)
    if faults:
        raise DocumentError(name, placed(_places(text), faults))
    return document


def unknown_keys_of(document: Document, text: str) -> list[Finding]:
    """Return a warning for each key in the text of a document that has no effect."""
    faults = list(unknown_keys(document))
    return placed(_places(text), faults) if faults else []


def typed(data: Any, name: str) -> Document:
    """Return data as the document that it is. Raises PyshellError where it is none."""
    document, faults = type_faults(data)
    if faults:
        raise PyshellError(f"{name} holds no saved configuration: {faults[0].message}")
    return document


def _json_fault(text: str, found: Exception) -> Finding:
    """Return the fault that `found` tells of, as the reader that knows places sees it."""
    try:
        read(text)
    except json.JSONDecodeError as error:
        return not_json(error)
    if isinstance(found, json.JSONDecodeError):
        return not_json(found)
    return no_text(f"not JSON: {found}")


def _places(text: str) -> Read:
    try:
        return read(text)
    except json.JSONDecodeError:  # what nobody here knows is nested deeper than that reader goes
        return Read(None, Spot(0, 0), [], [0])
