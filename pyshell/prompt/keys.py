# SPDX-License-Identifier: Apache-2.0
"""Keys of the prompt beside prompt_toolkit's own: F1, and `?` where it cannot be meant as text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.filters import completion_is_selected, has_completions
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from pyshell.prompt.guard import Guard
from pyshell.shell.line_help import asks_for_help

Help = Callable[[str], Sequence[str]]
"""Returns help on the last word of a line up to the cursor; it may take its time."""
Begun = Callable[[str], str]
"""Returns the rest of the last word of a line, as far as that is known without reading."""
Tell = Callable[[Sequence[str]], None]


def keys(find_help: Help, tell: Tell, begun: Begun, guard: Guard) -> KeyBindings:
    """Return the keys."""
    find_help = partial(_found_help, find_help, guard)
    bound = KeyBindings()

    @bound.add("tab", filter=~has_completions)
    def _complete(event: KeyPressEvent) -> None:
        """Write out at once what is sure: else what is typed next would take Tab's place."""
        buffer = event.current_buffer
        rest = begun(buffer.document.current_line_before_cursor)
        if rest and not buffer.document.text_after_cursor:
            buffer.insert_text(rest)
        else:
            buffer.start_completion(insert_common_part=True)

    @bound.add("escape", filter=has_completions, eager=True)
    def _close(event: KeyPressEvent) -> None:
        """Close the menu at once: the next key is a key by itself."""
        event.current_buffer.cancel_completion()

    @bound.add("enter", filter=completion_is_selected)
    def _take(event: KeyPressEvent) -> None:
        """Take the selected entry, which is in the line already; the next Enter runs the line."""
        event.current_buffer.complete_state = None

    @bound.add("f1")
    def _help(event: KeyPressEvent) -> None:
        _show(event, find_help, tell)

    @bound.add("?")
    def _question(event: KeyPressEvent) -> None:
        if asks_for_help(event.current_buffer.document.current_line_before_cursor):
            _show(event, find_help, tell)
        else:
            event.current_buffer.insert_text("?")

    return guard.keys(bound)


def _found_help(find_help: Help, guard: Guard, line: str) -> Sequence[str]:
    return guard.run("Help", lambda: find_help(line), ())


def refusing_lines() -> KeyBindings:
    """Return keys for a question: lines that are pasted do not answer it."""
    bound = KeyBindings()

    @bound.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        pasted = event.data.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        if "\n" in pasted or event.data != pasted:
            event.app.output.bell()
        else:
            event.current_buffer.insert_text(pasted)

    return bound


def answering(meanings: Mapping[str, str]) -> KeyBindings:
    """Return keys that answer a question, each at once; all others do nothing."""
    bound = KeyBindings()
    bound.add(Keys.Any)(lambda _: None)
    bound.add(Keys.BracketedPaste)(lambda _: None)
    for key, meaning in meanings.items():
        bound.add(key, eager=True)(lambda event, answer=meaning: event.app.exit(result=answer))
    bound.add("c-c")(lambda event: event.app.exit(exception=KeyboardInterrupt))
    bound.add("c-d")(lambda event: event.app.exit(exception=EOFError))
    return bound


def _show(event: KeyPressEvent, find_help: Help, tell: Tell) -> None:
    """Show help above the line, once it is found; keys are taken meanwhile."""
    line = event.current_buffer.document.current_line_before_cursor

    async def show() -> None:
        lines = await asyncio.get_running_loop().run_in_executor(None, find_help, line)
        await run_in_terminal(lambda: tell(lines))

    event.app.create_background_task(show())
