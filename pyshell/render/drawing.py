# SPDX-License-Identifier: Apache-2.0
"""Trees and tables as lines.

A node of a tree is one line, as in targetcli: its name, dots and a summary in brackets. A table is
printed whole in a pipe, folded or shortened at a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    (0 for no limit). With `troubles`, a line below an unhealthy node gives the reason. If it
    `folds`, a summary without room is below its node.
    """

    width: int
    round_nodes: bool = True
    summaries: bool = True
    show_root: bool = True
    most: int = 0
    troubles: bool = False
    folds: bool = False
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
        yield from _node_lines(found, style)
        if style.troubles and branch.healthy is False and (reason := branch.trouble()):
            yield from _below(found, f"! {one_line(reason)}", "bad", style)
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


def _node_lines(drawn: _DrawnBranch, style: Style) -> Iterator[str]:
    """Yield the line of a branch, which begins with its mark if the tree has marks."""
    branch, margin = drawn.branch, drawn.margin
    if branch.mark not in _MARKS:
        yield from _unmarked_lines(drawn, margin, style)
        return
    first, *more = _unmarked_lines(drawn, margin[1:], style, 1)
    yield style.painted(_MARKS[branch.mark], branch.mark) + first
    yield from more


def _below(drawn: _DrawnBranch, text: str, part: str, style: Style) -> Iterator[str]:
    """Yield lines about a branch that are below it and its margin, in the colour of a part."""
    margin = f"{drawn.below}  "
    for line in folded(text, style.width - len(margin)) if style.folds else [text]:
        yield f"{margin}{style.painted(part, line)}"


def _unmarked_lines(drawn: _DrawnBranch, margin: str, style: Style, used: int = 0) -> Iterator[str]:
    branch, paint = drawn.branch, style.painted
    head = f"{margin}{'o' if style.round_nodes else '+'}- "
    shown = one_line(branch.name)
    name = paint("off" if branch.off else "name", shown)
    if not style.summaries:
        yield head + name
        return
    label = one_line(branch.label)
    health = "off" if branch.off else {True: "good", False: "bad", None: "plain"}[branch.healthy]
    # The last column stays empty, as in targetcli: head, name, blank, dots, " [", label, "]".
    room = style.width - used - 1 - len(head) - len(shown) - len(label) - 3
    if room < 0 and style.folds:
        yield head + name
        yield from _below(drawn, f"[{label}]", health, style)
        return
    dots = "." * max(room, MINIMUM_DOTS)
    yield f"{head}{name} {paint('dots', dots)} [{paint(health, label)}]"


_NAME_MIN = 8
"""The least width of a column that is shortened."""
_FOLDED_MIN = 20
"""Cells up to this width, such as times, are not folded."""
_BELOW = "  "
"""The margin of cells that are below their row."""
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
    right = range(len(headings) - numbers, len(headings))
    for line in aligned(shown, right=right, widths=widths):
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


def folded_lines(table: Table, width: int, paint: Paint, *, headings: bool = True) -> Iterator[str]:
    """Yield a table with its whole cells in `width`; `paint` colours the part "head".

    Cells are folded between words. Columns without room for their longest word are below each
    row, those with the longest words first.
    """
    table = _without_empty_columns(table)
    rows = _cells(table)
    beside = list(range(len(table.headings)))
    if len(beside) > 2:
        beside = [] if width < _NARROW else _columns_that_fit(table.headings, rows, width)
    if len(beside) < 2:
        yield from _stacked_lines(table.headings, rows, paint, width)
        return
    shown = [[row[index] for index in beside] for row in (table.headings, *rows)]
    widths = _folded_widths(shown, width)
    numbers = range(len(table.headings) - table.numbers, len(table.headings))
    right = [at for at, index in enumerate(beside) if index in (*table.right, *numbers)]
    if headings:
        yield paint("head", *aligned(shown[:1], widths=widths, right=right))
        yield "─" * min(total_width(widths), width)
    below = [index for index in range(len(table.headings)) if index not in beside]
    for row, cells in zip(rows, shown[1:], strict=True):
        folds = [folded(cell, wide) for cell, wide in zip(cells, widths, strict=True)]
        lines = aligned([*zip_longest(*folds, fillvalue="")], widths=widths, right=right)
        for number, line in enumerate(lines):
            yield line if number else line.replace(folds[0][0], paint("head", folds[0][0]), 1)
        named = ((table.headings[index], row[index]) for index in below)
        yield from _cell_lines(named, width)


def _without_empty_columns(table: Table) -> Table:
    """Return a table without its optional columns that are empty in all rows."""
    empty = [n for n in table.optional if not any(row[n] for row in table.rows)]
    if not empty:
        return table
    kept = [n for n in range(len(table.headings)) if n not in empty]
    headings, *rows = [[row[n] for n in kept] for row in (table.headings, *table.rows)]
    numbers = range(len(table.headings) - table.numbers, len(table.headings))
    right = [at for at, n in enumerate(kept) if n in (*table.right, *numbers)]
    return replace(table, headings=headings, rows=rows, right=right, numbers=0, optional=())


def _columns_that_fit(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[int]:
    """Return the columns that fit beside each other without breaking a word; the first stays."""
    least = [max(map(_least, column)) for column in zip(headings, *rows, strict=True)]
    beside = list(range(len(headings)))
    while len(beside) > 1 and total_width([least[n] for n in beside]) > width:
        over = total_width([least[n] for n in beside]) - width
        enough = [n for n in beside[1:] if least[n] >= over]
        beside.remove(enough[-1] if enough else max(beside[1:], key=lambda n: least[n]))
    return beside if total_width([least[n] for n in beside]) <= width else []


def _least(cell: str) -> int:
    """Return the least width of a cell: a short one, such as a time, is not folded."""
    whole = columns(cell)
    return whole if whole <= _FOLDED_MIN else max(_FOLDED_MIN, *map(columns, cell.split(" ")))


def _folded_widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the widths of columns: the widest ones are folded, if words need not be broken."""
    widths = column_widths(rows)
    least = [max(map(_least, column)) for column in zip(*rows, strict=True)]
    while total_width(widths) > width:
        foldable = [n for n, wide in enumerate(widths) if wide > least[n]]
        if not foldable:
            break
        widths[max(foldable, key=lambda n: widths[n])] -= 1
    over = max(total_width(widths) - width, 0)
    widths[-1] = max(widths[-1] - over, min(widths[-1], _FOLDED_MIN))  # a long word sticks out
    return widths


def _stacked_lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint, width: int
) -> Iterator[str]:
    for name, *cells in rows:
        yield paint("head", name)
        yield from _cell_lines(zip(headings[1:], cells, strict=True), width)


def _cell_lines(named: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    """Yield the cells of a row that are not empty below each other, each after its heading."""
    for heading, cell in named:
        if cell:
            lines = folded(f"{heading.lower()}: {cell}", width - 2 * len(_BELOW))
            yield from (f"{_BELOW * (2 if n else 1)}{line}" for n, line in enumerate(lines))


def _cells(table: Table) -> list[list[str]]:
    return [[one_line(cell) for cell in row] for row in table.rows]
