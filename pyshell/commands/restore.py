# SPDX-License-Identifier: Apache-2.0
"""`clearconfig`, and `restoreconfig`: restore a saved configuration, also at boot."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pyshell.commands import change_text, cluster_control
from pyshell.commands.apply import running_items
from pyshell.commands.diff import items_of, load_trusted
from pyshell.commands.save import boot_file, file_of
from pyshell.config import object_operations, references, restoration, store
from pyshell.config.document import is_empty
from pyshell.config.model import items
from pyshell.config.object_operations import is_clear
from pyshell.config.parts import of_target
from pyshell.config.running import read_running
from pyshell.config.store import clustered, losses
from pyshell.errors import (
    BusyError,
    LockedError,
    NotFoundError,
    PyshellError,
    RestoredInPartError,
    UsageError,
)
from pyshell.host import DeviceEvents
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import is_below_any
from pyshell.lio.identifiers import StorageObject, Target
from pyshell.lio.operations import preconditions
from pyshell.lio.operations.base import Deletion, Operation, carry_out, flat
from pyshell.lio.operations.storage import remove_unexported
from pyshell.lio.operations.targets import remove_target, remove_targets
from pyshell.lio.sessions import sessions
from pyshell.quoting import line
from pyshell.text import counted, listed
from pyshell.tree.command import FILE, FLAG, SAVED_OBJECT, TARGET, command
from pyshell.tree.node import Context, Node
from pyshell.tree.results import Lines, Result, Work

if TYPE_CHECKING:
    from pyshell.config.document import Document, StorageObjectEntry
    from pyshell.config.document_file import Trusted
    from pyshell.config.model import Items
    from pyshell.config.restoration import Awaited, Restored, Skipped
    from pyshell.lio.operations.base import Operation


WAIT_MAX = 86400
_SHOWN = 3
"""How many LUNs an error names."""
_LATER = "'restoreconfig missing_only=true' adds missing objects when they are available."


@command(
    changes=True,
    examples=(
        "restoreconfig clear_existing=true",
        "restoreconfig clear_existing=true wait=60",
        "restoreconfig missing_only=true",
    ),
    in_candidate="refused",
)
def restoreconfig(
    node: Node,
    savefile: Annotated[str | None, FILE, "File to restore. Default: the boot file."] = None,
    clear_existing: Annotated[
        bool,
        FLAG,
        "Remove running objects that the file lacks; with target= or storage_object= only of it.",
    ] = False,
    target: Annotated[str | None, TARGET, "Restore only the target with this WWN."] = None,
    storage_object: Annotated[
        str | None, SAVED_OBJECT, "Restore only this storage object: its name or path."
    ] = None,
    *,
    force: Annotated[
        bool,
        "With clear_existing: also delete and recreate unchanged objects; all sessions end and"
        " ramdisks lose their data.",
    ] = False,
    wait: Annotated[int | None, "Seconds to wait for missing devices."] = None,
    missing_only: Annotated[
        bool, "Add only objects that the last restore could not restore."
    ] = False,
) -> Result:
    """Restore a saved configuration.

    Objects that cannot be restored are named, and the rest is restored; the exit status is then 1,
    or 6 with wait= or missing_only=true.

    clear_existing=true deletes objects that the file lacks and changes those that differ, by
    recreating them if necessary (a ramdisk then loses its data). It does not touch unchanged ones.

    wait= restores available objects at once and then waits for missing devices; other commands can
    run meanwhile. missing_only=true does not touch running objects, and does not restore objects
    that were deleted since. With a file other than the boot file, it adds all objects that are not
    running, including those that were deleted.
    """
    if wait is not None and wait > WAIT_MAX:
        raise UsageError(f"{wait} seconds are too long.", f"wait= takes up to {WAIT_MAX}.")
    path = file_of(node.lio, savefile)
    part = target is not None or storage_object is not None
    if missing_only:
        if part or clear_existing or force:
            raise UsageError("missing_only=true goes with wait= and a file alone.")
        return _add_missing(node, path, wait)
    read = _read(node, path)
    in_part = part and clear_existing and not node.context.compat
    chosen = restoration.chosen(
        node.lio, read.document, target, storage_object, running=in_part and not force
    )
    own, left = _left_to_cluster(node, path, chosen, named=part)
    # References that cannot be read stay, and are reported like other errors of the document.
    document = references.if_readable(own)
    if not clear_existing:
        restoration.refuse_clashes(node.lio, document)
    elif is_empty(chosen) and not (force or node.context.compat):
        raise PyshellError(
            f"{path} holds neither a storage object nor a target: nothing was cleared.",
            "'clearconfig confirm=true' clears; so does force=true here.",
        )
    whole = path == store.default_file(node.lio) and not part
    spared = _spared(node, document, left) if clear_existing else frozenset()
    spared |= _outside(node, document, target) if in_part else frozenset()

    def running_beside() -> Items:
        return {
            path: item
            for path, item in running_items(node, read_running(node.lio)).items()
            if path not in spared
        }

    touched: list[str] = []

    def run() -> Lines:
        hints: list[str] = []
        with _arrivals(node, wait, hints) as arrivals:
            anew = clear_existing and (force or node.context.compat)
            if anew:
                clear(node, spared, touched)
            running = running_beside() if clear_existing and not anew else None
            result = restoration.restore(
                node.lio, document, running, read.text, images=node.context.compat
            )
            job = RestoreJob(node.context, document, read.data if whole else None, touched=touched)
            job.take(result)
            if arrivals is not None:
                job.wait(arrivals, wait or 0, hints)
        if not (whole or part):
            boot_file(node.context).restored_other(path, job.missing)
        if job.faults:
            if wait is not None:
                raise _failed(path, job)
            raise _recoverable(job.faults)
        idle = running is not None and not result.plan.steps
        return Lines([f"Configuration restored from {path}"], idle=idle)

    def foresee() -> Lines:
        running = running_beside() if clear_existing else None
        result = restoration.restore(
            node.lio, document, running, read.text, dry_run=True, images=node.context.compat
        )
        return _foreseen(node, path, result, PyshellError, wait)

    effect: Literal["loaded", "other"] = "loaded" if whole else "other"

    def operations() -> Sequence[Operation]:
        if not clear_existing:
            return ()
        if force or node.context.compat:
            return removing_all(node, spared)
        running = items_of(node, "running")
        running = {p: item for p, item in running.items() if p not in spared}
        return restoration.restore(node.lio, document, running, dry_run=True).plan.operations

    return Work(
        [f"Configuration would be restored from {path}"],
        run,
        effect,
        foresee,
        operations=operations,
        doubts=lambda: _doubts(node, path, document, running_beside(), read.text),
        touched=touched,
    )


def _add_missing(node: Node, path: Path, wait: int | None) -> Result:
    whole = path == store.default_file(node.lio)
    would = f"What is missing of {path} would be added"
    missing = dict(_marked(node)) if whole else None
    if missing == {}:
        node.context.note(f"Nothing of {path} is missing since it was restored.")
        return Work([], lambda: Lines([], {"added": [], "missing": {}}))
    read = _read(node, path)
    own, _ = _left_to_cluster(node, path, read.document)
    if missing is None:
        # Missing secrets are recorded: one that is not running may have been deleted.
        secrets = references.unread(own)
        marked = boot_file(node.context).missing_of(path).items()
        known = references.without(own, secrets)
        missing = losses.missing(known, losses.running_paths(node.lio), {})
        missing |= {one: why for one, why in marked if one in secrets}
    document = references.if_readable(own)
    job = RestoreJob(node.context, document, read.data if whole else None, missing)

    def run() -> Lines:
        hints: list[str] = []
        with _arrivals(node, wait, hints) as arrivals:
            job.add()
            if arrivals is not None:
                job.wait(arrivals, wait or 0, hints)
        if not whole:
            boot_file(node.context).restored_other(path, job.missing)
        lines = [f"Added {one}" for one in job.added]
        failure = _failed(path, job) if job.faults or job.missing else None
        return Lines(lines, {"added": job.added, "missing": job.missing}, failure=failure)

    def foresee() -> Lines:
        result = restoration.add(node.lio, document, missing, dry_run=True)
        return _foreseen(node, path, result, RestoredInPartError, wait)

    return Work([would], run, foresee=foresee, undone_by=job.undo, touched=job.touched)


def _left_to_cluster(
    node: Node, path: Path, document: Document, *, named: bool = False
) -> tuple[Document, list[str]]:
    """Return a document without targets under cluster control, unless its file is their own.

    The second result has their paths. Raises ConflictError if the target or storage object was
    `named`.
    """
    own, left = cluster_control.to_restore(node.context, document, path)
    if left and named and not (own.get("targets") or own.get("storage_objects")):
        raise cluster_control.refused(node.context, left[0])
    return own, left


def _spared(node: Node, document: Document, noted: Sequence[str]) -> frozenset[str]:
    """Return the running objects under cluster control that a document lacks: they stay."""
    if not cluster_control.any_known(node.context):
        return frozenset()  # saves reading all
    running = items_of(node, "running")
    wanted = items(document, node.lio.root, {})
    found = cluster_control.beside(node.context, running, wanted, noted)
    return frozenset(running.keys() - found.keys())


def _outside(node: Node, document: Document, target: str | None) -> frozenset[str]:
    """Return the running objects outside the part that a document restores: they stay."""
    running = items_of(node, "running")
    wanted = items(document, node.lio.root, {})
    roots = [p for p, item in wanted.items() if isinstance(item.place, StorageObject)]
    for path, item in running.items():
        if isinstance(item.place, Target) and target and item.place.is_named(target):
            roots.append(path)
    return frozenset(p for p in running if not is_below_any(p, roots))


def _foreseen(
    node: Node, path: Path, result: Restored, kind: type[PyshellError], wait: int | None
) -> Lines:
    """Return what a restore would create, and fail with `kind` if it could not create all.

    With `wait`, missing devices can still appear: then it does not fail.
    """
    for note in result.notes:
        node.context.note(note)
    told = change_text.touched(node.lio, result.plan)
    lines = [one.would for one in told if one.path not in result.left_out]
    if not result.skipped:
        return Lines(lines)
    faults = [fault.text for fault in result.skipped]
    if wait:
        return Lines([*lines, *faults])
    return Lines(lines, failure=kind(_partly(path, faults), faults=faults))


def _doubts(node: Node, path: Path, document: Document, running: Items, text: str) -> Sequence[str]:
    """Return what of a document could not be restored, as the error of a dry run."""
    faults = restoration.restore(node.lio, document, running, text, dry_run=True).skipped
    return [_partly(path, faults), *(one.text for one in faults)] if faults else []


def _partly(path: Path, faults: Sequence[object]) -> str:
    return f"{path} would be restored in part, {counted(len(faults), 'error')}:"


def _marked(node: Node) -> Mapping[str, str]:
    """Return what the last restore left out. Raises PyshellError if the host restarted since."""
    missing = boot_file(node.context).state().missing
    if missing and not node.lio.mark_file.exists():
        raise PyshellError(
            f"{store.default_file(node.lio)} was not restored since this host's start or"
            " clearconfig.",
            "restoreconfig restores it.",
        )
    return missing


def _read(node: Node, path: Path) -> Trusted:
    if not os.path.exists(path):
        raise store.missing_file(node.lio, path, "restoreconfig")
    return load_trusted(node, path)


def _arrivals(
    node: Node, wait: int | None, hints: list[str]
) -> AbstractContextManager[DeviceEvents | None]:
    """Listen for devices before they are first probed, to miss none."""
    return node.lio.machine.device_events(hints.append) if wait else nullcontext()


def _recoverable(faults: list[Skipped]) -> PyshellError:
    message = f"Configuration restored, {len(faults)} recoverable errors:"
    return PyshellError(message, faults=[fault.text for fault in faults])


def _failed(path: Path, job: RestoreJob) -> PyshellError:
    """Return the error of a restore that can be completed later."""
    told = {fault.path for fault in job.faults}
    lines = [fault.text for fault in job.faults]
    lines += [f"{p}: {why}, skipped" for p, why in job.missing.items() if p not in told]
    message = f"{path} is restored in part, {counted(len(lines), 'error')}:"
    return RestoredInPartError(message, _LATER if job.missing else "", faults=lines)


class RestoreJob:
    """Restores a document in several attempts and records what is missing, with the reasons.

    `data` is the content of the boot file, None for another document. For the boot file, what is
    missing is recorded on disk, and objects that were deleted meanwhile are not restored.
    """

    def __init__(
        self,
        context: Context,
        document: Document,
        data: bytes | None,
        missing: dict[str, str] | None = None,
        touched: list[str] | None = None,
    ) -> None:
        self._context = context
        self._document = document
        self._data = data
        self._remembered = data is not None
        self.missing = missing or {}
        self.faults: list[Skipped] = []
        self.added: list[str] = []
        self.undo: list[Operation] = []
        self.touched = touched if touched is not None else []
        """Paths of the objects that it created or changed."""
        self._absent: Sequence[Awaited] = ()

    def take(self, result: Restored) -> None:
        """Record the result of the first attempt."""
        self._note(result)
        self.touched += _paths_of(result.plan.operations)
        self.faults = result.skipped
        self.missing = self._not_running(result)
        self._look()
        if self._data is not None:
            self._remembered = boot_file(self._context).restored(self._data, self.missing)

    def wait(self, arrivals: DeviceEvents, seconds: int, hints: list[str]) -> None:
        """Wait for the devices of missing objects, and add each object when its device appears.

        `hints` are printed if there is something to wait for.
        """
        lio = self._context.lio
        deadline = time.monotonic() + seconds
        if self._absent:
            devices = ", ".join(one.device for one in self._absent)
            for note in (f"Waiting up to {seconds} seconds for {devices}", *hints):
                self._context.note(note)
        while self._absent:
            try:
                with self._context.lock_lent(deadline):
                    came = restoration.wait_for_any(lio, self._absent, arrivals, deadline)
            except LockedError as error:
                self._context.note(f"Nothing more can be added now: {error}")
                break
            if not came:
                break
            before = len(self.added)
            self.add()
            for path in self.added[before:]:
                self._context.note(f"Added late: {path}")

    def add(self) -> None:
        """Add the missing objects that can be restored now."""
        before = self.missing
        if self._remembered:
            # Another command may have created or deleted it meanwhile.
            try:
                known = boot_file(self._context).state().missing
            except PyshellError as error:
                self._context.note(f"What is missing could not be read again: {error}")
                known = self.missing
            self.missing = {p: why for p, why in self.missing.items() if p in known}
        tried = list(self.missing)
        result = restoration.add(self._context.lio, self._document, tried)
        self.undo[:0] = result.undo
        self._note(result)
        self.faults = [f for f in self.faults if f.path not in before] + result.skipped
        secrets = references.unread(self._document)
        self.missing = {
            p: why
            for p, why in self._not_running(result).items()
            if p in tried or (p in secrets and p.rpartition("/")[0] in tried)
        }
        added = [path for path in tried if path not in self.missing]
        self.added += added
        self.touched += added
        self._look()
        if self._remembered:
            boot_file(self._context).added(self.missing)

    def _look(self) -> None:
        """Find missing devices, before the record of missing objects is written."""
        paths = self.missing
        self._absent = (
            restoration.awaited(self._context.lio, self._document, paths) if paths else []
        )

    def _not_running(self, result: Restored) -> dict[str, str]:
        if not (result.skipped or result.left_out):
            return {}  # every step was done: searching for everything took a tenth of the time
        running = losses.running_paths(self._context.lio)
        return losses.missing(self._document, running, result.left_out)

    def _note(self, result: Restored) -> None:
        for note in result.notes:
            self._context.note(note)


@command(
    changes=True,
    examples=(
        "clearconfig confirm=true",
        "clearconfig confirm=true target=iqn.2020-07.com.example:disks",
    ),
)
def clearconfig(
    node: Node,
    confirm: Annotated[bool, "Must be true."] = False,
    *,
    target: Annotated[
        str | None,
        TARGET,
        "Delete only the target with this WWN, and the storage objects that only it exports.",
    ] = None,
    savefile: Annotated[
        str | None,
        FILE,
        "With target: also delete the storage objects that this file has for it, and fail if one"
        " of their devices is still in use.",
    ] = None,
) -> Result:
    """Terminate all sessions and delete the running configuration.

    The saved file, devices and image files are kept; the data of ramdisks is lost.

    With target= and savefile=, it succeeds only if the devices in the file are free, whether the
    target was running or not: another host can use them then.
    """
    if not confirm:
        raise UsageError(
            "As a precaution, confirm=true needs to be set.",
            f"'{line('clearconfig', confirm=True, target=target, savefile=savefile)}'"
            f" removes {'all' if target is None else target}.",
            targetcli="As a precaution, confirm=True needs to be set",
        )
    if target is not None:
        return _target_cleared(node, target, savefile)
    if savefile is not None:
        raise UsageError("savefile= needs target=.", "Give target=WWN.")
    ours = clustered.read(node.lio.config_dir)
    # What runs at the end of the service that restores at boot is not for the cluster's targets.
    spared = _spared(node, {}, []) if node.context.way == "boot" else frozenset()
    running = [one.path for one in listing.all_targets(node.lio)]
    taken = [one for one in running if one in ours.targets and not spared]
    for note in ours.notes(taken, "a cluster that runs it takes it for failed") if taken else ():
        node.context.note(note)

    touched: list[str] = []

    def run() -> Lines:
        idle = is_clear(node.lio)
        clear(node, spared, touched)
        forget_missing(node)
        return Lines(["All configuration cleared"], idle=idle)

    def foresee() -> Lines:
        return Lines([f"Would terminate the session of {one}." for one in sessions(node.lio)])

    would = ["All configuration would be cleared"]
    operations = partial(removing_all, node, spared)
    asks = f"deletes {listed(taken, _SHOWN)}, under cluster control" if taken else ""
    return Work(
        would,
        run,
        "other",
        foresee,
        operations=operations,
        named=None,
        asks=asks,
        touched=touched,
    )


def _target_cleared(node: Node, wwn: str, savefile: str | None) -> Result:
    """Delete a target for good: if a step fails, what is deleted stays so, and nobody is served."""
    saved: Sequence[StorageObjectEntry] = ()
    if savefile is not None:
        document = of_target(_read(node, file_of(node.lio, savefile)).document, wwn)
        if not document.get("targets"):
            raise NotFoundError(f"The file holds no target {wwn}.", unchanged=True)
        saved = document.get("storage_objects", [])
    operations = _removing_target(node, wwn, saved)
    kept = _kept(node.lio, saved, operations)
    touched: list[str] = []
    if not operations and savefile is None:
        raise NotFoundError(f"No such target: {wwn}.", "Run 'ls' to list targets.")

    def run() -> Lines:
        gone: list[Operation] = []
        try:
            carry_out(node.lio, operations, lambda one, *_: gone.append(one), for_good=True)
        finally:
            node.context.note_removed(gone)
            touched.extend(_paths_of(gone))
        if kept is not None:
            raise kept
        for entry in saved:
            preconditions.must_be_free(node.lio, entry["plugin"], entry.get("dev", ""))
        words = "cleared" if operations else "is clear already"
        return Lines([f"Target {wwn} {words}"], idle=not operations)

    def foresee() -> Lines:
        ended = [one for one in sessions(node.lio) if one.tpg.target.is_named(wwn)]
        lines = [f"Would terminate the session of {one}." for one in ended]
        return Lines(lines, failure=kept)

    would = [f"Target {wwn} would be cleared"]
    return Work(
        would, run, "other", foresee, operations=lambda: operations, named=None, touched=touched
    )


def _removing_target(
    node: Node, wwn: str, saved: Sequence[StorageObjectEntry]
) -> Sequence[Operation]:
    """Return operations that delete a target, and what only it exports or `saved` has for it."""
    targets = [one for one in listing.all_targets(node.lio) if one.is_named(wwn)]
    luns = [lun for one in targets for tpg in listing.tpgs(one) for lun in listing.luns(tpg)]
    exported = [listing.storage_object_of(lun) for lun in luns]
    named = [listing.storage_object(node.lio, one["plugin"], one["name"]) for one in saved]
    found: list[Operation] = []
    for one in targets:
        found += remove_target(one)
    for place in dict.fromkeys(one for one in (*exported, *named) if one is not None):
        if all(lun in luns for lun in listing.luns_of(node.lio, place)):
            found += remove_unexported(place)
    return found


def _kept(
    lio: Lio, saved: Sequence[StorageObjectEntry], operations: Sequence[Operation]
) -> BusyError | None:
    """Return the error for a storage object in `saved` that is not deleted, None if all are."""
    gone = {one.place.path for one in operations if isinstance(one, Deletion)}
    for entry in saved:
        place = listing.storage_object(lio, entry["plugin"], entry["name"])
        if place is not None and place.path not in gone:
            luns = [lun.path for lun in listing.luns_of(lio, place) if lun.path not in gone]
            return BusyError(
                f"{place.path} is not deleted with the target: {listed(luns, _SHOWN)} exports it.",
                path=place.path,
            )
    return None


def removing_all(node: Node, spared: Collection[str] = ()) -> Sequence[Operation]:
    """Return the operations of a clear that terminate sessions and remove objects."""
    found: list[Operation] = []
    for fabric in listing.fabrics_in_use(node.lio):
        found += remove_targets([one for one in listing.targets(fabric) if one.path not in spared])
    for place in listing.storage_objects(node.lio):
        found += remove_unexported(place) if place.path not in spared else []
    return found


def clear(node: Node, spared: Collection[str], touched: list[str]) -> None:
    """Remove the whole running configuration except for objects at some paths.

    The saved file is kept. The paths of removed objects are added to `touched`.
    """

    def note(removed: Sequence[Operation]) -> None:
        touched.extend(_paths_of(removed))
        # In targetcli mode cleared objects count as deleted: a save on leaving omits them.
        # Otherwise leaving asks before the saved file loses them.
        if node.context.compat:
            node.context.note_removed(removed)

    try:
        object_operations.clear(node.lio, note, spared=spared)
    except PyshellError as error:
        if node.context.way != "boot":
            error.hint = f"{error.hint} 'undo' restores the removed objects.".lstrip()
        raise


def _paths_of(operations: Sequence[Operation]) -> list[str]:
    return [place.path for one in flat(operations) if (place := getattr(one, "place", None))]


def forget_missing(node: Node) -> None:
    """Record that nothing is missing since a restore."""
    try:
        store.unmark(node.lio.mark_file)
    except PyshellError as error:
        node.context.note(f"Could not record that nothing is missing: {error}")
