# SPDX-License-Identifier: Apache-2.0
"""What rich draws at a terminal: tables updated in place, progress bars, Markdown."""

from __future__ import annotations

import io
import os
import select
import signal
import termios
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich import progress
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text

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
    with _without_modes(keys, termios.ECHO | termios.ICANON, drop_typed=True):
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


@contextmanager
def _without_modes(stream: TextIO, modes: int, *, drop_typed: bool = False) -> Iterator[None]:
    """Switch local modes of a terminal off: echoed keys would move what is drawn there.

    Keys typed meanwhile are read later, unless `drop_typed`. Nothing is done if `stream` is not
    this program's terminal: in the background, setting modes would stop the program.
    """
    try:
        terminal = stream.fileno()
        before = termios.tcgetattr(terminal)
        if os.tcgetpgrp(terminal) != os.getpgrp():
            raise OSError
    except (OSError, ValueError, termios.error):
        yield
        return
    changed = [*before]
    changed[3] &= ~modes
    termios.tcsetattr(terminal, termios.TCSADRAIN, changed)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH if drop_typed else termios.TCSADRAIN, before)


@contextmanager
def progress_bar(stream: TextIO, *, in_bytes: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar until the end of the context, which gets a function to update it."""
    count = progress.DownloadColumn() if in_bytes else progress.MofNCompleteColumn()
    bar = progress.Progress(
        progress.BarColumn(),
        count,
        progress.TimeRemainingColumn(),
        console=Console(file=stream),
        transient=True,
    )
    task = bar.add_task("")
    with _without_modes(stream, termios.ECHO), bar:
        yield lambda done, total: bar.update(task, completed=done, total=total)


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
