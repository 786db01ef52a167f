# SPDX-License-Identifier: Apache-2.0
"""The LUNs of a TPG, and what they export: storage objects, also new ones on a device or file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, ClassVar

from pyshell.errors import ExistsError, NotFoundError, UsageError
from pyshell.lio import Lio, listing, operations, storage_info
from pyshell.lio.configfs import has_folders, text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, StorageObject, Tpg
from pyshell.text import likely
from pyshell.tree.command import LUN, STORAGE_OBJECT, command
from pyshell.tree.groups import LunAluaGroup, SettingsGroup
from pyshell.tree.node import Node, ObjectNode, numbered, running_facts, shown_facts
from pyshell.tree.results import Change, Result

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation
    from pyshell.lio.operations.mapping import MapLun

Exported = Callable[[Lun], StorageObject | None]
"""Returns what a LUN exports, None if its link is missing or broken."""


class LunsNode(ObjectNode[Tpg]):
    """The folder of the LUNs."""

    counted = "LUNs"

    def __init__(self, place: Tpg, parent: Node, exported: Exported) -> None:
        super().__init__(place, parent, "luns")
        self._exported = exported

    def make_children(self) -> Sequence[Node]:
        return [LunNode(lun, self, self._exported) for lun in listing.luns(self.place)]

    def find(self, name: str) -> Node | None:
        index = numbered(name, "lun")
        if index is None:
            return None
        place = Lun(self.place, index)
        return LunNode(place, self, self._exported) if listing.existing(place) else None

    def is_empty(self) -> bool:
        return not has_folders(f"{self.place.folder}/lun")

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
        present = exporting_lun(self.lio, self.place, exported) if not made else None
        if present is not None:
            told = f"lun for storage object {exported.plugin}/{exported.name} already exists"
            error = ExistsError(told, f"It is {present.path}.", targetcli=told)
            error.wanted = lun in (None, present.index)
            raise error
        place = Lun(self.place, operations.mapping.free_lun(self.place, lun))
        made.append(
            operations.mapping.CreateLun(place, exported, said=[f"Created LUN {place.index}."])
        )
        add = add_mapped_luns
        if add if add is not None else self.context.preference("auto_add_mapped_luns"):
            protect = must_protect(self, exported, made)
            acls = listing.node_acls(self.place)
            made += [new_mapping(acl, place, lun, protect) for acl in acls]
        return Change(made, place.path)

    @command(changes=True)
    def ui_command_delete(
        self, lun: Annotated[int, LUN, "Number of the LUN, such as 3 or lun3."]
    ) -> Result:
        """Delete a LUN and its mappings. The storage object is kept."""
        place = Lun(self.place, lun)
        if not listing.existing(place):
            raise operations.base.missing(
                f"No such LUN: {lun}.", place, f"Run 'ls {self.path}' to list them."
            )
        made = operations.mapping.remove_lun(place)
        made[-1].said = [f"Deleted LUN {lun}."]
        return Change(made, named=[place.path])


class LunNode(ObjectNode[Lun]):
    """A LUN."""

    more: ClassVar[Mapping[str, str]] = {**Node.more, "rename": "pyshell.commands.rename.lun"}

    def __init__(self, place: Lun, parent: Node, exported: Exported) -> None:
        super().__init__(place, parent)
        self._exported = exported

    def summary(self) -> tuple[str, bool | None]:
        exported = self._exported(self.place)
        if exported is None:
            return "BROKEN STORAGE LINK", False
        words = [f"{exported.plugin}/{exported.name}"]
        device = text_or_none(self.lio.kernel, f"{exported.folder}/udev_path")
        if device:
            words.append(f"({device})")
        words.append(f"({listing.alua_group_of(self.lio, self.place)})")
        return " ".join(words), True

    def trouble(self) -> str:
        exported = listing.storage_object_of(self.place)
        if exported is None:
            return "It exports nothing: what it exported is gone. Delete it."
        return storage_info.describe(self.lio, exported).missing

    def groups(self) -> dict[str, SettingsGroup]:
        return {"alua": LunAluaGroup(self.lio, self.place)}

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the LUN."""
        return shown_facts(running_facts(self.lio, self.place), secrets=True)


def storage_object_for(node: Node, text: str) -> tuple[list[Operation], StorageObject]:
    """Return the storage object at a path of the tree; for a device or image file, plan a new one.

    Raises NotFoundError if `text` is neither.
    """
    present = _at_path(node, text) if node.context.compat else storage_object_on(node, text)
    return ([], present) if present is not None else _new(node, text)


def _at_path(node: Node, path: str) -> StorageObject | None:
    with suppress(NotFoundError):
        found = getattr(node.get_node(path), "place", None)
        return found if isinstance(found, StorageObject) else None
    return None


def _new(node: Node, path: str) -> tuple[list[Operation], StorageObject]:
    machine = node.lio.machine
    device = machine.block_device(path)
    name = os.path.basename(path)
    place: StorageObject
    if device is not None:
        place = StorageObject("block", name, listing.free_hba(node.lio), node.lio.root)
        create = operations.storage.CreateStorageObject(
            place, {"dev": path, "readonly": device.read_only}
        )
    elif path.startswith("/") and machine.host_file(path).is_file():
        place = StorageObject("fileio", name, listing.free_hba(node.lio), node.lio.root)
        size = machine.host_file(path).stat().st_size
        create = operations.storage.CreateStorageObject(place, {"dev": path, "size": size})
    else:
        near = "" if node.context.compat else nearest(node, path)
        raise NotFoundError(
            f"{path} is not a storage object, block device or image file.",
            near or "'ls /backstores' shows the storage objects.",
        )
    create.said = [f"Created storage object {name}."]
    return [create], place


def lun_for(node: Node, tpg: Tpg, text: str) -> tuple[list[Operation], Lun]:
    """Return the LUN of a TPG that exports what `text` names; plan one if there is none."""
    made, place = storage_object_for(node, text)
    present = exporting_lun(node.lio, tpg, place) if not made else None
    if present is not None:
        return [], present
    lun = Lun(tpg, operations.mapping.free_lun(tpg))
    return [
        *made,
        operations.mapping.CreateLun(lun, place, said=[f"Created LUN {lun.index}."]),
    ], lun


def exporting_lun(lio: Lio, tpg: Tpg, place: StorageObject) -> Lun | None:
    """Return the LUN by which a TPG exports a storage object, if any."""
    luns = listing.luns(tpg) if listing.is_exported(lio, place) else ()  # else read none
    return next((lun for lun in luns if listing.storage_object_of(lun) == place), None)


def must_protect(node: Node, place: StorageObject, made: Sequence[Operation] = ()) -> bool:
    """Return whether new mapped LUNs of a storage object must be write-protected.

    The kernel does not protect a read-only one itself (see `pyshell.doctor.protection`). `made` are
    the operations that create it. In targetcli-compatible mode, a mapping is as targetcli's.
    """
    if node.context.compat or place.plugin != "block":
        return False
    for operation in made:
        if (
            isinstance(operation, operations.storage.CreateStorageObject)
            and operation.place == place
        ):
            return bool(operation.arguments.get("readonly"))
    return storage_info.describe(node.lio, place).read_only


def new_mapping(acl: NodeAcl, lun: Lun, wanted: int | None, protect: bool = False) -> MapLun:
    """Return a mapping with the wanted number if it is free, else the lowest free one."""
    taken = {mapped.index for mapped in listing.mapped_luns(acl)}
    index = wanted if wanted is not None and wanted not in taken else listing.lowest_free(taken)
    said = f"Created LUN {lun.index}->{index} mapping in node ACL {acl.wwn}"
    return operations.mapping.MapLun(MappedLun(acl, index), lun, protect, said=[said])


def storage_object_on(node: Node, device: str) -> StorageObject | None:
    """Return the storage object at a path of the tree, or on a device or image file, if any."""
    found = _at_path(node, device)
    if found is not None:
        return found
    wanted = _identity(node, device)
    for place in listing.storage_objects(node.lio):
        path = text_or_none(node.lio.kernel, f"{place.folder}/udev_path")
        if path and _identity(node, path) == wanted:
            return place
    return None if "/" in device else by_name(node, device)


def by_name(node: Node, name: str) -> StorageObject | None:
    """Return the only storage object of that name, unless there is a file of it right here."""
    if os.path.exists(node.lio.machine.host_file(os.path.abspath(name))):
        return None
    found = [place for place in listing.storage_objects(node.lio) if place.name == name]
    if len(found) > 1:
        raise UsageError(f"Which of these? {', '.join(place.path for place in found)}.")
    return found[0] if found else None


def nearest(node: Node, device: str, *, devices: bool = True) -> str:
    """Return "Did you mean …?" for a bare word that names no storage object, "" for a path.

    Without `devices`, only storage objects are suggested.
    """
    if "/" in device:
        return ""
    if devices and node.lio.machine.block_device(f"/dev/{device}") is not None:
        return f"Did you mean /dev/{device}?"
    known = {place.name: place.path for place in listing.storage_objects(node.lio)}
    found = likely(device, known)
    return f"Did you mean {known[found]}?" if found else ""


def _identity(node: Node, path: str) -> str:
    """Return the same text for all names of a device or file."""
    block = node.lio.machine.block_device(path)
    if block is not None:
        return f"block {block.name}"
    plain = os.path.abspath(os.path.expanduser(path))
    return os.path.realpath(node.lio.machine.host_file(plain))
