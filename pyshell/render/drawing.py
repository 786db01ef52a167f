# SPDX-License-Identifier: Apache-2.0
"""Draw a tree as targetcli does: a name, dots and a summary in brackets, one line per node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pyshell.characters import one_line
from pyshell.tree.results import Branch, Tree

MINIMUM_DOTS = 1


@dataclass(frozen=True)
class Style:
    """How to draw a tree. `paint` colours a part ("name", "good", "bad", "off", "plain") of a line.

    Only the first `most` children of a node are drawn, then a line that says how to see the others
    (0 for no limit). With `troubles`, a line below an unhealthy node gives the reason.
    """

    width: int
    round_nodes: bool = True
    summaries: bool = True
    show_root: bool = True
    most: int = 0
    troubles: bool = False
    paint: Callable[[str, str], str] | None = None

    def painted(self, part: str, text: str) -> str:
        """Return a text in the colour of a part."""
        return self.paint(part, text) if self.paint is not None else text


def draw(tree: Tree, style: Style) -> Iterator[str]:
    """Yield the lines of a drawn tree. A line may exceed the width if its text needs it."""
    if style.show_root:
        yield from _lines(_DrawnBranch(tree.branch, "", tree.depth), style)
        return
    for child in tree.branch.children():
        yield from _lines(_DrawnBranch(child, "", _less(tree.depth)), style)


@dataclass(eq=False)
class _DrawnBranch:
    """A branch, its margin, and how many levels below it are drawn."""

    branch: Branch
    margin: str
    depth: int | None
    below: str = "  "
    """The margin of its children."""


def _lines(first: _DrawnBranch, style: Style) -> Iterator[str]:
    """Yield the lines of a branch and those below it, without a generator per level."""
    left: list[Iterator[_DrawnBranch | str]] = [iter((first,))]
    while left:
        found = next(left[-1], None)
        if found is None:
            left.pop()
            continue
        if isinstance(found, str):
            yield found
            continue
        branch = found.branch
        yield _line(branch, found.margin, style)
        if style.troubles and branch.healthy is False and (reason := branch.trouble()):
            yield f"{found.below}  {style.painted('bad', f'! {one_line(reason)}')}"
        if found.depth is None or found.depth > 0:
            left.append(_children(found, style))


def _children(placed: _DrawnBranch, style: Style) -> Iterator[_DrawnBranch | str]:
    """Yield the children that are drawn, then a line about the others."""
    children, depth, below = placed.branch.children(), _less(placed.depth), placed.below
    left = len(children) - style.most if style.most else 0
    last = len(children) - 1
    for index, child in enumerate(children[: style.most] if left > 0 else children):
        yield _DrawnBranch(child, below, depth, below + ("  " if index == last else "| "))
    if left > 0:
        path = one_line(f"{placed.branch.path.rstrip('/')}/NAME")
        how = f"'ls {path}' shows one, 'set global tree_max_children=0' shows all"
        yield f"{below}{style.painted('off', f'… {left} more: {how}')}"


def _less(depth: int | None) -> int | None:
    return None if depth is None else depth - 1


def _line(branch: Branch, margin: str, style: Style) -> str:
    head = f"{margin}{'o' if style.round_nodes else '+'}- "
    paint = style.painted
    shown = one_line(branch.name)
    name = paint("off" if branch.off else "name", shown)
    if not style.summaries:
        return head + name
    label = one_line(branch.label)
    # The last column stays empty, as in targetcli: head, name, blank, dots, " [", label, "]".
    room = style.width - 1 - len(head) - len(shown) - len(label) - 3
    dots = "." * max(room, MINIMUM_DOTS)
    if style.paint is None:
        return f"{head}{name} {dots} [{label}]"
    health = "off" if branch.off else {True: "good", False: "bad", None: "plain"}[branch.healthy]
    return f"{head}{name} {paint('dots', dots)} [{paint(health, label)}]"
