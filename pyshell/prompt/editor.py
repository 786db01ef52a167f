# SPDX-License-Identifier: Apache-2.0
"""Lines typed at a terminal that can move its cursor, by prompt_toolkit.

Tab completes, Up finds earlier lines that begin as this one, Ctrl-R searches them, and the rest of
one is offered behind the cursor, to be taken by Right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.input import Input
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from pyshell.prompt.completer import TreeCompleter
from pyshell.prompt.history import CommandHistory
from pyshell.shell.shell import Shell

_NOT_SAVED = "not saved"
"""Stands at the right of a line where what runs was changed and is not saved."""


class Editor:
    """Reads lines with editing. Without `colour` it shows none."""

    def __init__(
        self,
        shell: Shell,
        history: CommandHistory,
        output: Output,
        *,
        colour: bool,
        typed: Input | None = None,
    ) -> None:
        self._history = KeptHistory(history)
        depth = None if colour else ColorDepth.DEPTH_1_BIT
        self._shell = shell
        self._commands: PromptSession[str] = PromptSession(
            history=self._history,
            completer=TreeCompleter(shell),
            complete_in_thread=True,
            complete_while_typing=False,
            enable_history_search=True,
            # Without colour a suggestion would look as if it had been typed.
            auto_suggest=AutoSuggestFromHistory() if colour else None,
            enable_suspend=True,
            color_depth=depth,
            input=typed,
            output=output,
        )
        self._answers: PromptSession[str] = PromptSession(
            color_depth=depth, input=typed, output=output
        )

    def command(self, prompt: str) -> str:
        """Return what was typed: a line, or several that were pasted at once.

        Raises EOFError for Ctrl-D on an empty line, KeyboardInterrupt for Ctrl-C.
        """
        mark = _NOT_SAVED if self._shell.unsaved and not self._shell.compat else ""
        typed = self._commands.prompt(_written_out(prompt), rprompt=mark)
        self._history.keep(typed)
        return typed

    def answer(self, question: str) -> str:
        """Return the answer to a question, which no history keeps. Raises as `command` does."""
        return self._answers.prompt(_written_out(question))


class KeptHistory(History):
    """The history as prompt_toolkit takes it; in memory too, lines stand as they are kept."""

    def __init__(self, kept: CommandHistory) -> None:
        super().__init__()
        self._kept = kept

    def load_history_strings(self) -> Iterator[str]:
        """Yield the lines of earlier sessions, latest first."""
        yield from reversed(self._kept.lines())

    def keep(self, typed: str) -> None:
        """Keep what was typed; of several lines each by itself."""
        for line in typed.split("\n"):
            form = self._kept.add(line)
            if form is not None:
                others = (known for known in self._loaded_strings if known != form)
                self._loaded_strings = [form, *others]

    def append_string(self, string: str) -> None:
        """Do nothing: `keep` comes once the line is finished on the screen, and may write there."""

    def store_string(self, string: str) -> None:
        """Do nothing, as above."""


def _written_out(prompt: str) -> StyleAndTextTuples:
    """Return a prompt whose last blank is written like the rest, in the terminal's own colour.

    A blank without style would only be moved over, and programs that type for a user wait for it.
    """
    return [("fg:ansidefault", prompt)]


def screen_output(screen: TextIO) -> Output:
    """Return the output to a terminal.

    It is never asked where its cursor is: serial lines and programs that type for a user do not
    answer, and a late answer would be read as typed.
    """
    made = create_output(screen)
    if isinstance(made, Vt100_Output):
        made.enable_cpr = False
    return made
