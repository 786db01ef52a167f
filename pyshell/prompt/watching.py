# SPDX-License-Identifier: Apache-2.0
"""Looks at the line that is being typed, and at the target, on threads that no key waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from pyshell.lio.configfs import asking
from pyshell.prompt.guard import Guard
from pyshell.prompt.manners import Typing, while_wanted
from pyshell.prompt.status import Difference, Status, Unchanged, look
from pyshell.shell.line_help import Hint, LineProblem, advice, hint, problem
from pyshell.shell.shell import Shell

_RARELY = 20
"""How many times as long as a look took the next one is waited for, on a large target."""
EVERY = 1.0
"""Seconds between two looks at the target."""


@dataclass(frozen=True)
class Read:
    """What is known of a line."""

    text: str = ""
    fault: LineProblem | None = None
    hint: Hint | None = None
    advice: str = ""
    """What would be better than what is typed, which is right all the same."""


class LineWatch:
    """Reads the latest line that it was told of; `changed` is called once more is known of it."""

    def __init__(self, shell: Shell, changed: Callable[[], None], guard: Guard) -> None:
        self.read = Read()
        self._guard = guard
        self._shell = shell
        self._changed = changed
        self._wanted: tuple[str, str] | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self, text: str, before_cursor: str) -> None:
        """Ask for a line to be read; the one before it is forgotten if it is not read yet."""
        self._wanted = (text, before_cursor)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="reading", daemon=True)
            self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            wanted = self._wanted
            if wanted is not None:
                self._guard.run("The check of the line", partial(self._look_at, wanted), None)

    def _look_at(self, wanted: tuple[str, str]) -> None:
        with while_wanted(partial(self._is_wanted, wanted)):
            found = self._guard.run(
                "The check of the line", partial(self.reading, *wanted), Read(wanted[0])
            )
        if self._wanted == wanted and found != self.read:
            self.read = found
            self._changed()

    def _is_wanted(self, line: tuple[str, str]) -> bool:
        return line == self._wanted

    def reading(self, text: str, before_cursor: str) -> Read:
        """Return what is known of a line. Raises whatever reading the target raises."""
        path = self._shell.path
        if "\n" in text:
            return Read(text)  # pasted lines: those before may change what the next ones mean
        root = self._shell.root()
        return Read(text, problem(text, root, path), hint(before_cursor, root, path), advice(text))


class StatusWatch:
    """Knows how the target stands; looks again every second while the prompt waits."""

    def __init__(
        self, shell: Shell, changed: Callable[[], None], typing: Typing, guard: Guard
    ) -> None:
        self.status = Status()
        self._difference = Difference(shell)
        self._lio = typing.polite(shell.lio)
        self._typing = typing
        self._guard = guard
        self._shell = shell
        self._changed = changed
        self._since = Unchanged(0)
        self._waiting = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, known: Status) -> None:
        """Look from now on, as a prompt is shown; changes from now on are those of others.

        `known` stands until the first look is done.
        """
        self.status = self._with_difference(known)
        self._since = Unchanged.now(self._shell.lio)
        self._waiting.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="status", daemon=True)
            self._thread.start()

    def pause(self) -> None:
        """Look no more, as a command runs."""
        self._waiting.clear()

    def _work(self) -> None:
        import time

        while True:
            self._waiting.wait()
            started = time.thread_time()
            with asking(self._typing.give_way):
                self._try(lambda: look(self._shell, self._lio, self._since))
                taken = time.thread_time() - started
                self._try(self._compared)
            time.sleep(max(EVERY, _RARELY * taken))

    def _compared(self) -> Status:
        self._difference.look(self._lio)
        return self.status

    def _try(self, look_at: Callable[[], Status]) -> None:
        """Take what is found, if anything; the toolbar is never in the way."""
        found = self._guard.run(
            "The toolbar", lambda: self._with_difference(look_at()), self.status
        )
        if found != self.status and self._waiting.is_set():
            self.status = found
            self._guard.run("The toolbar", self._changed, None)

    def _with_difference(self, found: Status) -> Status:
        """Let the comparison decide, once it is made: an undo may have restored what is saved."""
        known = self._difference.known()
        return found if known is None else replace(found, unsaved=known)
