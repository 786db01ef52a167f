# SPDX-License-Identifier: Apache-2.0
"""From a storage object, or the path of a device or image file, to a LUN that exports it."""

from __future__ import annotations

import os
from contextlib import suppress

from pyshell.errors import ExistsError, NotFoundError, UsageError
from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import Lun, StorageObject, Tpg
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import CreateLun, free_lun
from pyshell.lio.operations.storage import CreateStorageObject
from pyshell.text import likely
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
        present = storage_object_on(node, text)
        if present is not None:
            return [], present
    return _new(node, text)


def _new(node: Node, path: str) -> tuple[list[Operation], StorageObject]:
    machine = node.lio.machine
    device = machine.block_device(path)
    name = os.path.basename(path)
    place: StorageObject
    if device is not None:
        place = StorageObject("block", name, listing.free_hba(node.lio), node.lio.root)
        create = CreateStorageObject(place, {"dev": path, "readonly": device.read_only})
    elif path.startswith("/") and machine.host_file(path).is_file():
        place = StorageObject("fileio", name, listing.free_hba(node.lio), node.lio.root)
        size = machine.host_file(path).stat().st_size
        create = CreateStorageObject(place, {"dev": path, "size": size})
    else:
        near = "" if node.context.compat else nearest(node, path)
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


def refuse_second_lun(lio: Lio, tpg: Tpg, place: StorageObject, wanted: int | None) -> None:
    """Raise ExistsError where a TPG exports a storage object already, as LUN `wanted` or not."""
    if not listing.is_exported(lio, place):
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


def storage_object_on(node: Node, device: str) -> StorageObject | None:
    """Return the storage object at a path of the tree, or on a device or image file, if any."""
    try:
        found = getattr(node.get_node(device), "place", None)
    except NotFoundError:
        found = None
    if isinstance(found, StorageObject):
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


def nearest(node: Node, device: str) -> str:
    """Return "Did you mean …?" for a bare word that names no storage object, "" for a path."""
    if "/" in device:
        return ""
    if node.lio.machine.block_device(f"/dev/{device}") is not None:
        return f"Did you mean /dev/{device}?"
    known = {place.name: place.path for place in listing.storage_objects(node.lio)}
    found = likely(device, known)
    return f"Did you mean {known[found]}?" if found else ""


def _identity(node: Node, path: str) -> str:
    """Return what two names of the same device or file have in common."""
    block = node.lio.machine.block_device(path)
    if block is not None:
        return f"block {block.name}"
    plain = os.path.abspath(os.path.expanduser(path))
    return os.path.realpath(node.lio.machine.host_file(plain))
