# SPDX-License-Identifier: Apache-2.0
"""A progress bar with count and remaining time, at a terminal and only for slow work."""

from __future__ import annotations

import os
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

PATIENCE = 1.0
"""Seconds after which, and before the end of which, a bar is shown."""
FEW = 20
"""Fewer steps show no bar, however slow they are: most commands have fewer."""
BYTES = 1 << 20
"""Totals above this are bytes: no configuration has that many steps."""


class Bar:
    """Shows the progress of work; rich is loaded only once there is something to show."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self._echo = ExitStack()

    def __call__(self, done: int, total: int) -> None:
        """Update the bar: `done` of `total` steps or bytes."""
        if total < FEW:
            return
        if self._bar is None:
            passed = time.monotonic() - self._began
            left = passed * (total - done) / done if done else PATIENCE
            if passed < PATIENCE or left < PATIENCE:
                return
            self._begin(total)
        self._bar.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Remove the bar from the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._echo.close()

    def _begin(self, total: int) -> None:
        from rich import progress
        from rich.console import Console

        count = progress.DownloadColumn() if total > BYTES else progress.MofNCompleteColumn()
        self._bar = progress.Progress(
            progress.BarColumn(),
            count,
            progress.TimeRemainingColumn(),
            console=Console(file=self._stream),
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)
        self._echo.enter_context(without_modes(self._stream, termios.ECHO))
        self._bar.start()


@contextmanager
def without_modes(stream: TextIO, modes: int, *, drop_typed: bool = False) -> Iterator[None]:
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
