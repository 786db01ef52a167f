# SPDX-License-Identifier: Apache-2.0
"""Restore a document: the steps of a plan; a failing step is reported and the rest still runs.

Devices of a document that are missing can be waited for (field failure 3).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from pyshell.config import parts, references, validate
from pyshell.config.document import Document
from pyshell.config.model import Item, Items, items, secrets_of, tree_path
from pyshell.config.object_operations import Fresh, SetKnown
from pyshell.config.plan import Plan, PlanStep, plan
from pyshell.config.positions import Place, json_path
from pyshell.config.running import read_running
from pyshell.errors import (
    ExistsError,
    NotFoundError,
    PyshellError,
)
from pyshell.host import DeviceEvents
from pyshell.lio import Lio, identifiers, listing
from pyshell.lio.configfs import is_below
from pyshell.lio.failures import doing
from pyshell.lio.identifiers import plugin_name, storage_object_path
from pyshell.lio.operations import preconditions
from pyshell.lio.operations.base import Foreseen, Operation, one_by_one
from pyshell.lio.operations.setters import Set


@dataclass(frozen=True)
class Skipped:
    """An object or setting that could not be restored: `path` is the object's in the tree."""

    path: str
    text: str


@dataclass
class Restored:
    """The result of a restore."""

    skipped: list[Skipped] = field(default_factory=list)
    """Objects and settings that could not be restored."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Reasons of objects that could not be created, by path in the tree."""
    notes: list[str] = field(default_factory=list)
    """Settings that this kernel does not have: nothing to fix."""
    undo: list[Operation] = field(default_factory=list)
    """Operations that undo it, in order."""
    plan: Plan = field(default_factory=Plan)
    """The planned steps."""


def refuse_clashes(lio: Lio, document: Document) -> None:
    """Raise ExistsError if a storage object or target of the document already exists."""
    running = {place.path: place for place in listing.storage_objects(lio)}
    for path, item in items(document, lio.root, {}).items():
        place = item.place
        there = running.get(path)
        if there is not None and not listing.half_made(lio, there):
            raise _clash(
                f"Storage object {there.plugin}/{there.name}",
                f"storageobject '{there.plugin}:{there.name}' exist not restoring",
            )
        if isinstance(place, identifiers.Target) and listing.existing(place):
            targetcli = f"target with wwn {place.wwn} exist, not restoring"
            raise _clash(f"Target {place.wwn}", targetcli)


def _clash(what: str, targetcli: str) -> ExistsError:
    return ExistsError(
        f"{what} already exists, nothing was restored",
        "clear_existing=true replaces the running configuration; unchanged objects are kept.",
        targetcli=targetcli,
    )


def chosen(
    lio: Lio,
    document: Document,
    target: str | None,
    storage_object: str | None,
    *,
    running: bool = False,
) -> Document:
    """Return the part of a document that belongs to one target or storage object.

    A target includes the storage objects that it exports; with `running`, also those that are
    running (field failure 5). Raises NotFoundError if the document has no such object (field
    failure 13).
    """
    if target is None and storage_object is None:
        return document
    part: Document = {"storage_objects": [], "targets": [], "fabric_modules": []}
    if target is not None:
        part = parts.of_target(document, target)
        if not part.get("targets"):
            raise NotFoundError(f"The file holds no target {target}, nothing was restored")
        there = () if running else listing.storage_objects(lio)
        paths = {place.path for place in there}
        part["storage_objects"] = [
            entry
            for entry in part.get("storage_objects", ())
            if storage_object_path(entry["plugin"], entry["name"]) not in paths
        ]
    if storage_object is not None:
        part["storage_objects"] = [
            so
            for so in document.get("storage_objects", ())
            if storage_object in (so["name"], f"{plugin_name(so['plugin'])}/{so['name']}")
        ]
        if not part["storage_objects"]:
            raise NotFoundError(
                f"The file holds no storage object {storage_object}, nothing was restored"
            )
    return part


def restore(
    lio: Lio,
    document: Document,
    running: Items | None = None,
    text: str = "",
    *,
    dry_run: bool = False,
    images: bool = False,
) -> Restored:
    """Restore all objects of a document; continue after errors.

    With `running`, the running configuration, the document replaces it: equal objects are not
    touched, objects that are not in the document are deleted. Otherwise it is added to the running
    configuration. `text` is the text of the file if it should be searched for duplicate keys. With
    `dry_run`, nothing is changed: the result is what checks can foresee. With `images`, missing
    image files are created, as targetcli has the kernel do.
    """
    result, refused = Restored(), dict[str, str]()
    document = _sound(lio, document, result, text=text)
    wanted = items(document, lio.root, refused)
    beside = _exported(lio, wanted) if running is None else running
    result.plan = plan(lio, beside, wanted, prune=running is not None, refused=refused)
    if images:
        result.plan.steps = list(_with_images(lio, result.plan.steps))
    result.skipped += [_refused(*one) for one in refused.items()]
    result.notes += [
        f"{path} has no {name}, ignored"
        for path, names in result.plan.lacking.items()
        for name in names
    ]
    (_foresee if dry_run else _do_all)(lio, result)
    return result


def add(lio: Lio, document: Document, paths: Collection[str], *, dry_run: bool = False) -> Restored:
    """Restore the objects of a document that are at `paths` and not running.

    Running objects are not changed. `dry_run` is as for `restore`.
    """
    result, refused = Restored(), dict[str, str]()
    document = _sound(lio, document, result, paths)
    running = items(read_running(lio), lio.root)
    there = {tree_path(item) for item in running.values()}

    wanted = {
        path: item
        for path, item in items(document, lio.root, refused).items()
        if _is_named(item, paths) and tree_path(item) not in there
    }
    wanted |= _missing_secrets(lio, document, running, paths)
    result.plan = plan(lio, running, wanted, refused=refused)
    result.skipped += [_refused(path, why) for path, why in refused.items() if path in paths]
    (_foresee if dry_run else _do_all)(lio, result)
    return result


def _missing_secrets(lio: Lio, document: Document, running: Items, paths: Collection[str]) -> Items:
    """Return running objects that lack a CHAP secret in `paths`, with only that setting."""
    found: Items = {}
    for path, item in items(document, lio.root, {}).items():
        files = [file for secret, file in secrets_of(item).items() if secret in paths]
        if path not in running:
            continue
        there = running[path].settings
        own = {f: item.settings[f] for f in files if f in item.settings and not there.get(f)}
        if own:
            found[path] = Item(item.place, settings=own)
    return found


def _is_named(item: Item, paths: Collection[str]) -> bool:
    """Return whether an object is among `paths`, or created along with one that is."""
    if item.implied and isinstance(item.place, identifiers.AluaGroup):
        return item.place.storage_object.path in paths
    return tree_path(item) in paths


def _with_images(lio: Lio, steps: Iterable[PlanStep]) -> Iterator[PlanStep]:
    """Yield steps, with the missing image files before the storage objects that need them.

    A missing device is no missing file, and a missing folder is probably not mounted.
    """
    from pyshell.lio.operations.storage import CreateImageFile, CreateStorageObject

    for step in steps:
        operation = step.operation
        if isinstance(operation, CreateStorageObject) and operation.place.plugin == "fileio":
            path, size = str(operation.arguments["dev"]), operation.arguments.get("size")
            file = lio.machine.host_file(path)
            is_device = os.path.normpath(path).startswith("/dev/")
            has_folder = file.parent.is_dir() or lio.machine.makes_folders(path)
            if size and has_folder and not (is_device or file.exists()):
                yield PlanStep(step.path, CreateImageFile(path, int(size), sparse=True))
        yield step


def _foresee(lio: Lio, result: Restored) -> None:
    foreseen = Foreseen(lio)
    missing: list[str] = []
    for operation in result.plan.operations:
        if any(is_below(_folder(operation), one) for one in missing):
            continue
        try:
            with doing(operation.step(), hint=operation.hint):
                operation.check(lio, foreseen)
        except PyshellError as error:
            _note_failure(operation, error, result, missing, foreseen.exists)


def _sound(
    lio: Lio,
    document: Document,
    result: Restored,
    paths: Collection[str] | None = None,
    text: str = "",
) -> Document:
    """Return a document without the parts in error; errors of objects in `paths` are recorded.

    Duplicate keys in `text` are recorded as well; the last one counts.
    """
    for twice in validate.keys_there_twice(text):
        result.skipped.append(Skipped("", f"{json_path(twice.place)}: {twice.message}"))
    errors = validate.errors_of(document, lio, devices=False)
    if not errors:
        return document
    unread, kept = references.unread(document), set[Place]()
    owners = parts.Owners(document)
    for error in errors:
        path, unit, key = owners.path(error.place), parts.unit_of(error.place), error.place[-1]
        secret = f"{path}/{str(key).removesuffix(references.SUFFIX)}"
        if secret in unread:
            # The reference stays, so that a running secret is not unset.
            kept.add(unit)
            if paths is None or secret in paths or path in paths:
                result.skipped.append(Skipped(secret, f"{path}: {key}: {error.message}, skipped"))
                result.left_out[secret] = error.message.rstrip(".")
        elif paths is None or path in paths:
            where = f"{path}: " if path else ""
            result.skipped.append(Skipped(path, f"{where}{error.with_key}, skipped"))
            if path and isinstance(unit[-1], int):
                result.left_out.setdefault(path, error.with_key)
    units = {parts.unit_of(error.place) for error in errors} - kept
    return parts.without(document, units)


def _exported(lio: Lio, wanted: Items) -> Items:
    """Return the running storage objects that a document exports and does not contain."""
    links = {link for item in wanted.values() for link in item.links}.difference(wanted)
    if not links:
        return {}
    running = listing.storage_objects(lio)
    return {place.path: Item(place) for place in running if place.path in links}


def _do_all(lio: Lio, result: Restored) -> None:
    """Run each operation unless its owner could not be created or it would change nothing."""
    operations = result.plan.operations
    missing: list[str] = []
    inverses: list[Operation] = []
    fresh = Fresh(lio)
    numbers = {id(operation): number for number, operation in enumerate(operations, 1)}

    def left_out(operation: Operation) -> bool:
        folder = _folder(operation)
        return fresh.has(operation) or any(is_below(folder, one) for one in missing)

    with closing(one_by_one(lio, operations, left_out)) as attempts:
        for operation, done in attempts:
            if isinstance(done, PyshellError):
                _note_failure(operation, done, result, missing, os.path.isdir)
            else:
                fresh.made(operation)
                inverses += [done] if done is not None else []
                if isinstance(operation, SetKnown) and operation.unknown:
                    _note_unknown(operation, result)
            lio.progress(numbers[id(operation)], len(operations))
    result.undo = inverses[::-1] + result.undo


def _note_unknown(operation: SetKnown, result: Restored) -> None:
    """Report a setting that the kernel does not have, unless the plan did already."""
    known = result.plan.lacking.get(_path(operation), ())
    if operation.file.rpartition("/")[2] not in known:
        result.notes.append(f"{operation.unknown}, ignored")


def _note_failure(
    operation: Operation,
    error: PyshellError,
    result: Restored,
    missing: list[str],
    exists: Callable[[str], bool],
) -> None:
    """Record a failure; if an object could not be created, add its folder to `missing`."""
    result.skipped.append(_skipped(operation, error))
    folder = _folder(operation)
    if folder and not isinstance(operation, Set) and not exists(folder):
        missing.append(folder)
        result.left_out[_path(operation)] = error.message.rstrip(".")


def _skipped(operation: Operation, error: PyshellError) -> Skipped:
    # The message of an error that has a step names it.
    what = operation.step() if error.step != operation.step() else ""
    text = f"{what}: {error.message}".removeprefix(": ").rstrip(".")
    hint = operation.hint(error.errno).rstrip(".") if error.errno else ""
    return Skipped(_path(operation), f"{text}, skipped" + (f" ({hint})" if hint else ""))


def _refused(path: str, reason: str) -> Skipped:
    return Skipped(path, f"{path}: {reason}, skipped")


def _path(operation: Operation) -> str:
    """Return the path in the tree of an operation's object, "" if it has none."""
    return str(getattr(getattr(operation, "place", None), "path", ""))


def _folder(operation: Operation) -> str:
    place = getattr(operation, "place", None) or getattr(operation, "tpg", None)
    return str(place.folder) if place is not None else ""


@dataclass(frozen=True)
class Awaited:
    """A storage object whose device, image file or handler is missing."""

    path: str
    plugin: str
    arguments: Mapping[str, Any]

    @property
    def device(self) -> str:
        """Return the device, file or handler that is missing."""
        return str(self.arguments.get("dev") or self.arguments.get("config") or self.path)

    def is_absent(self, lio: Lio) -> bool:
        """Return whether it is missing; an unsuitable or busy device is not."""
        if self.plugin == "user":
            handler = self.device.partition("/")[0]
            return handler not in {found.name for found in lio.machine.user_handlers()}
        try:
            preconditions.check(lio, Foreseen(lio), self.plugin, self.arguments)
        except NotFoundError:
            return True
        except PyshellError:
            return False
        return False


def awaited(lio: Lio, document: Document, paths: Collection[str]) -> list[Awaited]:
    """Return the storage objects of a document, among `paths`, whose device is missing."""
    found = [
        Awaited(path, item.place.plugin, item.facts)
        for path, item in items(document, lio.root, {}).items()
        if path in paths and isinstance(item.place, identifiers.StorageObject)
    ]
    return [one for one in found if one.is_absent(lio)]


def wait_for_any(
    lio: Lio, absent: Sequence[Awaited], arrivals: DeviceEvents, deadline: float
) -> bool:
    """Wait until one of `absent` appears; return False if none did by `deadline` (monotonic)."""
    while all(one.is_absent(lio) for one in absent):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        arrivals.pause(left)
    return True
