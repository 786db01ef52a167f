# SPDX-License-Identifier: Apache-2.0
"""What a narrow terminal shows (finding 38)."""

from __future__ import annotations

from pyshell.render.drawing import Style, draw, table_lines
from pyshell.text import around_column, wrapped, wrapped_help, wrapped_result
from pyshell.tree.results import Branch, Table, Tree


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


def test_results_are_wrapped_at_blanks_only() -> None:
    name = "iqn.2020-07.com.example:a-name-that-is-longer"
    lines = [
        f"Created the target {name} for the initiator.",
        "  ok       lun             it exports the disk of the other host",
        "    pyshell set attribute one=1 two=2 three=3",
    ]
    assert list(wrapped_result(lines, 40)) == [
        "Created the target",
        name,
        "for the initiator.",
        "  ok       lun",
        "    it exports the disk of the other",
        "    host",
        lines[2],
    ]
    assert list(wrapped_result(lines[1:2], 60))[1] == " " * 27 + "host"


def test_a_command_in_quotes_is_broken_only_if_a_line_cannot_hold_it() -> None:
    line = "Undid 'share /dev/sdb to=x' (prompt by root)."
    assert list(wrapped_result([line], 30)) == ["Undid 'share /dev/sdb to=x'", "(prompt by root)."]
    assert list(wrapped_result([line], 20)) == [
        "Undid 'share",
        "/dev/sdb to=x'",
        "(prompt by root).",
    ]


def test_a_summary_without_room_is_below_its_node() -> None:
    lun = Branch("lun0", "/lun0", "block/a (/dev/mapper/lee-lee.lv) (default)", None, tuple)
    top = Branch("luns", "/luns", "LUNs: 1", None, lambda: [lun])
    style = Style(30, folds=True)
    assert list(draw(Tree(top), style)) == [
        "o- luns ............ [LUNs: 1]",
        "  o- lun0",
        "      [block/a",
        "      (/dev/mapper/lee-lee.lv)",
        "      (default)]",
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
