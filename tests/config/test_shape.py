# SPDX-License-Identifier: Apache-2.0
"""What is recognised by the JSON Schema has the types of a document, and the other way round."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from driver import ROOT
from pyshell.config import document_types, shape
from pyshell.files.reading import json_values

_VALUES: tuple[Any, ...] = (
    *(0, 1, -5, 1 << 70, 1.0, 1.5, True, False, None, "", "1", "yes", "x"),
    *([], ["x"], [{}], {}, {"x": 1}, {"x": None}, {"index": 1}, {"name": "a", "plugin": "block"}),
)


def documents() -> list[Any]:
    """Return documents with all kinds of objects."""
    example = json.loads((ROOT / "saveconfig.example.json").read_text(encoding="utf-8"))
    return [example, {"storage_objects": [], "targets": [], "fabric_modules": []}, {}]


def mutated(data: Any, dice: random.Random) -> Any:
    """Return a document with one value replaced, removed or added."""
    made = copy.deepcopy(data)
    places = [place for place, _ in json_values(made) if place]
    if not places or dice.random() < 0.1:
        made[dice.choice(("targets", "storage_objects", "$schema", "x"))] = dice.choice(_VALUES)
        return made
    *above, last = dice.choice(places)
    inner = made
    for part in above:
        inner = inner[part]
    if isinstance(inner, dict) and dice.random() < 0.2:
        del inner[last]
    elif isinstance(inner, dict) and dice.random() < 0.2:
        inner[dice.choice(("x", "index", "wwn", "alias"))] = dice.choice(_VALUES)
    else:
        inner[last] = dice.choice(_VALUES)
    return made


def cases() -> Iterator[Any]:
    """Yield documents and what is none, the same ones each time."""
    dice = random.Random("shape")
    yield from (*_VALUES, *documents())
    for data in documents():
        for _ in range(700):
            yield mutated(mutated(data, dice) if dice.random() < 0.3 else data, dice)


def exact(value: Any) -> str:
    """Return a text that differs if any value or type does."""
    return json.dumps(value, sort_keys=True)


def test_both_agree_on_what_needs_no_conversion() -> None:
    recognised = 0
    for data in cases():
        found, problems = document_types.typed(data)
        as_it_is = not problems and exact(found) == exact(data)
        assert shape.fits(data) == as_it_is or (as_it_is and "$schema" in data), data
        recognised += as_it_is
    assert recognised > 300


@pytest.mark.parametrize("data", documents())
def test_both_know_the_same_keys(data: Any) -> None:
    assert list(shape.unknown_keys(data)) == []


def test_unknown_keys_are_found_at_each_level() -> None:
    data = {"$schema": "", "x": 1, "targets": [{"y": 1, "tpgs": [{"z": {}, "luns": 5}]}]}
    found = [(place, key) for place, key, _ in shape.unknown_keys(data)]
    assert found == [
        (("x",), "x"),
        (("targets", 0, "y"), "y"),
        (("targets", 0, "tpgs", 0, "z"), "z"),
    ]
    known = next(known for _, key, known in shape.unknown_keys(data) if key == "x")
    assert set(known) == {"fabric_modules", "storage_objects", "targets"}
