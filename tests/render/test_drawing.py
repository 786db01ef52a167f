# SPDX-License-Identifier: Apache-2.0
"""The drawn tree, in full."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pyshell.render.drawing import Style, draw
from pyshell.tree.results import Branch, Tree


def branch(name: str, *children: Branch, summary: str = "", healthy: bool | None = None) -> Branch:
    """Return a branch."""

    def below() -> Sequence[Branch]:
        return children

    return Branch(name, f"/{name}", summary, healthy, below)


FOREST = branch(
    "/",
    branch("backstores", branch("block", summary="Storage Objects: 0"), branch("fileio")),
    branch(
        "iscsi",
        branch("iqn.a", branch("tpg1", summary="disabled", healthy=False), summary="TPGs: 1"),
        branch("iqn.b", healthy=True),
        summary="Targets: 2",
    ),
)


def drawn(style: Style, depth: int | None = None, tree: Branch = FOREST) -> str:
    """Return a drawing as one text."""
    return "".join(f"{line}\n" for line in draw(Tree(tree, depth), style))


def test_a_tree() -> None:
    assert drawn(Style(40)) == (
        "o- / ............................. [...]\n"
        "  o- backstores .................. [...]\n"
        "  | o- block ...... [Storage Objects: 0]\n"
        "  | o- fileio .................... [...]\n"
        "  o- iscsi ................ [Targets: 2]\n"
        "    o- iqn.a ................. [TPGs: 1]\n"
        "    | o- tpg1 ............... [disabled]\n"
        "    o- iqn.b ...................... [OK]\n"
    )


def test_every_line_is_as_wide_as_asked_for() -> None:
    for width in (40, 80, 132):
        assert {len(line) for line in drawn(Style(width)).splitlines()} == {width}


def test_text_that_needs_more_room_gets_it() -> None:
    assert drawn(Style(10)) == (
        "o- / . [...]\n"
        "  o- backstores . [...]\n"
        "  | o- block . [Storage Objects: 0]\n"
        "  | o- fileio . [...]\n"
        "  o- iscsi . [Targets: 2]\n"
        "    o- iqn.a . [TPGs: 1]\n"
        "    | o- tpg1 . [disabled]\n"
        "    o- iqn.b . [OK]\n"
    )


@pytest.mark.parametrize(
    ("depth", "names"),
    [
        (0, ["/"]),
        (1, ["/", "backstores", "iscsi"]),
        (2, ["/", "backstores", "block", "fileio", "iscsi", "iqn.a", "iqn.b"]),
        (3, ["/", "backstores", "block", "fileio", "iscsi", "iqn.a", "tpg1", "iqn.b"]),
    ],
)
def test_a_depth_is_so_many_levels_below_the_root(depth: int, names: list[str]) -> None:
    assert [
        line.split()[1 + line.count("| ")] for line in drawn(Style(60), depth).splitlines()
    ] == names


def test_what_is_below_the_depth_is_not_even_made() -> None:
    def never() -> Sequence[Branch]:
        raise AssertionError("children were made")

    tree = branch("/", Branch("a", "/a", "", None, never))
    assert drawn(Style(20), 1, tree).count("\n") == 2


def test_without_summaries_there_are_no_dots() -> None:
    assert drawn(Style(40, summaries=False), 1) == "o- /\n  o- backstores\n  o- iscsi\n"


def test_without_round_nodes() -> None:
    assert drawn(Style(24, round_nodes=False), 0) == "+- / ............. [...]\n"


def test_without_the_root() -> None:
    assert drawn(Style(30, show_root=False), 1) == (
        "o- backstores .......... [...]\no- iscsi ........ [Targets: 2]\n"
    )


def test_colours_change_no_width_and_tell_health() -> None:
    def paint(part: str, text: str) -> str:
        return f"<{part}>{text}</>"

    lines = drawn(Style(40, paint=paint)).splitlines()
    assert lines[6] == "    | o- <name>tpg1</> <dots>...............</> [<bad>disabled</>]"
    assert lines[7].endswith("[<good>OK</>]")
    assert lines[5].endswith("[<plain>TPGs: 1</>]")


@pytest.mark.parametrize(
    ("summary", "healthy", "label"),
    [
        ("", True, "OK"),
        ("", False, "ERROR"),
        ("", None, "..."),
        ("full", False, "full"),
    ],
)
def test_the_label_stands_for_a_missing_summary(
    summary: str, healthy: bool | None, label: str
) -> None:
    assert branch("a", summary=summary, healthy=healthy).label == label


def test_marks_are_in_the_first_column() -> None:
    new, gone = branch("new"), branch("gone", summary="removed")
    new.mark, gone.mark = "+", "-"
    top = branch("/", new, gone)
    top.mark = " "
    lines = list(draw(Tree(top), Style(40)))
    assert lines[0].startswith("  o- /")
    assert lines[1].startswith("+   o- new ")
    assert lines[2].startswith("-   o- gone ")
    assert {len(line) for line in lines} == {40}
    painted = list(draw(Tree(top), Style(40, paint=lambda part, text: f"<{part}>{text}")))
    assert painted[1].startswith("<good>+   o- <name>new ")
    assert painted[2].startswith("<bad>-   o- <name>gone ")
