#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generate the JSON Schema of saved configurations from the types in pyshell/config/document.py.

python packaging/schema.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import TypeAdapter
from typing_extensions import Doc, NotRequired, Required, get_type_hints

from pyshell.config import document

FILE = Path(document.__file__).with_name("saveconfig.schema.json")
_ENTRY = re.compile(r'(?<=[a-z])Entry"')
"""Ends the names of the types, but not those in the schema."""
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema. It refuses unknown keys: they are mostly typos."""
    found = TypeAdapter(document.Document).json_schema(ref_template="#/$defs/{model}")
    kinds = found.pop("$defs")
    for name, kind in {**kinds, "Document": found}.items():
        _describe(kind, getattr(document, name))
    found["properties"]["$schema"] = {
        "type": "string",
        "description": "Path of the JSON Schema, for editors; pyshell ignores it.",
    }
    found = {"$schema": _DRAFT, "title": "LIO saveconfig.json", **found, "$defs": kinds}
    renamed: dict[str, Any] = json.loads(_ENTRY.sub('"', json.dumps(found)))
    return renamed


def _describe(kind: dict[str, Any], of: Any) -> None:
    kind.pop("title", None)
    kind["additionalProperties"] = False
    for key, hint in get_type_hints(of, include_extras=True).items():
        note = next((one for one in _notes(hint) if isinstance(one, Doc)), None)
        kind["properties"][key].pop("title", None)
        if note is not None:
            kind["properties"][key]["description"] = note.documentation


def _notes(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (NotRequired, Required):
        (hint,) = get_args(hint)
    return getattr(hint, "__metadata__", ())


def text() -> str:
    """Return the text of the schema file."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
