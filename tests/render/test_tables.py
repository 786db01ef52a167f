# SPDX-License-Identifier: Apache-2.0
"""Tables, whole or as much as fits."""

from __future__ import annotations

from pyshell.render.tables import lines, shorten
from pyshell.tree.results import Table

LONG = "iqn.2020-07.com.example.storage.site-one:" + "x" * 60 + ":disk7"
TABLE = Table(("kind", "name", "read/s"), [("lun", LONG, "1"), ("lun", "b", "23")], 1, "now", [])


def test_a_table_is_whole_where_nothing_limits_it() -> None:
    assert list(lines(TABLE)) == [
        "now",
        f"kind  {'name':{len(LONG)}}  read/s",
        f"lun   {LONG}       1",
        f"lun   {'b':{len(LONG)}}      23",
    ]


def test_a_terminal_of_80_by_24_holds_it() -> None:
    many = Table(TABLE.headings, [TABLE.rows[0]] * 50, 1, "now", [])
    found = list(lines(many, 80, 24))
    assert len(found) == 24
    assert max(map(len, found)) == 80
    assert found[-1] == "and 29 more"
    assert found[2].endswith(":disk7       1")


def test_the_middle_of_a_name_is_cut_out() -> None:
    assert shorten("abcdefghij", 7) == "ab…ghij"
    assert shorten("abc", 7) == "abc"


def test_a_narrow_terminal_gets_what_there_is_room_for() -> None:
    assert {len(line) for line in lines(TABLE, 10, 24)} <= set(range(11))
