# SPDX-License-Identifier: Apache-2.0
"""A view that is drawn anew in its place, by rich: loaded only where a terminal wants it."""

from __future__ import annotations

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
from rich.text import Text

from pyshell.render import tables
from pyshell.tree.results import Table


def show_live(stream: Iterable[Table], out: TextIO, keys: TextIO, *, colour: bool) -> None:
    """Show each table in the place of the one before; the last one stays when they end.

    `q` ends it as Ctrl-C does.
    """
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
    terminal = keys.fileno()
    before = termios.tcgetattr(terminal)
    modes = termios.tcgetattr(terminal)
    modes[3] &= ~(termios.ECHO | termios.ICANON)
    stopped, stop = os.pipe()
    watching = threading.Thread(target=_interrupt_on_q, args=(terminal, stopped), daemon=True)
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    try:
        watching.start()
        yield
    finally:
        os.close(stop)
        watching.join()
        os.close(stopped)
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


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
    """Return a table as large as the terminal is now, headings in bold."""
    title, headings, *rows = tables.lines(table, console.width, console.height - 1)
    text = Text(no_wrap=True, overflow="crop")
    text.append(f"{title}\n", "dim")
    text.append(headings, "bold")
    for row in rows:
        text.append(f"\n{row}")
    return text
