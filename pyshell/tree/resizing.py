# SPDX-License-Identifier: Apache-2.0
"""What `resize` does for each kind of storage object, and what initiators have to do then.

What the kernel follows was seen on a real one: a block device by itself, an image file once it is
told, nothing else; an initiator reads the new size when it rescans (field failure 67).
"""

from __future__ import annotations

from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.lio import listing, storage_info
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.images import GrowImageFile, SetImageSize
from pyshell.lio.operations.preconditions import BLOCK
from pyshell.lio.operations.setters import Set
from pyshell.names import size_text
from pyshell.tree.results import Change, Lines, Result

_RESCAN = {
    "iscsi": "On each initiator: iscsiadm -m session --rescan",
    "loopback": "On this host: echo 1 > /sys/class/block/DISK/device/rescan",
}
_RESCAN_ELSEWHERE = "Its initiators see that once they rescan their disks."


def resized(lio: Lio, place: StorageObject, size: int | None, *, force: bool) -> Result:
    """Return what gives a storage object the size. Raises PyshellError where nothing can."""
    found = storage_info.describe(lio, place)
    if found.missing:
        raise NotFoundError(f"{place}: {found.missing}")
    on_device = lio.machine.block_device(found.device) is not None
    if place.plugin == "block" or (place.plugin == "fileio" and on_device):
        return _follow_device(lio, place, found, size)
    if place.plugin == "fileio":
        return _resize_file(lio, place, found, size, force=force)
    if place.plugin == "user" and size is not None:
        return _tell_handler(lio, place, found, size, force=force)
    raise UsageError(f"{place} cannot be resized", _INSTEAD[place.plugin])


_INSTEAD = {
    "ramdisk": "Create another one: what it holds is lost at a reboot anyway.",
    "pscsi": "It has its device's own size.",
    "user": "Name the size that its handler is to be asked for: size=20G.",
}


def _follow_device(
    lio: Lio, place: StorageObject, found: storage_info.StorageInfo, size: int | None
) -> Result:
    """Tell the size that LIO takes from the device each time it is asked."""
    if size is not None and size != found.size:
        raise PyshellError(
            f"{place} has the size of its device {found.device}, {found.size} bytes",
            "Resize that first (lvextend, 'losetup -c'); LIO follows.",
        )
    assert found.size is not None
    said = [f"{place} has {size_text(found.size)}, as its device.", *_rescans(place)]
    return Lines(said, {"size": found.size})


def _resize_file(
    lio: Lio,
    place: StorageObject,
    found: storage_info.StorageInfo,
    size: int | None,
    *,
    force: bool,
) -> Result:
    status = lio.machine.host_file(found.device).stat()
    wanted = status.st_size if size is None else size
    _refuse_to_shrink(place, found.size, wanted, force=force)
    if wanted < BLOCK:
        raise UsageError(f"A disk has at least one block of {BLOCK} bytes")
    operations: list[Operation] = []
    if wanted > status.st_size:
        sparse = status.st_blocks * 512 < status.st_size
        operations.append(GrowImageFile(found.device, wanted, sparse))
    text = f"{place} has {size_text(wanted)} now."
    operations.append(SetImageSize(place, wanted, [text, *_rescans(place)]))
    return Change(operations)


def _tell_handler(
    lio: Lio, place: StorageObject, found: storage_info.StorageInfo, size: int, *, force: bool
) -> Result:
    _refuse_to_shrink(place, found.size, size, force=force)
    text = f"{place} has {size_text(size)} now."
    return Change([Set(place, "attrib/dev_size", str(size), [text, *_rescans(place)])])


def _refuse_to_shrink(place: StorageObject, size: int | None, wanted: int, *, force: bool) -> None:
    if size is not None and wanted < size and not force:
        raise UsageError(
            f"{place} has {size} bytes: {wanted} would truncate data that initiators wrote",
            "force=true exports less; the file keeps its length.",
        )


def _rescans(place: StorageObject) -> list[str]:
    """Return what makes those see the size who have the disk now."""
    fabrics = dict.fromkeys(lun.tpg.target.fabric_name for lun in listing.luns_of(place))
    return list(dict.fromkeys(_RESCAN.get(name, _RESCAN_ELSEWHERE) for name in fabrics))
