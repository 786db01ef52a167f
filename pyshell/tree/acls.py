# SPDX-License-Identifier: Apache-2.0
"""The node ACLs of a TPG."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, ClassVar

from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import Lio, listing, operations, settings
from pyshell.lio.configfs import has_folders, is_on, text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, Tpg
from pyshell.tree.command import ACL_TAG, CHILD, INITIATOR, LUN, STORAGE_OBJECT, command, lun_number
from pyshell.tree.groups import SettingsGroup, access_groups, mapped_lun_group, queue_group
from pyshell.tree.luns import Exported, lun_for, must_protect
from pyshell.tree.node import Node, ObjectNode, numbered, running_facts, shown_facts
from pyshell.tree.results import Change, Lines, Result

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation


class AclsNode(ObjectNode[Tpg]):
    """The folder of the node ACLs; those with one tag are shown as one node of that name."""

    counted = "ACLs"

    def __init__(self, place: Tpg, parent: Node, exported: Exported) -> None:
        super().__init__(place, parent, "acls")
        self._exported = exported

    def make_children(self) -> Sequence[Node]:
        named: dict[str, list[NodeAcl]] = {}
        for acl in listing.node_acls(self.place):
            named.setdefault(self._tag(acl) or acl.wwn, []).append(acl)
        return [self._node(name, named[name]) for name in sorted(named, key=listing.natural)]

    def find(self, name: str) -> Node | None:
        """Find an ACL by its WWN in any spelling, or all ACLs with a tag."""
        found = self._called(name)
        if not found:
            return None
        by_wwn = found[0].wwn in self.place.target.fabric.spellings(name)
        return self._node(found[0].wwn if by_wwn else name, found)

    def _node(self, name: str, acls: Sequence[NodeAcl]) -> NodeAclNode:
        return NodeAclNode(name, acls, self, self._exported)

    def is_empty(self) -> bool:
        return not has_folders(f"{self.place.folder}/acls")

    def _tag(self, acl: NodeAcl) -> str:
        return text_or_none(self.lio.kernel, f"{acl.folder}/tag") or ""

    def _called(self, name: str) -> list[NodeAcl]:
        """Return the ACL of a WWN in any spelling, else those of a tag."""
        named = [NodeAcl(self.place, one) for one in self.place.target.fabric.spellings(name)]
        existing = [*filter(listing.existing, named)]
        return existing[:1] or [a for a in listing.node_acls(self.place) if self._tag(a) == name]

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
        address of the storage network ('help portals'), or block others in the firewall. For
        nftables with a table 'inet filter' and a chain 'input', this rule blocks them over IPv4;
        IPv6 needs one with 'ip6 saddr':

        nft insert rule inet filter input tcp dport 3260 ip saddr != 192.0.2.0/24 drop
        """
        name = self.accepted(self.place.target.fabric.normalise(wwn))
        place = NodeAcl(self.place, name)
        made: list[Operation] = [
            operations.mapping.CreateNodeAcl(place, said=[f"Created Node ACL for {place.wwn}"])
        ]
        add = add_mapped_luns
        if add if add is not None else self.context.preference("auto_add_mapped_luns"):
            for lun in listing.luns(self.place):
                if not listing.half_made(self.lio, lun):
                    protect = _must_protect(self, lun)
                    said = [f"Created mapped LUN {lun.index}."]
                    made.append(
                        operations.mapping.MapLun(
                            MappedLun(place, lun.index), lun, protect, said=said
                        )
                    )
        return Change(made, place.path)

    @command(changes=True)
    def ui_command_delete(
        self, wwn: Annotated[str, CHILD, "Name of the initiator, or a tag."]
    ) -> Result:
        """Delete a node ACL, or all ACLs of a tag, and terminate their sessions."""
        made: list[Operation] = []
        meant = self._meant(wwn)
        for place in meant:
            made += operations.mapping.remove_node_acl(place)
            made[-1].said = [f"Deleted Node ACL {place.wwn}."]
        return Change(made, named=[place.path for place in meant])

    def _meant(self, name: str) -> list[NodeAcl]:
        """Return the ACL of a WWN, or those of a tag. Raises NotFoundError."""
        found = self._called(name)
        if not found:
            raise operations.base.missing(
                f"No such node ACL: {name}.",
                NodeAcl(self.place, name),
                self.nearest(name, f"Run 'ls {self.path}' to list them."),
            )
        return found

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
        """Give initiators a common tag, whose settings apply to all of them.

        An initiator added to an existing tag gets the tag's mapped LUNs, CHAP secrets and
        attributes instead of its own.
        """
        meant = self._meant(wwn_or_tag)
        self._require_tags(meant[0])
        tagged = [acl for acl in listing.node_acls(self.place) if self._tag(acl) == new_tag]
        others = [acl for acl in tagged if acl not in meant]
        made: list[Operation] = []
        for place in meant:
            made.append(operations.setters.Set(place, "tag", new_tag))
            if others:
                likened = operations.mapping.likened(self.lio, place, others[0])
                if not self.context.compat:  # targetcli reports nothing
                    _say_likened(self.lio, place, likened)
                made += likened
        return Change(made)

    @command(changes=True)
    def ui_command_untag(
        self, wwn_or_tag: Annotated[str, CHILD, "A tag, or one of its initiators."]
    ) -> Result:
        """Remove a tag from all its initiators, or from one.

        They keep the settings of the group.
        """
        meant = self._meant(wwn_or_tag)
        self._require_tags(meant[0])
        return Change([operations.setters.Set(place, "tag", "") for place in meant])

    def _require_tags(self, place: NodeAcl) -> None:
        if not os.path.exists(f"{place.folder}/tag"):
            name = self.place.target.fabric_name
            raise UsageError(f"The node ACLs of fabric {name} have no tags.")


def _say_likened(lio: Lio, place: NodeAcl, made: Sequence[Operation]) -> None:
    """Let operations report what an ACL loses and gets from others with its new tag."""
    for operation in made:
        match operation:
            case operations.mapping.UnmapLun():
                operation.said = [f"Deleted Mapped LUN {operation.place.index} of {place.wwn}."]
            case operations.mapping.MapLun():
                operation.said = [f"Created Mapped LUN {operation.place.index} of {place.wwn}."]
    chap = [
        one
        for one in made
        if isinstance(one, operations.setters.Set) and one.file.startswith("auth/")
    ]
    own = [settings.read(lio.kernel, place.folder, one.file) for one in chap]
    if any(value and value != one.value for value, one in zip(own, chap, strict=True)):
        chap[-1].said = [f"Replaced the CHAP names and secrets of {place.wwn}."]


class NodeAclNode(ObjectNode[NodeAcl]):
    """A node ACL, or several with one tag: reads use the first, changes apply to all."""

    more: ClassVar[Mapping[str, str]] = {**Node.more, "rename": "pyshell.commands.rename.node_acl"}

    def __init__(
        self, name: str, places: Sequence[NodeAcl], parent: Node, exported: Exported
    ) -> None:
        super().__init__(places[0], parent, name)
        self.places = places
        self._exported = exported

    def make_children(self) -> Sequence[Node]:
        return [self._mapped(mapped) for mapped in listing.mapped_luns(self.place)]

    def _mapped(self, place: MappedLun) -> MappedLunNode:
        same = [MappedLun(acl, place.index) for acl in self.places]
        return MappedLunNode(place, self, self._exported, same)

    def find(self, name: str) -> Node | None:
        index = numbered(name, "mapped_lun")
        if index is None:
            return None
        place = MappedLun(self.place, index)
        return self._mapped(place) if listing.existing(place) else None

    def groups(self) -> dict[str, SettingsGroup]:
        fabric = self.place.tpg.target.fabric
        groups = access_groups(self.lio, fabric, self.places, "node_acl")
        # targetcli lists the groups of a node, and has none for the queue.
        return groups if self.context.compat else groups | queue_group(self.lio, self.places)

    def summary(self) -> tuple[str, bool | None]:
        words = []
        if self.name != self.place.wwn:
            many = len(self.places) > 1
            words.append(f"(group of {len(self.places)})" if many else f"({self.place.wwn})")
        healthy: bool | None = None
        tpg = self.place.tpg.folder
        kernel = self.lio.kernel
        if text_or_none(kernel, f"{tpg}/attrib/authentication") not in (None, "0"):
            if is_on(kernel, f"{tpg}/attrib/generate_node_acls"):
                words.append("auth via tpg")
            else:
                healthy = settings.has_credentials(kernel, self.place.folder)
                mutual = is_on(kernel, f"{self.place.folder}/auth/authenticate_target")
                if healthy or self.context.compat:
                    words.append("mutual auth" if mutual else "1-way auth")
                else:
                    words.append("auth, no credentials")
        return ", ".join([*words, f"Mapped LUNs: {len(self.children)}"]), healthy

    @command(changes=True)
    def ui_command_create(
        self,
        mapped_lun: Annotated[int, LUN, "Number under which the initiator sees the LUN."],
        tpg_lun_or_backstore: Annotated[
            str,
            STORAGE_OBJECT,
            "LUN of the TPG. For the path of a storage object, device or image file, a"
            " LUN is created.",
        ],
        write_protect: Annotated[
            bool | None,
            "Give the initiator read-only access. Default: true if the storage object is"
            " read-only, else false.",
        ] = None,
    ) -> Result:
        """Map a LUN for the initiator, under a number of its own."""
        made, lun = self._lun(tpg_lun_or_backstore)
        protect = _must_protect(self, lun, made) if write_protect is None else write_protect
        before: list[str] = []
        for acl in self.places:
            if any(listing.lun_of(m) == lun for m in listing.mapped_luns(acl)):
                before = [f"Warning: TPG LUN {lun.index} already mapped to this NodeACL"]
            made.append(operations.mapping.MapLun(MappedLun(acl, mapped_lun), lun, protect))
        made[-1].said = [f"Created Mapped LUN {mapped_lun}."]
        return Change(made, f"{self.path}/mapped_lun{mapped_lun}", before=before)

    def _lun(self, text: str) -> tuple[list[Operation], Lun]:
        """Return the LUN of that number, or plan one for a storage object, device or file."""
        try:
            lun = Lun(self.place.tpg, lun_number(text))
        except UsageError:
            with suppress(NotFoundError):
                place = getattr(self.get_node(text), "place", None)
                if isinstance(place, Lun) and place.tpg == self.place.tpg:
                    return [], place
            return lun_for(self, self.place.tpg, text)
        if not listing.existing(lun):
            raise NotFoundError(
                f"No such LUN: {lun.index}.",
                f"Run 'ls {self.place.tpg.path}/luns' to list them.",
                targetcli=f"LUN {lun.index} does not exist in this TPG",
            )
        return [], lun

    @command(changes=True)
    def ui_command_delete(
        self, mapped_lun: Annotated[int, LUN, "Number under which the initiator sees the LUN."]
    ) -> Result:
        """Remove a LUN from the initiator. The LUN itself is kept."""
        mapped = [MappedLun(acl, mapped_lun) for acl in self.places]
        made: list[Operation] = [operations.mapping.UnmapLun(one) for one in mapped]
        made[-1].said = [f"Deleted Mapped LUN {mapped_lun}."]
        return Change(made, named=[one.path for one in mapped])

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the node ACL."""
        facts = running_facts(self.lio, self.place)
        del facts["node_wwn"]
        found = shown_facts(facts, secrets=self.context.compat)
        wwns = [acl.wwn for acl in self.places]
        return Lines([*found.lines, "wwns:", *wwns], {**found.data, "wwns": wwns})


class MappedLunNode(ObjectNode[MappedLun]):
    """A mapped LUN; `same` are those of all ACLs that share a tag."""

    more: ClassVar[Mapping[str, str]] = {
        **Node.more,
        "rename": "pyshell.commands.rename.mapped_lun",
    }

    def __init__(
        self, place: MappedLun, parent: Node, exported: Exported, same: Sequence[MappedLun]
    ) -> None:
        super().__init__(place, parent)
        self.same = same
        self._exported = exported

    def groups(self) -> dict[str, SettingsGroup]:
        """Return the settings of the mapping; in targetcli it has none."""
        if self.context.compat:
            return {}
        return {"attribute": mapped_lun_group(self.lio, self.same)}

    def summary(self) -> tuple[str, bool | None]:
        lun = listing.lun_of(self.place)
        exported = self._exported(lun) if lun else None
        if lun is None or exported is None:
            return "BROKEN LUN LINK", False
        mode = "ro" if is_on(self.lio.kernel, f"{self.place.folder}/write_protect") else "rw"
        return f"lun{lun.index} {exported.plugin}/{exported.name} ({mode})", True

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the mapped LUN."""
        return shown_facts(running_facts(self.lio, self.place), secrets=True)


def _must_protect(node: Node, lun: Lun, made: Sequence[Operation] = ()) -> bool:
    planned = (one.storage_object for one in made if isinstance(one, operations.mapping.CreateLun))
    exported = next(planned, None) or listing.storage_object_of(lun)
    return exported is not None and must_protect(node, exported, made)
