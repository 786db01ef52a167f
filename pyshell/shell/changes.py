# SPDX-License-Identifier: Apache-2.0
"""Carries out changes: asks before them, records how to undo them, and reports them.

One rule for the questions of all commands, by effect: a question comes before sessions are
terminated or lose a disk, and before objects are removed that the command line does not name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyshell.config import store
from pyshell.config.store import undo
from pyshell.config.store.change_log import DONE, PARTIAL, Objects, touched, touched_by
from pyshell.errors import ExistsError, InterruptedStepsError, PyshellError, UsageError
from pyshell.lio import Lio, listing
from pyshell.lio.identifiers import (
    AluaGroup,
    Identifier,
    Lun,
    MappedLun,
    NodeAcl,
    Portal,
    StorageObject,
    Target,
    Tpg,
)
from pyshell.lio.operations.base import (
    Creation,
    Deletion,
    Irreversible,
    Operation,
    Outcome,
    carry_out,
    check,
    flat,
    interrupts_held,
)
from pyshell.lio.settings import secret_path
from pyshell.shell.console import Console
from pyshell.shell.executor import Batch, Saving, marked
from pyshell.shell.options import BOOT
from pyshell.shell.recording import Recording, Records
from pyshell.text import counted, joined, one_line
from pyshell.tree.node import Context
from pyshell.tree.results import Change, Lines, Reversal, Work

if TYPE_CHECKING:
    from pyshell.config.candidate import Candidate
    from pyshell.lio.operations.disturbance import Disturbed
    from pyshell.lio.operations.reservations import Reservations
    from pyshell.shell.deadlines import Deadline


class Changes:
    """The changes of a run. `line` is the line that causes one, as `undo` shows it.

    If `forced`, no question is asked.
    """

    def __init__(
        self,
        context: Context,
        console: Console,
        saving: Saving,
        batch: Callable[[], Batch | None],
    ) -> None:
        self.lio = context.lio
        self.removed: set[str] = set()
        """Paths that commands of this run deleted."""
        self._context = context
        self._console = console
        self._saving = saving
        self.records = Records(self.lio, console, batch)

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

    def check(self, change: Change) -> None:
        """Validate the preconditions of a change. Raises PyshellError."""
        with _of_whole(change):
            check(self.lio, change.operations)

    def is_dry_run(self) -> bool:
        """Return whether changes are only shown."""
        return self._console.options.dry_run

    def change(self, change: Change, line: str, *, forced: bool) -> None:
        """Carry out a change, or show it in a dry run. Raises PyshellError."""
        change = replace(change, operations=_held(self.lio, change.operations))
        deadline = self._deadline(change)
        if deadline is not None:
            deadline.require_possible()
        self._note_clustered(change)
        if self.is_dry_run():
            self.check(change)
            self._foretell(change, deadline)
            return
        if not forced:
            self.confirm(change)
        disturbed, zeros = self._disturbed(change), self._reading_zeros(change)
        dropped = self._dropped(change.operations, "Dropped")
        # A change with a deadline is recorded with it, and reverted.
        running = change.running_before if deadline is None else None
        recording = self.records.new(line, running)
        with interrupts_held() as interrupted:
            with deadline.kept(line) if deadline is not None else nullcontext():
                outcome, inverses = self._carried_out(change, recording)
            outcome.interrupted = outcome.interrupted or interrupted()
        if deadline is not None and not inverses:
            deadline.drop()
        changed = any(not operation.personal for operation in inverses)
        self._saving.note_change(changed=changed, way=change.way)
        self.note_removed(change.operations)
        data: dict[str, Any] = {"cut": _initiators(disturbed)} if disturbed else {}
        more = [*_has_disturbed([*disturbed, *zeros]), *dropped]
        if deadline is not None:
            more += deadline.sentences
            data |= deadline.data
        self._tell(change, _sentences, more, data)
        if change.logged:
            recording.done(Objects(), saves=True)
        if deadline is None and change.reversal is None:
            self._note_unconfirmed()
        if change.way:  # undo and the like read the whole target, and may end at what is saved
            self._saving.settle(unchanged=change.way == "apply")
        if outcome.interrupted:
            raise InterruptedStepsError("Interrupted when it was done", outcome.interrupted)

    def confirm(self, change: Change) -> None:
        """Ask about a change if that is necessary. Raises PyshellError if the answer is no."""
        self._confirm(
            change.operations,
            change.named,
            reversal=change.reversal,
            asks=change.asks,
            prepare=lambda: self.check(change),
        )

    def _carried_out(
        self, change: Change, recording: Recording
    ) -> tuple[Outcome, Sequence[Operation]]:
        """Carry out a change, and record it. Returns its inverses, too. Raises PyshellError."""

        def count(_: Operation, done: int, total: int) -> None:
            recording.steps = done
            self.lio.progress(done, total)

        objects = touched_by(change.operations)
        try:
            with _of_whole(change):
                outcome = carry_out(self.lio, change.operations, count, begin=recording.begin)
        except BaseException as error:
            recording.failed(objects, error.left if isinstance(error, PyshellError) else ())
            if isinstance(error, PyshellError) and self._console.compat:
                self._say_before(change)
            raise
        inverses = outcome.undo or _without_inverse(change)
        if change.reversal is not None:
            pairs = list(zip(change.operations, outcome.inverses, strict=True))
            recording.reversed(change.reversal, pairs, objects)
        elif inverses:
            recording.keep_operations(inverses)
            recording.done(objects)
        else:
            recording.forget()
        return outcome, inverses

    def _say_before(self, change: Change) -> None:
        if not self._console.options.json:
            self._console.say(list(change.before))

    def _note_clustered(self, change: Change) -> None:
        """Note what belongs to a cluster, unless its document is applied or a change undone."""
        own = change.way in ("apply", "rollback", "undo", "redo", "timer")
        if own or not os.path.isdir(self.lio.config_dir / store.CLUSTER_FOLDER):
            return
        from pyshell.commands import cluster_control

        cluster_control.note_change(self._context, change.operations)

    def _deadline(self, change: Change) -> Deadline | None:
        if change.confirm is None:
            return None
        from pyshell.shell.deadlines import Deadline  # few changes have one

        return Deadline(self.lio, self._console, change)

    def _note_unconfirmed(self) -> None:
        """Note that a change with an earlier deadline, if there is one, is reverted with this."""
        if store.has_deadline(self.lio):
            from pyshell.shell.deadlines import note_others

            note_others(self.lio, self._console)

    def _tell(
        self,
        change: Change,
        sentences: Callable[[Change], list[str]],
        more: Sequence[str],
        data: Mapping[str, Any],
    ) -> None:
        """Show what a change did or would do, with several nodes each under its path."""
        if change.parts:
            messages, parts = [], []
            for path, part in change.parts:
                said = sentences(part) if isinstance(part, Change) else list(part.lines)
                messages += [f"[{path}]", *said]
                own = part.data if isinstance(part, Change) else {}
                parts.append({"path": path, "messages": said, **own})
            messages += more
            told = {"messages": messages, "nodes": parts, **data}
            self._console.show(Lines(messages, told, form="sentences"))
        else:
            self._console.say([*sentences(change), *more], {**data, **change.data})
        if change.note:
            self._console.note(change.note)

    def _foretell(self, change: Change, deadline: Deadline | None) -> None:
        """Show what a change would do."""
        dropped = marked(self._dropped(change.operations, "Would drop"))
        data: dict[str, Any] = {}
        if deadline is not None:
            dropped += marked(deadline.foretold)
            data = deadline.data
        if _reports_objects(change):
            zeros = marked(_would_disturb(self._reading_zeros(change), (), None))
            self._tell(change, _would, [*zeros, *dropped], data)
            return
        disturbed = self._disturbed(change)
        losses = marked(_would_disturb(disturbed, change.operations, change.named))
        self._tell(change, _would, [*losses, *dropped], {"cut": _initiators(disturbed), **data})

    def _dropped(self, operations: Sequence[Operation], done: str) -> list[str]:
        """Return the reservations that end with what operations delete, as sentences."""
        if self._console.compat or not any(isinstance(one, Deletion) for one in operations):
            return []
        from pyshell.lio.operations import reservations

        return [f"{done} {one}." for one in reservations.dropped(self.lio, operations)]

    def _disturbed(self, change: Change) -> list[Disturbed]:
        """Return the sessions to report, unless the change reports each object anyway."""
        if self._console.compat or _reports_objects(change):
            return []
        return _sessions_disturbed(self.lio, change.operations)

    def _reading_zeros(self, change: Change) -> list[Disturbed]:
        """Return the sessions that will read zeros, which is not among what each object reports."""
        if self._console.compat or not _reports_objects(change):
            return []
        every = _sessions_disturbed(self.lio, change.operations)
        return [one for one in every if one.reads_zeros]

    def _confirm(
        self,
        operations: Sequence[Operation],
        named: Sequence[str] | None,
        *,
        reversal: Reversal | None = None,
        asks: str = "",
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        """Ask before operations disturb sessions or remove objects not `named`, or if it `asks`.

        Questions are asked only at a terminal, without --yes, and not in targetcli mode. `prepare`
        is called before a question, and raises why the operations are impossible. Other programs,
        such as a cluster's agent, can change the target meanwhile: all preconditions are checked
        again afterwards. Raises PyshellError if the answer is no.
        """
        console = self._console
        answered = console.compat or console.options.yes
        if answered or not (console.stdin.isatty() and console.err.isatty()):
            return
        disturbed = _sessions_disturbed(self.lio, operations)
        effect = " and ".join(filter(None, (asks, _effect(disturbed, operations, named))))
        if not effect:
            return
        prepare()
        for one in disturbed[:_SESSIONS_NAMED]:
            console.note(f"  {one.session}")
        if len(disturbed) > _SESSIONS_NAMED:
            console.note(f"  and {len(disturbed) - _SESSIONS_NAMED} more")
        if reversal is not None:
            verb, _, what = reversal.action.partition(" ")
            effect = f"{verb}es {what} and {effect}"
        to_type = _to_type(disturbed, named) if len(disturbed) > MOST_BY_KEY else ""
        asked = f"Type {to_type} to continue:" if to_type else "Continue? [y/N]"
        with self._context.lock_lent(0):
            if not console.confirmed(f"This {effect}. {asked}", to_type):
                why = f"The answer was not {to_type}." if to_type else ""
                raise PyshellError("Nothing was changed.", why)

    def work(self, work: Work, line: str, *, forced: bool) -> None:
        """Carry out work, or show it in a dry run. Raises PyshellError."""
        console = self._console
        if self.is_dry_run() or (console.options.dry_run and work.effect is None):
            self._foretell_work(work)
            return

        def prepare() -> None:
            for doubt in work.doubts():
                console.note(doubt)

        if not forced:
            self._confirm(work.operations(), work.named, asks=work.asks, prepare=prepare)
        try:
            self._work(work, line)
        finally:
            self._after_work(work)

    def _work(self, work: Work, line: str) -> None:
        console = self._console
        at_boot = console.options.way == BOOT
        disturbed = [] if console.compat or at_boot else self._disturbed_by_work(work)
        changes = work.effect in ("loaded", "other")
        held = self._held() if changes else {}
        dropped = self._dropped(work.operations(), "Dropped") if held else []
        recording = self.records.new(line)
        remembered = changes and not at_boot
        if remembered:
            recording.keep_running()
        try:
            shown = work.run()
        except BaseException:
            self._record_failed(work, recording, remembered=remembered)
            self._saving.unsaved = self._saving.unsaved or changes
            raise
        self._record_work(work, recording, shown, remembered=remembered)
        if work.effect is not None:
            self._saving.note_effect(work.effect)
        more = [*_has_disturbed(disturbed), *dropped, *self._restored(held, changes=changes)]
        if more:
            shown = replace(shown, lines=[*shown.lines, *more])
        for sentence in shown.lines:
            console.log("info", sentence)
        console.show(replace(shown, form="sentences"))
        if shown.failure is not None:
            raise shown.failure

    def _after_work(self, work: Work) -> None:
        """See to the timer of an unconfirmed change, if there is one."""
        changes = work.effect in ("loaded", "other")
        if not (changes or work.undone_by) or not store.has_deadline(self.lio):
            return
        if self._console.options.way != BOOT:
            self._note_unconfirmed()
            return
        from pyshell.config.store import unconfirmed  # few changes have a deadline

        with suppress(PyshellError):
            found = unconfirmed.current(self.lio)
            if changes and found is not None:  # the target was stopped or started as a whole
                unconfirmed.drop(self.lio, found)
                self.lio.machine.log(f"No longer waits to be confirmed: {found.what}")
                return
            added = [one for one in flat(work.undone_by) if isinstance(one, Deletion)]
            unconfirmed.keep(self.lio, [one.place.path for one in added])

    def _record_work(
        self, work: Work, recording: Recording, shown: Lines, *, remembered: bool
    ) -> None:
        """Record work that was done."""
        if self._console.options.way != BOOT:
            recording.keep_operations(work.undone_by)
        if shown.idle and remembered:
            recording.forget()
        logged = bool(work.effect is not None or work.undone_by or work.revisions)
        if logged and not shown.idle:
            state = PARTIAL if shown.failure is not None else DONE
            revision = work.revisions[-1] if work.revisions else None
            saves = work.effect not in ("loaded", "other") and not work.undone_by
            recording.done(touched(work.touched), state=state, saves=saves, revision=revision)

    def _record_failed(self, work: Work, recording: Recording, *, remembered: bool) -> None:
        """Record work that failed."""
        if self._console.options.way != BOOT:
            recording.keep_operations(work.undone_by)
        if remembered and recording.is_unchanged():
            recording.forget()
        elif work.undone_by or work.effect in ("loaded", "other"):
            recording.done(touched(work.touched), state=PARTIAL)

    def _foretell_work(self, work: Work) -> None:
        foreseen = work.foresee() if work.foresee is not None else Lines([])
        operations = work.operations() if self._held() else ()
        dropped = self._dropped(operations, "Would drop")
        would = () if foreseen.failure is not None else work.would
        self._console.say(marked([*foreseen.lines, *dropped, *would]), work.data)
        if foreseen.failure is not None:
            raise foreseen.failure

    def _held(self) -> dict[StorageObject, Reservations]:
        from pyshell.lio.operations import reservations

        every = () if self._console.compat else listing.storage_objects(self.lio)
        return reservations.held(self.lio, every)

    def _restored(self, held: Collection[StorageObject], *, changes: bool) -> list[str]:
        """Return the reservations that work restored, as sentences."""
        if not changes:
            return []
        from pyshell.lio.operations import reservations

        return [f"Restored {one}." for one in reservations.restored(held, self._held())]

    def _disturbed_by_work(self, work: Work) -> list[Disturbed]:
        from pyshell.lio import sessions

        if next(iter(sessions.sessions(self.lio)), None) is None:
            return []  # saves making a plan
        return _sessions_disturbed(self.lio, work.operations())


class CandidateChanges(Changes):
    """The changes of an open candidate, of which nothing is recorded outside of it."""

    def __init__(
        self, context: Context, console: Console, saving: Saving, candidate: Candidate
    ) -> None:
        super().__init__(context, console, saving, lambda: None)
        self.lio = candidate.lio
        self.records = Records(self.lio, console, logged=False)
        self._candidate = candidate

    def note_removed(self, operations: Iterable[Operation]) -> None:
        """Record what changed the candidate."""
        self._candidate.note(operations)

    def is_dry_run(self) -> bool:
        """Return whether changes are only shown.

        Lines that are committed after the last one are run, and only the commit is shown.
        """
        return super().is_dry_run() and not self._context.commits_itself

    def change(self, change: Change, line: str, *, forced: bool) -> None:
        """Carry out a change of the candidate, as `Changes.change`."""
        try:
            super().change(change, line, forced=forced)
            self._candidate.named |= named_by(change)
            if change.advice and self._context.commits_itself:
                self._candidate.advice.append(change.advice)
        finally:
            self._candidate.changed()

    def work(self, work: Work, line: str, *, forced: bool) -> None:
        """Carry out work on the candidate, as `Changes.work`."""
        changes = work.effect in ("loaded", "other") or bool(work.undone_by)
        try:
            with self._silenced() if changes else nullcontext():
                super().work(work, line, forced=forced)
        finally:
            self._candidate.changed()

    def _silenced(self) -> AbstractContextManager[None]:
        """Print nothing as done that the commit reports, or that is dropped without one."""
        return self._console.silenced() if self._context.commits_itself else nullcontext()

    def _tell(
        self,
        change: Change,
        sentences: Callable[[Change], list[str]],
        more: Sequence[str],
        data: Mapping[str, Any],
    ) -> None:
        with self._silenced():
            super()._tell(change, sentences, more, data)

    def _deadline(self, change: Change) -> Deadline | None:
        """Refuse a deadline: nothing is running that could be reverted."""
        if change.confirm is not None:
            raise UsageError(
                "A change of the candidate cannot have a deadline.", "Give confirm= to 'commit'."
            )
        return None


def named_by(change: Change) -> set[str]:
    """Return the paths of the objects that the command line names for removal."""
    if change.named is not None:
        return set(change.named)
    return {one.place.path for one in change.operations if isinstance(one, Deletion)}


def _sentences(change: Change) -> list[str]:
    said = [sentence for operation in change.operations for sentence in operation.said]
    advice = [change.advice] if change.advice else []
    return [*change.before, *said, *change.after(), *advice]


def _would(change: Change) -> list[str]:
    from pyshell.commands import change_text

    return marked(change_text.steps(change.operations) if change.would is None else change.would)


def _without_inverse(change: Change) -> list[Operation]:
    """Return why a finished change without inverses cannot be undone; [] if it changed nothing."""
    if any(isinstance(operation, Deletion) for operation in change.operations):
        return [Irreversible("what it deleted was incomplete")]
    return []


def _reports_objects(change: Change) -> bool:
    return "objects" in change.data


@contextmanager
def _of_whole(change: Change) -> Iterator[None]:
    """Do not tolerate that a part exists, such as a LUN's storage object: only the whole may.

    Errors of an undo or redo name the command.
    """
    try:
        if change.reversal is not None:
            with undo.named_if_it_fails(change.reversal.action, change.reversal.hint):
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
            store.note_removed(lio.run_dir, made, deleted)
    if os.path.exists(lio.config_dir / store.FILE):
        try:
            store.settle(lio.config_dir, lio.mark_file, made, deleted, context.note)
        except PyshellError as error:  # the target is changed; that is what the exit status is of
            context.note(f"Could not record that this is no longer missing: {error}")


_NAMED = 3
"""How many storage objects a question names."""
MOST_BY_KEY = 5
"""The most sessions that `y` may disturb; for more, a name must be typed."""
_SESSIONS_NAMED = 20
"""How many sessions are listed above a question."""
_COUNTED: tuple[type[Identifier], ...] = (
    Target, Tpg, StorageObject, AluaGroup, Lun, NodeAcl, MappedLun, Portal,
)  # fmt: skip
"""The kinds of objects that a question counts, in its order."""


def _would_disturb(
    disturbed: Sequence[Disturbed], operations: Sequence[Operation], named: Sequence[str] | None
) -> list[str]:
    """Return what would be asked, as sentences of a dry run."""
    sentences = [one.told("Would terminate", "Would take") for one in disturbed]
    if removed := _removed_beside(operations, named):
        sentences.append(f"Would {'also ' if named else ''}remove {removed}.")
    return sentences


def _held(lio: Lio, operations: Sequence[Operation]) -> Sequence[Operation]:
    """Return operations with those that keep sessions from reading zeros as LUN 0."""
    if not any(operation.disconnects for operation in operations):
        return operations
    from pyshell.lio.operations import disturbance

    return disturbance.held(lio, operations)


def _sessions_disturbed(lio: Lio, operations: Sequence[Operation]) -> list[Disturbed]:
    if not any(operation.disconnects for operation in operations):
        return []
    from pyshell.lio.operations import disturbance

    return disturbance.disturbed(lio, operations)


def _has_disturbed(disturbed: Iterable[Disturbed]) -> list[str]:
    return [one.told("Terminated", "Took") for one in disturbed]


def _initiators(disturbed: Iterable[Disturbed]) -> list[str]:
    return sorted({one.session.initiator for one in disturbed})


def _effect(
    disturbed: Sequence[Disturbed], operations: Sequence[Operation], named: Sequence[str] | None
) -> str:
    """Return what is asked about: "terminates the session of iqn… and removes 1 LUN"."""
    effects = [operation.effect for operation in operations if operation.effect]
    ended = [one for one in disturbed if one.ended]
    if len(ended) > MOST_BY_KEY:
        effects.append(f"terminates {len(ended)} sessions")
    elif ended:
        names = ", ".join(_initiators(ended))
        effects.append(f"terminates the session{'s' * (len(ended) > 1)} of {names}")
    going_on = [one for one in disturbed if not one.ended]
    for what, losing in (
        ("a disk", _initiators(one for one in going_on if not one.reads_zeros)),
        ("LUN 0", _initiators(one for one in going_on if one.reads_zeros)),
    ):
        if losing:
            many = len(losing) > MOST_BY_KEY
            whose = f"{len(losing)} initiators" if many else ", ".join(losing)
            effects.append(f"takes {what} from {whose}, logged in now")
    if any(one.reads_zeros for one in going_on):
        from pyshell.lio.operations.disturbance import READS_ZEROS

        effects[-1] += f" ({READS_ZEROS})"
    if removed := _removed_beside(operations, named):
        effects.append(f"{'also ' if named else ''}removes {removed}")
    return " and ".join(effects)


def _to_type(disturbed: Sequence[Disturbed], named: Sequence[str] | None) -> str:
    """Return the name that must be typed: what the line names, the only target, or the host."""
    found = {_name_of(path) for path in named or ()}
    found = found or {one.session.tpg.target.wwn for one in disturbed}
    name = found.pop() if len(found) == 1 else os.uname().nodename.partition(".")[0]
    return one_line(name)


def _name_of(path: str) -> str:
    """Return the name of the storage object or target that a path is at or below."""
    parts = path.split("/")
    number = 3 if parts[1] == "backstores" else 2
    return parts[number] if len(parts) > number else parts[-1]


def _removed_beside(operations: Sequence[Operation], named: Sequence[str] | None) -> str:
    """Return what operations remove beside the objects `named` by path (None: all), or ""."""
    if named is None:
        return ""
    created = {one.place.path for one in operations if isinstance(one, Creation)}
    deletions = [operation for operation in operations if isinstance(operation, Deletion)]
    gone = [one.place for one in deletions if one.place.path not in created]  # else recreated
    paths = {place.path for place in gone}
    along = [place for place in gone if place.path not in named and not _is_part(place, paths)]
    return joined(list(_counts(along, named)))


def _is_part(place: Identifier, removed: Collection[str]) -> bool:
    """Return whether an object is part of another that is removed."""
    parent = place.parent if isinstance(place, Tpg | Portal | AluaGroup) else None
    return parent is not None and parent.path in removed


def _counts(along: Sequence[Identifier], named: Sequence[str]) -> Iterator[str]:
    for kind in _COUNTED:
        found = [place for place in along if type(place) is kind]
        if found:
            yield f"{counted(len(found), kind.kind.noun)}{_exported(found, named)}"


def _exported(places: Sequence[Identifier], named: Sequence[str]) -> str:
    """Return the storage objects of LUNs, unless the command names them."""
    luns = [place for place in places[:_NAMED] if isinstance(place, Lun)]
    exported = [found for lun in luns if (found := listing.storage_object_of(lun))]
    told = [f"{one.plugin}/{one.name}" for one in exported if one.path not in named]
    more = ["…"] if len(places) > _NAMED else []
    return f" ({', '.join([*told, *more])})" if told else ""
