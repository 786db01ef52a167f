# SPDX-License-Identifier: Apache-2.0
"""Completion at the prompt: the candidates of `shell.completion` as a menu of prompt_toolkit.

The target is read on threads: no key waits. Commands and parameters are known without reading, and
wait only a moment for values that must be read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from pyshell.prompt.guard import Guard
from pyshell.prompt.line import while_wanted
from pyshell.shell.completion import MOST, Candidate
from pyshell.shell.completion.sources import complete
from pyshell.shell.shell import Shell
from pyshell.text import ELLIPSIS, columns, one_line, shorten_sentence, unsafe_in

PATIENCE = 0.01
"""Seconds that candidates known without reading wait for those that must be read."""

_SLOW, _DELAY = 0.03, 0.15
"""After a read that took longer than the first, the next starts after the second (seconds)."""

LIMIT = 10.0
"""Seconds after which Tab stops waiting: a device may never answer."""

_MORE = f"more than {MOST}: type on"
_READING = "reading…"
_TOO_SLOW = f"Completion: nothing was read within {LIMIT:.0f} seconds."
_MORE_STYLE, _READING_STYLE = "class:completion-more", "class:completion-reading"
_FRAME, _DESCRIPTION_MIN = 5, 12
"""Columns of a menu beside its texts, and the minimum for a description."""


class MenuWord(NamedTuple):
    """A menu entry, which replaces the line from the column `start` on."""

    start: int
    candidate: Candidate
    description: str
    placeholder: str = ""
    """The style of an entry for words that are not shown, "" for a word."""


class TreeCompleter(Completer):
    """Completes from the current tree.

    `again` is called with the line of an unfinished menu when the rest was read, `changed` when
    `reading` changes. `width` returns the terminal's width.
    """

    def __init__(
        self,
        shell: Shell,
        again: Callable[[str], None],
        guard: Guard,
        changed: Callable[[], None] = lambda: None,
        width: Callable[[], int] = lambda: 80,
    ) -> None:
        self.reading = 0
        """How many menus wait for reads."""
        self._shell = shell
        self._again = again
        self._guard = guard
        self._changed = changed
        self._width = width
        self._slow: dict[str, bool] = {}
        """Whether the last read was slow, by the line before the completed word."""
        self._wanted = ""
        """The line that was completed last: reads for earlier ones end."""
        self._late: tuple[str, list[MenuWord]] | None = None

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield the candidates at the cursor, complete ones with a blank."""
        found = self._found(document.current_line_before_cursor)
        yield from _completions(document, found, self._width())

    def late(self, document: Document) -> Iterator[Completion]:
        """Yield what was read for a menu after it was shown."""
        read, self._late = self._late, None
        if read is not None and read[0] == document.current_line_before_cursor:
            yield from _completions(document, read[1], self._width())

    def typed(self, line: str) -> None:
        """Note the new line: reads for any other end."""
        if line != self._wanted:
            self._wanted = ""

    def begun(self, line: str) -> str:
        """Return the rest of the last word if known without reading, else ""."""
        if line.endswith((" ", "=")):
            return ""  # values that must be read may follow, too
        at_once = self.look(line, quickly=True)
        if len(at_once) != 1:
            return ""
        start, found = at_once[0][:2]
        rest = found.text[len(line) - start :] if found.text.startswith(line[start:]) else ""
        return rest + (" " if rest and found.whole else "")

    def _found(self, line: str) -> list[MenuWord]:
        """Return all candidates; if reading is slow, those known without reading, if enough.

        A single word is inserted immediately, so it must be the only one.
        """
        self._late = None
        at_once = self.look(line, quickly=True)
        # A single word with the typed beginning is certain, but not after a blank or =. One that
        # only contains its letters is not: what is read may have that beginning.
        enough = len(at_once) > 1 or any(
            word.candidate.text.startswith(line[word.start :]) and not line.endswith((" ", "="))
            for word in at_once
        )
        every: SimpleQueue[list[MenuWord]] = SimpleQueue()
        later = _DELAY if enough and self._slow.get(_head(line)) else 0.0
        self._wanted = line
        reading = Thread(
            target=self._read, args=(line, every, later), name="completion", daemon=True
        )
        reading.start()
        try:
            return (
                every.get(timeout=PATIENCE) if not later else self._late_with(line, every, at_once)
            )
        except Empty:
            if enough:
                return self._late_with(line, every, at_once)
            return self._awaited(every)

    def _awaited(self, every: SimpleQueue[list[MenuWord]]) -> list[MenuWord]:
        """Return all candidates when they are read, none if that takes too long."""
        with self._waiting():
            try:
                return every.get(timeout=LIMIT)
            except Empty:
                self._guard.notice("slow completion", _TOO_SLOW)
                return []

    def _late_with(
        self, line: str, every: SimpleQueue[list[MenuWord]], at_once: list[MenuWord]
    ) -> list[MenuWord]:
        """Return what is known without reading, and add the rest on a thread."""
        add = partial(self._guard.run, "Completion", partial(self._added, line, every, at_once))
        Thread(target=add, args=(None,), name="late completion", daemon=True).start()
        start = at_once[0].start
        placeholder = Candidate(line[start:], whole=False)
        return [*at_once, MenuWord(start, placeholder, _READING, _READING_STYLE)]

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Count a waiting menu."""
        self.reading += 1
        self._changed()
        try:
            yield
        finally:
            self.reading -= 1
            self._changed()

    def _read(self, line: str, every: SimpleQueue[list[MenuWord]], later: float) -> None:
        """Read all candidates, after `later` seconds in which the menu can be drawn."""
        found: list[MenuWord] = []
        try:
            time.sleep(later)
            begun = time.monotonic()
            with while_wanted(lambda: line == self._wanted):
                found = self.look(line) if line == self._wanted else []
            if line == self._wanted:
                self._slow[_head(line)] = time.monotonic() - begun > _SLOW
        except Exception as error:
            self._guard.failed("Completion", error)
        finally:
            every.put(found)  # Tab waits for it

    def _added(
        self, line: str, every: SimpleQueue[list[MenuWord]], at_once: list[MenuWord]
    ) -> None:
        found = self._awaited(every) or at_once
        if line == self._wanted:
            self._late = line, found
            self._again(line)

    def look(self, line: str, *, quickly: bool = False) -> list[MenuWord]:
        """Return all candidates, or with `quickly` those known without reading."""
        found: list[MenuWord] = []
        fitting = complete(line, self._shell.root(), self._shell.path, quickly=quickly)
        for start, one in self._guard.each("Completion", fitting):
            if len(found) == MOST:
                # The entry for the rest holds the common beginning, so that Tab inserts that.
                begun = _common_beginning([other.candidate.text for other in found])
                found.append(MenuWord(start, Candidate(begun, whole=False), _MORE, _MORE_STYLE))
                break
            found.append(MenuWord(start, one, self._guard.run("Completion", one.described, "")))
        return found


def _common_beginning(words: list[str]) -> str:
    first, last = min(words), max(words)
    same = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(same, min(len(first), len(last)))]


def _head(line: str) -> str:
    """Return a line without its last word, which decides what is read for that word."""
    return line[: line.rfind(" ") + 1]


def is_unfinished(menu: Sequence[Completion]) -> bool:
    """Return whether a menu is filled, and more is being read for it."""
    return bool(menu) and menu[-1].style == _READING_STYLE


def entries(menu: Sequence[Completion]) -> int:
    """Return how many entries of a menu are words."""
    return sum(one.style not in (_MORE_STYLE, _READING_STYLE) for one in menu)


def _completions(document: Document, rows: Sequence[MenuWord], width: int) -> Iterator[Completion]:
    line = document.current_line_before_cursor
    blank = "" if document.current_char.isspace() else " "
    widest = max((columns(_display(line, row)) for row in rows), default=0)
    room = max(width - widest - _FRAME, _DESCRIPTION_MIN)
    shown = set()
    for row in rows:
        found = row.candidate
        if unsafe_in(found.text):
            continue  # the terminal would interpret or hide it
        if found.text in shown and row.placeholder != _READING_STYLE:
            continue
        shown.add(found.text)
        yield Completion(
            found.text + (blank if found.whole else ""),
            row.start - len(line),
            display=_display(line, row),
            display_meta=shorten_sentence(one_line(row.description), room),
            style=row.placeholder or ("class:completion-not-now" if found.obstacle else ""),
        )


def _display(line: str, row: MenuWord) -> str:
    """Return a word as the menu shows it: a path without the folders that are already typed."""
    if row.placeholder:
        return ELLIPSIS
    return row.candidate.text.removeprefix(line[row.start : line.rfind("/", row.start) + 1])
