# SPDX-License-Identifier: Apache-2.0
"""The command `clear_reservation` of a storage object."""

from __future__ import annotations

from typing import Annotated

from pyshell.errors import ConflictError, NotFoundError, UsageError
from pyshell.lio.operations import reservations
from pyshell.lio.operations.reservations import SPC2, Reservations
from pyshell.text import counted
from pyshell.tree.command import command
from pyshell.tree.results import Change, Result
from pyshell.tree.storage_object import StorageObjectNode


@command(
    changes=True,
    examples=(
        "/backstores/block/lee_block clear_reservation",
        "/backstores/block/lee_block clear_reservation registrations=true",
    ),
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

    A logged-in initiator whose LUN is created again may get I/O errors meanwhile. First make sure
    that the holder no longer writes to the disk: the reservation may be what prevents damage.
    'undo' cannot restore a reservation.
    """
    found = reservations.read(node.lio, node.place)
    if found is None:
        raise UsageError(f"The kernel does not manage reservations of {node.place}.")
    if found.type == SPC2:
        raise ConflictError(
            f"{node.place} is reserved by {found.names_text} with RESERVE (SPC-2).",
            "Such a reservation ends with the session of its holder, or if it resets the LUN.",
        )
    if not found.registrations or not (registrations or found.holder):
        raise NotFoundError(
            f"No initiator holds a reservation of {node.place}.",
            "registrations=true removes the registrations." if found.registrations else "",
        )
    told = _told(node, found, every=registrations)
    operations = reservations.clear(node.lio, node.place, found, told, every=registrations)
    operations[-1].said = [f"Cleared {told}."]
    return Change(operations, undoable=False, named=None)


def _told(node: StorageObjectNode, found: Reservations, *, every: bool) -> str:
    """Return what is cleared."""
    disk = f"{node.place.plugin}/{node.place.name}"
    parts = []
    if found.holder is not None:
        parts.append(f"the reservation of {disk} held by {found.names_text}")
    if every:
        parts.append(f"{counted(len(found.registrations), 'registration')} on {disk}")
    return " and ".join(parts)
