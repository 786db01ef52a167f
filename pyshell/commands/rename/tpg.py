# SPDX-License-Identifier: Apache-2.0
"""`rename` of a TPG."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pyshell import names
from pyshell.commands.rename import dropped_through, renamed
from pyshell.config import renaming
from pyshell.lio import listing
from pyshell.tree.command import TAG, command
from pyshell.tree.results import Result
from pyshell.tree.tpg import TpgNode


@command(changes=True, examples=("/iscsi/iqn.2020-07.192.168.56.101:server/tpg1 rename 2",))
def rename(node: TpgNode, tag: Annotated[int, TAG, "The new tag."]) -> Result:
    """Give the TPG another tag.

    LUNs, ACLs, mappings, CHAP secrets, portals and settings are kept. The kernel cannot change a
    tag: the TPG is recreated, and its sessions end. The storage objects are not touched.

    Registrations for persistent reservations are dropped: they name the TPG.
    """
    place = node.place
    names.tpg_tag(tag, place.target.fabric.tags)
    return renamed(
        node,
        place,
        replace(place, tag=tag),
        tag,
        lambda: renaming.rename_tpg(node.lio, place, tag),
        dropped_through(node.lio, listing.luns(place)),
    )
