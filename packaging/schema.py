#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generate the JSON Schema of saved configurations from the types in pyshell/config/document.py.

python packaging/schema.py
"""

from __future__ import annotations

import inspect
import json
import types
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from typing_extensions import NotRequired, Required, get_type_hints, is_typeddict

from pyshell.config import document
from pyshell.config.document_types import is_required

FILE = Path(document.__file__).with_name("saveconfig.schema.json")
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {int: "integer", str: "string", bool: "boolean", types.NoneType: "null"}


def schema() -> dict[str, Any]:
    """Return the JSON Schema. It refuses unknown keys: they are mostly typos."""
    kinds: dict[str, dict[str, Any]] = {}
    whole = _object(document.Document, kinds)
    whole["properties"]["$schema"] = {
        "type": "string",
        "description": "Path of the JSON Schema, for editors; pyshell ignores it.",
    }
    return {"$schema": _DRAFT, "title": "LIO saveconfig.json", **whole, "$defs": kinds}


def _object(kind: Any, kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    made: dict[str, Any] = {
        "type": "object",
        "description": inspect.getdoc(kind),
        "properties": {key: _schema(hint, kinds) for key, hint in hints.items()},
        "additionalProperties": False,
    }
    required = [key for key, hint in hints.items() if is_required(hint)]
    return {**made, "required": required} if required else made


def _schema(hint: Any, kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a type; those of the objects in it are added to `kinds`."""
    origin, members = get_origin(hint), get_args(hint)
    if origin in (NotRequired, Required):
        return _schema(members[0], kinds)
    if origin is Annotated:
        inner, text = members
        return {**_schema(inner, kinds), "description": text}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(member, kinds) for member in members]}
    if origin is list:
        return {"type": "array", "items": _schema(members[0], kinds)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(members[1], kinds)}
    if is_typeddict(hint):
        name = hint.__name__.removesuffix("Entry")
        kinds[name] = _object(hint, kinds)
        return {"$ref": f"#/$defs/{name}"}
    return {"type": _TYPES[hint]}


def text() -> str:
    """Return the text of the schema file."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
