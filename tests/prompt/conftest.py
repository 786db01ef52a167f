# SPDX-License-Identifier: Apache-2.0
"""A shell on a simulated target, and an editor of which a test holds the keyboard."""

from __future__ import annotations

import io
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from driver import TIME_LIMIT
from pyshell.lio import Lio
from pyshell.prompt.editor import Editor
from pyshell.prompt.history import CommandHistory
from pyshell.prompt.session import converse
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell

_READERS = {"status", "line check", "completion", "late completion"}
_AT_REST = {"_bootstrap", "_bootstrap_inner", "run", "_work", "wait", "_pause"}
"""Functions that such a thread is in while it waits for something to do."""


@dataclass(frozen=True)
class Desk:
    """Where a test types."""

    shell: Shell
    keyboard: PipeInput
    history: CommandHistory

    def type(self, keys: str) -> tuple[str, str]:
        """Hold a session in which `keys` are typed; return its output and its errors."""
        self.keyboard.send_text(keys)
        editor = Editor(self.shell, self.history, DummyOutput(), colour=True, typed=self.keyboard)
        converse(self.shell, editor)
        assert isinstance(self.shell.console.out, io.StringIO)
        assert isinstance(self.shell.console.err, io.StringIO)
        return self.shell.console.out.getvalue(), self.shell.console.err.getvalue()


@pytest.fixture
def shell(lio: Lio, tmp_path: Path) -> Shell:
    """Return a shell on a fresh simulated target."""
    preferences = Preferences(tmp_path / "home", lio.config_dir, pytest.fail)
    return Shell(lio, preferences, Options(), io.StringIO(), io.StringIO(), io.StringIO())


@pytest.fixture
def desk(shell: Shell, tmp_path: Path) -> Iterator[Desk]:
    """Return a desk with a keyboard and an empty history."""
    with create_pipe_input() as keyboard:
        yield Desk(shell, keyboard, CommandHistory(tmp_path / "home" / "history", pytest.fail))
    deadline = time.monotonic() + TIME_LIMIT
    while _is_read() and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_read() -> bool:
    """Return whether a thread of a prompt still reads its target.

    It would let rtslib work on that target, while the next test changes its own.
    """
    frames = sys._current_frames()
    reading = [thread for thread in threading.enumerate() if thread.name in _READERS]
    return any(
        {one.name for one in traceback.extract_stack(frames.get(thread.ident or 0))} - _AT_REST
        for thread in reading
    )
