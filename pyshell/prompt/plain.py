# SPDX-License-Identifier: Apache-2.0
"""Lines as a terminal gives them, where it can do no more than show text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from pyshell.prompt.history import CommandHistory
from pyshell.tree.node import Node


class PlainReader:
    """Reads lines; without a `screen` it shows no prompts. It raises as a session expects."""

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

    def command(self, prompt: str, *, goes_on: bool = False) -> str:
        """Return a line."""
        line = self.answer(prompt)
        self._history.add(line, self._path())
        return line

    def answer(self, question: str) -> str:
        """Return the answer to a question, which no history keeps."""
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

    @property
    def can_ask(self) -> bool:
        """Tell whether there is anything to show a question on."""
        return self._screen is not None

    def pick(self, root: Node, path: str) -> str | None:
        """Choose nothing: there is no moving about on such a terminal."""
        return None

    def _show(self, text: str) -> None:
        if self._screen is not None:
            encoding = self._screen.encoding or "utf-8"
            self._screen.write(text.encode(encoding, "replace").decode(encoding))
            self._screen.flush()
