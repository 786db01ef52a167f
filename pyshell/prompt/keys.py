# SPDX-License-Identifier: Apache-2.0
"""Keys of the prompt beside prompt_toolkit's own: help, completion, history and suggestions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.auto_suggest import AutoSuggest, Suggestion
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import (
    completion_is_selected,
    emacs_mode,
    has_completions,
    has_selection,
    vi_navigation_mode,
)
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from pyshell.names import MASK
from pyshell.prompt.guard import Guard
from pyshell.prompt.history import CommandHistory
from pyshell.shell.line_help import asks_for_help

Help = Callable[[str], Sequence[str]]
"""Returns help on the last word of a line up to the cursor; it may be slow."""
Begun = Callable[[str], str]
"""Returns the rest of the last word of a line, if that is known without reading the target."""
Show = Callable[[Sequence[str]], None]
Edit = Callable[[str], str | None]
"""Returns what the user makes of a line in an editor, None if that fails."""

_REMOVING = frozenset({"delete", "unshare", "clearconfig", "disable"})
"""Commands whose arguments are never suggested: Right and Enter are pressed too easily."""


def line_keys(find_help: Help, show: Show, begun: Begun, edit: Edit, guard: Guard) -> KeyBindings:
    """Return the keys while a line is typed, with either preference `editing`."""
    bound = KeyBindings()

    @bound.add("tab", filter=~has_completions)
    def _complete(event: KeyPressEvent) -> None:
        """Insert what is certain immediately: the next key would cancel the completion."""
        buffer = event.current_buffer
        rest = begun(buffer.document.current_line_before_cursor)
        if rest and not buffer.document.text_after_cursor:
            buffer.insert_text(rest)
        else:
            buffer.start_completion(insert_common_part=True)

    @bound.add("escape", filter=has_completions, eager=True)
    def _close(event: KeyPressEvent) -> None:
        """Close the menu without waiting for the rest of an escape sequence."""
        event.current_buffer.cancel_completion()

    @bound.add("enter", filter=completion_is_selected)
    def _take(event: KeyPressEvent) -> None:
        """Keep the selected entry, which is already in the line; the next Enter runs the line."""
        event.current_buffer.complete_state = None

    @bound.add("f1")
    def _help(event: KeyPressEvent) -> None:
        _show(event, find_help, show, guard)

    @bound.add("c-x", "c-e", filter=emacs_mode & ~has_selection)
    @bound.add("v", filter=vi_navigation_mode)
    def _edit(event: KeyPressEvent) -> None:
        _open_editor(event, edit, guard)

    @bound.add("?", filter=~vi_navigation_mode)
    def _question(event: KeyPressEvent) -> None:
        if asks_for_help(event.current_buffer.document.current_line_before_cursor):
            _show(event, find_help, show, guard)
        else:
            event.current_buffer.insert_text("?")

    return guard.keys(bound)


def _show(event: KeyPressEvent, find_help: Help, show: Show, guard: Guard) -> None:
    """Show help above the line once it is found; keys work meanwhile."""
    line = event.current_buffer.document.current_line_before_cursor
    nothing: Sequence[str] = ()

    async def find_and_show() -> None:
        lines = await asyncio.to_thread(guard.run, "Help", lambda: find_help(line), nothing)
        await run_in_terminal(lambda: show(lines))

    event.app.create_background_task(find_and_show())


def _open_editor(event: KeyPressEvent, edit: Edit, guard: Guard) -> None:
    """Edit the line in an editor; Enter then runs it."""
    buffer = event.current_buffer
    nothing: str | None = None

    async def edit_and_show() -> None:
        line = buffer.text
        text = await run_in_terminal(
            lambda: guard.run("The editor", lambda: edit(line), nothing), in_executor=True
        )
        if text is not None:
            buffer.document = Document(text, len(text))

    event.app.create_background_task(edit_and_show())


def answer_keys() -> KeyBindings:
    """Return keys for a typed answer: Esc cancels like Ctrl-C, several pasted lines are refused."""
    bound = KeyBindings()

    @bound.add("escape", eager=True)
    def _cancel(event: KeyPressEvent) -> None:
        event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @bound.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        pasted = event.data.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        if "\n" in pasted or event.data != pasted:
            event.app.output.bell()
        else:
            event.current_buffer.insert_text(pasted)

    return bound


def choice_keys(meanings: Mapping[str, str]) -> KeyBindings:
    """Return keys that answer a question at once; all others do nothing."""
    bound = KeyBindings()
    bound.add(Keys.Any)(lambda _: None)
    bound.add(Keys.BracketedPaste)(lambda _: None)
    for key, meaning in meanings.items():
        bound.add(key, eager=True)(lambda event, answer=meaning: event.app.exit(result=answer))
    bound.add("c-c")(lambda event: event.app.exit(exception=KeyboardInterrupt))
    bound.add("c-d")(lambda event: event.app.exit(exception=EOFError))
    return bound


class KeptHistory(History):
    """The command history for prompt_toolkit, which holds lines in the form that is kept."""

    def __init__(self, kept: CommandHistory, guard: Guard) -> None:
        super().__init__()
        self._kept = kept
        self._guard = guard
        self._entries: list[tuple[str, str]] | None = None

    def entries(self) -> list[tuple[str, str]]:
        """Return the lines and the paths they were typed at, latest first."""
        if self._entries is None:
            nothing: list[tuple[str, str]] = []
            kept = self._guard.run("The history", self._kept.entries, nothing)
            self._entries = list(reversed(kept))
        return self._entries

    def load_history_strings(self) -> Iterator[str]:
        """Yield the lines of earlier sessions, latest first."""
        yield from (line for line, _ in self.entries())

    def keep(self, typed: str, path: str) -> None:
        """Keep what was typed at `path`, each of several lines by itself."""
        for line in typed.split("\n"):
            form = self._kept.add(line, path)
            if form is not None:
                others = [known for known in self.entries() if known[0] != form]
                self._entries = [(form, path), *others]
                self._loaded_strings = [known for known, _ in self._entries]

    def append_string(self, string: str) -> None:
        """Do nothing: `keep`, which may print a warning, is called after the line is drawn."""

    def store_string(self, string: str) -> None:
        """Do nothing, for the same reason."""


class PathSuggest(AutoSuggest):
    """Suggests the latest line with the typed beginning, preferably one typed at this path."""

    def __init__(
        self, entries: Callable[[], Iterable[tuple[str, str]]], path: Callable[[], str]
    ) -> None:
        self._entries = entries
        self._path = path

    def get_suggestion(self, buffer: Buffer, document: Document) -> Suggestion | None:
        """Return the rest of the best line, None if there is none."""
        typed = document.text
        if not typed.strip() or "\n" in typed or _REMOVING & set(typed.split()):
            return None
        found = suggested(typed, self._entries(), self._path())
        return Suggestion(found[len(typed) :]) if found else None


def suggested(typed: str, latest_first: Iterable[tuple[str, str]], path: str) -> str | None:
    """Return the best line, None if there is none.

    A line typed elsewhere counts only if it begins with an absolute path, so it means the same.
    """
    absolute = None
    for line, at in latest_first:
        if line == typed or not line.startswith(typed) or MASK in line:
            continue
        if at == path:
            return line
        if absolute is None and line.startswith(("/", "@")):
            absolute = line
    return absolute
