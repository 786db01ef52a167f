# SPDX-License-Identifier: Apache-2.0
"""The node ACLs of a TPG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

from pyshell.errors import UsageError
from pyshell.lio import listing
from pyshell.lio.configfs import has_folders, text_or_none
from pyshell.lio.identifiers import MappedLun, NodeAcl, Tpg
from pyshell.lio.operations import mapping, removal
from pyshell.lio.operations.base import Operation, missing
from pyshell.lio.operations.mapping import CreateNodeAcl, MapLun
from pyshell.lio.operations.setters import Set
from pyshell.tree.command import ACL_TAG, CHILD, INITIATOR, command
from pyshell.tree.exports import Exports
from pyshell.tree.node import Node
from pyshell.tree.node_acl import NodeAclNode
from pyshell.tree.results import Change, Result


class AclsNode(Node):
    """The folder of the node ACLs; those with one tag are shown as one node of that name."""

    def __init__(self, place: Tpg, parent: Node, exports: Exports) -> None:
        super().__init__("acls", parent)
        self.place = place
        self._exports = exports

    def make_children(self) -> Sequence[Node]:
        """Make the ACLs."""
        named = self._by_name()
        return [self._node(name, named[name]) for name in sorted(named, key=listing.natural)]

    def find(self, name: str) -> Node | None:
        """Return one ACL, by its WWN in any spelling, tagged or not, or all of a tag."""
        place = self._existing(name)
        if place is not None:
            return self._node(place.wwn, [place])
        tagged = [acl for acl in listing.node_acls(self.place) if self._tag(acl) == name]
        return self._node(name, tagged) if tagged else None

    def _node(self, name: str, acls: Sequence[NodeAcl]) -> NodeAclNode:
        return NodeAclNode(name, acls, self, self._exports)

    def is_empty(self) -> bool:
        """Tell whether there are no ACLs."""
        return not has_folders(f"{self.place.folder}/acls")

    def summary(self) -> tuple[str, bool | None]:
        """Count the ACLs."""
        return f"ACLs: {len(self.drawn_children())}", None

    def _by_name(self) -> dict[str, list[NodeAcl]]:
        found: dict[str, list[NodeAcl]] = {}
        for acl in listing.node_acls(self.place):
            found.setdefault(self._tag(acl) or acl.wwn, []).append(acl)
        return found

    def _tag(self, acl: NodeAcl) -> str:
        return text_or_none(self.lio.kernel, f"{acl.folder}/tag") or ""

    def _existing(self, name: str) -> NodeAcl | None:
        spellings = [name]
        try:
            spellings.append(self.place.target.fabric.normalise(name).wwn)
        except UsageError:
            if "/" in name or name in (".", ".."):
                return None
        for spelling in spellings:
            place = NodeAcl(self.place, spelling)
            if listing.existing(place):
                return place
        return None

    @command(
        changes=True,
        examples=(
            "/iscsi/iqn.2020-07.192.168.56.101:server/tpg1/acls"
            " create wwn=iqn.2020-07.192.168.56.105:client",
        ),
    )
    def ui_command_create(
        self,
        wwn: Annotated[str, INITIATOR, "Name of the initiator."],
        add_mapped_luns: Annotated[
            bool | None, "Map all LUNs of the TPG. Default: the preference auto_add_mapped_luns."
        ] = None,
    ) -> Result:
        """Allow an initiator to log in.

        LIO identifies initiators by name; it cannot restrict them by IP address. Listen only on an
        address of the storage network (see the portals), or block others in the firewall:

        nft add rule inet filter input tcp dport 3260 ip saddr != 192.0.2.0/24 drop
        """
        found = self.place.target.fabric.normalise(wwn)
        if found.changed:
            self.context.note(f"The name was changed to {found.wwn}.")
        place = NodeAcl(self.place, found.wwn)
        made: list[Operation] = [CreateNodeAcl(place, said=[f"Created Node ACL for {place.wwn}"])]
        add = add_mapped_luns
        if add if add is not None else self.context.preference("auto_add_mapped_luns"):
            made += [
                MapLun(MappedLun(place, lun.index), lun, said=[f"Created mapped LUN {lun.index}."])
                for lun in listing.luns(self.place)
                if not listing.half_made(lun)
            ]
        return Change(made, place.path)

    @command(changes=True)
    def ui_command_delete(
        self, wwn: Annotated[str, CHILD, "Name of the initiator, or a tag."]
    ) -> Result:
        """Delete a node ACL, or all ACLs of a tag, and terminate their sessions."""
        operations: list[Operation] = []
        meant = self._meant(wwn)
        for place in meant:
            operations += removal.of_node_acl(place)
            operations[-1].said = [f"Deleted Node ACL {place.wwn}."]
        return Change(operations, named=[place.path for place in meant])

    def _meant(self, name: str) -> list[NodeAcl]:
        """Return the ACL of a WWN, or those of a tag. Raises NotFoundError."""
        place = self._existing(name)
        if place is not None:
            return [place]
        tagged = [acl for acl in listing.node_acls(self.place) if self._tag(acl) == name]
        if not tagged:
            raise missing(
                f"No such node ACL: {name}.",
                NodeAcl(self.place, name),
                self.nearest(name, f"Run 'ls {self.path}' to list them."),
            )
        return tagged

    @command(
        changes=True,
        examples=(
            "/iscsi/iqn.2020-07.192.168.56.101:server/tpg1/acls"
            " tag iqn.2020-07.192.168.56.105:client cluster",
        ),
    )
    def ui_command_tag(
        self,
        wwn_or_tag: Annotated[str, CHILD, "An initiator, or the tag to change."],
        new_tag: Annotated[str, ACL_TAG, "The new tag."],
    ) -> Result:
        """Give initiators a common tag. Settings of the tag apply to all of them.

        If other initiators have this tag, the new ones get their mapped LUNs, CHAP secrets and
        attributes.
        """
        meant = self._meant(wwn_or_tag)
        self._require_tags(meant[0])
        others = [
            acl
            for acl in listing.node_acls(self.place)
            if self._tag(acl) == new_tag and acl not in meant
        ]
        operations: list[Operation] = []
        for place in meant:
            operations.append(Set(place, "tag", new_tag))
            if others:
                operations += mapping.likened(self.lio, place, others[0])
        return Change(operations)

    @command(changes=True)
    def ui_command_untag(
        self, wwn_or_tag: Annotated[str, CHILD, "A tag, or one of its initiators."]
    ) -> Result:
        """Remove a tag. The initiators keep their settings."""
        meant = self._meant(wwn_or_tag)
        self._require_tags(meant[0])
        return Change([Set(place, "tag", "") for place in meant])

    def _require_tags(self, place: NodeAcl) -> None:
        if not os.path.exists(f"{place.folder}/tag"):
            name = self.place.target.fabric_name
            raise UsageError(f"The node ACLs of fabric {name} have no tags.")
