# SPDX-License-Identifier: Apache-2.0
"""The positions of the values in JSON text."""

from __future__ import annotations

import json

import pytest

from driver import DATA, ROOT
from pyshell.config.positions import Positions, json_path
from pyshell.files.reading import DEPTH_MAX, json_values, parse_json

TEXT = """\
{
  "a": [1, {"b": "x"}],
  "c": {"d": null,
        "e": -1.5e3}
}
"""


@pytest.mark.parametrize(
    ("place", "value", "key"),
    [
        ((), (1, 1), (1, 1)),
        (("a",), (2, 8), (2, 3)),
        (("a", 0), (2, 9), (2, 9)),
        (("a", 1, "b"), (2, 18), (2, 13)),
        (("c", "e"), (4, 14), (4, 9)),
        (("c", "missing"), (3, 8), (3, 8)),
        (("a", 7, "b"), (2, 8), (2, 8)),
    ],
)
def test_a_place_has_the_positions_of_its_value_and_key(
    place: tuple[int | str, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    found = Positions(TEXT)
    assert found.position(place) == value
    assert found.position(place, key=True) == key


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "1",
        " [ ] ",
        "{}",
        '"\\ud83d\\ude00 \\" \\\\ \\/"',
        "[true,false,null,0,-0,1e3,0.5,-12.25E-2]",
        '{"":{"":[]}}',
        (ROOT / "saveconfig.example.json").read_text(),
        *(path.read_text() for path in sorted((DATA / "older").glob("*.json"))),
    ],
)
def test_each_value_is_at_its_position(text: str) -> None:
    found, lines = Positions(text), text.splitlines(keepends=True)
    for place, value in json_values(json.loads(text)):
        line, column = found.position(place)
        at = sum(map(len, lines[: line - 1])) + column - 1
        assert json.JSONDecoder().raw_decode(text, at)[0] == value


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("{", 1, 2),
        ('{"a"}', 1, 5),
        ('{"a": }', 1, 7),
        ('{"a": 1,}', 1, 9),
        ("[1,\n 2\n 3]", 3, 2),
        ("[01]", 1, 3),
        ("[1.]", 1, 3),
        ("[+1]", 1, 2),
        ("[tru]", 1, 2),
        ("[NaN]", 1, 2),
        ("[-Infinity]", 1, 2),
        ('["a\nb"]', 1, 4),
        ('["\\x"]', 1, 3),
        ('["a', 1, 2),
        ("{} {}", 1, 4),
        ("\ufeff{}", 1, 1),
        ("[\u0661]", 1, 2),
        ("[\u00a01]", 1, 2),
        ("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1), 1, DEPTH_MAX + 1),
        ("[" * 100_000, 1, DEPTH_MAX + 1),
        ("9" * 5000, 1, 1),
    ],
)
def test_invalid_json_is_refused_with_its_position(text: str, line: int, column: int) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        parse_json(text, any_string=True)
    assert (caught.value.lineno, caught.value.colno) == (line, column)


def test_a_duplicate_key_is_recorded_and_the_last_one_counts() -> None:
    text = '{"a": 1, "b": {"a": 2, "a": 3}, "a": 4}'
    found = Positions(text)
    assert parse_json(text) == {"a": 4, "b": {"a": 3}}
    assert [place for place, _ in found.twice()] == [("b", "a"), ("a",)]
    assert [found.line_and_column(at) for _, at in found.twice()] == [(1, 16), (1, 2)]
    assert found.position(("a",), key=True) == (1, 33)


def test_json_paths_are_unambiguous_for_any_key() -> None:
    assert json_path(()) == "$"
    assert json_path(("targets", 0, "wwn")) == "$.targets[0].wwn"
    assert json_path(("a b", "c.d", 'e"f', "g\nh")) == '$["a b"]["c.d"]["e\\"f"]["g\\nh"]'
