# SPDX-License-Identifier: Apache-2.0
"""pyshell at a real pseudo-terminal, as a test drives it."""

from __future__ import annotations

import re
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pexpect
from typing_extensions import Self

import forkserver
from driver import LONG, TIME_LIMIT, clean_environment, end

PROMPT = "/> "
DIMENSIONS = (50, 101)
# An editing prompt tells the terminal when pastes are to be marked: from here on, and no more.
EDITING, RUNNING = "\x1b[?2004h", "\x1b[?2004l"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """pyshell on the simulated target in `folder`, at a terminal of 101 columns.

    With `results`, its standard output goes to that file. It is forked, not started, unless that is
    `real`.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        results: Path | None = None,
        *,
        real: bool = LONG,
    ) -> None:
        environment = {**clean_environment(), **environment}
        options: dict[str, Any] = {"timeout": TIME_LIMIT, "encoding": "utf-8"}
        if real:
            command = f'exec "{sys.executable}" -m pyshell --simulate="{folder}"'
            if results is not None:
                command += f' > "{results}"'
            self.child = pexpect.spawn(
                "/bin/sh", ["-c", command], env=environment, dimensions=DIMENSIONS, **options
            )
            self.modes_before = self.modes()
        else:
            self.child, self.modes_before = forkserver.at_terminal(
                [f"--simulate={folder}"], environment, DIMENSIONS, results=results, **options
            )
        self.child.delaybeforesend = None

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

    def see(self, text: str) -> str:
        """Wait until `text` is shown; return all that was shown before it since the last time."""
        self.child.expect_exact(text)
        before: str = self.child.before
        return before.replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        """Press keys."""
        self.child.send(keys)

    def ready(self, prompt: str = PROMPT) -> str:
        """Wait for an editing prompt; return what was shown before it."""
        before = self.see(EDITING)
        self.see(prompt)
        return before

    def run(self, line: str, prompt: str = PROMPT) -> str:
        """Type a line at an editing prompt and wait for the next one; return what it printed."""
        self.type(f"{line}\r")
        self.see(RUNNING)
        return self.ready(prompt)

    def end(self) -> str:
        """Wait for the end, which must be a good one; return what was shown before it."""
        self.child.expect(pexpect.EOF)
        before: str = self.child.before
        modes = self.modes()
        self.child.close()
        assert (self.child.exitstatus, self.child.signalstatus) == (0, None)
        assert modes == self.modes_before
        return before.replace("\r\n", "\n")


def without_colour(text: str) -> str:
    """Return text without the escapes that colour it."""
    return _COLOUR.sub("", text)


def without_escapes(text: str) -> str:
    """Return text without any escapes."""
    return _ESCAPE.sub("", text)
