# SPDX-License-Identifier: Apache-2.0
"""Commands of storage objects: `delete`, `saveconfig` and `clear_reservation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pyshell.commands.save import file_of, save_storage_object
from pyshell.errors import ConflictError, NotFoundError, UsageError
from pyshell.lio import listing
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations import reservations
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import DeleteLun, UnmapLun
from pyshell.lio.operations.reservations import SPC2, Renewal, Reservations
from pyshell.lio.operations.storage import remove_storage_object
from pyshell.text import counted
from pyshell.tree.backstores import BackstoreNode
from pyshell.tree.command import CHILD, FILE, command
from pyshell.tree.results import Change, Lines, Result, Sequential, Work
from pyshell.tree.storage_object import StorageObjectNode


@command(changes=True, examples=(". delete disk1",))
def delete(
    node: BackstoreNode,
    name: Annotated[str, CHILD, "Name of the storage object."],
    save: Annotated[bool, "Also remove it from the saved configuration."] = False,
) -> Result:
    """Delete a storage object and its LUNs.

    A device or file is kept; the data of a ramdisk is lost.
    """
    try:
        place = listing.require_storage_object(node.lio, node.plugin, name)
    except NotFoundError as error:
        error.hint = node.nearest(name, error.hint)
        raise
    operations = remove_storage_object(node.lio, place)
    operations[-1].said = [*operations[-1].said, f"Deleted storage object {name}."]
    if not node.context.compat:
        _tell_of_luns(node, operations)
    change = Change(operations, named=[place.path])
    return _saved_too(node, place, change) if save else change


def _saved_too(node: BackstoreNode, place: StorageObject, change: Change) -> Result:
    def save() -> Work:
        path = file_of(node.lio, None)
        return save_storage_object(node.context, path, place.plugin, place.name)

    save()  # raises if the file cannot be read or replaced, before anything is deleted
    told = "It would also be removed from the saved configuration"
    revisions: list[int] = []

    def run() -> Lines:
        work = save()
        lines = work.run().lines[:-1]
        revisions.extend(work.revisions)
        return Lines(lines)

    return Sequential([change, Work([told], run, revisions=revisions)])


def _tell_of_luns(node: BackstoreNode, operations: Sequence[Operation]) -> None:
    """Note the LUNs that are deleted along with a storage object, and who sees them."""
    mapped = [o.place for o in operations if isinstance(o, UnmapLun)]
    for lun in [o.place for o in operations if isinstance(o, DeleteLun)]:
        seen = [m.acl.wwn for m in mapped if m.acl.tpg == lun.tpg and listing.lun_of(m) == lun]
        by = f", mapped for {', '.join(seen)}" if seen else ""
        node.context.note(f"It is exported: {lun.path} is deleted with it{by}.")


@command(changes=True, in_candidate="refused")
def saveconfig(
    node: StorageObjectNode,
    savefile: Annotated[str | None, FILE, "File to write. Default: the boot file."] = None,
) -> Result:
    """Save this storage object and the targets that export it.

    The rest of the file is kept.
    """
    path = file_of(node.lio, savefile)
    return save_storage_object(node.context, path, node.place.plugin, node.place.name)


@command(
    changes=True,
    examples=(
        "/backstores/block/lee_block clear_reservation",
        "/backstores/block/lee_block clear_reservation registrations=true",
    ),
    in_candidate="refused",
)
def clear_reservation(
    node: StorageObjectNode,
    *,
    registrations: Annotated[
        bool, "Remove the registrations of all initiators, not only the holder's."
    ] = False,
) -> Result:
    """Clear a persistent reservation whose holder is gone.

    It deletes the holder's mapped LUN and creates it again: the kernel then releases the
    reservation and drops the holder's registration, as PREEMPT does. Other initiators keep their
    registrations and can reserve the disk. With registrations=true, this is done for all registered
    initiators, which has the effect of CLEAR. For a holder without an ACL (demo mode), the LUN is
    created again: all its initiators lose their registrations.

    A logged-in initiator whose LUN is created again may get I/O errors meanwhile. If it is its LUN
    0, the TPG is disabled for that time: all its sessions end, and initiators log in again.

    First make sure that the holder no longer writes to the disk: the reservation may be what
    prevents damage. 'undo' cannot restore a reservation.
    """
    found = reservations.read(node.lio, node.place)
    if found is None:
        raise UsageError(f"The kernel does not manage reservations of {node.place}.")
    if found.type == SPC2:
        raise ConflictError(
            f"{node.place} is reserved by {found.names_text} with RESERVE (SPC-2).",
            "Such a reservation ends with the session of its holder, or if it resets the LUN.",
        )
    if found.holder is None and not (registrations and found.registrations):
        raise NotFoundError(
            f"No initiator holds a reservation of {node.place}.",
            "registrations=true removes the registrations." if found.registrations else "",
        )
    renewal = reservations.renewal(node.lio, node.place, found, every=registrations)
    told = _told(node, found, renewal, every=registrations)
    operations = renewal.operations(node.lio, node.place, told, every=registrations)
    operations[-1].said = [f"Cleared {told}."]
    return Change(operations, named=None)


def _told(node: StorageObjectNode, found: Reservations, renewal: Renewal, *, every: bool) -> str:
    """Return what is cleared."""
    disk = f"{node.place.plugin}/{node.place.name}"
    parts = []
    if found.holder is not None:
        parts.append(f"the reservation of {disk} held by {found.names_text}")
    if every:
        parts.append(f"{counted(len(found.registrations), 'registration')} on {disk}")
    elif renewal.luns:
        paths = ", ".join(lun.path for lun in renewal.luns)
        parts.append(f"all registrations through {paths}")
    return " and ".join(parts)
