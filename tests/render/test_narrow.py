# SPDX-License-Identifier: Apache-2.0
"""What a narrow terminal shows (finding 38)."""

from __future__ import annotations

from pyshell.render.drawing import table_lines
from pyshell.text import around_column, wrapped, wrapped_help
from pyshell.tree.results import Table


def test_a_quoted_command_stays_on_one_line() -> None:
    command = "'restoreconfig /etc/target/a.json target=iqn.2020-07.com.example:t'"
    lines = wrapped(f"Not saved (host's disk is gone). Run {command}, or delete it.", 40).split(
        "\n"
    )
    assert [line for line in lines if command in line] == [f"{command},"]
    assert all(len(line) <= 40 for line in lines if command not in line)


def test_help_goes_on_below_its_column_and_breaks_no_word() -> None:
    line = "  apply     Bring the running configuration to that of a file."
    assert list(wrapped_help([line, "short"], 40)) == [
        "  apply     Bring the running",
        "            configuration to that of a",
        "            file.",
        "short",
    ]
    assert list(wrapped_help(["  a_long_name_of_a_parameter   text that is long"], 40)) == [
        "  a_long_name_of_a_parameter",
        "      text that is long",
    ]


def test_the_part_of_a_line_around_the_column_is_shown() -> None:
    text = "/iscsi/iqn.2020-07.com.example:t/tpg1 crat name=x"
    shown, column = around_column(text, text.index("crat"), 30)
    assert len(shown) <= 30
    assert shown[column:].startswith("crat")
    assert around_column("short", 2, 30) == ("short", 2)


def test_columns_without_room_are_named() -> None:
    headings = ["kind", "name", "commands/s", "read/s", "written/s"]
    table = Table(headings, [["object", "ramdisk/" + "n" * 40, "1", "2", "3"]], 3, "title", {})
    narrow = list(table_lines(table, 40, 20))
    assert narrow[-1] == "not shown: written/s"
    assert all(len(line) <= 40 for line in narrow)
    assert "written/s" in list(table_lines(table, 100, 20))[1]
    assert len(list(table_lines(table, 40, 4))) <= 4
