# SPDX-License-Identifier: Apache-2.0
"""Read a saved configuration from a file, held against the document's types before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyshell.errors import PyshellError, from_os_error
from pyshell.saved.document import Document

_FAULTS_SHOWN = 20


class DocumentError(PyshellError):
    """A file that is no saved configuration: `faults` are one line each, with JSON path."""

    def __init__(self, message: str, faults: list[str]) -> None:
        super().__init__(message, "Nothing was changed.")
        self.faults = faults


def load(path: Path) -> Document:
    """Return the document in a file. Unknown keys are kept.

    Raises NotFoundError, NotPermittedError and the like for the file, DocumentError for its text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, f"read {path}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8 text (byte {error.start})", []) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Document:
    """Return the document in `text`; `name` says in errors where it came from."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        fault = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise DocumentError(f"{name} is not JSON: {fault}", [fault]) from error
    return check_types(data, name)


def check_types(data: Any, name: str) -> Document:
    """Return `data` as a document. Raises DocumentError that names each place that is wrong."""
    # pydantic takes longer to load than most commands take: only those that read a file pay.
    from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

    keep = with_config(ConfigDict(extra="allow"))(Document)
    try:
        found: Document = TypeAdapter(keep).validate_python(data)
    except ValidationError as error:
        faults = [f"{_json_path(e['loc'])}: {e['msg']}" for e in error.errors(include_url=False)]
        raise DocumentError(_told(name, faults), faults) from None
    return found


def _told(name: str, faults: list[str]) -> str:
    """Return one line for one fault; several stand below each other, as many as can be read."""
    if len(faults) == 1:
        return f"{name} is no saved configuration: {faults[0]}"
    shown = faults[:_FAULTS_SHOWN]
    more = [f"and {len(faults) - len(shown)} more"] if len(faults) > len(shown) else []
    return "\n".join([f"{name} is no saved configuration:", *shown, *more])


def _json_path(place: tuple[int | str, ...]) -> str:
    path = "$"
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path
