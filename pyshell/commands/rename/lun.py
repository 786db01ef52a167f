# SPDX-License-Identifier: Apache-2.0
"""`rename` of a LUN."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pyshell.commands.rename import dropped_through, renamed
from pyshell.config import renaming
from pyshell.tree.command import LUN, command
from pyshell.tree.luns import LunNode
from pyshell.tree.results import Result


@command(
    changes=True, examples=("/iscsi/iqn.2020-07.192.168.56.101:server/tpg1/luns/lun0 rename 5",)
)
def rename(node: LunNode, lun: Annotated[int, LUN, "The new number, such as 3 or lun3."]) -> Result:
    """Give the LUN another number. Mapped LUNs keep theirs.

    Its ALUA group and mappings are kept. The kernel cannot change the number: the LUN is recreated
    with its mapped LUNs. Logged-in initiators lose the disk meanwhile. If an initiator sees it
    as LUN 0, the TPG is disabled for that time, and all its sessions end: initiators log in again
    and repeat their commands.

    Registrations for persistent reservations are dropped: they name the LUN.
    """
    place = node.place
    return renamed(
        node,
        place,
        replace(place, index=lun),
        lun,
        lambda: renaming.renumber_lun(node.lio, place, lun),
        dropped_through(node.lio, [place]),
    )
