# SPDX-License-Identifier: Apache-2.0
"""Commands of storage objects that also change the saved file: `delete` and `saveconfig`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pyshell.commands.save import file_of, save_storage_object
from pyshell.errors import NotFoundError
from pyshell.lio import listing
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import DeleteLun, UnmapLun
from pyshell.lio.operations.storage import remove_storage_object
from pyshell.tree.backstores import BackstoreNode
from pyshell.tree.command import CHILD, FILE, command
from pyshell.tree.results import Change, Lines, Result, Sequential, Work
from pyshell.tree.storage_object import StorageObjectNode


@command(changes=True, examples=(". delete disk1",))
def delete(
    node: BackstoreNode,
    name: Annotated[str, CHILD, "Name of the storage object."],
    save: Annotated[bool, "Also remove it from the saved configuration."] = False,
) -> Result:
    """Delete a storage object and its LUNs.

    A device or file is kept; the data of a ramdisk is lost.
    """
    try:
        place = listing.require_storage_object(node.lio, node.plugin, name)
    except NotFoundError as error:
        error.hint = node.nearest(name, error.hint)
        raise
    operations = remove_storage_object(node.lio, place)
    operations[-1].said = [*operations[-1].said, f"Deleted storage object {name}."]
    if not node.context.compat:
        _tell_of_luns(node, operations)
    change = Change(operations, named=[place.path])
    return _saved_too(node, place, change) if save else change


def _saved_too(node: BackstoreNode, place: StorageObject, change: Change) -> Result:
    def save() -> Work:
        path = file_of(node.lio, None)
        return save_storage_object(node.context, path, place.plugin, place.name)

    save()  # raises if the file cannot be read or replaced, before anything is deleted
    told = "It would also be removed from the saved configuration"
    return Sequential([change, Work([told], lambda: Lines(save().run().lines[:-1]))])


def _tell_of_luns(node: BackstoreNode, operations: Sequence[Operation]) -> None:
    """Note the LUNs that are deleted along with a storage object, and who sees them."""
    mapped = [o.place for o in operations if isinstance(o, UnmapLun)]
    for lun in [o.place for o in operations if isinstance(o, DeleteLun)]:
        seen = [m.acl.wwn for m in mapped if m.acl.tpg == lun.tpg and listing.lun_of(m) == lun]
        by = f", mapped for {', '.join(seen)}" if seen else ""
        node.context.note(f"It is exported: {lun.path} is deleted with it{by}.")


@command(changes=True)
def saveconfig(
    node: StorageObjectNode,
    savefile: Annotated[str | None, FILE, "File to write. Default: the boot file."] = None,
) -> Result:
    """Save this storage object and the targets that export it.

    The rest of the file is kept.
    """
    path = file_of(node.lio, savefile)
    return save_storage_object(node.context, path, node.place.plugin, node.place.name)
