# SPDX-License-Identifier: Apache-2.0
"""`apply` and `rollback`: change the running configuration to another one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pyshell import names
from pyshell.commands import change_text, cluster_control
from pyshell.commands.diff import (
    RUNNING,
    SAVED,
    file_named,
    read_document,
)
from pyshell.config import parts, references, restoration, store, validate
from pyshell.config.document import Document, located, target_path
from pyshell.config.model import Item, Items, items
from pyshell.config.plan import Plan, plan
from pyshell.config.positions import Positions, json_path, placed
from pyshell.config.running import read_running
from pyshell.config.store import clustered, revisions
from pyshell.errors import ConflictError, NotFoundError, PyshellError
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.configfs import is_below_any
from pyshell.lio.identifiers import StorageObject, Target
from pyshell.lio.operations.base import check
from pyshell.lio.operations.storage import (
    CreateStorageObject,
    DeleteStorageObject,
)
from pyshell.quoting import line
from pyshell.tree.command import (
    CONFIGURATION,
    DEADLINE,
    DEADLINE_HELP,
    REVISION,
    TARGET,
    command,
)
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Result, Reversal

if TYPE_CHECKING:
    _Read = tuple[Document | None, str]
    """A document and its text; no document for the running configuration."""


_GONE = ""
"""The path of a device that is gone, which equals no other path."""


@command(
    changes=True,
    examples=(
        "apply /etc/target/saveconfig.json",
        "apply /root/disks.json prune=true",
        "apply /root/disks.json confirm=5min",
    ),
)
def apply(
    node: Node,
    file: Annotated[str, CONFIGURATION, "A saved configuration, complete or partial."],
    *,
    prune: Annotated[
        bool,
        "Also delete objects that the file lacks; with target=, only those of that target.",
    ] = False,
    target: Annotated[
        str | None, TARGET, "Apply only the target with this WWN, and its storage objects."
    ] = None,
    keep_omitted: Annotated[
        bool | None,
        "Keep running CHAP settings, and vendor, product, revision and company id of disks, if the"
        " file omits them. Default: true, or false with prune=true.",
    ] = None,
    confirm: Annotated[int | None, DEADLINE, DEADLINE_HELP] = None,
) -> Result:
    """Apply a saved configuration to the running target.

    Makes the fewest changes needed so that the running configuration has what the file describes.
    Unchanged objects are not touched, and their sessions continue. All changes are made, or none.

    Each change is online, disrupting or replacing. A disrupting change ends the sessions of the
    named initiators, or takes a disk from them. A replacing change deletes and recreates the
    object; a recreated ramdisk loses its data. If only the serial number changes, only the LUNs and
    mappings are recreated. A TPG is disabled while LUN 0 of a session is recreated: its sessions
    end, and initiators log in again. --dry-run only shows the changes.

    A file can refer to separate files with its secrets: "chap_password_file":
    "/etc/target/secrets/x" instead of chap_password.

    A target under cluster control is created or changed from its own document only, which is in
    /etc/target/cluster.

    With -o json, `changed` is true if anything was changed, or would be. FILE can be /dev/stdin.
    """
    document, text = read_document(node, file, trusted=True) if file != RUNNING else (None, "")
    read = document, text
    left: list[str] | None = None
    try:
        if document is not None:
            document = references.resolved(document)
            read = document, text
            document, left = _left_to_cluster(node, document, file, target)
        keep = not prune if keep_omitted is None else keep_omitted
        running = read_running(node.lio)
        found = _plan(node, running, document, prune, target, keep=keep, left=left)
        check(node.lio, found.operations)
    except PyshellError as error:
        raise (_all_faults(node, error, read, file, target) or error) from error
    deleted = [o.place for o in found.operations if isinstance(o, DeleteStorageObject)]
    errors = _all_faults(node, None, read, file, target, deleted)
    if errors is not None:
        raise errors
    titles = (f"Applied {file}", f"Would apply {file}")
    change = brought(node, found, titles, "apply", running)
    change.confirm = confirm
    return change


def _plan(
    node: Node,
    running: Document,
    document: Document | None,
    prune: bool,
    target: str | None,
    *,
    keep: bool,
    left: Sequence[str] | None,
) -> Plan:
    existing = running_items(node, running)
    document = running if document is None else document
    if target is None:
        wanted = items(document, node.lio.root)
        if prune:
            existing = cluster_control.beside(node.context, existing, wanted, left)
    else:
        document = parts.of_target(document, target)
        if not document.get("targets"):
            raise NotFoundError(f"The file holds no target {target}.", unchanged=True)
        wanted = items(document, node.lio.root)
        roots = [path for path, item in existing.items() if _is_target(item, target)]
        existing = {
            path: item
            for path, item in existing.items()
            if path in wanted or is_below_any(path, roots)
        }
    return plan(node.lio, existing, wanted, prune=prune, keep=keep)


def _left_to_cluster(
    node: Node, document: Document, file: str, target: str | None
) -> tuple[Document, list[str]]:
    """Return a document without targets that other files define for a cluster, and their paths.

    Raises ConflictError if `target` is one of them.
    """
    if target is not None:
        document = parts.of_target(document, target)
    own, left = cluster_control.to_restore(node.context, document, file_named(node, file))
    if document.get("targets") and target is not None and not own.get("targets"):
        raise cluster_control.refused(node.context, left[0])
    return own, left


def _is_target(item: Item, wwn: str) -> bool:
    place = item.place
    return isinstance(place, Target) and place.is_named(wwn)


def running_items(node: Node, running: Document) -> Items:
    """Return the items of the running configuration.

    Objects whose lost device is back count as different.
    """
    found = items(running, node.lio.root)
    for place in listing.storage_objects(node.lio, "block"):
        if place.path in found and storage_info.is_back(
            node.lio, place, storage_info.describe(node.lio, place)
        ):
            item = found[place.path]
            found[place.path] = replace(item, facts={**item.facts, "dev": _GONE})
    return found


def _all_faults(
    node: Node,
    error: PyshellError | None,
    read: _Read,
    file: str,
    target: str | None,
    deleted: Sequence[StorageObject] = (),
) -> PyshellError | None:
    """Return all errors of the file, or of one target in it, else the error that occurred.

    Storage objects that the plan has `deleted` by then use no devices.
    """
    document, text = read
    if document is None:
        return error
    errors = validate.errors_of(document, node.lio, deleted=deleted)
    owners = parts.Owners(document)
    if target is not None:
        inside = {"", *(one.path for one in located(parts.of_target(document, target)))}
        errors = [one for one in errors if owners.path(one.place) in inside]
    else:
        ours, own = clustered.read(node.lio.config_dir), file_named(node, file)
        _, left = (ours if own is None else ours.outside(own, document)).without(document)
        errors = [one for one in errors if not is_below_any(owners.path(one.place), left)]
    errors += validate.keys_there_twice(text)
    if not errors:
        return error
    path = store.default_file(node.lio) if file == SAVED else Path(os.path.expanduser(file))
    if text:
        found = placed(Positions(text), errors)
        told = [(f"{path}:{one.line}:{one.column}", str(one)) for one in found]
    else:
        told = [(str(path), f"{json_path(one.place)}: {one.message}") for one in errors]
    rest = _rest_of(node, error, document, path, target)
    if len(told) == 1:
        where, message = told[0]
        if error is not None:
            error.hint, error.unchanged = f"The error is at {where}.{rest}", True
            return error
        return PyshellError(f"{where}: {message}", unchanged=True)
    failed = PyshellError(f"{path} has {len(told)} errors:", rest.lstrip(), unchanged=True)
    failed.faults = [f"{where}: {message}" for where, message in told]
    return failed


def _rest_of(
    node: Node, error: PyshellError | None, document: Document, path: Path, target: str | None
) -> str:
    """Return a hint on how to restore the rest if a device or image file is missing, else ""."""
    devices = [one.get("dev") for one in document.get("storage_objects", [])]
    if not isinstance(error, NotFoundError) or error.path not in devices or not path.is_file():
        return ""
    if target is not None:
        document = parts.of_target(document, target)
    cluster = clustered.read(node.lio.config_dir).targets
    if any(target_path(one) in cluster for one in document.get("targets", [])):
        return ""  # the cluster starts all of it or nothing
    if target is not None:
        try:
            restoration.refuse_clashes(node.lio, document)
        except ConflictError:
            return ""
    # Of the boot file, missing_only omits what was deleted since.
    others = None if target is not None or path == store.default_file(node.lio) else True
    restore = line("restoreconfig", str(path), target=target, missing_only=others)
    return f" '{restore}' restores the rest."


@command(changes=True, examples=("rollback 3", "rollback saved", "rollback 3 confirm=90s"))
def rollback(
    node: Node,
    revision: Annotated[str, REVISION, "A number, 'saved', or the name of a backup."],
    *,
    confirm: Annotated[int | None, DEADLINE, DEADLINE_HELP] = None,
) -> Result:
    """Change the running configuration to that of a revision.

    Objects that the revision lacks are removed; unchanged objects are not touched. Targets under
    cluster control are left alone. The saved file is kept: use saveconfig to save the result.
    """
    if revision == SAVED and not store.default_file(node.lio).exists():
        raise NotFoundError(
            f"No such file: {store.default_file(node.lio)}.", "saveconfig writes it."
        )
    document = revisions.read_revision(node.lio.config_dir, revision, trusted=True)
    document, left = cluster_control.to_restore(node.context, document)
    wanted = items(document, node.lio.root)
    running = read_running(node.lio)
    existing = cluster_control.beside(node.context, running_items(node, running), wanted, left)
    found = plan(node.lio, existing, wanted, prune=True)
    name = "the saved configuration" if revision == SAVED else f"revision {revision}"
    titles = (f"Rolled back to {name}", f"Would roll back to {name}")
    change = brought(node, found, titles, "rollback", running)
    change.confirm = confirm
    return change


def brought(
    node: Node,
    found: Plan,
    titles: tuple[str, str],
    way: str,
    running: Document | None = None,
    *,
    reversal: Reversal | None = None,
    then: Callable[[], None] | None = None,
) -> Change:
    """Return the change that carries out a plan; `then` is called afterwards.

    `titles` say that it was done, and that it would be. If pyshell is killed meanwhile, `undo`
    returns to the `running` configuration, if that is given.
    """
    objects = change_text.touched(node.lio, found)
    smaller = "; ".join(_smaller(node.lio, found))
    foretold = change_text.summary(found, objects, titles[1], would=True)

    def after() -> list[str]:
        if then is not None:
            then()
        found.note_lacking()
        return [*(one.line for one in objects), change_text.summary(found, objects, titles[0])]

    return Change(
        found.operations,
        after=after,
        would=[*(one.would for one in objects), foretold],
        data=change_text.data(found, objects),
        way=way,
        running_before=None if running is None else lambda: running,
        reversal=reversal,
        named=(),
        note=f"{smaller}: its file systems may be truncated." if smaller else "",
    )


def _smaller(lio: Lio, found: Plan) -> Iterator[str]:
    """Yield the storage objects that are recreated on a smaller device, with both sizes."""
    replaced = set(found.replaced)
    for operation in found.operations:
        if not isinstance(operation, CreateStorageObject) or operation.place.path not in replaced:
            continue
        place = listing.storage_object(lio, operation.place.plugin, operation.place.name)
        device = lio.machine.block_device(str(operation.arguments.get("dev", "")))
        size = storage_info.describe(lio, place).size if place is not None else None
        if device is not None and size is not None and device.size < size:
            yield (
                f"{device.path} ({names.size_text(device.size)}) is smaller than the"
                f" {names.size_text(size)} of {place} now"
            )
