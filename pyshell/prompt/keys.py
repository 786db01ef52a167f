# SPDX-License-Identifier: Apache-2.0
"""Keys of the prompt beside prompt_toolkit's own: F1, and `?` where it cannot be meant as text."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from pyshell.shell.helping import asks_for_help

Help = Callable[[str], None]
"""Shows help on the last word of a line up to the cursor."""


def keys(show_help: Help) -> KeyBindings:
    """Return the keys."""
    bound = KeyBindings()

    @bound.add("f1")
    def _help(event: KeyPressEvent) -> None:
        _show(event, show_help)

    @bound.add("?")
    def _question(event: KeyPressEvent) -> None:
        if asks_for_help(event.current_buffer.document.current_line_before_cursor):
            _show(event, show_help)
        else:
            event.current_buffer.insert_text("?")

    return bound


def _show(event: KeyPressEvent, show_help: Help) -> None:
    line = event.current_buffer.document.current_line_before_cursor
    run_in_terminal(lambda: show_help(line))
