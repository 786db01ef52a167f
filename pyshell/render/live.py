# SPDX-License-Identifier: Apache-2.0
"""A view that is drawn anew in its place, by rich: loaded only where a terminal wants it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pyshell.render import tables
from pyshell.tree.results import Table


def show_live(stream: Iterable[Table], out: TextIO, *, colour: bool) -> None:
    """Show each table in the place of the one before; the last one stays when they end."""
    console = Console(file=out, no_color=not colour, highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        for table in stream:
            live.update(_text(table, console), refresh=True)


def _text(table: Table, console: Console) -> Text:
    """Return a table as large as the terminal is now, headings in bold."""
    title, headings, *rows = tables.lines(table, console.width, console.height - 1)
    text = Text(no_wrap=True, overflow="crop")
    text.append(f"{title}\n", "dim")
    text.append(headings, "bold")
    for row in rows:
        text.append(f"\n{row}")
    return text
