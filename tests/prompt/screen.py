# SPDX-License-Identifier: Apache-2.0
"""What stands on the screen of a real pseudo-terminal while someone types."""

from __future__ import annotations

import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pexpect
import pyte
from typing_extensions import Self

import forkserver
from driver import LONG, TIME_LIMIT, clean_environment, end

TAB, ENTER, ESCAPE = "\t", "\r", "\x1b"
CTRL_C, CTRL_D, CTRL_L, CTRL_R, CTRL_Z = "\x03", "\x04", "\x0c", "\x12", "\x1a"
F1, UP, DOWN, RIGHT, LEFT = "\x1bOP", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
DELETE = "\x1b[3~"
PASTE = "\x1b[200~{}\x1b[201~"
PATIENCE = 25
"""Seconds that something is waited for on the screen."""
_QUIET = 0.3  # seconds without output after which a screen is taken to be finished


def program(*arguments: str) -> list[str]:
    """Return the command that runs pyshell in a Python of its own."""
    return [sys.executable, "-m", "pyshell", *arguments]


class Screen:
    """pyshell on a simulated target in `folder`, at a terminal that a test looks at."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        columns: int = 101,
        rows: int = 40,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        entry: str = forkserver.ENTRY,
    ) -> None:
        """Start pyshell, or another entry of the fork server, or `command`."""
        arguments = [f"--simulate={folder}", *options]
        environment = {**clean_environment(), "TERM": "xterm", **(environment or {})}
        if command is None and entry == forkserver.ENTRY and LONG:
            command = program(*arguments)
        if command is None:
            self.child, self.modes_before = forkserver.at_terminal(
                arguments, environment, (rows, columns), entry, timeout=TIME_LIMIT
            )
        else:
            first, *rest = command
            self.child = pexpect.spawn(
                first, rest, env=environment, dimensions=(rows, columns), timeout=TIME_LIMIT
            )
            self.modes_before = self.modes()
        self.child.delaybeforesend = None
        self.drawn = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.drawn)
        self._lines: list[str] = []
        """What the screen shows; empty when that is to be read again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end(self.child)

    def modes(self) -> list[Any]:
        """Return the terminal's modes: echo, lines, signals …"""
        return termios.tcgetattr(self.child.child_fd)

    @property
    def lines(self) -> list[str]:
        """Return what the screen shows, without the blanks at the ends of its lines."""
        if not self._lines:
            self._lines = [line.rstrip() for line in self.drawn.display]
        return self._lines

    @property
    def text(self) -> str:
        """Return the whole screen."""
        return "\n".join(self.lines).rstrip()

    def style(self, text: str) -> Any:
        """Return the character cell that `text` begins with, at its last place on the screen."""
        row = max(n for n, line in enumerate(self.drawn.display) if text in line)
        return self.drawn.buffer[row][self.drawn.display[row].index(text)]

    def type(self, keys: str) -> None:
        """Press keys."""
        self.child.send(keys)

    def until(self, holds: Callable[[str], bool], what: str = "") -> str:
        """Wait until something holds of the screen's text; return that."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if holds(self.text):
                return self.text
            self._read(0.1)
        raise AssertionError(f"The screen never showed {what}:\n{self.text}")

    def see(self, text: str) -> str:
        """Wait until the screen shows `text`; return all that it shows."""
        return self.until(lambda shown: text in shown, repr(text))

    def gone(self, text: str) -> str:
        """Wait until the screen no longer shows `text`."""
        return self.until(lambda shown: text not in shown, f"itself without {text!r}")

    def prompt(self, path: str = "/") -> str:
        """Wait for an empty prompt, where nothing is being typed; return the screen."""
        return self.until(
            lambda _: self.lines[self.drawn.cursor.y] == f"{path}>", f"a prompt at {path}"
        )

    def run(self, line: str, path: str = "/") -> str:
        """Type a line, wait for the next prompt; return what the screen shows then."""
        self.type(line)
        last = line[-20:].strip()
        self.until(lambda _: last in self.lines[self.drawn.cursor.y], line)
        self.type(ENTER)
        self.until(lambda _: last not in self.lines[self.drawn.cursor.y], "a new line")
        return self.prompt(path)

    def settled(self) -> str:
        """Wait until nothing more is drawn; return what the screen shows."""
        while self._read(_QUIET):
            pass
        return self.text

    def end(self) -> str:
        """Wait for the end, with the terminal as it was; return what the screen shows."""
        deadline = time.monotonic() + PATIENCE
        while self.child.isalive() or self._read(0):
            assert time.monotonic() < deadline, f"still running:\n{self.text}"
            self._read(0.1)
        modes = self.modes()
        self.child.close()
        assert modes == self.modes_before
        return self.text

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size."""
        self.child.setwinsize(rows, columns)
        self.drawn.resize(rows, columns)
        self._lines = []

    def _read(self, seconds: float) -> bool:
        try:
            self._stream.feed(self.child.read_nonblocking(65536, seconds))
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            return False
        self._lines = []
        return True
