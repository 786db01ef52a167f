# SPDX-License-Identifier: Apache-2.0
"""What makes a device available on one node at a time, derived from the device's name.

A name that is the same on all nodes says who manages it: DRBD, LVM or ZFS.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyshell.lio.configfs import is_below
from pyshell.lio.identifiers import plugin_name, storage_object_path

if TYPE_CHECKING:
    from pyshell.config.document import StorageObjectEntry

DRBD, LVM, ZFS = "drbd", "lvm", "zfs"
SYSTEM_ID, LVMLOCKD = "system_id", "lvmlockd"
_DRBD = re.compile(r"/dev/drbd/by-res/([A-Za-z0-9_][A-Za-z0-9_.-]*)(?:/[0-9]+)?")
_ZVOL = re.compile(r"/dev/zvol/([A-Za-z][A-Za-z0-9_.:-]*)/[A-Za-z0-9_.:/-]+")
_LV = re.compile(r"/dev/([A-Za-z0-9_+.][A-Za-z0-9_+.-]*)/([A-Za-z0-9_+.][A-Za-z0-9_+.-]*)")
# The device mapper doubles the hyphens of both names.
_MAPPED = re.compile(r"/dev/mapper/((?:[A-Za-z0-9_+.]|--)+)-((?:[A-Za-z0-9_+.]|--)+)")
_SHARED = ("/dev/disk/by-id/", "/dev/disk/by-path/", "/dev/disk/by-uuid/")
# Folders of /dev that are not volume groups.
_OTHERS = frozenset(
    (
        *("..", ".", "block", "bsg", "bus", "char", "cciss", "cpu", "disk", "dma_heap", "drbd"),
        *("dri", "fd", "hugepages", "ida", "input", "mapper", "md", "mqueue", "net", "pts", "rd"),
        *("serial", "shm", "snd", "vfio", "zvol"),
    )
)


@dataclass(frozen=True)
class Source:
    """A DRBD resource, volume group, logical volume or pool."""

    kind: str
    names: tuple[str, ...]
    lock: bool = False
    """Whether locks of lvmlockd protect it."""


@dataclass
class Devices:
    """The devices of a target. `lvm` is how a volume group is protected."""

    lvm: str
    sources: list[Source] = field(default_factory=list)
    """Each once, in the order of the devices."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Devices that none of them provides, and why."""
    visible: dict[str, str] = field(default_factory=dict)
    """Devices that need nothing, and why."""

    def add_object(self, entry: StorageObjectEntry, state_dir: str | None) -> None:
        """Add the device of a storage object."""
        plugin = plugin_name(entry["plugin"])
        device = entry.get("dev", "")
        if plugin not in ("block", "fileio") or not device:
            path = storage_object_path(entry["plugin"], entry["name"])
            self.unknown[path] = "nothing moves it to another node; use block devices"
        elif state_dir is not None and is_below(os.path.normpath(device), f"{state_dir}/"):
            return  # on the file system that is mounted there
        else:
            self.add(device)

    def add(self, device: str) -> None:
        """Add a device."""
        found = source_of(device, self.lvm)
        if found is not None:
            if found not in self.sources:
                self.sources.append(found)
        elif device.startswith(_SHARED):
            self.visible[device] = "all nodes must see this disk; only fencing protects it"
        elif match := _MAPPED.fullmatch(device):
            group, volume = (part.replace("--", "-") for part in match.groups())
            self.unknown[device] = f"if it is a logical volume, use /dev/{group}/{volume}"
        elif device.startswith("/dev/"):
            self.unknown[device] = (
                "its name does not say what moves it; use /dev/drbd/by-res/RESOURCE/VOLUME,"
                " /dev/VG/LV, /dev/zvol/POOL/VOLUME or /dev/disk/by-id/DISK"
            )
        else:
            self.unknown[device] = "add the resource that mounts the file system with this file"


def source_of(device: str, lvm: str = SYSTEM_ID) -> Source | None:
    """Return what provides a device, None if its name does not say it."""
    if match := _DRBD.fullmatch(device):
        return Source(DRBD, (match[1],))
    if match := _ZVOL.fullmatch(device):
        return Source(ZFS, (match[1],))
    match = _LV.fullmatch(device)
    if match is None or match[1] in _OTHERS:
        return None
    if lvm == LVMLOCKD:
        return Source(LVM, (match[1], match[2]), lock=True)
    return Source(LVM, (match[1],))  # the system ID is that of the whole volume group
