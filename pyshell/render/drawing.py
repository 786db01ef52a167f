# SPDX-License-Identifier: Apache-2.0
"""Trees and tables as lines.

A node of a tree is one line, as in targetcli: its name, dots and a summary in brackets. A table is
printed whole in a pipe, folded or shortened at a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

from pyshell.text import aligned, column_widths, columns, folded, one_line, shorten, total_width
from pyshell.tree.results import Branch, Table, Tree

MINIMUM_DOTS = 1
_MARKED = "  "
"""The margin of a tree with marks, which are in its first column."""
_MARKS = {"+": "good", "~": "note", "-": "bad"}
"""The parts as which marks are painted."""


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
    margin = _MARKED if tree.branch.mark else ""
    if style.show_root:
        drawn = _DrawnBranch(tree.branch, margin, tree.depth, f"{margin}  ")
        yield from _lines(drawn, style)
        return
    for child in tree.branch.children():
        drawn = _DrawnBranch(child, margin, _less(tree.depth), f"{margin}  ")
        yield from _lines(drawn, style)


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
    for index, child in enumerate(islice(children, style.most if left > 0 else None)):
        yield _DrawnBranch(child, below, depth, below + ("  " if index == last else "| "))
    if left > 0:
        path = one_line(f"{placed.branch.path.rstrip('/')}/NAME")
        how = f"'ls {path}' shows one, 'set global tree_max_children=0' shows all"
        yield f"{below}{style.painted('off', f'… {left} more: {how}')}"


def _less(depth: int | None) -> int | None:
    return None if depth is None else depth - 1


def _line(branch: Branch, margin: str, style: Style) -> str:
    """Return the line of a branch, which begins with its mark if the tree has marks."""
    if branch.mark not in _MARKS:
        return _unmarked_line(branch, margin, style)
    return style.painted(_MARKS[branch.mark], branch.mark) + _unmarked_line(
        branch, margin[1:], style, 1
    )


def _unmarked_line(branch: Branch, margin: str, style: Style, used: int = 0) -> str:
    paint = style.painted
    head = f"{margin}{'o' if style.round_nodes else '+'}- "
    shown = one_line(branch.name)
    name = paint("off" if branch.off else "name", shown)
    if not style.summaries:
        return head + name
    label = one_line(branch.label)
    # The last column stays empty, as in targetcli: head, name, blank, dots, " [", label, "]".
    room = style.width - used - 1 - len(head) - len(shown) - len(label) - 3
    dots = "." * max(room, MINIMUM_DOTS)
    if style.paint is None:
        return f"{head}{name} {dots} [{label}]"
    health = "off" if branch.off else {True: "good", False: "bad", None: "plain"}[branch.healthy]
    return f"{head}{name} {paint('dots', dots)} [{paint(health, label)}]"


_NAME_MIN = 8
"""The least width of a column that is shortened."""
_FOLDED_MIN = 4
_NARROW = 60
"""Terminals with fewer columns show the cells of a row below each other."""
Paint = Callable[[str, str], str]


def table_lines(table: Table, width: int | None = None, height: int | None = None) -> Iterator[str]:
    """Yield title, headings and rows; in `width` and `height`, as much of them as fits."""
    omitted = 0
    headings, rows, dropped = _fitting_columns(table, width)
    if dropped and height is not None:
        height -= 1
    if height is not None and len(rows) > (room := max(height - 3, 1)):
        omitted = len(rows) - room
        rows = rows[:room]
    shown = [headings, *rows]
    widths = column_widths(shown)
    numbers = table.numbers - len(dropped)
    if width is not None:
        name = len(widths) - numbers - 1
        over = max(total_width(widths) - width, 0)
        widths[name] -= min(over, max(widths[name] - _NAME_MIN, 0))
        for row in shown:
            row[name] = shorten(row[name], widths[name])
    title = one_line(table.title)
    yield title if width is None else shorten(title, width)
    for line in aligned(shown, numbers=numbers, widths=widths):
        yield line if width is None else line[:width]
    if omitted:
        yield f"and {omitted} more"
    if dropped and width is not None:
        yield shorten(f"not shown: {', '.join(dropped)}", width)


def _fitting_columns(
    table: Table, width: int | None
) -> tuple[list[str], list[list[str]], list[str]]:
    """Return headings and rows of the columns that fit, and the headings of the others.

    The last ones are dropped first; one column of numbers stays.
    """
    headings, rows = list(table.headings), _cells(table)
    dropped: list[str] = []
    while width is not None and len(dropped) < table.numbers - 1:
        widths = column_widths([headings, *rows])
        name = len(table.headings) - table.numbers - 1
        widths[name] = min(widths[name], _NAME_MIN)
        if total_width(widths) <= width:
            break
        dropped.insert(0, headings.pop())
        for row in rows:
            row.pop()
    return headings, rows, dropped


def folded_lines(table: Table, width: int, paint: Paint) -> Iterator[str]:
    """Yield a table with its whole cells, folded to `width`; `paint` colours the part "head"."""
    rows = _cells(table)
    if width < _NARROW and len(table.headings) > 2:
        yield from _stacked_lines(table.headings, rows, paint)
        return
    widths = column_widths([table.headings, *rows])
    while total_width(widths) > width and max(widths) > _FOLDED_MIN:
        widest = widths.index(max(widths))
        widths[widest] -= 1
    fit = all(columns(name) <= wide for name, wide in zip(table.headings, widths, strict=True))
    if not fit and len(table.headings) > 2:
        yield from _stacked_lines(table.headings, rows, paint)
        return
    (heading,) = aligned([[*table.headings]], widths=widths)
    yield paint("head", heading)
    yield "─" * min(total_width(widths), width)
    for row in rows:
        cells = [folded(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        lines = aligned([*zip_longest(*cells, fillvalue="")], widths=widths)
        first = paint("head", cells[0][0]) if cells[0][0] else ""
        for number, line in enumerate(lines):
            yield line if number else f"{first}{line[len(cells[0][0]) :]}"


def _stacked_lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint
) -> Iterator[str]:
    for name, *cells in rows:
        yield paint("head", name)
        for heading, cell in zip(headings[1:], cells, strict=True):
            if cell:
                yield f"  {heading.lower()}: {cell}"


def _cells(table: Table) -> list[list[str]]:
    return [[one_line(cell) for cell in row] for row in table.rows]
