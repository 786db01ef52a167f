# SPDX-License-Identifier: Apache-2.0
"""Lines typed at a terminal that can move its cursor, by prompt_toolkit.

Tab completes, F1 or `?` helps, Up finds earlier lines that begin as this one, Ctrl-R searches them,
and the rest of one is offered behind the cursor, to be taken by Right. Whatever must be read for
that is read on threads: no key waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import termios
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.layout import Window
from prompt_toolkit.layout.margins import ScrollbarMargin
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from pyshell.prompt import pager, status
from pyshell.prompt.completer import TreeCompleter, entries, is_unfinished
from pyshell.prompt.guard import Guard
from pyshell.prompt.history import CommandHistory
from pyshell.prompt.keys import answering, keys, refusing_lines
from pyshell.prompt.lexer import LineLexer
from pyshell.prompt.manners import Typing
from pyshell.prompt.picker import pick
from pyshell.prompt.styles import style
from pyshell.prompt.suggest import PathSuggest
from pyshell.prompt.toolbar import toolbar
from pyshell.prompt.watching import LineWatch, StatusWatch
from pyshell.render.output import wrapped_help
from pyshell.shell.line_help import help_at
from pyshell.shell.shell import Shell
from pyshell.tree.node import Node

_NOT_SAVED = "not saved"
"""Stands at the right of a line where what runs is not saved and there is no toolbar to say so."""


_SOON, _TRIES = 0.02, 50
"""Seconds after which, and how often, it is looked again whether a menu can be completed."""
_ATTEMPTS = 3
"""How often a line is begun anew after an error that nothing else caught."""
_MENU_ROWS = 12
"""The most rows that a menu takes."""


class Editor:
    """Reads lines with editing. Without `colour` it shows none."""

    can_ask = True

    def __init__(
        self,
        shell: Shell,
        history: CommandHistory,
        output: Output,
        *,
        colour: bool,
        typed: Input | None = None,
    ) -> None:
        self._guard = guard = Guard(self._notice)
        self._app: Application[str] | None = None
        """What reads keys now."""
        self._whole_screen = False
        self._notices: deque[str] = deque()
        self._history = KeptHistory(history, guard)
        self._depth = None if colour else ColorDepth.DEPTH_1_BIT
        self._shell = shell
        self._typed, self._output = typed, output
        self._line = LineWatch(shell, self._redraw, guard)
        self._judged = True
        self._typing = Typing()
        self._status = StatusWatch(shell, self._redraw, self._typing, guard)
        self._completer = TreeCompleter(shell, self._complete_again, guard, self._redraw)
        self._commands = self._command_prompt(colour=colour)
        self._answers: PromptSession[str] = PromptSession(
            color_depth=self._depth,
            input=typed,
            output=output,
            key_bindings=guard.keys(refusing_lines()),
        )

    def _command_prompt(self, *, colour: bool) -> PromptSession[str]:
        completer, guard = self._completer, self._guard
        suggest = PathSuggest(self._history.entries, self._path)
        made: PromptSession[str] = PromptSession(
            history=self._history,
            completer=guard.completer(completer),
            complete_in_thread=True,
            complete_while_typing=False,
            enable_history_search=True,
            # Without colour a suggestion would look as if it had been typed.
            auto_suggest=guard.suggest(suggest) if colour else None,
            lexer=guard.lexer(LineLexer(lambda: self._line.read)) if colour else None,
            key_bindings=keys(self._help, self._show_help, completer.begun, guard),
            style=style(self._shell.preference),
            enable_suspend=True,
            reserve_space_for_menu=_MENU_ROWS,
            color_depth=self._depth,
            input=self._typed,
            output=self._output,
        )
        for window in made.app.layout.find_all_windows():
            for margin in window.right_margins:
                if isinstance(margin, ScrollbarMargin):  # visible without colours, too
                    margin.display_arrows = Condition(partial(_goes_on, window))
        look = self._guarded("The check of the line", self._look)
        made.app.key_processor.before_key_press += self._guarded("A key", self._typing.pressed)
        made.default_buffer.on_text_changed += look
        made.default_buffer.on_cursor_position_changed += look
        return made

    def command(self, prompt: str, *, goes_on: bool = False) -> str:
        """Return what was typed: a line, or several that were pasted at once.

        What `goes_on` from a line before is not looked at while it is typed.
        Raises EOFError for Ctrl-D on an empty line, KeyboardInterrupt for Ctrl-C.
        """
        self._judged = not goes_on
        wanted = bool(self._shell.preference("prompt_toolbar"))
        now = self._guard.run("The toolbar", self._begin_to_watch, status.Status())
        self._commands.rprompt = _NOT_SAVED if now.unsaved and not wanted else ""
        self._commands.bottom_toolbar = self._toolbar if wanted else None
        try:
            typed = self._read(self._commands, prompt)
        finally:
            self._status.pause()
        self._guard.run("The history", lambda: self._history.keep(typed, self._shell.path), None)
        return typed

    def _begin_to_watch(self) -> status.Status:
        now = status.at_once(self._shell)
        self._status.begin(replace(now, sessions=self._status.status.sessions))
        return self._status.status

    def answer(self, question: str) -> str:
        """Return the answer to a question, which no history keeps. Raises as `command` does.

        What was typed or pasted before it was asked is no answer.
        """
        self._drop_typed_ahead()
        return self._read(self._answers, question)

    def key(self, question: str, meanings: Mapping[str, str]) -> str:
        """Return what the first key that has a meaning means; the question is then taken away.

        Raises as `command` does.
        """
        asking: PromptSession[str] = PromptSession(
            key_bindings=self._guard.keys(answering(meanings)),
            erase_when_done=True,
            color_depth=self._depth,
            input=self._typed,
            output=self._output,
        )
        meant = self._read(asking, question)
        if meant == pager.QUIT:
            self._drop_typed_ahead()  # as of a whole "quit": it is not for the next prompt
        return meant

    def _drop_typed_ahead(self) -> None:
        if self._typed is None:  # a real terminal
            clear_typeahead(self._answers.input)
            with contextlib.suppress(OSError, termios.error):
                termios.tcflush(self._answers.input.fileno(), termios.TCIFLUSH)

    def pick(self, root: Node, path: str) -> str | None:
        """Return a path of the tree that the user chooses, None where none is chosen."""
        self._whole_screen = True
        try:
            return pick(
                root,
                path,
                style=style(self._shell.preference),
                color_depth=self._depth,
                typed=self._typed,
                output=self._output,
                guard=self._guard,
            )
        finally:
            self._whole_screen = False
            self._show_notices()

    def _read(self, session: PromptSession[str], prompt: str) -> str:
        """Read a line. Whatever goes wrong meanwhile is reported, and never ends the reading."""

        def in_loop() -> None:
            asyncio.get_running_loop().set_exception_handler(self._guard.of_loop)

        for _ in range(_ATTEMPTS):
            self._app = session.app
            try:
                return session.prompt(
                    _written_out(prompt), pre_run=in_loop, set_exception_handler=False
                )
            except (EOFError, OSError):
                raise  # nothing more will be typed
            except Exception as error:
                self._guard.failed("The prompt", error)
            finally:
                self._app = None
                self._show_notices()
        raise EOFError

    def _guarded(self, part: str, work: Callable[[], None]) -> Callable[[object], None]:
        return lambda _: self._guard.run(part, work, None)

    def _notice(self, text: str) -> None:
        """Show a line above the prompt, on behalf of any thread; at once while none is shown."""
        self._notices.append(text)
        if self._whole_screen:
            return
        app = self._app
        loop = app.loop if app is not None else None
        if app is None or loop is None:
            self._show_notices()
            return

        async def show() -> None:
            await run_in_terminal(self._show_notices)

        with contextlib.suppress(RuntimeError):  # the loop may end between look and call
            loop.call_soon_threadsafe(lambda: app.create_background_task(show()))

    def _show_notices(self) -> None:
        while self._notices:
            self._shell.note(self._notices.popleft())

    def _path(self) -> str:
        return self._shell.path

    def _look(self) -> None:
        document = self._commands.default_buffer.document
        self._completer.typed(document.current_line_before_cursor)
        if self._judged:
            self._line.look(document.text, document.current_line_before_cursor)

    def _redraw(self) -> None:
        """Draw the prompt anew, on behalf of a thread; one that is just over needs no drawing."""
        with contextlib.suppress(RuntimeError):  # its loop may end between look and call
            self._commands.app.invalidate()

    def _complete_again(self, line: str) -> None:
        """Offer a menu anew, now that more is known, if it still waits for a choice."""

        loop = self._commands.app.loop
        if loop is None:
            return

        def offer(tries: int = _TRIES) -> None:
            buffer = self._commands.default_buffer
            menu = buffer.complete_state
            if menu is None or buffer.document.current_line_before_cursor != line:
                return
            if not is_unfinished(menu.completions):
                if tries:  # it is still being filled with what was known at once
                    loop.call_later(_SOON, offer, tries - 1)
            elif menu.complete_index is None:
                menu.completions[:] = self._completer.late(buffer.document)
                buffer.on_completions_changed.fire()

        with contextlib.suppress(RuntimeError):  # as above
            loop.call_soon_threadsafe(lambda: self._guard.run("Completion", offer, None))

    def _toolbar(self) -> StyleAndTextTuples:
        return self._guard.run("The toolbar", self._made_toolbar, [])

    def _made_toolbar(self) -> StyleAndTextTuples:
        text = self._commands.default_buffer.text
        status = replace(
            self._status.status, reading=self._completer.reading > 0, menu=self._menu()
        )
        pasted = len([line for line in text.split("\n") if line.strip()])
        if pasted > 1:
            told = f" {pasted} lines: Enter runs them after a question, Ctrl-C drops them"
            return [("class:toolbar.warning", told)]
        return toolbar(self._line.read, status, text, self._output.get_size().columns)

    def _menu(self) -> tuple[int, int] | None:
        """Return which entry of the menu is selected and how many there are, None without one."""
        menu = self._commands.default_buffer.complete_state
        if menu is None or not menu.completions:
            return None
        selected = 0 if menu.complete_index is None else menu.complete_index + 1
        return selected, entries(menu.completions)

    def _show_help(self, lines: Iterable[str]) -> None:
        columns = self._output.get_size().columns
        self._shell.print_lines(wrapped_help(lines, columns))

    def _help(self, line: str) -> list[str]:
        return help_at(line, self._shell.root(), self._shell.path)


class KeptHistory(History):
    """The history as prompt_toolkit takes it; in memory too, lines stand as they are kept."""

    def __init__(self, kept: CommandHistory, guard: Guard) -> None:
        super().__init__()
        self._kept = kept
        self._guard = guard
        self._entries: list[tuple[str, str]] | None = None

    def entries(self) -> list[tuple[str, str]]:
        """Return the lines and where they were typed, latest first."""
        if self._entries is None:
            nothing: list[tuple[str, str]] = []
            kept = self._guard.run("The history", self._kept.entries, nothing)
            self._entries = list(reversed(kept))
        return self._entries

    def load_history_strings(self) -> Iterator[str]:
        """Yield the lines of earlier sessions, latest first."""
        yield from (line for line, _ in self.entries())

    def keep(self, typed: str, path: str) -> None:
        """Keep what was typed at `path`; of several lines each by itself."""
        for line in typed.split("\n"):
            form = self._kept.add(line, path)
            if form is not None:
                others = [known for known in self.entries() if known[0] != form]
                self._entries = [(form, path), *others]
                self._loaded_strings = [known for known, _ in self._entries]

    def append_string(self, string: str) -> None:
        """Do nothing: `keep` comes once the line is finished on the screen, and may write there."""

    def store_string(self, string: str) -> None:
        """Do nothing, as above."""


def _goes_on(menu: Window) -> bool:
    """Tell whether a menu has more entries than it shows."""
    drawn = menu.render_info
    return drawn is not None and drawn.content_height > drawn.window_height


def _written_out(prompt: str) -> StyleAndTextTuples:
    """Return a prompt whose last blank is written like the rest, in the terminal's own colour.

    A blank without style would only be moved over, and programs that type for a user wait for it.
    """
    return [("fg:ansidefault", prompt)]


class _Screen(Vt100_Output):
    """A terminal that is never asked where its cursor is.

    Serial lines and programs that type for a user do not answer, and a late answer would be read as
    typed. So what is drawn needs no more room below the cursor than it takes.
    """

    def get_rows_below_cursor_position(self) -> int:
        """Return the least that there is."""
        return 1


def screen_output(screen: TextIO) -> Output:
    """Return the output to a terminal."""
    import os

    made = create_output(screen)
    if isinstance(made, Vt100_Output):
        made = _Screen.from_pty(screen, term=os.environ.get("TERM"))
        made.enable_cpr = False
    return made
