# SPDX-License-Identifier: Apache-2.0
"""A bar with count and remaining time, at a terminal and only for what takes a while."""

from __future__ import annotations

import os
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

PATIENCE = 1.0
"""Seconds after which work is long: what is done sooner, and nearly done then, shows no bar."""
FEW = 20
"""Fewer steps than these show no bar, however slow they are: a command typed by hand has fewer."""
BYTES = 1 << 20
"""What counts beyond this are bytes: no configuration has so many steps."""


class Bar:
    """Shows how far work is; rich is loaded only where there is something to show."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self._echo = ExitStack()

    def __call__(self, done: int, total: int) -> None:
        """Take note of how much is done, and of how much in all."""
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
        """Take the bar away: nothing of it is left on the screen."""
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
        self._echo.enter_context(without_echo(self._stream))
        self._bar.start()


@contextmanager
def without_echo(stream: TextIO) -> Iterator[None]:
    """Keep what is typed ahead off the screen: it would move what is drawn there, which then stays.

    It is read later all the same. Nothing is done where `stream` is no terminal, or that of others.
    """
    try:
        terminal = stream.fileno()
        modes = termios.tcgetattr(terminal)
        if os.tcgetpgrp(terminal) != os.getpgrp():
            raise OSError  # in the background, setting modes would stop the program
    except (OSError, ValueError, termios.error):
        yield
        return
    quiet = [*modes]
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
