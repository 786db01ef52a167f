# SPDX-License-Identifier: Apache-2.0
"""The LUNs of a TPG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pyshell.lio import listing, storage_info
from pyshell.lio.configfs import has_folders, text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, Tpg
from pyshell.lio.operations import removal
from pyshell.lio.operations.base import Operation, missing
from pyshell.lio.operations.mapping import CreateLun, MapLun, alua_group_name, free_lun
from pyshell.names import whole
from pyshell.tree.command import LUN, STORAGE_OBJECT, command
from pyshell.tree.exports import Exports, refuse_second_lun, storage_object_for
from pyshell.tree.groups import Group, LunAluaGroup
from pyshell.tree.node import Node, shown_facts
from pyshell.tree.results import Change, Result


class LunsNode(Node):
    """The folder of the LUNs."""

    def __init__(self, place: Tpg, parent: Node, exports: Exports) -> None:
        super().__init__("luns", parent)
        self.place = place
        self._exports = exports

    def make_children(self) -> Sequence[Node]:
        """Make the LUNs."""
        return [LunNode(lun, self, self._exports) for lun in listing.luns(self.place)]

    def find(self, name: str) -> Node | None:
        """Return one LUN."""
        number = name.removeprefix("lun")
        if not name.startswith("lun") or (index := whole(number)) is None:
            return None
        place = Lun(self.place, index)
        return LunNode(place, self, self._exports) if listing.existing(place) else None

    def is_empty(self) -> bool:
        """Tell whether there are no LUNs."""
        return not has_folders(f"{self.place.folder}/lun")

    def summary(self) -> tuple[str, bool | None]:
        """Count the LUNs."""
        return f"LUNs: {len(self.drawn_children())}", None

    @command(
        changes=True,
        examples=(
            "/iscsi/iqn.2020-07.192.168.56.101:server/tpg1/luns"
            " create storage_object=/backstores/block/lee_block lun=lun0",
        ),
    )
    def ui_command_create(
        self,
        storage_object: Annotated[
            str,
            STORAGE_OBJECT,
            "Path of a storage object. For a device or image file, a storage object is created.",
        ],
        lun: Annotated[
            int | None, LUN, "Number of the LUN, such as 3 or lun3. Default: the lowest free one."
        ] = None,
        add_mapped_luns: Annotated[
            bool | None, "Map it in all ACLs. Default: the preference auto_add_mapped_luns."
        ] = None,
    ) -> Result:
        """Export a storage object as a LUN and map it in the ACLs of the TPG."""
        made, exported = storage_object_for(self, storage_object)
        if not made:
            refuse_second_lun(self.lio, self.place, exported, lun)
        place = Lun(self.place, free_lun(self.place, lun))
        made.append(CreateLun(place, exported, said=[f"Created LUN {place.index}."]))
        add = add_mapped_luns
        if add if add is not None else self.context.preference("auto_add_mapped_luns"):
            made += [_mapping(acl, place, lun) for acl in listing.node_acls(self.place)]
        return Change(made, place.path)

    @command(changes=True)
    def ui_command_delete(
        self, lun: Annotated[int, LUN, "Number of the LUN, such as 3 or lun3."]
    ) -> Result:
        """Delete a LUN and its mappings. The storage object is kept."""
        place = Lun(self.place, lun)
        if not listing.existing(place):
            raise missing(f"No such LUN: {lun}.", place, f"Run 'ls {self.path}' to list them.")
        operations = removal.of_lun(place)
        operations[-1].said = [f"Deleted LUN {lun}."]
        return Change(operations, named=[place.path])


def _mapping(acl: NodeAcl, lun: Lun, wanted: int | None) -> Operation:
    """Plan a mapping by the number asked for if it is free, else by the lowest free one."""
    taken = {mapped.index for mapped in listing.mapped_luns(acl)}
    index = wanted if wanted is not None and wanted not in taken else listing.lowest_free(taken)
    said = f"Created LUN {lun.index}->{index} mapping in node ACL {acl.wwn}"
    return MapLun(MappedLun(acl, index), lun, said=[said])


class LunNode(Node):
    """A LUN."""

    def __init__(self, place: Lun, parent: Node, exports: Exports) -> None:
        super().__init__(f"lun{place.index}", parent)
        self.place = place
        self._exports = exports

    def summary(self) -> tuple[str, bool | None]:
        """Tell what it exports, from which device, and its ALUA group."""
        exported = self._exports.of(self.place)
        if exported is None:
            return "BROKEN STORAGE LINK", False
        words = [f"{exported.plugin}/{exported.name}"]
        device = text_or_none(self.lio.kernel, f"{exported.folder}/udev_path")
        if device:
            words.append(f"({device})")
        words.append(f"({alua_group_name(self.lio, self.place)})")
        return " ".join(words), True

    def trouble(self) -> str:
        """Tell why initiators cannot read from it."""
        exported = listing.storage_object_of(self.place)
        if exported is None:
            return "It exports nothing: what it exported is gone. Delete it."
        return storage_info.describe(self.lio, exported).missing

    def groups(self) -> dict[str, Group]:
        """Return the LUN's ALUA group."""
        return {"alua": LunAluaGroup(self.lio, self.place)}

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the LUN."""
        from pyshell.config import running

        return shown_facts(running.read_lun(self.lio, self.place), secrets=True)
