# SPDX-License-Identifier: Apache-2.0
"""The document's types as a JSON Schema, by which editors complete and check a file.

`python -m pyshell.config.schema` prints it; `saveconfig.schema.json` beside this file is that text.
"""

from __future__ import annotations

import json
import sys
from typing import Any, get_args, get_origin

from typing_extensions import Doc, NotRequired, Required, get_type_hints

from pyshell.config import document

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the schema. Keys that nobody here knows are faults to it: they are mostly typos."""
    from pydantic import TypeAdapter

    made = TypeAdapter(document.Document).json_schema(ref_template="#/$defs/{model}")
    kinds = made.pop("$defs")
    for name, kind in {**kinds, "Document": made}.items():
        _describe(kind, getattr(document, name))
    made["properties"]["$schema"] = {"type": "string", "description": "Where this schema lies."}
    return {"$schema": _DRAFT, "title": "LIO saveconfig.json", **made, "$defs": kinds}


def _describe(kind: dict[str, Any], of: Any) -> None:
    kind.pop("title", None)
    kind["additionalProperties"] = False
    for key, hint in get_type_hints(of, include_extras=True).items():
        told = next((one for one in _notes(hint) if isinstance(one, Doc)), None)
        kind["properties"][key].pop("title", None)
        if told is not None:
            kind["properties"][key]["description"] = told.documentation


def _notes(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (NotRequired, Required):
        (hint,) = get_args(hint)
    return getattr(hint, "__metadata__", ())


def text() -> str:
    """Return the text of the schema file."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
