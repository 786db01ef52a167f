# SPDX-License-Identifier: Apache-2.0
"""`undo` and `redo`: undo changes, and do them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pyshell.commands import change_text, cluster_control, confirm
from pyshell.commands.apply import brought
from pyshell.commands.diff import RUNNING, items_of
from pyshell.commands.parameters import preferences
from pyshell.config import store
from pyshell.config.document_file import typed
from pyshell.config.model import items
from pyshell.config.object_operations import left_below
from pyshell.config.plan import Plan, plan
from pyshell.config.store import clustered, local, unconfirmed
from pyshell.config.store import undo as journal
from pyshell.config.store.change_log import ChangeLog
from pyshell.config.store.undo import Done, Undone
from pyshell.errors import ConflictError, NotFoundError, UsageError
from pyshell.lio import Lio, listing
from pyshell.lio.listing import HbaNumbers
from pyshell.lio.operations.base import (
    Creation,
    Deletion,
    Foreseen,
    Irreversible,
    Operation,
    flat,
)
from pyshell.lio.operations.setters import PauseTpg, Set
from pyshell.lio.operations.storage import stays_of_image_file
from pyshell.text import counted
from pyshell.tree.command import CHANGE, UNDONE_CHANGE, command
from pyshell.tree.node import Node
from pyshell.tree.preferences import PREFERENCES
from pyshell.tree.results import Change, Result, Reversal

_SEE_HISTORY = "'history' shows in the column undo which changes can be undone."
_REDO_HINT = "Another change may prevent it: see 'diff'."


@command(
    changes=True,
    examples=(
        "undo",
        "undo 12",
        "undo batch=true",
        "undo 12 batch=true",
        "undo 12 --dry-run",
        "undo 12 alone=true",
        "undo skip=true",
    ),
)
def undo(
    node: Node,
    number: Annotated[
        int | None,
        CHANGE,
        "Return to the state before this change: undo it and all later ones. Default: the last.",
    ] = None,
    *,
    batch: Annotated[
        bool, "Undo the whole batch of that change, such as the lines of a file, and later changes."
    ] = False,
    alone: Annotated[
        bool, "Undo only that change, and keep later ones, if none of them depends on it."
    ] = False,
    skip: Annotated[
        bool, "Skip that change without undoing it: the one before it is next."
    ] = False,
) -> Result:
    """Undo the last change, or all changes back to one.

    Run again, it undoes the change before. It undoes changes of the running configuration that any
    user made with pyshell since the host started, and of your own preferences. Data is not undone:
    image files are kept, and a deleted ramdisk is recreated empty. Files that saveconfig and other
    commands wrote are kept.

    'history' shows the numbers of changes. Several changes are undone together: all of them or
    none. A batch is what ran from a file, from standard input, or from lines that were pasted
    together at the prompt. 'redo' does again what was undone.

    With alone=true, later changes are kept. That is refused if one of them is of the same objects,
    or of objects that the undo would delete: 'history NUMBER' then shows the values to set.

    A change that cannot be undone, such as clear_reservation and takeover, is reported, and
    nothing is changed: after 'undo skip=true', the next undo undoes the change before it. A target
    under cluster control is neither created nor deleted.

    --dry-run shows the changes.
    """
    known = journal.numbers(node.lio)
    if sum((batch, alone, skip)) > 1:
        raise UsageError("batch=, alone= and skip= exclude each other.")
    if skip:
        return _skipped(node, _last(node, known, number))
    if alone and number is not None and number != max(known, default=0):
        return _undone_alone(node, _last(node, known, number))
    timed = _Timed(node) if unconfirmed.is_recorded(node.lio) else None
    if timed is not None and number is None and timed.is_alone:
        return timed.undone()
    last = _last(node, known, number)
    first = _first_of_batch(node, known, last, given=number is not None) if batch else last
    every = [
        timed.done() if timed is not None and one == timed.number else journal.read(node.lio, one)
        for one in reversed(known)
        if one >= first
    ]
    change = _Undoing(node, every).change()
    if timed is not None and any(done.number == timed.number for done in every):
        timed.end_after(change)
    return change


def _undone_alone(node: Node, number: int) -> Change:
    """Undo a change, and keep later ones. Raises ConflictError if one of them depends on it."""
    from pyshell.commands.undo_alone import require_independent  # most undo all later ones

    if unconfirmed.is_recorded(node.lio) and _Timed(node).number is not None:
        raise ConflictError(
            "A change is not confirmed yet.", "Run 'confirm' to keep it, or 'undo' to revert it."
        )
    done = journal.read(node.lio, number)
    require_independent(node, done)
    return _Undoing(node, [done], hint="").change()


class _Timed:
    """The change that a timer reverts unless it is confirmed, if there is one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._found = unconfirmed.current(node.lio)
        self.number = None if self._found is None else confirm.number_of(node.lio, self._found)

    @property
    def is_alone(self) -> bool:
        """Whether it is the last change, and the undo journal lacks it."""
        return self._found is not None and self.number is None

    def undone(self) -> Change:
        """Return the change that reverts it."""
        assert self._found is not None
        return confirm.undone(self._node, self._found)

    def done(self) -> Done:
        """Return it, to be undone by returning to the configuration before it."""
        assert self._found is not None
        assert self.number is not None
        before, _ = unconfirmed.before(self._node.lio)
        head = journal.head_of(self._node.lio, self.number)
        batch = head.batch if head is not None else None
        about = self._found.about
        return Done(self.number, self._found.line, about, batch, self._node.lio, before=before)

    def end_after(self, change: Change) -> None:
        """Stop the timer after a change that undoes it."""
        assert self._found is not None
        found, after = self._found, change.after

        def ended() -> Sequence[str]:
            confirm.reverted(self._node.lio, found)
            return after()

        change.after = ended


def _last(node: Node, known: Sequence[int], number: int | None) -> int:
    """Return the change that is meant. Raises NotFoundError."""
    if number is None:
        if not known:
            raise NotFoundError(
                "There is nothing to undo.",
                "'revisions' lists saved configurations, and 'rollback' restores one.",
            )
        return known[-1]
    if number in known:
        return number
    if number in journal.undone_numbers(node.lio):
        raise NotFoundError(f"Change {number} is undone.", f"'redo {number}' does it again.")
    if not 0 < number <= max([ChangeLog(node.lio).highest(), *known]):
        raise NotFoundError(f"No such change: {number}.", _SEE_HISTORY)
    raise NotFoundError(f"Change {number} cannot be undone.", _SEE_HISTORY)


def _first_of_batch(node: Node, known: Sequence[int], last: int, *, given: bool) -> int:
    """Return the first change of the batch of `last`. Raises NotFoundError."""
    batch = journal.read(node.lio, last).batch
    if batch is None:
        which = f"Change {last}" if given else f"The last change ({last})"
        raise NotFoundError(
            f"{which} is not part of a batch.",
            "'undo N batch=true' undoes the batch of change N and all later changes."
            " 'history' shows the batches.",
        )
    first = min(one for one in known if one >= batch)
    if first == known[0] and first != batch and len(known) >= journal.ALWAYS_KEPT:
        raise NotFoundError(
            "The first changes of this batch can no longer be undone.",
            f"'undo {first}' undoes the others. {_SEE_HISTORY}",
        )
    return first


def _skipped(node: Node, number: int) -> Result:
    """Forget a change, even if its record cannot be read."""
    found = journal.head_of(node.lio, number)
    what = f"'{found.line}'" if found is not None else str(journal.file_of(node.lio, number))

    def after() -> list[str]:
        journal.forget(node.lio, number)
        return [f"Forgot {what}: nothing was undone."]

    return Change([], after=after, would=[f"Would forget {what}."])


@command(changes=True, examples=("redo", "redo 12", "redo batch=true"))
def redo(
    node: Node,
    number: Annotated[
        int | None,
        UNDONE_CHANGE,
        "Do again the undone changes up to this one, and those that can only be done again with it."
        " Default: all that the last undo undid.",
    ] = None,
    *,
    batch: Annotated[
        bool, "Do again the whole batch of that change, and undone changes before it."
    ] = False,
) -> Result:
    """Do again what the last undo undid.

    All of it is done, or nothing. Any other change makes what is undone void: then there is nothing
    to redo. Data is not restored: a ramdisk is recreated empty.

    --dry-run shows the changes.
    """
    known = journal.undone_numbers(node.lio)
    if not known:
        raise NotFoundError(
            "There is nothing to redo.", "'redo' does again what was undone since the last change."
        )
    if number is not None and number not in known:
        raise NotFoundError(
            f"Change {number} is not undone.", "'history' shows the state of each change."
        )
    every = [journal.read_undone(node.lio, one) for one in known]
    newest = max(map(_by, every))
    if batch:
        number = _last_of_batch(every, number, next(o for o in every if _by(o) == newest))
    if number is None:
        chosen = [one for one in every if _by(one) == newest]
    else:
        last = max(one.number for one in every if _undone(one).first <= number)
        chosen = [one for one in every if one.number <= last]
    return _Redoing(node, chosen).change()


def _last_of_batch(every: Sequence[Done], number: int | None, newest: Done) -> int:
    """Return the last undone change of the batch of a change, by default of the `newest` undo."""
    done = next((one for one in every if one.number == number), newest)
    if done.batch is None:
        raise NotFoundError(
            f"Change {done.number} is not part of a batch.",
            f"'redo {done.number}' does it again. 'history' shows the batches.",
        )
    return max(one.number for one in every if one.batch == done.batch)


def _undone(done: Done) -> Undone:
    assert done.undone is not None
    return done.undone


def _by(done: Done) -> int:
    return _undone(done).by


@dataclass
class SetPreferences(Operation):
    """Sets preferences of the user; None is the default."""

    values: Mapping[str, Any]
    store: Callable[[Mapping[str, Any]], dict[str, Any]]
    """Stores preferences, and returns those before."""
    personal = True

    def step(self) -> str:
        """Return what is done."""
        return "set preferences"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """There is nothing to check: the values are valid."""

    def do(self, lio: Lio) -> Operation | None:
        """Store them."""
        before = self.store(self.values)
        self.said = preferences(self.values).said
        return SetPreferences(before, self.store)


@dataclass(eq=False)
class _Part:
    """Operations of one or several changes, and what records that they are done.

    `keep` gets the inverses in the order in which to carry them out, and the number of the command.
    """

    operations: Sequence[Operation]
    keep: Callable[[list[Operation], int], None]
    would: Iterable[str]


class _Undoing:
    """Undoes changes, the newest first.

    If one of them kept the configuration before it, all newer ones are undone by returning to that.
    """

    def __init__(self, node: Node, every: Sequence[Done], hint: str = journal.SKIP) -> None:
        """`hint` is added to errors if there is one change."""
        self._node = node
        self._every = every
        self._hbas = HbaNumbers(node.lio)
        self._titles = [_titles(done, "Undid", "Would undo") for done in every]
        self._stay: dict[str, None] = {}
        """Sentences on image files, which an undo does not touch."""
        last = every[-1]
        what = f"'{last.line}'" if len(every) == 1 else counted(len(every), "change")
        self._action = f"undo {what}"
        self._hint = hint if len(every) == 1 else ""

    def change(self) -> Change:
        """Return the change. Raises PyshellError."""
        documents = [n for n, done in enumerate(self._every) if done.before is not None]
        at = documents[-1] + 1 if documents else 0
        parts, back = [], None
        if documents:
            with journal.named_if_it_fails(self._action, self._hint):
                back = self._back_to(self._every[at - 1])
            parts = [self._returned(self._every[:at], back)]
        parts += [self._of_preferences(one) for one in self._every[:at] if _has_preferences(one)]
        parts += [self._of_one(one) for one in self._every[at:]]
        self._refuse_left([o for part in parts for o in part.operations if not o.personal], back)
        found = _joined(parts, self._reversal(parts), "undo")
        if back is not None and len(self._every) == 1:
            titles = self._titles[0]
            return brought(self._node, back, titles, "undo", reversal=found.reversal)
        return self._told(found, parts, back)

    def _told(self, found: Change, parts: Sequence[_Part], back: Plan | None) -> Change:
        """Complete a change by what it says."""
        stay = list(self._stay)
        done, would = ([title[n] for title in self._titles] for n in (0, 1))
        objects = change_text.touched(self._node.lio, back) if back is not None else []

        def after() -> list[str]:
            if back is not None:
                back.note_lacking()
            return [*(one.line for one in objects), *stay, *(f"{title}." for title in done)]

        found.after = after
        found.would = [
            *(one.would for one in objects),
            *(line for part in parts for line in part.would),
            *stay,
            *(f"{title}." for title in would),
        ]
        found.named = None if len(self._every) == 1 else ()
        return found

    def _back_to(self, done: Done) -> Plan:
        """Return the plan that returns to the configuration before a command."""
        node = self._node
        before, left = cluster_control.to_restore(node.context, typed(done.before, str(done.file)))
        wanted = items(before, node.lio.root)
        running = cluster_control.beside(node.context, items_of(node, RUNNING), wanted, left)
        return plan(node.lio, running, wanted, prune=True, hbas=self._hbas)

    def _returned(self, every: Sequence[Done], back: Plan) -> _Part:
        own = [done.number for done in every if not _has_preferences(done)]
        first = own[-1]

        def keep(inverses: list[Operation], by: int) -> None:
            for number in own:
                kept = _encoded(inverses, back.operations) if number == first else []
                journal.move_undone(self._node.lio, number, Undone(by, first, kept))

        return _Part(back.operations, keep, ())

    def _of_one(self, done: Done) -> _Part:
        if done.begun:
            raise ConflictError(
                f"Cannot undo '{done.line}': pyshell ended before the command did, and what it"
                " changed is not recorded.",
                f"'diff' shows what differs from the saved configuration. {self._skip(done)}",
                unchanged=True,
            )
        if _has_preferences(done):
            return self._of_preferences(done)
        every = list(flat(done.operations(self._hbas)))
        operations = _needed([one for one in every if stays_of_image_file(one) is None])
        refuse_clustered(self._node, operations, self._skip(done))
        stay = (found for one in every if (found := stays_of_image_file(one)) is not None)
        self._stay.update(dict.fromkeys(stay))

        def keep(inverses: list[Operation], by: int) -> None:
            kept = _encoded(inverses, operations)
            journal.move_undone(self._node.lio, done.number, Undone(by, done.number, kept))

        return _Part(operations, keep, change_text.steps(operations))

    def _of_preferences(self, done: Done) -> _Part:
        assert done.preferences is not None
        return _preferences_part(
            self._node,
            done,
            done.preferences,
            self._skip(done),
            lambda before, by: journal.move_undone(
                self._node.lio, done.number, Undone(by, done.number, preferences=before)
            ),
        )

    def _skip(self, done: Done) -> str:
        """Return how to go on without undoing a change."""
        if done is self._every[0]:
            return journal.SKIP
        return f"'undo {done.number} skip=true' removes it."

    def _refuse_left(self, operations: Sequence[Operation], back: Plan | None) -> None:
        """Refuse to delete objects on which others depend."""
        if back is not None and len(operations) == len(back.operations):
            return  # a plan deletes them, too
        with journal.named_if_it_fails(self._action, self._hint):
            left = left_below(self._node.lio, operations)
        if left is not None:
            raise ConflictError(
                f"{left} was made after {self._action.removeprefix('undo ')}: nothing was undone.",
                f"Delete it first, or see 'diff' and rollback. {self._hint}".rstrip(),
            )

    def _reversal(self, parts: Sequence[_Part]) -> Reversal:
        numbers = [done.number for done in self._every]
        return Reversal(self._action, numbers, _keeping(parts), hint=self._hint)


class _Redoing:
    """Does changes again, the oldest first."""

    def __init__(self, node: Node, every: Sequence[Done]) -> None:
        self._node = node
        self._every = every
        self._hbas = HbaNumbers(node.lio)

    def change(self) -> Change:
        """Return the change. Raises PyshellError."""
        parts = [self._of_one(done) for done in self._every]
        titles = [_titles(done, "Redid", "Would redo") for done in self._every]
        last = self._every[-1]
        what = f"'{last.line}'" if len(titles) == 1 else counted(len(titles), "change")
        numbers = [done.number for done in self._every]
        reversal = Reversal(f"redo {what}", numbers, _keeping(parts), again=True, hint=_REDO_HINT)
        found = _joined(parts, reversal, "redo")
        found.after = lambda: [f"{done}." for done, _ in titles]
        steps = [line for part in parts for line in part.would]
        found.would = [*steps, *(f"{would}." for _, would in titles)]
        found.named = None
        return found

    def _of_one(self, done: Done) -> _Part:
        lio, number, undone = self._node.lio, done.number, _undone(done)
        if undone.preferences is not None:
            return _preferences_part(
                self._node,
                done,
                undone.preferences,
                "",
                lambda *_: journal.move_redone(lio, number),
            )
        operations = done.again(self._hbas)
        refuse_clustered(self._node, operations, "")
        return _Part(
            operations,
            lambda *_: journal.move_redone(lio, number),
            change_text.steps(operations),
        )


def _titles(done: Done, did: str, would: str) -> tuple[str, str]:
    """Return what is said about a command that is undone, and would be."""
    about = done.about
    what = f"'{done.line}' ({about.way} by {about.user}, {local(about.time)})"
    return f"{did} {what}", f"{would} {what}"


def _has_preferences(done: Done) -> bool:
    return done.preferences is not None


def _preferences_part(
    node: Node,
    done: Done,
    values: Mapping[str, Any],
    hint: str,
    keep: Callable[[Mapping[str, Any], int], None],
) -> _Part:
    """Return the part that sets preferences. Raises ConflictError for those of another user."""
    user = store.user_name()
    if done.about.user != user:
        raise ConflictError(
            f"'{done.line}' changed preferences of {done.about.user}, not of {user}.", hint
        )
    valid = {name: value for name, value in values.items() if _is_valid(name, value)}
    before = dict(values)

    def kept(inverses: list[Operation], by: int) -> None:
        for one in inverses:
            if isinstance(one, SetPreferences):
                before.update(one.values)
        keep(before, by)

    operation = SetPreferences(valid, node.context.set_preferences)
    return _Part([operation], kept, preferences(valid).would)


def _is_valid(name: str, value: Any) -> bool:
    return name in PREFERENCES and (value is None or PREFERENCES[name].takes(value))


def _joined(parts: Sequence[_Part], reversal: Reversal, way: str) -> Change:
    """Return the operations of parts as one change."""
    operations = [operation for part in parts for operation in part.operations]
    personal = all(operation.personal for operation in operations)
    return Change(operations, reversal=reversal, way="" if personal and operations else way)


def _keeping(
    parts: Sequence[_Part],
) -> Callable[[Sequence[tuple[Operation, Operation | None]], int], None]:
    """Return what records parts that are done, given each operation with its inverse.

    To protect LUN 0, operations are added. What they changed of an object is undone together with
    the operation that follows; a TPG that was disabled meanwhile is enabled again.
    """

    def keep(done: Sequence[tuple[Operation, Operation | None]], by: int) -> None:
        inverses: dict[int, Operation | None] = {}
        added: dict[int, list[Operation]] = {}
        before: list[Operation] = []
        for operation, inverse in done:
            inverses[id(operation)] = inverse
            if id(operation) in own:
                added[id(operation)], before = before, []
            elif inverse is not None and not isinstance(operation, PauseTpg):
                before.append(inverse)
        for part in parts:
            kept: list[Operation] = []
            for operation in part.operations:
                found = [*added.get(id(operation), ()), inverses.get(id(operation))]
                kept += [one for one in found if one is not None]
            part.keep(kept[::-1], by)

    own = {id(operation) for part in parts for operation in part.operations}
    return keep


def _encoded(inverses: Sequence[Operation], done: Sequence[Operation]) -> list[Any]:
    """Return operations as they are kept to do a command again."""
    if not inverses and any(isinstance(one, Deletion) for one in done):
        inverses = [Irreversible("what was undone was incomplete")]
    return [journal.to_data(one) for one in inverses]


def refuse_clustered(node: Node, operations: Sequence[Operation], then: str) -> None:
    """Raise ConflictError if operations delete or create a target under cluster control.

    Its creation can be the cluster's own command, and meanwhile another node can run it. Its
    storage objects are created only where it is running.
    """
    ours = clustered.read(node.lio.config_dir)
    if not ours.targets:
        return
    deleted = {one.place.path for one in operations if isinstance(one, Deletion)}
    created = {one.place.path for one in operations if isinstance(one, Creation)}
    here = {ours.targets.get(one.path) for one in listing.all_targets(node.lio)}
    idle = {path: file for path, file in ours.storage.items() if file not in here}
    for paths, known, verb, hint in (
        (deleted, ours.targets, "delete", "Let the cluster stop it."),
        (created, {**idle, **ours.targets}, "create", "Let the cluster start it."),
    ):
        for path in (one for one in known if one in paths):
            raise ConflictError(
                f"This would {verb} {path}, which is under cluster control ({known[path]}).",
                f"{hint} {then}".rstrip(),
                unchanged=True,
            )


def _needed(operations: Sequence[Operation]) -> list[Operation]:
    """Return operations without the settings of objects that later ones delete."""
    found: list[Operation] = []
    deleted: set[str] = set()
    for operation in reversed(operations):
        if isinstance(operation, Set) and operation.place.path in deleted:
            continue
        if isinstance(operation, Deletion):
            deleted.add(operation.place.path)
        elif isinstance(operation, Creation):
            deleted.discard(operation.place.path)
        found.insert(0, operation)
    return found
