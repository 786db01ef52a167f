# SPDX-License-Identifier: Apache-2.0
"""Keeps errors in completion, colours, toolbar and history from ending or blocking the prompt.

Every function that prompt_toolkit calls, and every thread that reads for the prompt, runs within a
`Guard`: if it fails, a default replaces its result, and the first failure of each part is reported.
The report has only the error's type and place in the code: its text may contain a secret.
"""

from __future__ import annotations

import asyncio
import errno
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os.path import basename
from typing import Any, TypeVar

from prompt_toolkit.auto_suggest import AutoSuggest, Suggestion
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer

from pyshell.errors import PyshellError

T = TypeVar("T")

# Objects and devices appear and vanish while they are read, and only root may read all of them.
_EXPECTED = frozenset(
    (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EACCES, errno.EPERM)
)


class Guard:
    """Runs a part of the prompt; `report` is given one line for the first failure of each part."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._reported: set[str] = set()
        self._lock = threading.Lock()

    def run(self, part: str, work: Callable[[], T], otherwise: T) -> T:
        """Return the result of `work`, or `otherwise` if it fails."""
        try:
            return work()
        except Exception as error:
            self.failed(part, error)
            return otherwise

    def each(self, part: str, items: Iterable[T]) -> Iterator[T]:
        """Yield items until one of them fails."""
        try:
            yield from items
        except Exception as error:
            self.failed(part, error)

    def failed(self, part: str, error: BaseException) -> None:
        """Report an unexpected error, the first time only."""
        expected = isinstance(error, PyshellError)
        if isinstance(error, OSError):
            expected = error.errno in _EXPECTED
        if not expected:
            self.notice(part, f"{part} failed: {_place(error)}. {_ADVICE}")

    def notice(self, part: str, text: str) -> None:
        """Report a line about a part, the first time only."""
        with self._lock:
            if part in self._reported:
                return
            self._reported.add(part)
        self._report(text)

    def watch_loop(self) -> None:
        """Report errors in the running event loop that nothing else caught."""

        def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            self.failed("The prompt", context.get("exception") or RuntimeError())

        asyncio.get_running_loop().set_exception_handler(report)

    def keys(self, bound: KeyBindings) -> KeyBindings:
        """Guard the functions of key bindings."""
        for binding in bound.bindings:
            binding.handler = self._key(binding.handler)
        return bound

    def _key(self, handler: Callable[[KeyPressEvent], object]) -> Callable[[KeyPressEvent], Any]:
        return lambda event: self.run("A key", lambda: handler(event), None)

    def lexer(self, guarded: Lexer) -> Lexer:
        """Guard the colours of a line."""
        return _Lexer(self, guarded)

    def suggest(self, guarded: AutoSuggest) -> AutoSuggest:
        """Guard suggestions."""
        return _Suggest(self, guarded)

    def completer(self, guarded: Completer) -> Completer:
        """Guard completion."""
        return _Completer(self, guarded)


_ADVICE = "This is a bug in pyshell: please report it. The prompt still works."


def _place(error: BaseException) -> str:
    """Return the type of an error and where it happened."""
    name = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        name = f"{name} ({error.strerror})"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name} at {basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else name


@dataclass(eq=False)
class _Lexer(Lexer):
    _guard: Guard
    _guarded: Lexer

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        lines = document.lines

        def plain(number: int) -> StyleAndTextTuples:
            return [("", lines[number])] if number < len(lines) else []

        uncoloured: Callable[[int], StyleAndTextTuples] = plain
        coloured = self._run(lambda: self._guarded.lex_document(document), uncoloured)
        return lambda number: self._run(lambda: coloured(number), plain(number))

    def _run(self, work: Callable[[], T], otherwise: T) -> T:
        return self._guard.run("Highlighting", work, otherwise)


@dataclass(eq=False)
class _Suggest(AutoSuggest):
    _guard: Guard
    _guarded: AutoSuggest

    def get_suggestion(self, buffer: Buffer, document: Document) -> Suggestion | None:
        return self._guard.run(
            "Suggesting", lambda: self._guarded.get_suggestion(buffer, document), None
        )


@dataclass(eq=False)
class _Completer(Completer):
    _guard: Guard
    _guarded: Completer

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        nothing: Iterable[Completion] = ()
        found = self._guard.run(
            "Completion", lambda: self._guarded.get_completions(document, complete_event), nothing
        )
        yield from self._guard.each("Completion", found)
