# SPDX-License-Identifier: Apache-2.0
"""From a storage object, or the path of a device or image file, to a LUN that exports it."""

from __future__ import annotations

import os
from contextlib import suppress

from pyshell.errors import ExistsError, NotFoundError
from pyshell.lio import listing, rtslib_objects
from pyshell.lio.identifiers import Lun, StorageObject, Tpg
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import CreateLun, free_lun
from pyshell.lio.operations.storage import CreateStorageObject
from pyshell.tree.node import Node


class Exports:
    """What the LUNs of a TPG export, looked up once each: a drawing asks for each mapping, too."""

    def __init__(self) -> None:
        self._known: dict[int, StorageObject | None] = {}

    def of(self, lun: Lun) -> StorageObject | None:
        """Return what a LUN exports, None where its link is missing or points nowhere."""
        if lun.index not in self._known:
            self._known[lun.index] = listing.storage_object_of(lun)
        return self._known[lun.index]


def storage_object_for(node: Node, text: str) -> tuple[list[Operation], StorageObject]:
    """Return the storage object at a path of the tree; for a device or image file, plan a new one.

    Raises NotFoundError where `text` is neither.
    """
    with suppress(NotFoundError):
        found = getattr(node.get_node(text), "place", None)
        if isinstance(found, StorageObject):
            return [], found
    if not node.context.compat:
        from pyshell.commands.share import storage

        present = storage.storage_object_on(node, text)
        if present is not None:
            return [], present
    return _new(node, text)


def _new(node: Node, path: str) -> tuple[list[Operation], StorageObject]:
    machine = node.lio.machine
    device = machine.block_device(path)
    name = os.path.basename(path)
    place: StorageObject
    if device is not None:
        place = StorageObject("block", name, listing.free_hba())
        create = CreateStorageObject(place, {"dev": path, "readonly": device.read_only})
    elif path.startswith("/") and machine.host_file(path).is_file():
        place = StorageObject("fileio", name, listing.free_hba())
        size = machine.host_file(path).stat().st_size
        create = CreateStorageObject(place, {"dev": path, "size": size})
    else:
        from pyshell.commands.share import storage

        near = "" if node.context.compat else storage.nearest(node, path)
        raise NotFoundError(
            f"{path} is not a storage object, block device or image file.",
            near or "'ls /backstores' shows the storage objects.",
        )
    create.said = [f"Created storage object {name}."]
    return [create], place


def lun_for(node: Node, tpg: Tpg, text: str) -> tuple[list[Operation], Lun]:
    """Return the LUN of a TPG that exports what `text` names; plan it where there is none."""
    made, place = storage_object_for(node, text)
    if not made:
        for lun in listing.luns(tpg):
            if listing.storage_object_of(lun) == place:
                return [], lun
    lun = Lun(tpg, free_lun(tpg))
    return [*made, CreateLun(lun, place, said=[f"Created LUN {lun.index}."])], lun


def refuse_second_lun(tpg: Tpg, place: StorageObject, wanted: int | None) -> None:
    """Raise ExistsError where a TPG exports a storage object already, as LUN `wanted` or not."""
    if not rtslib_objects.is_exported(place):
        return  # no LUN need be looked at
    for lun in listing.luns(tpg):
        if listing.storage_object_of(lun) == place:
            error = ExistsError(
                f"lun for storage object {place.plugin}/{place.name} already exists",
                f"It is {lun.path}.",
                targetcli=f"lun for storage object {place.plugin}/{place.name} already exists",
            )
            error.wanted = wanted in (None, lun.index)
            raise error
