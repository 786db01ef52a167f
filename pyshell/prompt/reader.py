# SPDX-License-Identifier: Apache-2.0
"""What a session asks of a terminal."""

from __future__ import annotations

from typing import Protocol

from pyshell.tree.node import Node


class Reader(Protocol):
    """Reads what is typed.

    `command` and `answer` raise EOFError where nothing more will be typed, KeyboardInterrupt for
    Ctrl-C.
    """

    @property
    def can_ask(self) -> bool:
        """Tell whether a question would be seen."""

    def command(self, prompt: str, *, goes_on: bool = False) -> str:
        """Return what was typed: a line, or several that were pasted at once.

        `goes_on` says that it is the rest of a line, which cannot be judged by itself.
        """

    def answer(self, question: str) -> str:
        """Return the answer to a question, which no history keeps."""

    def pick(self, root: Node, path: str) -> str | None:
        """Return a path of the tree that the user chooses, None where none is chosen."""
