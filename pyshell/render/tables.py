# SPDX-License-Identifier: Apache-2.0
"""Tables as lines: whole for a pipe, folded or shortened for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from pyshell.characters import one_line
from pyshell.text import aligned, column_widths, folded, shorten, total_width
from pyshell.tree.results import Table

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
