# SPDX-License-Identifier: Apache-2.0
"""The host's block devices that nobody uses, for those who choose one or mistyped it."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.errors import NotFoundError
from pyshell.host.machine import BlockDevice
from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none

_NAMED = 5
_FILES = "/dev/shm/"  # noqa: S108 - nothing is written there: it is a file system like any other


def free(lio: Lio, folder: str = "/dev/") -> Iterator[BlockDevice]:
    """Yield block devices that nobody uses, neither this host nor a storage object."""
    taken = _exported(lio)
    for path in lio.machine.block_devices(folder):
        found = lio.machine.block_device(path)
        if found is not None and found.size and not found.holder and found.name not in taken:
            yield found


def refuse_image_among(lio: Lio, path: str) -> None:
    """Raise NotFoundError where `path`, at which nothing is, can only be meant as a device.

    A file there would fill the host's memory, and be gone after a reboot.
    """
    if not path.startswith("/dev/") or path.startswith(_FILES):
        return
    found = [device.path for device in free(lio)]
    more = ", …" if len(found) > _NAMED else ""
    known = f"Free are {', '.join(found[:_NAMED])}{more}." if found else "No device is free."
    raise NotFoundError(f"There is no block device {path}.", known)


def _exported(lio: Lio) -> set[str]:
    """Return the kernel's names of the devices that block storage objects are made of."""
    found = set()
    for place in listing.storage_objects("block"):
        path = text_or_none(lio.kernel, f"{place.folder}/udev_path")
        device = lio.machine.block_device(path) if path else None
        if device is not None:
            found.add(device.name)
    return found
