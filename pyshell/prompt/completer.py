# SPDX-License-Identifier: Apache-2.0
"""Completion at the prompt: what `shell.sources` finds, as prompt_toolkit takes it.

It runs in a thread that a key never waits for. What is known at once (commands, parameters) waits
a moment for what must be read, so that the likeliest stands first, and no longer than that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from pyshell.characters import one_line, unsafe_in
from pyshell.prompt.guard import Guard
from pyshell.prompt.manners import while_wanted
from pyshell.shell.completion.engine import MOST, Candidate
from pyshell.shell.completion.sources import complete
from pyshell.shell.shell import Shell

PATIENCE = 0.02
"""Seconds that what is known at once waits for what must be read."""

_SLOW, _ROOM = 0.1, 0.15
"""Seconds: reading that takes longer than the one leaves the other to what is known at once."""

LIMIT = 10.0
"""Seconds after which Tab no longer waits: a device that does not answer may never do so."""

Found = list[tuple[int, Candidate, str]]
"""Columns, candidates and their descriptions."""


class TreeCompleter(Completer):
    """Completes from the tree as it is now; it only reads.

    `again` is called with a line for which a menu was offered before all that fits was read,
    `changed` where `reading` has become another.
    """

    def __init__(
        self,
        shell: Shell,
        again: Callable[[str], None],
        guard: Guard,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.reading = 0
        """How many menus wait for what is being read."""
        self._shell = shell
        self._again = again
        self._guard = guard
        self._changed = changed
        self._slow: dict[str, bool] = {}
        """Whether reading took its time, by the line before what was completed."""
        self._wanted = ""
        """The line that was completed last: for none before it anything is read any more."""
        self._late: tuple[str, Found] | None = None

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield what fits at the cursor; a blank follows where a word is whole."""
        yield from _completions(document, self._found(document.current_line_before_cursor))

    def late(self, document: Document) -> Iterator[Completion]:
        """Yield what was read for a menu since it was offered; nothing is read for it now."""
        read, self._late = self._late, None
        if read is not None and read[0] == document.current_line_before_cursor:
            yield from _completions(document, read[1])

    def typed(self, line: str) -> None:
        """Note what the line has become: nothing more is read for another."""
        if line != self._wanted:
            self._wanted = ""

    def begun(self, line: str) -> str:
        """Return the rest of the last word where that is known at once, "" where it is not."""
        if line.endswith((" ", "=")):
            return ""  # more may fit, once it is read
        at_once = self.look(line, quickly=True)
        if len(at_once) != 1:
            return ""
        start, found, _ = at_once[0]
        rest = found.text[len(line) - start :] if found.text.startswith(line[start:]) else ""
        return rest + (" " if rest and found.whole else "")

    def _found(self, line: str) -> Found:
        """Return all that fits; where that takes its time, what is known at once if it is more.

        A single word is inserted at once, so it must be right.
        """
        self._late = None
        at_once = self.look(line, quickly=True)
        # Where the line begins a single word, that word is right; else it may not be all there is.
        enough = len(at_once) > 1 or (bool(at_once) and not line.endswith((" ", "=")))
        every: SimpleQueue[Found] = SimpleQueue()
        later = _ROOM if enough and self._slow.get(_head(line)) else 0.0
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

    def _awaited(self, every: SimpleQueue[Found]) -> Found:
        """Return all that fits once it is read, nothing if that takes too long."""
        with self._waiting():
            try:
                return every.get(timeout=LIMIT)
            except Empty:
                self._guard.notice("slow completion", _TOO_SLOW)
                return []

    def _late_with(self, line: str, every: SimpleQueue[Found], at_once: Found) -> Found:
        """Return what is known at once, and see to it that the rest is added."""
        Thread(
            target=self._add, args=(line, every, at_once), name="late completion", daemon=True
        ).start()
        start = at_once[0][0]
        return [*at_once, (start, Candidate(line[start:], whole=False), _READING)]

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Tell that a menu waits, for as long as it does."""
        self.reading += 1
        self._changed()
        try:
            yield
        finally:
            self.reading -= 1
            self._changed()

    def _read(self, line: str, every: SimpleQueue[Found], later: float) -> None:
        """Read all that fits; `later` leaves the processor to the menu that is drawn meanwhile."""
        found: Found = []
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
            every.put(found)  # whatever happens: Tab waits for it

    def _add(self, line: str, every: SimpleQueue[Found], at_once: Found) -> None:
        self._guard.run("Completion", lambda: self._added(line, every, at_once), None)

    def _added(self, line: str, every: SimpleQueue[Found], at_once: Found) -> None:
        found = self._awaited(every) or at_once
        if line == self._wanted:
            self._late = line, found
            self._again(line)

    def look(self, line: str, *, quickly: bool = False) -> Found:
        """Return all that fits, or what is known at once."""
        found: Found = []
        fitting = complete(line, self._shell.root(), self._shell.path, quickly=quickly)
        for start, one in self._guard.each("Completion", fitting):
            if len(found) == MOST:
                # Stands for all that is not shown; it leaves Tab what all of them begin with.
                begun = _begun_alike([other.text for _, other, _ in found])
                found.append((start, Candidate(begun, whole=False), _MORE))
                break
            found.append((start, one, self._guard.run("Completion", one.described, "")))
        return found


_MORE = f"more than {MOST}: type on"
_READING = "reading…"
_REST = "…"
"""What stands in a menu for words that it does not show."""
_TOO_SLOW = f"Completion: nothing was read within {LIMIT:.0f} seconds."


def _begun_alike(words: list[str]) -> str:
    """Return what all words begin with."""
    first, last = min(words), max(words)
    same = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(same, min(len(first), len(last)))]


def _head(line: str) -> str:
    """Return a line without its last word: what is read for that hangs on the others."""
    return line[: line.rfind(" ") + 1]


def is_unfinished(menu: Sequence[Completion]) -> bool:
    """Tell whether a menu is offered whole so far, and more is being read for it."""
    return bool(menu) and menu[-1].display_meta_text == _READING


def entries(menu: Sequence[Completion]) -> int:
    """Return how many entries of a menu are words."""
    return sum(one.display_text != _REST for one in menu)


def _completions(document: Document, rows: Found) -> Iterator[Completion]:
    line = document.current_line_before_cursor
    blank = "" if document.current_char.isspace() else " "
    shown = set()
    for start, found, told in rows:
        if unsafe_in(found.text):
            continue  # the terminal would obey or hide it as it is inserted
        if found.text not in shown or told == _READING:
            shown.add(found.text)
            yield _completion(line, start, found, told, blank)


def _completion(line: str, start: int, found: Candidate, told: str, blank: str) -> Completion:
    folder = line[start : line.rfind("/", start) + 1]
    return Completion(
        found.text + (blank if found.whole else ""),
        start - len(line),
        display=_REST if told in (_MORE, _READING) else found.text.removeprefix(folder),
        display_meta=one_line(told),
        style="class:completion-not-now" if found.obstacle else "",
    )
