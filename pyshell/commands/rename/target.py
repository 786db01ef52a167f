# SPDX-License-Identifier: Apache-2.0
"""`rename` of a target."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pyshell.commands.rename import dropped_through, luns_of_target, renamed
from pyshell.config import renaming
from pyshell.lio.operations.base import exists
from pyshell.tree.command import WWN, command
from pyshell.tree.fabric import FabricNode, MergedTargetNode, TargetNode
from pyshell.tree.results import Result


@command(
    changes=True,
    examples=("/iscsi/iqn.2020-07.192.168.56.101:server rename iqn.2020-07.192.168.56.101:new",),
)
def rename(
    node: TargetNode | MergedTargetNode, wwn: Annotated[str, WWN, "The new name."]
) -> Result:
    """Rename the target. Initiators must log in to the new name.

    TPGs, LUNs, ACLs, mappings, CHAP secrets, portals and settings are kept. The kernel cannot
    rename it: it is recreated, and its sessions end. The storage objects are not touched.

    Registrations for persistent reservations are dropped: they name the target.
    """
    place = node.place if isinstance(node, TargetNode) else node.place.target
    fabric = node.parent
    assert isinstance(fabric, FabricNode)
    name = fabric.new_wwn(wwn)
    other = fabric.existing(wwn)
    if other is not None and other != place:
        raise exists(f"Target {other.wwn} already exists", other)
    return renamed(
        node,
        place,
        replace(place, wwn=name),
        name,
        lambda: renaming.rename_target(node.lio, place, name),
        dropped_through(node.lio, luns_of_target(place)),
    )
