# SPDX-License-Identifier: Apache-2.0
"""`rename` of a storage object."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pyshell.commands.rename import dropped_through, renamed
from pyshell.config import renaming
from pyshell.errors import ConflictError
from pyshell.lio import listing, storage_info
from pyshell.lio.operations import reservations
from pyshell.lio.operations.base import exists
from pyshell.tree.command import SO_NAME, command
from pyshell.tree.results import Result
from pyshell.tree.storage_object import StorageObjectNode


@command(changes=True, examples=("/backstores/block/disk1 rename data1",))
def rename(
    node: StorageObjectNode,
    name: Annotated[str, SO_NAME, "The new name."],
    *,
    force: Annotated[bool, "Rename a ramdisk, although its data is lost."] = False,
) -> Result:
    """Rename the storage object. Initiators see the same disk.

    Serial number, vendor, product, attributes, ALUA groups, LUNs and mappings are kept. The kernel
    cannot rename it: it is recreated on its device, with its LUNs. Logged-in initiators lose the
    disk meanwhile. If an initiator sees it as LUN 0, the TPG is disabled for that time, and all its
    sessions end: initiators log in again and repeat their commands. The question and --dry-run name
    the sessions.

    Registrations for persistent reservations are dropped, except those with APTPL.
    """
    place = node.place
    new = replace(place, name=name)
    other = listing.storage_object(node.lio, place.plugin, name)
    if other is not None and other != place:
        raise exists(f"Storage object {place.plugin}/{name} already exists", other)
    if place.plugin == "ramdisk" and not (storage_info.describe(node.lio, place).nullio or force):
        raise ConflictError(
            f"The data of {place} would be lost: the kernel cannot rename a ramdisk, only recreate"
            " it.",
            "force=true renames it.",
            unchanged=True,
        )
    notes = []
    product = renaming.product_like_name(node.lio, place)
    if product and new != place:
        notes.append(f"Initiators still see the product {product}.")
    found = reservations.read(node.lio, place)
    if found is not None and not found.aptpl:
        notes += dropped_through(node.lio, listing.luns_of(node.lio, place))
    return renamed(
        node,
        place,
        new,
        name,
        lambda: renaming.rename_storage_object(node.lio, place, name),
        notes,
    )
