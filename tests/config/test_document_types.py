# SPDX-License-Identifier: Apache-2.0
"""Values of a saved configuration are converted to its types, or named with what they must be."""

from __future__ import annotations

from typing import Any

import pytest

from pyshell.config.document_types import typed


def disk(**keys: Any) -> dict[str, Any]:
    return {"storage_objects": [{"name": "a", "plugin": "block", **keys}]}


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        *(("size", value, 5) for value in (5, 5.0, "5", " 5 ", "+5", "005", "5.0")),
        ("size", "1_000", 1000),
        ("size", "-3", -3),
        ("size", True, 1),
        ("size", None, None),
        *(("readonly", value, True) for value in (True, 1, 1.0, "1", "true", "YES", "on", "t")),
        *(("readonly", value, False) for value in (False, 0, 0.0, "0", "False", "no", "off", "n")),
        ("attributes", {"a": 5, "b": "5", "c": 5.0}, {"a": 5, "b": "5", "c": 5}),
        ("exists", True, True),
        ("exists", "x", "x"),
        ("unknown", {"kept": [1.5]}, {"kept": [1.5]}),
    ],
)
def test_a_value_is_converted(key: str, given: object, expected: object) -> None:
    found, problems = typed(disk(**{key: given}))
    assert problems == []
    value = found["storage_objects"][0][key]  # type: ignore[literal-required]
    assert (value, type(value)) == (expected, type(expected))


REFUSED: dict[tuple[str, str], tuple[object, ...]] = {
    ("size", "must be a whole number"): (1.5, "1.5", "", "x", "1e3", "0x1", "1.", "1__0", "_1", []),
    ("size", "must be a smaller number"): (1e300, "9" * 5000),
    ("readonly", "must be true or false"): (None, 2, 0.5, "x", " 1 ", []),
    ("dev", "must be text"): (None, 1, True, [], {}),
    ("attributes", "must be an object"): (None, 1, "x", []),
    ("alua_tpgs", "must be a list"): (None, 1, "x", {}),
    ("exists", "must be a whole number or text or true or false"): ([],),
}


@pytest.mark.parametrize(
    ("key", "given", "message"),
    [(key, value, message) for (key, message), values in REFUSED.items() for value in values],
)
def test_a_value_of_another_type_is_named(key: str, given: object, message: str) -> None:
    found, problems = typed(disk(**{key: given}))
    assert (found, problems) == ({}, [(("storage_objects", 0, key), message)])


def test_every_problem_is_named_with_its_place() -> None:
    groups = [{"name": "a"}, {}, {"name": 1, "tg_pt_gp_id": "x"}]
    data = {**disk(alua_tpgs=groups, attributes={"a": []}), "targets": [{}, 1]}
    _, problems = typed(data)
    above = ("storage_objects", 0)
    assert problems == [
        ((*above, "alua_tpgs", 2, "name"), "must be text"),
        ((*above, "alua_tpgs", 2, "tg_pt_gp_id"), "must be a whole number"),
        ((*above, "attributes", "a"), "must be a whole number or text"),
        (("targets", 1), "must be an object"),
        ((*above, "alua_tpgs", 1, "name"), "is missing"),
        (("targets", 0, "fabric"), "is missing"),
        (("targets", 0, "wwn"), "is missing"),
    ]


@pytest.mark.parametrize("data", [[], None, "x", 1])
def test_a_document_is_an_object(data: object) -> None:
    assert typed(data) == ({}, [((), "must be an object")])
