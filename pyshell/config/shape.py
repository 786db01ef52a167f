# SPDX-License-Identifier: Apache-2.0
"""The types of a document as its JSON Schema has them.

To read that file takes a twentieth of the time that the types of `document` take, which are text
to be evaluated, and voluptuous, which validates a document against them. So a document that needs
no conversion is recognised by it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any

from pyshell.config.positions import Place

FILE = Path(__file__).with_name("saveconfig.schema.json")
_TYPES = {"integer": int, "string": str, "boolean": bool, "null": NoneType}
_FOR_EDITORS = "$schema"


@functools.cache
def _schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def fits(data: Any) -> bool:
    """Return whether data has exactly the types of a document.

    False also for data that they accept after a conversion, such as "1" for a number.
    """
    return _fits(data, _schema())


def _fits(value: Any, wanted: dict[str, Any]) -> bool:
    if "anyOf" in wanted:
        return any(_fits(value, one) for one in wanted["anyOf"])
    wanted = _resolved(wanted)
    kind = wanted["type"]
    if kind == "array":
        entries = wanted["items"]
        return type(value) is list and all(_fits(one, entries) for one in value)
    if kind == "object":
        return type(value) is dict and _fits_object(value, wanted)
    return type(value) is _TYPES[kind]


def _fits_object(value: dict[str, Any], wanted: dict[str, Any]) -> bool:
    properties = wanted.get("properties")
    if properties is None:
        every = wanted["additionalProperties"]
        kinds = {_TYPES.get(one.get("type")) for one in every.get("anyOf", (every,))}
        if None in kinds:
            return all(_fits(one, every) for one in value.values())
        return kinds.issuperset(map(type, value.values()))
    if any(key not in value for key in wanted.get("required", ())):
        return False
    return all(_fits(one, properties[key]) for key, one in value.items() if key in properties)


def _resolved(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, or the one that it refers to."""
    name = wanted.get("$ref")
    if name is None:
        return wanted
    found: dict[str, Any] = _schema()["$defs"][name.rpartition("/")[2]]
    return found


def unknown_keys(
    data: Any, place: Place = (), wanted: dict[str, Any] | None = None
) -> Iterator[tuple[Place, str, Iterable[str]]]:
    """Yield each key that the types do not have: its place, itself, and those that are known."""
    wanted = wanted or _schema()
    if not isinstance(data, dict):
        return
    known = wanted["properties"]
    for key, value in data.items():
        if key not in known:
            yield (*place, key), key, [name for name in known if name != _FOR_EDITORS]
        elif isinstance(value, list) and "$ref" in (entries := known[key].get("items", {})):
            for index, entry in enumerate(value):
                yield from unknown_keys(entry, (*place, key, index), _resolved(entries))
