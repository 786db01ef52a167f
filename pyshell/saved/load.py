# SPDX-License-Identifier: Apache-2.0
"""Read a saved configuration from a file, held against the document's types before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from pyshell.errors import PyshellError, from_os_error
from pyshell.saved.checks.faults import Finding, no_text, not_json, placed
from pyshell.saved.checks.types import type_faults
from pyshell.saved.document import Document
from pyshell.saved.positions import Read, Spot, read

SIZE_MAX = 256 << 20
"""Bytes; a configuration of 1,000 LUNs, each mapped to 1,000 initiators, has half as many."""


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


def load(path: Path) -> Document:
    """Return the document in a file. Unknown keys are kept.

    Raises NotFoundError, NotPermittedError and the like for the file, DocumentError for its text.
    """
    return from_bytes(read_bytes(path), str(path))


def read_text(path: Path) -> str:
    """Return the text of a file. Raises as `load` does."""
    return _decoded(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, of one that is too large somewhat more than the most."""
    try:
        with path.open("rb") as file:
            return file.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: the name holds a NUL
        found = error if isinstance(error, OSError) else OSError(str(error))
        raise from_os_error(found, f"read {path}") from error


def from_bytes(data: bytes, name: str) -> Document:
    """Return the document in the bytes of a file; `name` says in errors where they came from."""
    return parse(_decoded(data, name), name)


def _decoded(data: bytes, name: str) -> str:
    if len(data) > SIZE_MAX:
        size = f"larger than {SIZE_MAX >> 20} MiB, which no saved configuration is"
        raise TextError(name, no_text(size))
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
    try:
        data = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise TextError(name, _json_fault(text, error)) from error
    document, faults = type_faults(data)
    if faults:
        raise DocumentError(name, placed(_places(text), faults))
    return document


def typed(data: Any, name: str) -> Document:
    """Return data as the document that it is. Raises PyshellError where it is none."""
    document, faults = type_faults(data)
    if faults:
        raise PyshellError(f"{name} holds no saved configuration: {faults[0].message}")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"there is no {constant} in JSON")


def _json_fault(text: str, found: Exception) -> Finding:
    """Return the fault that `found` tells of, as the reader that knows places sees it."""
    try:
        read(text)
    except json.JSONDecodeError as error:
        return not_json(error)
    return no_text(f"not JSON: {found}")


def _places(text: str) -> Read:
    try:
        return read(text)
    except json.JSONDecodeError:  # what nobody here knows is nested deeper than that reader goes
        return Read(None, Spot(0, 0), [], [0])
