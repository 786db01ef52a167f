# SPDX-License-Identifier: Apache-2.0
"""Long results, a screen at a time; lines are read only when they are shown.

The built-in pager moves both ways and searches. If `$PAGER` names less, less shows them instead.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from os import terminal_size

from pyshell.expressions import expression
from pyshell.host import programs
from pyshell.text import columns

_ESCAPES = expression(r"\x1b\[[0-9;]*m")
QUESTION = "-- more: Space next page, b back, / search, a all, q quit -- "
SHORT_QUESTION = "-- more (q quits) -- "
_NEXT, _LINE, _BACK, _UP, _SEARCH, _ALL, QUIT = "", "line", "back", "up", "/", "all", "quit"
KEYS = {
    " ": _NEXT,
    "enter": _NEXT,
    "f": _NEXT,
    "pagedown": _NEXT,
    "down": _LINE,
    "j": _LINE,
    "b": _BACK,
    "pageup": _BACK,
    "up": _UP,
    "k": _UP,
    "/": _SEARCH,
    "a": _ALL,
    "end": _ALL,
    "q": QUIT,
    "escape": QUIT,
}
"""The keys that answer the question, and their meanings."""


class Pager:
    """Yields lines a screen at a time.

    `size` returns the size of the window. `ask` asks for the next step, `search` for a text to
    search for; Ctrl-C and Ctrl-D quit.
    """

    def __init__(
        self,
        lines: Iterable[str],
        size: Callable[[], terminal_size],
        ask: Callable[[str], str],
        search: Callable[[str], str],
    ) -> None:
        self._coming = iter(lines)
        self._seen: list[str] = []
        self._next = 0
        self._size = size
        self._ask = ask
        self._search = search

    def __iter__(self) -> Iterator[str]:
        """Yield the lines to print, earlier ones again if the user goes back."""
        yield from self._page(self._rows())
        while self._has(self._next):
            answer = self._answer()
            if answer == QUIT:
                return
            if answer == _ALL:
                while self._has(self._next):
                    yield from self._page(self._rows())
                return
            if answer in (_BACK, _UP):
                self._go_back(2 * self._rows() if answer == _BACK else self._rows() + 1)
            elif answer == _SEARCH:
                yield from self._found()
                continue
            yield from self._page(1 if answer == _LINE else self._rows())

    def _rows(self) -> int:
        return max(self._size().lines - 1, 1)

    def _has(self, number: int) -> bool:
        while len(self._seen) <= number:
            try:
                self._seen.append(next(self._coming))
            except StopIteration:
                return False
        return True

    def _page(self, rows: int) -> Iterator[str]:
        used = 0
        while self._has(self._next):
            line = self._seen[self._next]
            used += self._height(line)
            if used > rows and used > self._height(line):
                return
            self._next += 1
            yield line

    def _go_back(self, rows: int) -> None:
        while self._next and rows > 0:
            self._next -= 1
            rows -= self._height(self._seen[self._next])

    def _found(self) -> Iterator[str]:
        """Go to the next line with the text, if there is one."""
        wanted = self._answered(self._search, "/", "").lower()
        number = self._next
        while wanted and self._has(number):
            if wanted in _ESCAPES.sub("", self._seen[number]).lower():
                self._next = number
                yield from self._page(self._rows())
                return
            number += 1
        yield f"-- no further match for '{wanted}' --" if wanted else "-- nothing to search for --"

    def _answer(self) -> str:
        wide = columns(QUESTION) < self._size().columns
        return self._answered(self._ask, QUESTION if wide else SHORT_QUESTION, QUIT)

    def _answered(self, ask: Callable[[str], str], question: str, otherwise: str) -> str:
        try:
            return ask(question).strip()
        except (EOFError, KeyboardInterrupt):
            return otherwise

    def _height(self, line: str) -> int:
        """Return how many rows of the screen a line needs."""
        width = columns(_ESCAPES.sub("", line))
        return max(1, -(-width // max(self._size().columns, 1)))


def chosen(environment: Mapping[str, str] = os.environ) -> str:
    """Return the pager that `$PAGER` selects: `less`, `none` (cat or empty), else `built-in`.

    pyshell runs as root, so the variable selects a known program and is never run itself.
    """
    value = environment.get("PAGER")
    if value is None:
        return "built-in"
    try:
        words = shlex.split(value)
    except ValueError:
        return "built-in"
    name = os.path.basename(words[0]) if words else "cat"
    return {"less": "less", "cat": "none"}.get(name, "built-in")


def by_less(lines: Iterable[str], size: Callable[[], terminal_size]) -> Iterator[str]:
    """Yield lines that fit the screen; show longer results with less.

    Raises OSError if less cannot be started.
    """
    coming = iter(lines)
    begun = list(islice(coming, max(size().lines - 1, 1)))
    following = next(coming, None)
    if following is None:
        yield from begun
        return
    _show_by_less(chain(begun, [following], coming))


def _show_by_less(lines: Iterable[str]) -> None:
    process = programs.start_less()
    assert process.stdin is not None
    try:
        for line in lines:
            process.stdin.write(f"{line}\n")
        process.stdin.close()
    except (BrokenPipeError, KeyboardInterrupt):
        pass  # the user has quit less
    while process.poll() is None:
        try:
            process.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C is for less, which still runs
    with suppress(BrokenPipeError):
        process.stdin.close()
