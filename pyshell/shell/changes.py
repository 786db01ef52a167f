# SPDX-License-Identifier: Apache-2.0
"""Carries out changes: asks before them, records how to undo them, and reports them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyshell.config.store import state, undo
from pyshell.errors import ExistsError, InterruptedStepsError, PyshellError
from pyshell.lio import sessions
from pyshell.lio.operations.base import Deletion, Operation, carry_out, check, interrupts_held
from pyshell.lio.settings import secret_path
from pyshell.shell import confirmation
from pyshell.shell.console import Console
from pyshell.shell.options import BOOT
from pyshell.shell.saving import Saving, marked
from pyshell.shell.undo_memory import UndoMemory
from pyshell.tree.node import Context
from pyshell.tree.results import Change, Lines, Work

if TYPE_CHECKING:
    from pyshell.lio.impact import Disturbed


class Changes:
    """The changes of a run. `line` is the line that causes one, as `undo` shows it.

    If `forced`, no question is asked.
    """

    def __init__(self, context: Context, console: Console, saving: Saving) -> None:
        self.lio = context.lio
        self.removed: set[str] = set()
        """Paths that commands of this run deleted."""
        self._context = context
        self._console = console
        self._saving = saving
        self._memory = UndoMemory(self.lio, console)

    def note_removed(self, operations: Iterable[Operation]) -> None:
        """Record what operations deleted: a save that omits it loses nothing.

        What was missing since a restore and is now created or deleted is no longer missing.
        """
        made: set[str] = set()
        deleted: set[str] = set()
        for operation in operations:
            path = getattr(getattr(operation, "place", None), "path", None)
            if path is not None:
                (deleted if isinstance(operation, Deletion) else made).add(path)
                made.add(secret_path(path, getattr(operation, "file", "")) or path)
        self.removed |= deleted
        _settle_marks(self._context, made, deleted)

    def _tell_progress(self, operation: Operation, index: int, total: int) -> None:
        self.lio.progress(index, total)

    def check(self, change: Change) -> None:
        """Validate the preconditions of a change. Raises PyshellError."""
        with _of_whole(change):
            check(self.lio, change.operations)

    def change(self, change: Change, line: str, *, forced: bool) -> None:
        """Carry out a change, or show it in a dry run. Raises PyshellError."""
        if self._console.options.dry_run:
            self.check(change)
            self._foretell(change)
            return
        if self._may_ask(forced=forced):
            confirmation.confirm(self._console, self.lio, change.operations, change.named)
        disturbed = self._disturbed(change)
        with interrupts_held() as interrupted:
            try:
                with _of_whole(change):
                    outcome = carry_out(self.lio, change.operations, self._tell_progress)
            except PyshellError:
                if self._console.compat and not self._console.options.json:
                    self._console.say(list(change.before))
                raise
            if change.undoable and outcome.undo:
                self._memory.keep_operations(line, outcome.undo)
            outcome.interrupted = outcome.interrupted or interrupted()
        self._saving.note_change(changed=outcome.changed, way=change.way)
        self.note_removed(change.operations)
        names = {"cut": confirmation.initiators(disturbed)} if disturbed else {}
        self._tell(change, _sentences, confirmation.has_disturbed(disturbed), names)
        self._note_of(change)
        if change.way:  # undo and the like read the whole target, and may end at what is saved
            self._saving.settle(unchanged=change.way == "apply")
        if outcome.interrupted:
            raise InterruptedStepsError("Interrupted when it was done", outcome.interrupted)

    def _tell(
        self,
        change: Change,
        sentences: Callable[[Change], list[str]],
        more: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Show what a change has done or would do; of several nodes each under its path."""
        if not change.parts:
            self._console.say([*sentences(change), *more], {**(data or {}), **change.data})
            return
        lines, parts = [], []
        for path, part in change.parts:
            said = sentences(part) if isinstance(part, Change) else list(part.lines)
            lines += [f"[{path}]", *said]
            own = part.data if isinstance(part, Change) else {}
            parts.append({"path": path, "messages": said, **own})
        messages = [*lines, *more]
        self._console.show(Lines(messages, {"messages": messages, "nodes": parts, **(data or {})}))

    def _foretell(self, change: Change) -> None:
        """Show what a change would do."""
        disturbed = self._disturbed(change)
        names = {"cut": confirmation.initiators(disturbed)}
        if _tells_of_objects(change):
            names = {}
            losses = []
        else:
            losses = marked(confirmation.would_disturb(disturbed, change.operations, change.named))
        self._tell(change, _would, losses, names)
        self._note_of(change)

    def _disturbed(self, change: Change) -> list[Disturbed]:
        """Return the sessions to report, unless the change reports each object anyway."""
        if self._console.compat or _tells_of_objects(change):
            return []
        return confirmation.disturbed_by(self.lio, change.operations)

    def _note_of(self, change: Change) -> None:
        if change.note:
            self._console.note(change.note)

    def _may_ask(self, *, forced: bool) -> bool:
        return not forced and confirmation.can_ask(self._console)

    def work(self, work: Work, line: str, *, forced: bool) -> None:
        """Carry out work, or show it in a dry run. Raises PyshellError."""
        console = self._console
        if console.options.dry_run:
            foreseen = work.foresee() if work.foresee is not None else Lines([])
            console.say(marked([*foreseen.lines, *work.would]), work.data)
            if foreseen.failure is not None:
                raise foreseen.failure
            return
        if self._may_ask(forced=forced):
            confirmation.confirm(console, self.lio, work.operations(), work.named)
        at_boot = console.options.way == BOOT
        disturbed = [] if console.compat or at_boot else self._disturbed_by_work(work)
        changes = work.effect in ("loaded", "other")
        remembered = changes and not at_boot
        if remembered:
            self._memory.keep_running(line)
        try:
            shown = work.run()
        except BaseException:
            if remembered:
                self._memory.forget_if_unchanged(line)
            self._saving.unsaved = self._saving.unsaved or changes
            raise
        if shown.idle and remembered:
            self._memory.forget(line)
        if work.undone_by and not at_boot:
            self._memory.keep_operations(line, work.undone_by)
        if work.effect is not None:
            self._saving.note_effect(work.effect)
        if disturbed:
            shown = replace(shown, lines=[*shown.lines, *confirmation.has_disturbed(disturbed)])
        for sentence in shown.lines:
            console.log("info", sentence)
        console.show(shown)
        if shown.failure is not None:
            raise shown.failure

    def _disturbed_by_work(self, work: Work) -> list[Disturbed]:
        if next(iter(sessions.sessions(self.lio)), None) is None:
            return []  # saves making a plan
        return confirmation.disturbed_by(self.lio, work.operations())


def _sentences(change: Change) -> list[str]:
    """Return what tells that a change was made."""
    said = [sentence for operation in change.operations for sentence in operation.said]
    return [*change.before, *said, *change.after()]


def _would(change: Change) -> list[str]:
    """Return what a change would do, as a dry run tells it."""
    from pyshell.commands import change_text

    return marked(change_text.steps(change.operations) if change.would is None else change.would)


def _tells_of_objects(change: Change) -> bool:
    return "objects" in change.data


@contextmanager
def _of_whole(change: Change) -> Iterator[None]:
    """See that an existing part, as a LUN's storage object, is not taken for the whole.

    An error of an undo names the command that was to be undone.
    """
    try:
        if change.undoes:
            with undo.named_if_it_fails(change.undoes):
                yield
        else:
            yield
    except ExistsError as error:
        error.wanted = error.wanted and error.object == change.made
        raise


def _settle_marks(context: Context, made: Collection[str], deleted: Collection[str]) -> None:
    """Note that objects were made or deleted which a restore may have marked as missing."""
    lio = context.lio
    if made or deleted:
        with suppress(PyshellError):  # as on a read-only /run: a later save asks for force=true
            state.note_removed(lio.run_dir, made, deleted)
    if os.path.exists(lio.config_dir / state.FILE):
        try:
            state.settle(lio.config_dir, lio.mark_file, made, deleted, context.note)
        except PyshellError as error:  # the target is changed; that is what the exit status is of
            context.note(f"Could not record that this is no longer missing: {error}")
