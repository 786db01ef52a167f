# SPDX-License-Identifier: Apache-2.0
"""A node ACL, or a group of them, with its mapped LUNs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import listing, settings
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import MapLun, UnmapLun
from pyshell.names import whole
from pyshell.tree.command import LUN, STORAGE_OBJECT, command, lun_number
from pyshell.tree.exports import Exports, lun_for
from pyshell.tree.facts import shown_facts
from pyshell.tree.groups import Group
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Lines, Result
from pyshell.tree.setting_groups import AuthGroup, KernelGroup, MappedLunSettings


class NodeAclNode(Node):
    """A node ACL, or several that share a tag: reads go to the first, changes to all."""

    def __init__(
        self, name: str, places: Sequence[NodeAcl], parent: Node, exports: Exports
    ) -> None:
        super().__init__(name, parent)
        self.places = places
        self.place = places[0]
        self._exports = exports

    def make_children(self) -> Sequence[Node]:
        """Make the mapped LUNs."""
        mapped_luns = listing.mapped_luns(self.place)
        return [self._mapped(mapped) for mapped in mapped_luns]

    def _mapped(self, place: MappedLun) -> MappedLunNode:
        same = [MappedLun(acl, place.index) for acl in self.places]
        return MappedLunNode(place, self, self._exports, same)

    def find(self, name: str) -> Node | None:
        """Return one mapped LUN."""
        number = name.removeprefix("mapped_lun")
        if not name.startswith("mapped_lun") or (index := whole(number)) is None:
            return None
        place = MappedLun(self.place, index)
        return self._mapped(place) if listing.existing(place) else None

    def groups(self) -> dict[str, Group]:
        """Return attributes, parameters and CHAP settings, where there are any."""
        found: dict[str, Group] = {}
        for name, sub, kind in (
            ("parameter", "param", "tpg_parameter"),
            ("attribute", "attrib", "node_acl"),
        ):
            if settings.names_in(self.place.folder, sub)[0]:
                found[name] = KernelGroup(self.lio, self.places, sub, kind)
        has_auth = self.place.tpg.target.fabric.has("auth")
        if has_auth and os.path.isdir(f"{self.place.folder}/auth"):
            found["auth"] = AuthGroup(self.lio, self.places, "auth")
        return found

    def summary(self) -> tuple[str, bool | None]:
        """Tell how the initiator proves itself and how many LUNs it sees."""
        words = []
        if self.name != self.place.wwn:
            many = len(self.places) > 1
            words.append(f"(group of {len(self.places)})" if many else f"({self.place.wwn})")
        healthy: bool | None = None
        tpg = self.place.tpg.folder
        kernel = self.lio.kernel
        if text_or_none(kernel, f"{tpg}/attrib/authentication") not in (None, "0"):
            if text_or_none(kernel, f"{tpg}/attrib/generate_node_acls") == "1":
                words.append("auth via tpg")
            else:
                healthy = all(
                    settings.read(kernel, self.place.folder, f"auth/{file}")
                    for file in ("userid", "password")
                )
                mutual = (
                    text_or_none(kernel, f"{self.place.folder}/auth/authenticate_target") == "1"
                )
                if healthy or self.context.compat:
                    words.append("mutual auth" if mutual else "1-way auth")
                else:
                    words.append("auth, no credentials")
        return ", ".join([*words, f"Mapped LUNs: {len(self.drawn_children())}"]), healthy

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
        write_protect: Annotated[bool, "Give the initiator read-only access."] = False,
    ) -> Result:
        """Map a LUN for the initiator, under a number of its own."""
        made, lun = self._lun(tpg_lun_or_backstore)
        before: list[str] = []
        for acl in self.places:
            if any(listing.lun_of(m) == lun for m in listing.mapped_luns(acl)):
                before = [f"Warning: TPG LUN {lun.index} already mapped to this NodeACL"]
            made.append(MapLun(MappedLun(acl, mapped_lun), lun, write_protect))
        made[-1].said = [f"Created Mapped LUN {mapped_lun}."]
        return Change(made, f"{self.path}/mapped_lun{mapped_lun}", before=before)

    def _lun(self, text: str) -> tuple[list[Operation], Lun]:
        """Return the LUN meant by a number, or plan one for a storage object, device or file."""
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
        made: list[Operation] = [UnmapLun(one) for one in mapped]
        made[-1].said = [f"Deleted Mapped LUN {mapped_lun}."]
        return Change(made, named=[one.path for one in mapped])

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the node ACL."""
        from pyshell.config import running

        facts = running.node_acl_facts(self.lio, self.place)
        del facts["node_wwn"]
        found = shown_facts(facts, secrets=self.context.compat)
        wwns = [acl.wwn for acl in self.places]
        return Lines([*found.lines, "wwns:", *wwns], {**found.data, "wwns": wwns})


class MappedLunNode(Node):
    """A mapped LUN; `same` are those of all ACLs that share a tag."""

    def __init__(
        self, place: MappedLun, parent: Node, exports: Exports, same: Sequence[MappedLun]
    ) -> None:
        super().__init__(f"mapped_lun{place.index}", parent)
        self.place = place
        self._same = same
        self._exports = exports

    def groups(self) -> dict[str, Group]:
        """Return the mapping's settings; in targetcli it has none."""
        if self.context.compat:
            return {}
        return {"attribute": MappedLunSettings(self.lio, self._same)}

    def summary(self) -> tuple[str, bool | None]:
        """Tell which LUN it is and whether it may be written."""
        lun = listing.lun_of(self.place)
        exported = self._exports.of(lun) if lun else None
        if lun is None or exported is None:
            return "BROKEN LUN LINK", False
        protected = text_or_none(self.lio.kernel, f"{self.place.folder}/write_protect") == "1"
        mode = "ro" if protected else "rw"
        return f"lun{lun.index} {exported.plugin}/{exported.name} ({mode})", True

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the mapped LUN."""
        from pyshell.config import running

        return shown_facts(running.read_mapped_lun(self.lio, self.place), secrets=True)
