# SPDX-License-Identifier: Apache-2.0
"""The storage object of a device: the one that is there, or a new one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from pyshell.errors import NotFoundError, UsageError
from pyshell.target import listing, names
from pyshell.target.kernel import text_or_none
from pyshell.target.operations.base import Operation
from pyshell.target.operations.storage import CreateStorageObject
from pyshell.target.places import StorageObject
from pyshell.tree.backstores import BlockNode, FileioNode
from pyshell.tree.results import Change

if TYPE_CHECKING:
    from pyshell.tree.common import CommonNode

ISCSI = "iscsi"


def storage_object_on(node: CommonNode, device: str) -> StorageObject | None:
    """Return the storage object at a path of the tree, or on a device or image file, if any."""
    try:
        found = getattr(node.get_node(device), "place", None)
    except NotFoundError:
        found = None
    if isinstance(found, StorageObject):
        return found
    wanted = _identity(node, device)
    for place in listing.storage_objects():
        path = text_or_none(node.lio.kernel, f"{place.folder}/udev_path")
        if path and _identity(node, path) == wanted:
            return place
    return None


def _identity(node: CommonNode, path: str) -> str:
    """Return what two names of the same device or file have in common."""
    block = node.lio.machine.block_device(path)
    if block is not None:
        return f"block {block.name}"
    plain = os.path.abspath(os.path.expanduser(path))
    return os.path.realpath(node.lio.machine.image_file(plain))


def new_storage_object(
    node: CommonNode, device: str, name: str | None, size: int | None
) -> tuple[list[Operation], StorageObject, str]:
    """Return what makes a storage object of a device or image file, the object, and what to note.

    An image file is made where a size is given. Raises PyshellError.
    """
    machine = node.lio.machine
    chosen = name or names.storage_object_name(os.path.basename(device.rstrip("/")))
    block = node.get_node("/backstores/block")
    fileio = node.get_node("/backstores/fileio")
    assert isinstance(block, BlockNode)
    assert isinstance(fileio, FileioNode)
    path = os.path.abspath(os.path.expanduser(device))
    if machine.block_device(device) is not None:
        if size is not None:
            raise UsageError(f"{device} is a block device: it has its size.", "Leave size= out.")
        found = block.ui_command_create(chosen, device, None, None, True)
    elif size is not None or machine.image_file(path).is_file():
        found = fileio.ui_command_create(chosen, path, size, None, True, None, False)
    else:
        raise NotFoundError(
            f"{device} is no block device, image file or storage object.",
            "size=10G makes an image file of that name.",
        )
    change = cast(Change, found)
    made = list(change.operations)
    place = next(o.place for o in made if isinstance(o, CreateStorageObject))
    return made, place, change.note
