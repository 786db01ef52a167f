# SPDX-License-Identifier: Apache-2.0
"""`rename` of a mapped LUN."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pyshell.commands.rename import dropped_through, renamed
from pyshell.config import renaming
from pyshell.lio import listing
from pyshell.lio.operations.base import Foreseen, must_be_free
from pyshell.lio.operations.reservations import kernel_name
from pyshell.tree.acls import MappedLunNode
from pyshell.tree.command import LUN, command
from pyshell.tree.results import Result


@command(
    changes=True,
    examples=(
        "/iscsi/iqn.2020-07.192.168.56.101:server/tpg1/acls/iqn.2020-07.192.168.56.105:client"
        "/mapped_lun0 rename 5",
    ),
)
def rename(
    node: MappedLunNode,
    lun: Annotated[int, LUN, "The new number under which the initiator sees the LUN."],
) -> Result:
    """Show the LUN to the initiator under another number.

    Its write protection is kept. The kernel cannot change the number: the mapped LUN is recreated.
    A logged-in initiator loses the disk until it rescans. If the number was 0, remove the disk
    there first: reads of it return zeros until then (see 'help luns').

    The initiator's registration for persistent reservations is dropped.
    """
    place = node.place
    new = replace(place, index=lun)
    if new != place:
        for one in node.same[1:]:
            must_be_free(Foreseen(node.lio), replace(one, index=lun))
    luns = [found for one in node.same if (found := listing.lun_of(one))]
    notes = [
        note for one in node.same for note in dropped_through(node.lio, luns, kernel_name(one.acl))
    ]
    return renamed(
        node,
        place,
        new,
        lun,
        lambda: renaming.renumber_mapped_luns(node.lio, node.same, lun),
        notes[:1],
    )
