# SPDX-License-Identifier: Apache-2.0
"""The line editor, by prompt_toolkit.

Tab completes, F1 or `?` shows help, Up finds earlier lines with the same beginning, Ctrl-R searches
them, Right accepts a suggestion. The target is read on threads: no key waits.
"""

from __future__ import annotations

import contextlib
import os
import termios
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.cursor_shapes import ModalCursorShapeConfig
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import Window
from prompt_toolkit.layout.margins import ScrollbarMargin
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from pyshell.errors import PyshellError
from pyshell.prompt import pager
from pyshell.prompt.completer import TreeCompleter, entries, is_unfinished
from pyshell.prompt.guard import Guard
from pyshell.prompt.history import CommandHistory
from pyshell.prompt.keys import KeptHistory, PathSuggest, answer_keys, choice_keys, line_keys
from pyshell.prompt.line import LineLexer, LineWatch, prompt_style
from pyshell.prompt.picker import pick
from pyshell.prompt.toolbar import (
    Status,
    StatusWatch,
    Typing,
    right_text,
    status_at_once,
    toolbar,
)
from pyshell.shell.line_help import help_at
from pyshell.shell.preference_files import home
from pyshell.shell.shell import Shell
from pyshell.text import wrapped_help
from pyshell.tree.node import Node

_SOON, _TRIES = 0.02, 50
"""Seconds between attempts to complete a menu that is still being filled, and their number."""
_ATTEMPTS = 3
"""How often a line is restarted after an error that nothing else caught."""
_ESCAPE, _VI_ESCAPE = 0.5, 0.05
"""Seconds after which Esc is a key by itself, and not the start of another key."""
_MENU_ROWS = 12
"""The most rows of a menu."""


class Editor:
    """Reads lines with editing, in colours if `colour` is set."""

    can_ask = has_keys = True
    cancel = "Esc"

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
        """The application that reads keys now."""
        self._interrupted = False
        """Whether Ctrl-C came after the line had ended."""
        self._whole_screen = False
        self._in_editor = False
        self._notices: deque[str] = deque()
        self._history = KeptHistory(history, guard)
        self._depth = None if colour else ColorDepth.DEPTH_1_BIT
        self._shell = shell
        self._typed, self._output = typed, output
        self._line = LineWatch(shell, self._redraw, guard)
        self._checks_line = True
        self._typing = Typing()
        self._status = StatusWatch(shell, self._redraw, self._typing, guard)
        self._completer = TreeCompleter(
            shell, self._complete_again, guard, self._redraw, self._width
        )
        self._commands = self._command_prompt(colour=colour)
        self._answers: PromptSession[str] = PromptSession(
            color_depth=self._depth,
            input=typed,
            output=output,
            key_bindings=self._with_signal(guard.keys(answer_keys())),
        )

    def _command_prompt(self, *, colour: bool) -> PromptSession[str]:
        completer, guard = self._completer, self._guard
        shell = self._shell
        suggest = PathSuggest(self._history.entries, lambda: shell.path)
        made: PromptSession[str] = PromptSession(
            history=self._history,
            completer=guard.completer(completer),
            complete_in_thread=True,
            complete_while_typing=False,
            enable_history_search=True,
            # Without colours a suggestion would look like typed text.
            auto_suggest=guard.suggest(suggest) if colour else None,
            lexer=guard.lexer(LineLexer(lambda: self._line.checked)) if colour else None,
            key_bindings=self._with_signal(
                line_keys(
                    lambda line: help_at(line, shell.root(), shell.path),
                    lambda lines: shell.console.print_lines(wrapped_help(lines, self._width())),
                    completer.begun,
                    self._edited,
                    guard,
                )
            ),
            style=prompt_style(shell.preference),
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

    def command(self, prompt: str, *, label: str = "", goes_on: bool = False) -> str:
        """Return what was typed, as `Reader.command`.

        Raises EOFError for Ctrl-D on an empty line, KeyboardInterrupt for Ctrl-C.
        """
        self._checks_line = not goes_on
        with_toolbar = bool(self._shell.preference("prompt_toolbar"))
        now = self._guard.run("The toolbar", self._watch_status, Status())
        self._commands.rprompt = "" if with_toolbar else right_text(now)
        self._commands.bottom_toolbar = self._toolbar if with_toolbar else None
        self._use_keys(vi=self._shell.preference("editing") == "vi")
        try:
            typed = self._read(self._commands, prompt, label)
        finally:
            self._status.pause()
        self._guard.run("The history", lambda: self._history.keep(typed, self._shell.path), None)
        return typed

    def _use_keys(self, *, vi: bool) -> None:
        """Set the keys of the line; with vi keys, the cursor's shape shows the mode."""
        self._commands.editing_mode = EditingMode.VI if vi else EditingMode.EMACS
        self._commands.cursor = ModalCursorShapeConfig() if vi else None
        self._commands.app.ttimeoutlen = _VI_ESCAPE if vi else _ESCAPE

    def _vi_mode(self) -> str:
        """Return the mode of vi keys, "" without them."""
        app = self._commands.app
        if app.editing_mode != EditingMode.VI:
            return ""
        return "insert" if app.vi_state.input_mode == InputMode.INSERT else "normal"

    def _edited(self, line: str) -> str | None:
        """Return what the user makes of a line in an editor, None if that fails."""
        from pyshell.prompt.line_editing import edited  # few sessions use it

        self._in_editor = True
        try:
            return edited(line, home(simulated=self._shell.lio.simulated))
        except PyshellError as error:
            self._shell.console.show_error(error)
            return None
        finally:
            self._in_editor = False

    def _watch_status(self) -> Status:
        now = status_at_once(self._shell)
        self._status.begin(replace(now, sessions=self._status.status.sessions))
        return self._status.status

    def answer(self, question: str) -> str:
        """Return the answer to a question; ignores what was typed or pasted before it.

        Raises as `command` does, KeyboardInterrupt also for Esc.
        """
        self._drop_typed_ahead()
        return self._read(self._answers, question)

    def key(self, question: str, meanings: Mapping[str, str]) -> str:
        """Return the meaning of the first key that has one. Raises as `command` does."""
        asking: PromptSession[str] = PromptSession(
            key_bindings=self._with_signal(self._guard.keys(choice_keys(meanings))),
            erase_when_done=True,
            color_depth=self._depth,
            input=self._typed,
            output=self._output,
        )
        meant = self._read(asking, question)
        if meant == pager.QUIT:
            self._drop_typed_ahead()  # the rest of a typed "quit" is not for the next prompt
        return meant

    def _drop_typed_ahead(self) -> None:
        if self._typed is None:  # a real terminal
            clear_typeahead(self._answers.input)
            with contextlib.suppress(OSError, termios.error):
                termios.tcflush(self._answers.input.fileno(), termios.TCIFLUSH)

    def pick(self, root: Node) -> str | None:
        """Return a path of the tree that the user selects, None without a selection."""
        self._whole_screen = True
        try:
            return pick(
                root,
                style=prompt_style(self._shell.preference),
                color_depth=self._depth,
                typed=self._typed,
                output=self._output,
                guard=self._guard,
            )
        finally:
            self._whole_screen = False
            self._show_notices()

    def _read(self, session: PromptSession[str], prompt: str, label: str = "") -> str:
        """Read a line. Errors are reported and do not end the session."""
        for _ in range(_ATTEMPTS):
            self._app, self._interrupted = session.app, False
            try:
                typed = session.prompt(
                    [*_labelled(label), *_written_out(prompt)],
                    pre_run=self._guard.watch_loop,
                    set_exception_handler=False,
                )
                ignored = session.app.key_processor.input_queue
                if self._interrupted or any(press.key == Keys.SIGINT for press in ignored):
                    raise KeyboardInterrupt
                return typed
            except (EOFError, OSError):
                raise  # the end of the input
            except Exception as error:
                self._guard.failed("The prompt", error)
            finally:
                self._app = None
                self._show_notices()
        raise EOFError

    def _with_signal(self, bound: KeyBindings) -> KeyBindings:
        """Return keys with SIGINT, which prompt_toolkit handles for a moment after a line's end.

        It ignores the signal then, or fails as there is no line to end: `_read` heeds it instead.
        """

        @bound.add(Keys.SIGINT)
        def _interrupt(event: KeyPressEvent) -> None:
            if self._in_editor:
                return  # the key was for the editor
            if event.app.future is None:
                self._interrupted = True
            else:
                event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

        return bound

    def _guarded(self, part: str, work: Callable[[], None]) -> Callable[[object], None]:
        return lambda _: self._guard.run(part, work, None)

    def _notice(self, text: str) -> None:
        """Show a line above the prompt, if there is one; any thread may call this."""
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

        with contextlib.suppress(RuntimeError):  # the loop may have ended
            loop.call_soon_threadsafe(lambda: app.create_background_task(show()))

    def _show_notices(self) -> None:
        while self._notices:
            self._shell.note(self._notices.popleft())

    def _look(self) -> None:
        document = self._commands.default_buffer.document
        self._completer.typed(document.current_line_before_cursor)
        if self._checks_line:
            self._line.look(document.text, document.current_line_before_cursor)

    def _redraw(self) -> None:
        """Redraw the prompt, if it is still there; any thread may call this."""
        with contextlib.suppress(RuntimeError):  # its loop may have ended
            self._commands.app.invalidate()

    def _complete_again(self, line: str) -> None:
        """Add what was read to the menu of a line, if it is still open without a selection."""
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
            self._status.status,
            reading=self._completer.reading > 0,
            menu=self._menu(),
            vi=self._vi_mode(),
        )
        pasted = len([line for line in text.split("\n") if line.strip()])
        if pasted > 1:
            text = f" {pasted} lines: Enter asks and runs them, Ctrl-C drops them"
            return [("class:toolbar.warning", text)]
        return toolbar(self._line.checked, status, text, self._width())

    def _menu(self) -> tuple[int, int] | None:
        """Return the number of the selected menu entry and how many there are, None without one."""
        menu = self._commands.default_buffer.complete_state
        if menu is None or not menu.completions:
            return None
        selected = 0 if menu.complete_index is None else menu.complete_index + 1
        return selected, entries(menu.completions)

    def _width(self) -> int:
        return self._output.get_size().columns


def _goes_on(menu: Window) -> bool:
    """Return whether a menu has more entries than it shows."""
    drawn = menu.render_info
    return drawn is not None and drawn.content_height > drawn.window_height


def _written_out(prompt: str) -> StyleAndTextTuples:
    """Return a prompt whose last blank is printed, in the terminal's own colour.

    A blank without style would only move the cursor, and programs such as expect wait for it.
    """
    return [("fg:ansidefault", prompt)]


def _labelled(label: str) -> StyleAndTextTuples:
    return [("class:label", label), ("", " ")] if label else []


class _Screen(Vt100_Output):
    """A terminal that is not queried for its cursor's position.

    Serial lines and programs such as expect do not answer; a late answer would be read as keys.
    """

    def get_rows_below_cursor_position(self) -> int:
        return 1  # the least there is


def screen_output(screen: TextIO) -> Output:
    """Return the output to a terminal."""
    made = create_output(screen)
    if isinstance(made, Vt100_Output):
        made = _Screen.from_pty(screen, term=os.environ.get("TERM"))
        made.enable_cpr = False
    return made
