# SPDX-License-Identifier: Apache-2.0
"""The storage object of a device: the one that is there, or a new one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from pyshell import names
from pyshell.errors import ConflictError, NotFoundError, UsageError
from pyshell.lio import fabrics, listing, sessions, storage_info
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.images import CreateImageFile
from pyshell.lio.operations.storage import CreateStorageObject
from pyshell.lio.storage_info import refuse_image_among
from pyshell.text import did_you_mean
from pyshell.tree.backstores import BlockNode, FileioNode
from pyshell.tree.luns import nearest
from pyshell.tree.results import Change

if TYPE_CHECKING:
    from pyshell.tree.node import Node

ISCSI = "iscsi"


def initiator_named(lio: Lio, name: str) -> str:
    """Return an iSCSI initiator's name as the kernel has it.

    Raises UsageError, which names a known initiator that may be meant.
    """
    try:
        return fabrics.fabric(ISCSI).normalise(name).wwn
    except UsageError as error:
        known = dict.fromkeys(session.initiator for session in sessions.sessions(lio))
        for target in listing.targets(fabrics.fabric(ISCSI, lio.root)):
            for tpg in listing.tpgs(target):
                known |= dict.fromkeys(acl.wwn for acl in listing.node_acls(tpg))
        if near := did_you_mean(name, known):
            raise UsageError(error.message, near) from error
        raise


def new_storage_object(
    node: Node, device: str, name: str | None, size: int | None
) -> tuple[list[Operation], StorageObject, str]:
    """Return what makes a storage object of a device or image file, the object, and what to note.

    An image file is made where a size is given. Raises PyshellError.
    """
    machine = node.lio.machine
    chosen = name or names.storage_object_name(
        names.plain(os.path.basename(device.rstrip("/")), "a storage object's name")
    )
    block = node.get_node("/backstores/block")
    fileio = node.get_node("/backstores/fileio")
    assert isinstance(block, BlockNode)
    assert isinstance(fileio, FileioNode)
    path = os.path.abspath(os.path.expanduser(device))
    if machine.block_device(device) is not None:
        if size is not None:
            raise UsageError(f"{device} is a block device: it has its size.", "Omit size=.")
        found = block.ui_command_create(chosen, device)
    elif size is not None or machine.host_file(path).is_file():
        found = fileio.ui_command_create(chosen, path, size)
    else:
        refuse_image_among(node.lio, path)
        bare = nearest(node, device) or "'ls /backstores' shows storage objects."
        raise NotFoundError(
            f"{device} is not a block device, image file or storage object.",
            f"size=10G makes an image file {path}." if "/" in device else bare,
        )
    change = cast(Change, found)
    made = list(change.operations)
    if any(isinstance(operation, CreateImageFile) for operation in made):
        made[-1].said = [*made[-1].said, f"Its image file is {path}."]
    place = next(o.place for o in made if isinstance(o, CreateStorageObject))
    return made, place, change.note


def refuse_other_size(lio: Lio, place: StorageObject, size: int) -> None:
    """Raise ConflictError where a storage object that is there has another size than is asked."""
    found = storage_info.describe(lio, place).size
    if found is None or found == size:
        return
    grows = place.plugin == "fileio" and size > found
    raise ConflictError(
        f"{place.path} is there already and has {names.size_text(found)}.",
        f"'{place.path} resize size={_typed(size)}' grows it." if grows else "Omit size=.",
    )


def _typed(size: int) -> str:
    """Return a size as it is typed, with the largest unit that keeps it whole."""
    for shift, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)
