# SPDX-License-Identifier: Apache-2.0
"""`rename` of storage objects, targets, TPGs, node ACLs, LUNs and mapped LUNs.

It is a command of the object itself, one module for each kind: the path names the old object, and
the one argument is read and completed as the name of a new object of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pyshell.commands import cluster_control
from pyshell.lio import Lio, listing
from pyshell.lio.identifiers import Identifier, Lun, StorageObject, Target
from pyshell.lio.operations import reservations
from pyshell.lio.operations.base import Foreseen, Operation, must_be_free
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Lines, Result

if TYPE_CHECKING:
    from pyshell.config.document import Document

_DROPPED = (
    "Registrations for persistent reservations through it are dropped: their initiators must"
    " register again."
)


def renamed(
    node: Node,
    old: Identifier,
    new: Identifier,
    name: str | int,
    plan: Callable[[], Sequence[Operation]],
    notes: Sequence[str] = (),
) -> Result:
    """Return the change that renames an object; `plan` returns its operations.

    Raises ExistsError if the new name is used, ConflictError if the object is a cluster's.
    """
    if new == old:
        return Lines([f"This is already the name of {old}."], form="sentences")
    must_be_free(Foreseen(node.lio), new)
    cluster_control.refuse_change(node.context, [old.path, *_exporting(node.lio, old)])
    folder, _, old_name = node.path.rpartition("/")
    new_path = f"{folder}/{new.path.rpartition('/')[2]}"
    # A node of ACLs is named by their tag, if they have one.
    moved = (node.path, new_path) if old.path.endswith(f"/{old_name}") else None
    said = f"Renamed {old} to {name}: it was recreated."
    note = " ".join(notes)

    def before() -> Document:
        from pyshell.config.running import read_running  # not for a dry run

        return read_running(node.lio)

    return Change(
        [*plan()],
        after=lambda: [said],
        running_before=before,
        note=note,
        named=None,
        moved=moved,
    )


def _exporting(lio: Lio, place: Identifier) -> list[str]:
    """Return the paths of the LUNs that export a storage object."""
    if not isinstance(place, StorageObject):
        return []
    return [lun.path for lun in listing.luns_of(lio, place)]


def dropped_through(lio: Lio, luns: Iterable[Lun], initiator: str = "") -> list[str]:
    """Return a note if initiators, or that one, registered with what LUNs export.

    The kernel drops such a registration with the LUN, the mapped LUN or the ACL.
    """
    for place in {found for lun in luns if (found := listing.storage_object_of(lun))}:
        reserved = reservations.read(lio, place)
        for one in reserved.registrations if reserved is not None else ():
            if one.initiator.lower() == initiator or not initiator:
                return [_DROPPED]
    return []


def luns_of_target(place: Target) -> list[Lun]:
    """Return the LUNs of all TPGs of a target."""
    return [lun for tpg in listing.tpgs(place) for lun in listing.luns(tpg)]
