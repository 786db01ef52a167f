# SPDX-License-Identifier: Apache-2.0
"""What rich draws at a terminal: tables that are updated in place, and Markdown."""

from __future__ import annotations

import io
import os
import select
import signal
import termios
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text

from pyshell.render.bar import without_modes
from pyshell.render.drawing import table_lines
from pyshell.tree.results import Table

_MARKDOWN_WIDTH = 100


def show_live(stream: Iterable[Table], out: TextIO, keys: TextIO, *, colour: bool) -> None:
    """Show each table in place of the one before; the last one stays. `q` ends it like Ctrl-C."""
    console = Console(file=out, no_color=not colour, highlight=False)
    with _without_echo(keys), Live(console=console, auto_refresh=False) as live:
        for table in stream:
            live.update(_text(table, console), refresh=True)


@contextmanager
def _without_echo(keys: TextIO) -> Iterator[None]:
    """Read keys of a terminal without echo, which would move the view; `q` interrupts."""
    if not keys.isatty():
        yield
        return
    stopped, stop = os.pipe()
    watching = threading.Thread(target=_interrupt_on_q, args=(keys.fileno(), stopped), daemon=True)
    with without_modes(keys, termios.ECHO | termios.ICANON, drop_typed=True):
        try:
            watching.start()
            yield
        finally:
            os.close(stop)
            watching.join()
            os.close(stopped)


def _interrupt_on_q(terminal: int, stopped: int) -> None:
    while True:
        ready, _, _ = select.select([terminal, stopped], [], [])
        if stopped in ready:
            return
        typed = os.read(terminal, 64)
        if not typed:
            return
        if typed in (b"q", b"Q", b"\x1b", b"\x04"):
            os.kill(os.getpid(), signal.SIGINT)


def _text(table: Table, console: Console) -> Text:
    """Return a table that fits the terminal as it is now, headings in bold."""
    title, headings, *rows = table_lines(table, console.width, console.height - 1)
    text = Text(no_wrap=True, overflow="crop")
    text.append(f"{title}\n", "dim")
    text.append(headings, "bold")
    for row in rows:
        text.append(f"\n{row}")
    return text


def markdown(text: str, width: int, *, colour: bool) -> list[str]:
    """Return Markdown as lines."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=min(width, _MARKDOWN_WIDTH),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        legacy_windows=False,
    )
    console.print(Markdown(text, justify="left"))
    return [line.rstrip() for line in out.getvalue().splitlines()]
