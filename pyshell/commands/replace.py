# SPDX-License-Identifier: Apache-2.0
"""`replace` of a storage object: another device below it."""

from __future__ import annotations

import os
from typing import Annotated

from pyshell.commands import cluster_control
from pyshell.commands.rename import dropped_through
from pyshell.config import renaming
from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations import reservations
from pyshell.lio.storage_info import StorageInfo
from pyshell.names import size_text
from pyshell.tree.command import FILE, command
from pyshell.tree.results import Change, Lines, Result
from pyshell.tree.storage_object import StorageObjectNode

_FORCE = "force=true does it anyway."


@command(
    changes=True,
    examples=(
        "/backstores/block/lee_block replace dev=/dev/sdc",
        "/backstores/fileio/image1 replace dev=/srv/copy.img",
    ),
)
def replace(
    node: StorageObjectNode,
    dev: Annotated[str, FILE, "Path of the new device or image file."],
    *,
    force: Annotated[bool, "Allow a smaller size or another block size."] = False,
) -> Result:
    """Use another device or image file. Initiators see the same disk.

    No data is copied: it must already be on the new device. Serial number, vendor, product,
    attributes, ALUA groups, LUNs and mappings are kept, except for limits that depend on the
    device. The kernel cannot exchange it: the storage object is recreated with its LUNs.
    Logged-in initiators lose the disk meanwhile. If an initiator sees it as LUN 0, the TPG is
    disabled for that time, and all its sessions end: initiators log in again and repeat their
    commands. The question and --dry-run name the sessions.

    Registrations for persistent reservations are dropped, except those with APTPL.
    """
    lio, place = node.lio, node.place
    if place.plugin not in ("block", "fileio"):
        raise UsageError(
            f"{place} cannot get another device.", "Only block and fileio storage objects can."
        )
    path = os.path.abspath(os.path.expanduser(dev))
    found = storage_info.describe(lio, place)
    size = _size(lio, place, path)
    if not force:
        _refuse_smaller(place, found, path, size)
        _refuse_other_blocks(lio, place, path)
    paths = [place.path, *(lun.path for lun in listing.luns_of(lio, place))]
    cluster_control.refuse_change(node.context, paths)
    file_size = size if lio.machine.block_device(path) is None else None
    operations = renaming.replace_device(lio, place, path, file_size)
    if not operations:
        return Lines([f"{place} already uses {path}."], form="sentences")
    said = f"Replaced {found.device} by {path} below {place}."
    note = " ".join(_notes(lio, place, path))
    return Change(operations, after=lambda: [said], note=note, named=None)


def _size(lio: Lio, place: StorageObject, path: str) -> int:
    """Return the size of the new device or file. Raises NotFoundError."""
    device = lio.machine.block_device(path)
    if device is not None:
        return device.size
    file = lio.machine.host_file(path)
    if place.plugin == "block" or not file.is_file():
        what = "block device" if place.plugin == "block" else "image file"
        raise NotFoundError(f"There is no {what} {path}.", path=path)
    return file.stat().st_size


def _refuse_smaller(place: StorageObject, found: StorageInfo, path: str, size: int) -> None:
    if found.size is not None and size < found.size:
        raise UsageError(
            f"{path} ({size_text(size)}, {size} bytes) is smaller than {place}"
            f" ({size_text(found.size)}, {found.size} bytes): its file systems would be truncated.",
            _FORCE,
        )


def _refuse_other_blocks(lio: Lio, place: StorageObject, path: str) -> None:
    """Raise UsageError if initiators would see blocks of another size."""
    device = lio.machine.block_device(path)
    queue = lio.machine.queue(device.name) if device is not None else None
    now = text_or_none(lio.kernel, f"{place.folder}/attrib/block_size")
    if queue is not None and now not in (None, str(queue.block_size)):
        raise UsageError(
            f"The blocks of {path} have {queue.block_size} bytes, those of {place} {now}:"
            " its file systems could not be read.",
            _FORCE,
        )


def _notes(lio: Lio, place: StorageObject, path: str) -> list[str]:
    notes = []
    discards = any(
        text_or_none(lio.kernel, f"{place.folder}/attrib/{name}") == "1"
        for name in storage_info.DISCARD_COMMANDS
    )
    if discards and not storage_info.frees_space(lio, place.plugin, path):
        notes.append(f"Discard is off now: {path} cannot discard.")
    found = reservations.read(lio, place)
    if found is not None and not found.aptpl:
        notes += dropped_through(lio, listing.luns_of(lio, place))
    return notes
