# SPDX-License-Identifier: Apache-2.0
"""Completion at the prompt: what `shell.sources` finds, as prompt_toolkit takes it."""

from __future__ import annotations

from collections.abc import Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from pyshell.shell.shell import Shell
from pyshell.shell.sources import complete


class TreeCompleter(Completer):
    """Completes from the tree as it is now. It runs in a thread: it only reads."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield what fits at the cursor; a blank follows where a word is whole."""
        line = document.current_line_before_cursor
        blank = "" if document.current_char.isspace() else " "
        for start, found in complete(line, self._shell.root(), self._shell.path):
            folder = line[start : line.rfind("/", start) + 1]
            yield Completion(
                found.text + (blank if found.whole else ""),
                start - len(line),
                display=found.text.removeprefix(folder),
                display_meta=found.description,
            )
