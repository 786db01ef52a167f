# SPDX-License-Identifier: Apache-2.0
"""Read a saved configuration from a file, held against the document's types before it is used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyshell.errors import PyshellError, from_os_error
from pyshell.saved.document import Document


class DocumentError(PyshellError):
    """A file that is no saved configuration: `faults` are one line each, with JSON path."""

    def __init__(self, message: str, faults: Sequence[str] = ()) -> None:
        super().__init__(message, "Nothing was changed.", faults=faults)


def load(path: Path) -> Document:
    """Return the document in a file. Unknown keys are kept.

    Raises NotFoundError, NotPermittedError and the like for the file, DocumentError for its text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, f"read {path}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8 text (byte {error.start})") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Document:
    """Return the document in `text`; `name` says in errors where it came from."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        fault = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise DocumentError(f"{name} is not JSON: {fault}") from error
    except RecursionError as error:
        raise DocumentError(f"{name} is nested too deeply to be a saved configuration") from error
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
        message = f"{name} is no saved configuration:"
        if len(faults) == 1:
            raise DocumentError(f"{message} {faults[0]}") from None
        raise DocumentError(message, faults) from None
    return found


def _json_path(place: tuple[int | str, ...]) -> str:
    path = "$"
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path
