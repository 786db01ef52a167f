# SPDX-License-Identifier: Apache-2.0
"""Lines as a terminal gives them, where it can do no more than show text."""

from __future__ import annotations

from typing import TextIO

from pyshell.prompt.history import CommandHistory


class PlainReader:
    """Reads lines; without a `screen` it shows no prompts. It raises as a session expects."""

    def __init__(self, source: TextIO, screen: TextIO | None, history: CommandHistory) -> None:
        self._source = source
        self._screen = screen
        self._history = history

    def command(self, prompt: str) -> str:
        """Return a line."""
        line = self.answer(prompt)
        self._history.add(line)
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

    def _show(self, text: str) -> None:
        if self._screen is not None:
            encoding = self._screen.encoding or "utf-8"
            self._screen.write(text.encode(encoding, "replace").decode(encoding))
            self._screen.flush()
