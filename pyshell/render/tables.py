# SPDX-License-Identifier: Apache-2.0
"""Tables of plain text: whole, or fitted into a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyshell.characters import one_line
from pyshell.tree.results import Table

_GAP = "  "
_LEAST = 8
"""How much of the column that is shortened stays."""


def lines(table: Table, width: int | None = None, height: int | None = None) -> Iterator[str]:
    """Yield title, headings and rows; in a terminal's `width` and `height` as much as fits."""
    left_out = 0
    headings, rows, dropped = _columns_that_fit(table, width)
    if dropped and height is not None:
        height -= 1
    if height is not None and len(rows) > (room := max(height - 3, 1)):
        left_out = len(rows) - room
        rows = rows[:room]
    widths = _widths([headings, *rows])
    numbers = table.numbers - len(dropped)
    shortened = len(widths) - numbers - 1
    if width is not None:
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        widths[shortened] -= min(max(over, 0), max(widths[shortened] - _LEAST, 0))
    yield one_line(table.title)[:width]
    for row in [headings, *rows]:
        fitted = [*row]
        fitted[shortened] = shorten(fitted[shortened], widths[shortened])
        text = _line(fitted, widths, numbers)
        yield text if width is None else text[:width]
    if left_out:
        yield f"and {left_out} more"
    if dropped and width is not None:
        yield shorten(f"no room for: {', '.join(dropped)}", width)


def _columns_that_fit(
    table: Table, width: int | None
) -> tuple[list[str], list[list[str]], list[str]]:
    """Return headings and rows of the columns that fit, and the headings of the others.

    The last ones are left out first; one column of numbers stays.
    """
    headings, rows = list(table.headings), [[one_line(cell) for cell in row] for row in table.rows]
    dropped: list[str] = []
    while width is not None and len(dropped) < table.numbers - 1:
        widths = _widths([headings, *rows])
        named = len(table.headings) - table.numbers - 1
        widths[named] = min(widths[named], _LEAST)
        if sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
            break
        dropped.insert(0, headings.pop())
        for row in rows:
            row.pop()
    return headings, rows, dropped


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is too long: names differ most at their ends."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]


def _line(row: Sequence[str], widths: Sequence[int], numbers: int) -> str:
    first = len(row) - numbers
    cells = [
        cell.rjust(wide) if index >= first else cell.ljust(wide)
        for index, (cell, wide) in enumerate(zip(row, widths, strict=True))
    ]
    return _GAP.join(cells).rstrip()
