# SPDX-License-Identifier: Apache-2.0
"""What an operation is, and how a list of them is carried out: all, or none."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from types import FrameType
from typing import ClassVar, TypeGuard

from pyshell.errors import (
    ConflictError,
    ExistsError,
    InterruptedStepsError,
    NotFoundError,
    PyshellError,
)
from pyshell.host import names_in
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import changing, links
from pyshell.lio.fabrics import Fabric
from pyshell.lio.failures import doing
from pyshell.lio.identifiers import Identifier, NodeAcl, Portal, StorageObject, Tpg
from pyshell.text import listed

_SHOWN = 5
"""How many failures of undoing an error lists."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Foreseen:
    """The kernel as it will be after the operations checked so far (paths of folders)."""

    def __init__(self, lio: Lio) -> None:
        self._lio = lio
        self._looked_up = False
        self._storage_objects: dict[tuple[str, str], StorageObject] | None = None
        self._portals: dict[tuple[str, int], list[Portal]] = {}
        self.claims: dict[object, list[StorageObject]] | None = None
        """Storage objects by the device or file that they use (see `claim`); None if not read."""
        self.forget_operations()

    def forget_operations(self) -> None:
        """Continue with the kernel as it is now; what was looked up is kept."""
        self._made: set[str] = set()
        self._new: set[str] = set()
        self._gone: set[str] = set()

    def storage_object(self, plugin: str, name: str) -> StorageObject | None:
        """Return the storage object that had a name at the first lookup, None if none had.

        The first one is searched alone, the others in one pass for all.
        """
        if not self._looked_up:
            self._looked_up = True
            return listing.storage_object(self._lio, plugin, name)
        if self._storage_objects is None:
            found = listing.storage_objects(self._lio)
            self._storage_objects = {(place.plugin, place.name): place for place in found}
        return self._storage_objects.get((plugin, name))

    def portals_at(self, of: Fabric, port: int) -> list[Portal]:
        """Return the portals at a port of a fabric, of all targets, that will be there."""
        return [found for found in self._known_portals(of, port) if self.exists(found.folder)]

    def add_portal(self, portal: Portal) -> None:
        """Note that a portal will be added."""
        self._known_portals(portal.tpg.target.fabric, portal.port).append(portal)
        self.make(portal.folder)

    def _known_portals(self, of: Fabric, port: int) -> list[Portal]:
        if (of.name, port) not in self._portals:
            self._portals[of.name, port] = listing.portals_at(of, port)
        return self._portals[of.name, port]

    def exists(self, folder: str) -> bool:
        """Return whether a group will be there."""
        if folder in self._made:
            return True
        if not self._gone and not self._new:
            return os.path.isdir(folder)
        above = folder
        while above not in ("", "/"):
            # The contents of a new group are created with it, whatever an old one contained.
            if above in self._gone or above in self._new:
                return False
            above = above.rpartition("/")[0]
        return os.path.isdir(folder)

    def holds_any(self, folder: str) -> bool:
        """Return whether a group will have any group in it."""
        if any(made.startswith(f"{folder}/") for made in self._made):
            return True
        return any(self.exists(f"{folder}/{name}") for name in names_in(folder))

    def makes(self, path: str) -> bool:
        """Return whether one of the operations will make `path`, a group or an image file."""
        return path in self._made

    def make(self, folder: str) -> None:
        """Note that a group will be made."""
        if not self.exists(folder):
            self._new.add(folder)
        self._made.add(folder)
        self._gone.discard(folder)

    def remove(self, folder: str) -> None:
        """Note that a group will be removed, with all below it."""
        if self._made:
            below = folder + "/"
            self._made = {m for m in self._made if m != folder and not m.startswith(below)}
        self._new.discard(folder)
        self._gone.add(folder)


@dataclass
class Operation(ABC):
    """One change."""

    said: Sequence[str] = field(default_factory=list, kw_only=True)
    """Messages for the user when it is done."""
    lost: StorageObject | None = field(default=None, init=False, compare=False)
    """The storage object whose data undoing cannot restore, known once it is done."""
    hints: ClassVar[Mapping[int, str]] = {}
    """What to do when the kernel refuses it, by errno (row 37)."""
    personal: ClassVar[bool] = False
    """It changes only what belongs to the user, as preferences, and nothing of the target."""
    waits: ClassVar[bool] = False
    """It mostly waits in the kernel, so that several of its kind can run in parallel."""

    @property
    def disconnects(self) -> Tpg | NodeAcl | None:
        """Return the TPG or ACL whose sessions it ends or takes disks from, None if no one's."""
        return None

    @property
    def effect(self) -> str:
        """Return what a question says beside sessions and removed objects, as "clears …"."""
        return ""

    @abstractmethod
    def step(self) -> str:
        """Return what is done as a verb phrase, as "create target iqn…"."""

    @property
    def full_step(self) -> str:
        """Return the step with what it uses, for a dry run and `history`."""
        return self.step()

    def hint(self, number: int) -> str:
        """Return what to do if the kernel refuses it with that errno, "" if unknown."""
        return self.hints.get(number, "")

    @abstractmethod
    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Raise if a precondition is not met; note in `foreseen` what it will change."""

    def is_done(self, lio: Lio) -> bool:
        """Return whether the existing object is the one that it would create."""
        return True

    @abstractmethod
    def do(self, lio: Lio) -> Operation | None:
        """Carry it out through rtslib and return its inverse, None if nothing changed.

        Raises PyshellError, or rtslib's and the kernel's errors, and then changes nothing.
        """

    def do_for_good(self, lio: Lio) -> Operation | None:
        """Carry it out for good; the inverse need not be complete."""
        return self.do(lio)


@dataclass
class ObjectOperation(Operation):
    """Creates, changes or deletes one object, which must exist unless it is created."""

    place: Identifier

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place)


@dataclass
class Deletion(ObjectOperation):
    """Deletes an object on which no other depends."""

    def step(self) -> str:
        return f"delete {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        super().check(lio, foreseen)
        foreseen.remove(self.place.folder)

    @abstractmethod
    def again(self, lio: Lio) -> list[Operation]:
        """Return operations that create the object again as it is; none if it is incomplete."""

    def delete(self, lio: Lio, again: Sequence[Operation]) -> None:
        """Delete the object through rtslib; if that fails half-way, use `again` to complete it."""
        from pyshell.lio import rtslib_objects

        rtslib_objects.found(self.place).delete()

    def do(self, lio: Lio) -> Operation | None:
        again = self.again(lio)
        self.delete(lio, again)
        return Several(again) if again else None

    def do_for_good(self, lio: Lio) -> Operation | None:
        self.delete(lio, ())
        return None


@dataclass
class Creation(ObjectOperation):
    """Creates an object; its parent must exist."""

    deletion: ClassVar[type[Deletion]]
    """The operation that undoes it."""

    def step(self) -> str:
        return f"create {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        for place in self.needs():
            must_exist(foreseen, place)
        must_be_free(foreseen, self.place)
        self.check_further(lio, foreseen)
        foreseen.make(self.place.folder)

    def needs(self) -> Sequence[Identifier]:
        """Return the objects that must exist."""
        return [self.place.parent] if self.place.parent is not None else []

    def check_further(self, lio: Lio, foreseen: Foreseen) -> None:
        """Raise if anything else prevents the creation; the object does not exist."""

    def create(self, lio: Lio) -> None:
        """Create the object through rtslib."""
        from pyshell.lio import rtslib_objects

        rtslib_objects.create(self.place)

    def do(self, lio: Lio) -> Operation | None:
        with or_removed(lio, self.place.folder, self.place):
            self.create(lio)
        return self.deletion(self.place)


@dataclass
class Several(Operation):
    """Operations that are done as one."""

    operations: Sequence[Operation]

    def step(self) -> str:
        """Return what the first of them does."""
        return self.operations[0].step() if self.operations else "do nothing"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check each."""
        for operation in self.operations:
            operation.check(lio, foreseen)

    def do(self, lio: Lio) -> Operation | None:
        """Do each, or none; the inverse undoes them in reverse."""
        inverses: list[Operation] = []

        def undo() -> None:
            for inverse in inverses:
                inverse.do(lio)

        with or_put_back("it is done in part", undo):
            for operation in self.operations:
                inverse = operation.do(lio)
                inverses[:0] = [inverse] if inverse is not None else []
        return Several(inverses) if inverses else None


@dataclass
class Irreversible(Operation):
    """Stands for the inverse of a change that has none: the undo command reports why."""

    why: str
    instead: str = ""
    """What to do instead, as a sentence."""

    def step(self) -> str:
        return "undo it"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        raise ConflictError(self.why, self.instead)

    def do(self, lio: Lio) -> Operation | None:
        raise ConflictError(self.why, self.instead)


def flat(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Yield operations one by one, with the operations of each `Several` in its place."""
    for operation in operations:
        if isinstance(operation, Several):
            yield from flat(operation.operations)
        else:
            yield operation


@dataclass
class Outcome:
    """What carrying out a list of operations led to."""

    sentences: list[str] = field(default_factory=list)
    changed: bool = False
    undo: list[Operation] = field(default_factory=list)
    """Inverses of what was done, in the order in which to carry them out."""
    inverses: list[Operation | None] = field(default_factory=list)
    """The inverse of each operation, None if it changed nothing."""
    lost: list[StorageObject] = field(default_factory=list)
    """Those whose data the inverses cannot restore."""
    interrupted: int = 0
    """The signal received during the last step; 0 if none."""


def check(lio: Lio, operations: Iterable[Operation]) -> None:
    """Check all operations as if each were done after those before it; changes nothing."""
    foreseen = Foreseen(lio)
    for operation in operations:
        with doing(operation.step(), hint=operation.hint):
            try:
                operation.check(lio, foreseen)
            except ExistsError as error:
                error.wanted = operation.is_done(lio)
                if isinstance(operation, ObjectOperation):
                    error.object = operation.place.path
                raise


def carry_out(
    lio: Lio,
    operations: Sequence[Operation],
    notice: Callable[[Operation, int, int], None] | None = None,
    *,
    for_good: bool = False,
    begin: Callable[[], None] | None = None,
) -> Outcome:
    """Check all operations, then do them; if one fails, undo those before it and raise.

    `begin` is called between the check and the first operation. With `for_good`, those before a
    failed one are kept, and inverses may be missing. Ctrl-C and the like are held back while a step
    runs and then count as a failure of the next.
    """
    check(lio, operations)
    if begin is not None and operations:
        begin()
    outcome = Outcome()
    fabrics = {found.name for found in listing.fabrics_in_use(lio)}
    with interrupts_held() as interrupted:
        failure: tuple[Operation, BaseException] | None = None
        attempts = _attempts(lio, operations, interrupted, for_good=for_good)
        with closing(attempts):
            for index, (operation, attempted) in enumerate(attempts, 1):
                if isinstance(attempted, BaseException):
                    failure = failure or (operation, attempted)
                    continue
                outcome.inverses.append(attempted)
                if attempted is not None:
                    outcome.undo.insert(0, attempted)
                    outcome.changed = True
                outcome.sentences += operation.said
                outcome.lost += [operation.lost] if operation.lost else []
                if notice is not None:
                    notice(operation, index, len(operations))
        if failure is not None and for_good:
            raise failure[1]
        if failure is not None:
            raised = _rolled_back(lio, *failure, outcome, len(operations))
            _remove_new_fabrics(lio, fabrics)
            raise raised
        outcome.interrupted = interrupted()
    return outcome


_Attempted = Operation | None | BaseException
"""The result of one: its inverse, None if it changed nothing, or its exception."""


class _NotBegunError(Exception):
    """Another had failed already."""


def _attempts(
    lio: Lio,
    operations: Sequence[Operation],
    interrupted: Callable[[], int],
    *,
    for_good: bool,
) -> Generator[tuple[Operation, _Attempted], None, None]:
    """Do operations, and yield each that was begun with its result; none begins after a failure."""
    failed = False

    def attempt(operation: Operation) -> _Attempted:
        nonlocal failed
        if failed:
            return _NotBegunError()
        try:
            _stop_where_interrupted(operation, interrupted())
            return _do(lio, operation, for_good=for_good)
        except BaseException as error:
            failed = True
            return error

    yield from _in_runs(lio, operations, attempt)


def _in_runs(
    lio: Lio, operations: Iterable[Operation], attempt: Callable[[Operation], _Attempted]
) -> Iterator[tuple[Operation, _Attempted]]:
    """Attempt operations in order, a run of those that wait in parallel; `attempt` never raises.

    Yields each that was begun with its result.
    """
    # An operation can depend on those of another kind before it.
    for _, group in groupby(operations, key=type):
        run = list(group)
        if run[0].waits and len(run) > 1 and lio.at_once > 1:
            attempts = _beside_each_other(run, lio.at_once, attempt)
        else:
            attempts = ((operation, attempt(operation)) for operation in run)
        # An operation before a failed one may not have begun, as they run in parallel.
        yield from (one for one in attempts if not isinstance(one[1], _NotBegunError))


def _beside_each_other(
    run: Sequence[Operation], at_once: int, attempt: Callable[[Operation], _Attempted]
) -> Iterator[tuple[Operation, _Attempted]]:
    """Attempt operations in parallel, and yield results in order; all end before this does."""
    from concurrent.futures import ThreadPoolExecutor  # only long work needs it

    threads = ThreadPoolExecutor(at_once)
    try:
        yield from zip(run, threads.map(attempt, run), strict=True)
    finally:
        threads.shutdown(cancel_futures=True)


def _stop_where_interrupted(operation: Operation, signal_number: int) -> None:
    if signal_number:
        message = f"Interrupted before the step '{operation.step()}'"
        raise InterruptedStepsError(message, signal_number, step=operation.step())


def _remove_new_fabrics(lio: Lio, before: Collection[str]) -> None:
    """Remove the folders of fabrics that were loaded for what was undone."""
    for found in listing.fabrics_in_use(lio):
        if found.name not in before:
            with contextlib.suppress(OSError), changing():
                lio.kernel.rmdir(found.folder)


def one_by_one(
    lio: Lio, operations: Iterable[Operation], left_out: Callable[[Operation], bool]
) -> Generator[tuple[Operation, Operation | PyshellError | None], None, None]:
    """Check and do each operation that can be done, and yield it with its inverse or its error.

    `left_out` is asked before each. Ctrl-C and the like are held back during an operation; then no
    other begins, and InterruptedStepsError is raised.
    """
    foreseen, checking = Foreseen(lio), threading.Lock()
    ended: BaseException | None = None

    with interrupts_held() as interrupted:

        def attempt(operation: Operation) -> _Attempted:
            nonlocal ended
            if ended is not None or left_out(operation):
                return _NotBegunError()
            try:
                _stop_where_interrupted(operation, interrupted())
                with checking, doing(operation.step(), hint=operation.hint):
                    foreseen.forget_operations()
                    operation.check(lio, foreseen)
                return _do(lio, operation)
            except BaseException as error:
                ended = ended if _is_failure(error) else error
                return error

        for operation, attempted in _in_runs(lio, operations, attempt):
            if not isinstance(attempted, BaseException) or _is_failure(attempted):
                yield operation, attempted
        if ended is not None:
            raise ended


def _is_failure(error: BaseException) -> TypeGuard[PyshellError]:
    """Return whether an operation failed, not the program."""
    return isinstance(error, PyshellError) and not isinstance(error, InterruptedStepsError)


def do_unchecked(lio: Lio, operation: Operation) -> Operation | None:
    """Do one operation without a check of its preconditions; see `Operation.do`."""
    return _do(lio, operation)


def _do(lio: Lio, operation: Operation, *, for_good: bool = False) -> Operation | None:
    # Here rtslib is imported; operations do it again by name. What only reads or checks does not.
    from pyshell.lio.rtslib import working_on

    with working_on(lio), doing(operation.step(), hint=operation.hint), changing():
        return operation.do_for_good(lio) if for_good else operation.do(lio)


def _rolled_back(
    lio: Lio, failed: Operation, error: BaseException, outcome: Outcome, total: int
) -> BaseException:
    """Undo what was done before `failed`, and return the error, which reports that."""
    left, inverses = [], []
    for inverse in outcome.undo:
        try:
            _do(lio, inverse)
        except PyshellError as second:
            inverses.append(inverse)
            left.append(f"could not {inverse.step()} ({second.message.rstrip('.')})")
    if not isinstance(error, PyshellError):
        return error  # a bug of pyshell or a library
    is_named = error.step == failed.step()  # then the message names the step, see `doing`
    error.left = inverses
    error.step = failed.step()
    if total > 1 and not is_named:
        error.message = f"Step '{failed.step()}' failed: {error.message}"
    if left:
        error.hint = f"{error.hint} Undoing was not complete: {listed(left, _SHOWN, '; ')}.".strip()
    elif outcome.undo:
        error.hint = f"{error.hint} The steps before it were undone.".strip()
    if outcome.lost:
        error.hint = f"{error.hint} {_lost(outcome.lost)}".strip()
    return error


def _lost(places: Sequence[StorageObject]) -> str:
    """Return the sentence that their data is lost, however many they are."""
    if len(places) == 1:
        return f"But what {places[0]} held is lost: it was recreated."
    found = sorted(places, key=lambda place: (place.plugin, listing.natural(place.name)))
    first, last = (f"{place.plugin}/{place.name}" for place in (found[0], found[-1]))
    return f"What {len(found)} ramdisks held is lost, from {first} to {last}: they were recreated."


@contextmanager
def or_put_back(what: str, put_back: Callable[[], object]) -> Iterator[None]:
    """Undo a part of an operation if the rest of it fails; if that fails, too, say what differs.

    `what` is the state that is left then, as "LUN 3 of … exports nothing now".
    """
    try:
        yield
    except BaseException as error:
        try:
            with doing("put back what was removed"):
                put_back()
        except PyshellError as second:
            reason = error.message if isinstance(error, PyshellError) else str(error)
            raise PyshellError(
                f"{reason.rstrip('.')}, and {what}: {second.message.rstrip('.')}",
                "'apply' of the saved configuration repairs it.",
            ) from error
        raise


@contextmanager
def or_removed(lio: Lio, folder: str, what: object) -> Iterator[None]:
    """Remove the folder of `what` if it was created meanwhile and something fails."""
    there = os.path.isdir(folder)

    def remove() -> None:
        if not there and os.path.isdir(folder):
            for name in links(folder):
                lio.kernel.unlink(f"{folder}/{name}")
            lio.kernel.rmdir(folder)

    with or_put_back(f"{what} is left incomplete", remove):
        yield


@contextmanager
def interrupts_held() -> Iterator[Callable[[], int]]:
    """Hold back the signals that end a program; yield a function that returns which came, or 0."""
    came = 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = came or number

    before = {}
    try:
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, note)
    except ValueError:  # not the main thread: signals do not come here
        yield lambda: 0
        return
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def must_exist(foreseen: Foreseen, place: Identifier) -> None:
    """Raise NotFoundError if `place` will not be there."""
    if not foreseen.exists(place.folder):
        raise missing(f"There is no {place}", place)


def must_be_free(foreseen: Foreseen, place: Identifier) -> None:
    """Raise ExistsError if `place` will be taken."""
    if foreseen.exists(place.folder):
        text = str(place)
        raise exists(f"{text[:1].upper()}{text[1:]} already exists", place)


def missing(message: str, place: Identifier, hint: str = "") -> NotFoundError:
    """Return the error of an object that does not exist, with targetcli's sentence."""
    told = place.kind.missing.format(kind=place.kind.rtslib_name, place=place)
    return NotFoundError(message, hint, path=place.folder, targetcli=told)


def exists(message: str, place: Identifier) -> ExistsError:
    """Return the error of an object that already exists, with targetcli's sentence."""
    told = place.kind.exists.format(kind=place.kind.rtslib_name, place=place)
    return ExistsError(message, path=place.folder, targetcli=told)
