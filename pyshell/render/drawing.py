# SPDX-License-Identifier: Apache-2.0
"""Draw a tree as targetcli does: a name, dots, a summary in brackets, one line a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pyshell.tree.results import Branch, Tree

MINIMUM_DOTS = 1


@dataclass(frozen=True)
class Style:
    """How to draw. `paint` colours a part ("name", "good", "bad", "plain") of a line."""

    width: int
    round_nodes: bool = True
    summaries: bool = True
    show_root: bool = True
    paint: Callable[[str, str], str] | None = None


def draw(tree: Tree, style: Style) -> Iterator[str]:
    """Yield the lines of a drawn tree. A line is longer than the width where its text needs it."""
    if style.show_root:
        yield from _lines(tree.branch, "", tree.depth, style)
        return
    for child in tree.branch.children():
        yield from _lines(child, "", _less(tree.depth), style)


def _lines(
    branch: Branch, margin: str, depth: int | None, style: Style, below: str = "  "
) -> Iterator[str]:
    """Yield a node's line and those below it; `below` is the margin of its children."""
    yield _line(branch, margin, style)
    if depth is not None and depth <= 0:
        return
    children = branch.children()
    for index, child in enumerate(children):
        last = index == len(children) - 1
        yield from _lines(child, below, _less(depth), style, below + ("  " if last else "| "))


def _less(depth: int | None) -> int | None:
    return None if depth is None else depth - 1


def _line(branch: Branch, margin: str, style: Style) -> str:
    head = f"{margin}{'o' if style.round_nodes else '+'}- "
    paint = style.paint or (lambda part, text: text)
    name = paint("name", branch.name)
    if not style.summaries:
        return head + name
    # The last column stays free, as in targetcli: head, name, blank, dots, " [", label, "]".
    room = style.width - 1 - len(head) - len(branch.name) - len(branch.label) - 3
    health = {True: "good", False: "bad", None: "plain"}[branch.healthy]
    dots = "." * max(room, MINIMUM_DOTS)
    return f"{head}{name} {paint('dots', dots)} [{paint(health, branch.label)}]"
