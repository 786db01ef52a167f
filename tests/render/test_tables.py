# SPDX-License-Identifier: Apache-2.0
"""Tables, whole or as much as fits."""

from __future__ import annotations

from pyshell.render.drawing import folded_lines, table_lines
from pyshell.text import columns, shorten, shorten_sentence
from pyshell.tree.results import Table


def _unpainted(_: str, text: str) -> str:
    return text


LONG = "iqn.2020-07.com.example.storage.site-one:" + "x" * 60 + ":disk7"
TABLE = Table(("kind", "name", "read/s"), [("lun", LONG, "1"), ("lun", "b", "23")], 1, "now", [])


def test_a_table_is_whole_where_nothing_limits_it() -> None:
    assert list(table_lines(TABLE)) == [
        "now",
        f"kind  {'name':{len(LONG)}}  read/s",
        f"lun   {LONG}       1",
        f"lun   {'b':{len(LONG)}}      23",
    ]


def test_a_terminal_of_80_by_24_holds_it() -> None:
    many = Table(TABLE.headings, [TABLE.rows[0]] * 50, 1, "now", [])
    found = list(table_lines(many, 80, 24))
    assert len(found) == 24
    assert max(map(len, found)) == 80
    assert found[-1] == "and 29 more"
    assert found[2].endswith(":disk7       1")


def test_the_middle_of_a_name_is_cut_out() -> None:
    assert shorten("abcdefghij", 7) == "ab…ghij"
    assert shorten("abc", 7) == "abc"


def test_a_narrow_terminal_gets_what_there_is_room_for() -> None:
    assert {len(line) for line in table_lines(TABLE, 10, 24)} <= set(range(11))


def test_a_terminal_shows_whole_cells_in_folded_lines() -> None:
    table = Table(
        ("Name", "Value", "Meaning"), [("one", "1", " ".join(["a meaning"] * 9)), ("two", LONG, "")]
    )
    lines = list(folded_lines(table, 140, _unpainted))
    assert max(map(len, lines)) <= 140
    assert lines[0].split() == ["Name", "Value", "Meaning"]
    assert "".join(lines).count("meaning") == 9
    assert LONG in "".join(lines)


def test_a_column_without_room_is_below_each_row() -> None:
    long = "iqn.2020-07.com.example.storage:disk7"
    rows = [("1", long, "a b c"), ("12", "b", "")]
    table = Table(("number", "name", "what"), rows, right=[0])
    assert list(folded_lines(table, 60, _unpainted)) == [
        f"number  {'name':{len(long)}}  what",
        "─" * 52,
        f"     1  {long}  a b c",
        "    12  b",
    ]
    wide = Table(("number", "name", "what"), [(*rows[0][:2], "c" * 20), rows[1]], right=[0])
    assert list(folded_lines(wide, 60, _unpainted)) == [
        "number  name",
        "─" * 45,
        f"     1  {long}",
        "  what: " + "c" * 20,
        "    12  b",
    ]


def test_names_and_times_are_not_broken() -> None:
    cells = ("2026-11-30 03:08", LONG[:50], "share " + " ".join(["to=" + "x" * 20] * 3))
    lines = list(folded_lines(Table(("time", "target", "command"), [cells]), 60, _unpainted))
    words = " ".join(lines).split()
    assert cells[0] in "".join(lines)
    assert LONG[:50] in words
    assert words.count("to=" + "x" * 20) == 3
    assert max(map(len, lines)) <= 60


def test_optional_columns_are_omitted_if_they_are_empty() -> None:
    rows = [("a", "", "1", ""), ("b", "", "2", "x")]
    table = Table(("name", "since", "luns", "who"), rows, right=[2], optional=[1, 2, 3])
    heading, _, first, _ = folded_lines(table, 60, _unpainted)
    assert (heading, first) == ("name  luns  who", "a        1")


def test_a_narrow_terminal_shows_cells_below_each_other() -> None:
    table = Table(("Name", "Value", "Meaning"), [("one", "1", "")])
    assert list(folded_lines(table, 40, lambda part, text: f"{part}:{text}")) == [
        "head:one",
        "  value: 1",
    ]


def test_wide_characters_are_counted_as_two_columns() -> None:
    assert columns("日本e\u0301") == 5
    assert shorten("日本語日本語", 7) == "日…本語"


def test_a_sentence_is_shortened_after_a_word() -> None:
    assert shorten_sentence("It fits.", 8) == "It fits."
    assert shorten_sentence("Delete a LUN and its mappings.", 20) == "Delete a LUN and…"
    assert shorten_sentence("iqn.2020-07.com.example:disk1", 8) == "iqn.202…"


def test_a_word_longer_than_the_terminal_leaves_the_other_cells_folded() -> None:
    table = Table(("Fact", "Value"), [("path", "/" + "x" * 70), ("cache", "a sentence " * 9)])
    lines = list(folded_lines(table, 60, _unpainted))
    assert "/" + "x" * 70 in lines[2]
    assert max(map(len, lines[3:])) <= 60
