# SPDX-License-Identifier: Apache-2.0
"""`rename` of a node ACL."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pyshell.commands.rename import dropped_through, renamed
from pyshell.config import renaming
from pyshell.errors import UsageError
from pyshell.lio import listing
from pyshell.lio.operations.reservations import kernel_name
from pyshell.tree.acls import NodeAclNode
from pyshell.tree.command import INITIATOR, command
from pyshell.tree.results import Result


@command(
    changes=True,
    examples=(
        "/iscsi/iqn.2020-07.192.168.56.101:server/tpg1/acls/iqn.2020-07.192.168.56.105:client"
        " rename iqn.2020-07.192.168.56.105:new",
    ),
)
def rename(
    node: NodeAclNode, wwn: Annotated[str, INITIATOR, "The initiator's new name."]
) -> Result:
    """Give the node ACL to another name, as of a reinstalled host.

    Mapped LUNs, CHAP secrets, tag and settings are kept. The kernel cannot rename it: it is
    recreated, and the session of the old name ends.

    Registrations for persistent reservations are dropped: they name the initiator.
    """
    if len(node.places) > 1:
        raise UsageError(
            f"{node.name} is the tag of {len(node.places)} node ACLs.",
            "Give the path of one, with the name of its initiator.",
        )
    place = node.place
    name = node.accepted(place.tpg.target.fabric.normalise(wwn))
    luns = [found for one in listing.mapped_luns(place) if (found := listing.lun_of(one))]
    return renamed(
        node,
        place,
        replace(place, wwn=name),
        name,
        lambda: renaming.rename_node_acl(node.lio, place, name),
        dropped_through(node.lio, luns, kernel_name(place)),
    )
