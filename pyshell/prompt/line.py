# SPDX-License-Identifier: Apache-2.0
"""The line being typed: the check of it on a thread, and its colours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style

from pyshell.errors import PyshellError
from pyshell.lio.configfs import asking
from pyshell.prompt.guard import Guard
from pyshell.shell.line_help import Hint, LineProblem, advice, hint, problem, spans
from pyshell.shell.shell import Shell


@dataclass(frozen=True)
class CheckedLine:
    """What is known of a line."""

    text: str = ""
    problem: LineProblem | None = None
    hint: Hint | None = None
    advice: str = ""
    """A better way to type what is valid as it is."""


class LineWatch:
    """Checks the latest line it was given, on a thread, and calls `changed` with a new result."""

    def __init__(self, shell: Shell, changed: Callable[[], None], guard: Guard) -> None:
        self.checked = CheckedLine()
        self._guard = guard
        self._shell = shell
        self._changed = changed
        self._requested: tuple[str, str] | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self, text: str, before_cursor: str) -> None:
        """Request the check of a line; a check of an earlier one ends."""
        self._requested = (text, before_cursor)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="line check", daemon=True)
            self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            requested = self._requested
            if requested is not None:
                self._guard.run("The check of the line", partial(self._check, requested), None)

    def _check(self, requested: tuple[str, str]) -> None:
        with while_wanted(lambda: self._requested == requested):
            found = self._guard.run(
                "The check of the line", partial(self.check, *requested), CheckedLine(requested[0])
            )
        if self._requested == requested and found != self.checked:
            self.checked = found
            self._changed()

    def check(self, text: str, before_cursor: str) -> CheckedLine:
        """Return what is known of a line. Raises whatever reading the target raises."""
        path = self._shell.path
        if "\n" in text:
            return CheckedLine(text)  # earlier pasted lines may change what later ones mean
        root = self._shell.root()
        return CheckedLine(
            text, problem(text, root, path), hint(before_cursor, root, path), advice(text)
        )


def while_wanted(wanted: Callable[[], bool]) -> AbstractContextManager[None]:
    """End this thread's reads of the target by a PyshellError once `wanted` returns false."""

    def ask() -> None:
        if not wanted():
            raise PyshellError("The result is no longer needed")

    return asking(ask)


class LineLexer(Lexer):
    """Colours lines. `checked` returns the result of the latest check."""

    def __init__(self, checked: Callable[[], CheckedLine]) -> None:
        self._checked = checked

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Return a function from a line's number to the line in colours."""
        lines = document.lines

        def coloured(number: int) -> StyleAndTextTuples:
            return _coloured(lines[number], self._checked()) if number < len(lines) else []

        return coloured


def _coloured(line: str, checked: CheckedLine) -> StyleAndTextTuples:
    styles = [""] * len(line)
    for span in spans(line):
        styles[span.start : span.end] = [f"class:line.{span.kind}"] * (span.end - span.start)
    if checked.problem is not None and checked.text == line:
        first, last = checked.problem.start, max(checked.problem.end, checked.problem.start + 1)
        styles[first:last] = ["class:line.fault"] * (min(last, len(line)) - first)
    made: StyleAndTextTuples = []
    for style, character in zip(styles, line, strict=True):
        if made and made[-1][0] == style:
            made[-1] = (style, made[-1][1] + character)
        else:
            made.append((style, character))
    return made


def prompt_style(preference: Callable[[str], Any]) -> Style:
    """Return the prompt's style: the terminal's 16 colours, as targetcli's preferences set them."""
    return Style.from_dict(
        {
            "line.path": _colour(preference("color_path")),
            "line.command": f"{_colour(preference('color_command'))} bold",
            "line.parameter": _colour(preference("color_parameter")),
            "line.value": "",
            "line.comment": "ansibrightblack",
            "line.fault": "ansired underline",
            "label": "ansired reverse",
            "auto-suggestion": "ansibrightblack",
            "bottom-toolbar": "noreverse",
            "toolbar.fault": "ansired",
            "toolbar.warning": "ansiyellow",
            "toolbar.mode": "ansicyan",
            "toolbar.current": "bold underline",
            "toolbar.syntax": "",
            "toolbar.about": "ansibrightblack",
            "toolbar.status": "ansibrightblack",
            "toolbar.key": "ansibrightblack",
            "completion-not-now": "ansibrightblack italic",
            "picker.selected": "reverse",
            "picker.label": "ansibrightblack",
            "picker.bad": "ansired",
        }
    )


def _colour(name: str) -> str:
    return "" if name in ("default", "none") else f"ansi{name}"
