# SPDX-License-Identifier: Apache-2.0
"""What a session reads lines with: the editor, or a terminal that only shows text."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TextIO

from pyshell.host import programs
from pyshell.prompt import pager
from pyshell.prompt.history import FILE_NAME, CommandHistory
from pyshell.render.output import DUMB_TERMS, wants_colour
from pyshell.shell.preference_files import home
from pyshell.shell.shell import Shell
from pyshell.tree.node import Node

if TYPE_CHECKING:
    from pyshell.prompt.editor import Editor


_SWITCH_INTERVAL = 0.0005
"""Seconds after which a background thread yields to keys: a tenth of Python's default."""


class Reader(Protocol):
    """Reads what is typed.

    `command` and `answer` raise EOFError at the end of the input, KeyboardInterrupt for `cancel`.
    """

    cancel: str
    """The key that cancels a question, as it is named there."""

    @property
    def can_ask(self) -> bool:
        """Whether the user sees a question."""

    def command(self, prompt: str, *, goes_on: bool = False) -> str:
        """Return what was typed: a line, several pasted ones, or the rest of one (`goes_on`)."""

    def answer(self, question: str) -> str:
        """Return the answer to a question, which is not kept in the history."""

    def pick(self, root: Node, path: str) -> str | None:
        """Return a path of the tree that the user selects, None without a selection."""


class PlainReader:
    """Reads lines from a terminal without editing; without a `screen` it shows no prompts."""

    cancel = "Ctrl-C"

    def __init__(
        self,
        source: TextIO,
        screen: TextIO | None,
        history: CommandHistory,
        path: Callable[[], str] = lambda: "/",
    ) -> None:
        self._path = path
        self._source = source
        self._screen = screen
        self._history = history

    @property
    def can_ask(self) -> bool:
        """Whether there is a screen to show a question on."""
        return self._screen is not None

    def command(self, prompt: str, *, goes_on: bool = False) -> str:
        """Return a line and keep it in the history."""
        line = self.answer(prompt)
        self._history.add(line, self._path())
        return line

    def answer(self, question: str) -> str:
        """Return the answer to a question."""
        try:  # Ctrl-C may come as soon as the question is seen
            self._show(question)
            line = self._source.readline()
        except KeyboardInterrupt:
            self._show("\n")
            raise
        if not line:
            self._show("\n")
            raise EOFError
        return line.rstrip("\n")

    def pick(self, root: Node, path: str) -> str | None:
        """Return None: such a terminal cannot show the picker."""
        return None

    def _show(self, text: str) -> None:
        if self._screen is not None:
            encoding = self._screen.encoding or "utf-8"
            self._screen.write(text.encode(encoding, "replace").decode(encoding))
            self._screen.flush()


def is_dumb() -> bool:
    """Return whether the terminal only shows text, as TERM says."""
    return os.environ.get("TERM", "") in DUMB_TERMS


def reader_for(shell: Shell) -> Reader:
    """Return the reader that suits the terminal.

    Prompts go to standard output if that is a terminal, else to standard error, so that results
    redirected to a file contain no prompts.
    """
    history = CommandHistory(home(simulated=shell.lio.simulated) / FILE_NAME, shell.note)
    screen = next(
        (stream for stream in (shell.console.out, shell.console.err) if stream.isatty()), None
    )
    if screen is None or shell.options.plain or is_dumb():
        return PlainReader(shell.console.stdin, screen, history, lambda: shell.path)
    from pyshell.prompt.editor import Editor, screen_output

    sys.setswitchinterval(_SWITCH_INTERVAL)
    preferred = bool(shell.preference("color_mode"))
    colour = wants_colour(shell.options.colour, screen, preferred=preferred)
    editor = Editor(shell, history, screen_output(screen), colour=colour)
    if screen is shell.console.out and not shell.options.json:
        shell.console.page = lambda lines: _paged(shell, editor, lines)
    return editor


def _paged(shell: Shell, editor: Editor, lines: Iterable[str]) -> Iterable[str]:
    if not shell.preference("paging") or pager.chosen() == "none":
        return lines
    size = shutil.get_terminal_size
    if pager.chosen() == "less" and programs.has("less"):
        return pager.by_less(lines, size)
    return pager.Pager(lines, size, lambda text: editor.key(text, pager.KEYS), editor.answer)
