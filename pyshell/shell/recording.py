# SPDX-License-Identifier: Apache-2.0
"""Records changes: for `undo`, and in the log that `history` shows.

A record never stops a change: what cannot be written is noted. Before the first step, a file is
written that says that the command began. If pyshell is killed, the next change logs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyshell.config import store
from pyshell.config.store import change_log, now, undo
from pyshell.config.store.change_log import ChangeLog, Entry, Objects
from pyshell.config.store.undo import Done, Head
from pyshell.errors import PyshellError
from pyshell.lio import Lio
from pyshell.lio.operations.base import Irreversible, Operation
from pyshell.shell.console import Console
from pyshell.shell.executor import Batch
from pyshell.shell.lock import locked

if TYPE_CHECKING:
    from pyshell.config.document import Document
    from pyshell.tree.results import Reversal


class Records:
    """Records the changes of a run.

    `batch` returns the batch that is running, if any. Those of a candidate are not `logged`.
    """

    def __init__(
        self,
        lio: Lio,
        console: Console,
        batch: Callable[[], Batch | None] = lambda: None,
        *,
        logged: bool = True,
    ) -> None:
        self.lio = lio
        self.is_logged = logged
        self.console = console
        self._batch = batch

    @cached_property
    def log(self) -> ChangeLog:
        """The log of changes."""
        return ChangeLog(self.lio)

    def new(self, line: str, running: Callable[[], Document] | None = None) -> Recording:
        """Return the recording of a command that may change the target.

        If `running` is given, what it returns is recorded as the configuration before it.
        """
        return Recording(self, line, running)

    def head(self, line: str) -> Head:
        """Give a command the next number. Raises PyshellError."""
        logged = 0
        if self.is_logged:
            with suppress(PyshellError):  # writing to the log reports it
                logged = self.log.highest()
                self._log_others(logged)
        number = undo.next_number(self.lio, logged)
        batch = self._batch()
        first = None if batch is None else batch.first or number
        return Head(number, line, now(self.console.options.way), first)

    def _log_others(self, logged: int) -> None:
        """Log changes of which pyshell was killed before it could."""
        for number in undo.numbers(self.lio):
            if number > logged and (done := undo.head_of(self.lio, number)) is not None:
                if not done.has_ended and not store.has_deadline(self.lio):  # which reverts it
                    self._note_killed(done)
                if not self.append(change_log.entry_of(done)):
                    return
                self.forget_undone()

    def _note_killed(self, done: Done) -> None:
        """Note a change that has not ended although the lock is free."""
        back = f"'undo {done.number}' returns to the configuration before it."
        if done.before is None:
            back = "'diff' shows what differs from the saved configuration."
        self.console.note(f"pyshell was killed during '{done.line}'. {back}")

    def forget_undone(self) -> None:
        """Remove what can be done again: the target is not as it was then."""
        try:
            undo.forget_undone(self.lio)
        except PyshellError as error:
            self.console.note(f"'redo' still lists what was undone before: {error}")

    def append(self, entry: Entry) -> bool:
        """Log a change, and return whether that succeeded; a failure is noted once."""
        done = False
        if not self.is_logged:
            return done
        try:
            self.log.append(entry)
            done = True
        except PyshellError as error:
            self.console.note_once(f"Changes are not logged for 'history': {error}")
        batch = self._batch()
        if batch is not None and entry.batch == entry.number:
            batch.first = batch.first or entry.number
        return done

    def keep_preferences(self, line: str, before: Mapping[str, object]) -> None:
        """Record the values that preferences had, None for the default."""
        if not before:
            return
        try:
            with locked(self.lio.lock_file, self.console.options.lock_timeout, self.console.note):
                head = self.head(line)
                undo.keep_preferences(self.lio, head, before)
                self.append(Entry(head.number, head.about, line, batch=head.batch))
                self.forget_undone()
        except PyshellError as error:
            self.not_kept(error)

    def not_kept(self, error: PyshellError) -> None:
        """Note that a change cannot be undone."""
        # The change itself matters more, for example if /run is full.
        self.console.note(f"'undo' cannot undo this: {error}")


def note_save(records: Records, revisions: Sequence[int]) -> None:
    """Log a save at the end of a run, and the revisions that it kept."""
    revision = revisions[-1] if revisions else None
    records.new("saveconfig").done(Objects(), saves=True, revision=revision)


class Recording:
    """Records one command: `begin` before its first step, then how it ended."""

    def __init__(self, records: Records, line: str, running: Callable[[], Document] | None) -> None:
        self._records = records
        self._lio = records.lio
        self._line = line
        self._before = running
        self._head: Head | None = None
        self.steps = 0
        """How many steps are done."""

    def begin(self) -> None:
        """Record that the command begins."""
        with suppress(PyshellError):  # recording its end reports it
            self._head = self._records.head(self._line)
            if self._before is not None:
                undo.keep_document(self._lio, self._head, self._before())
            else:
                undo.begin(self._lio, self._head)

    def _known_head(self) -> Head:
        if self._head is None:
            self._head = self._records.head(self._line)
        return self._head

    def keep_operations(self, inverses: Sequence[Operation]) -> None:
        """Record the operations that undo the command, in their order, if there are any."""
        if not inverses:
            return
        try:
            undo.keep_operations(self._lio, self._known_head(), inverses)
        except PyshellError as error:
            self._records.not_kept(error)

    def keep_running(self) -> None:
        """Record the whole running configuration before the command."""
        try:
            undo.keep_document(self._lio, self._known_head(), self._running())
        except PyshellError as error:
            self._records.not_kept(error)
            with suppress(PyshellError):  # the next undo must not undo the line before this one
                why = Irreversible("the configuration before it could not be recorded")
                undo.keep_operations(self._lio, self._known_head(), [why])

    def _running(self) -> Document:
        from pyshell.config.running import read_running  # most changes need none of it

        return read_running(self._lio)

    def done(
        self,
        objects: Objects,
        *,
        state: str = change_log.DONE,
        saves: bool = False,
        revision: int | None = None,
    ) -> None:
        """Log the command; what was undone before cannot be done again, unless this is a save."""
        if not saves and state != change_log.FAILED:
            self._records.forget_undone()
        self._log(state=state, objects=objects, revision=revision)

    def _log(self, **more: Any) -> None:
        try:
            head = self._known_head()
        except PyshellError as error:
            self._records.not_kept(error)
            return
        self._records.append(Entry(head.number, head.about, head.line, batch=head.batch, **more))

    def reversed(
        self,
        reversal: Reversal,
        done: Sequence[tuple[Operation, Operation | None]],
        objects: Objects,
    ) -> None:
        """Record an undo, or a redo."""
        try:
            reversal.keep(done, self._known_head().number)
        except PyshellError as error:  # the target has changed
            listed = (
                "'redo' still lists what is redone"
                if reversal.again
                else ("'undo' still lists what is undone")
            )
            self._records.console.note(f"{listed}: {error}")
        self.forget()
        numbers = tuple(reversal.numbers)
        self._log(objects=objects, **{"redid" if reversal.again else "undid": numbers})

    def failed(self, objects: Objects, left: Sequence[Operation]) -> None:
        """Record that a step failed; `left` undoes what could not be undone."""
        if left:
            self.keep_operations(left)
        else:
            self.forget()
        if self.steps or left:
            self.done(objects, state=change_log.PARTIAL if left else change_log.FAILED)

    def is_unchanged(self) -> bool:
        """Return whether the configuration is that of `keep_running`."""
        with suppress(PyshellError, OSError):
            done = undo.read(self._lio, self._known_head().number)
            return bool(json.loads(json.dumps(self._running())) == done.before)
        return False

    def forget(self) -> None:
        """Forget the command: there is nothing to undo."""
        if self._head is None:
            return
        try:
            undo.forget(self._lio, self._head.number)
        except PyshellError as error:
            self._records.console.note(
                f"'undo' still lists this line, which it cannot undo: {error}"
            )
        with suppress(PyshellError):
            if (
                self._records.is_logged and self._records.log.highest() >= self._head.number
            ):  # another command has logged it
                self.done(Objects(), state=change_log.UNCHANGED)
