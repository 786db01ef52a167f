# SPDX-License-Identifier: Apache-2.0
"""Tables, Markdown and help as a terminal shows them, by rich: loaded only for a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.table import Table as Grid
from rich.text import Text

from pyshell.characters import one_line
from pyshell.render.colour import paint
from pyshell.tree.results import Columns

_NARROW = 60
"""Columns below which a table's cells stand below each other."""


def table(shown: Columns, width: int, *, colour: bool) -> list[str]:
    """Return the lines of a table; a narrow terminal gets its rows one below the other."""
    rows = [[one_line(cell) for cell in row] for row in shown.rows]
    if width < _NARROW and len(shown.heads) > 2:
        return list(_rows(shown.heads, rows, colour=colour))
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for number, head in enumerate(shown.heads):
        grid.add_column(head, overflow="fold", style="" if number else "bold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    return _lines(grid, width, colour=colour)


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]], *, colour: bool) -> Iterator[str]:
    for row in rows:
        name, *cells = row
        yield paint("head", name) if colour else name
        for head, cell in zip(heads[1:], cells, strict=True):
            if cell:
                yield f"  {head.lower()}: {cell}"


def markdown(text: str, width: int, *, colour: bool) -> list[str]:
    """Return Markdown as lines."""
    return _lines(Markdown(text, justify="left"), min(width, 100), colour=colour)


def with_heads(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines of help: what is a head is bold."""
    for number, line in enumerate(lines):
        yield paint("head", line) if number == 0 or (line and line.isupper()) else line


def _lines(shown: RenderableType, width: int, *, colour: bool) -> list[str]:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        legacy_windows=False,
    )
    console.print(shown)
    return [line.rstrip() for line in out.getvalue().splitlines()]
