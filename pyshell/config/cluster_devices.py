# SPDX-License-Identifier: Apache-2.0
"""Device names that mean the same device on all nodes of a cluster, and who manages each.

Names in the order of discovery, such as /dev/sda, can mean another device on another node.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

DRBD, LVM, ZFS = "drbd", "lvm", "zfs"
SYSTEM_ID, LVMLOCKD = "system_id", "lvmlockd"
SHARED = ("/dev/disk/by-id/", "/dev/disk/by-path/", "/dev/disk/by-uuid/")
"""Folders with the names of disks that several nodes can see."""
_DRBD = re.compile(r"/dev/drbd/by-res/([A-Za-z0-9_][A-Za-z0-9_.-]*)(?:/[0-9]+)?")
_ZVOL = re.compile(r"/dev/zvol/([A-Za-z][A-Za-z0-9_.:-]*)/[A-Za-z0-9_.:/-]+")
_LV = re.compile(r"/dev/([A-Za-z0-9_+.][A-Za-z0-9_+.-]*)/([A-Za-z0-9_+.][A-Za-z0-9_+.-]*)")
# The device mapper doubles the hyphens of both names.
_MAPPED = re.compile(r"/dev/mapper/(?!mpath)((?:[A-Za-z0-9_+.]|--)+)-((?:[A-Za-z0-9_+.]|--)+)")
_LASTING = re.compile(
    r"/dev/(disk/by-id|rbd)/.+"
    r"|/dev/mapper/[23][0-9a-f]{16,32}",  # multipath's names that are WWIDs
    re.ASCII,
)
_NO_GROUPS = frozenset({
    ".", "..", "block", "bsg", "bus", "cciss", "char", "cpu", "disk", "dma_heap", "dri", "drbd",
    "fd", "hugepages", "ida", "input", "loop", "mapper", "md", "mqueue", "net", "nvme", "pts",
    "raw", "rbd", "rd", "serial", "shm", "snd", "vfio", "vhost", "zvol",
})  # fmt: skip
"""Folders in /dev that are not volume groups."""


@dataclass(frozen=True)
class Source:
    """A DRBD resource, volume group, logical volume or pool."""

    kind: str
    names: tuple[str, ...]
    lock: bool = False
    """Whether locks of lvmlockd protect it."""


def source_of(device: str, lvm: str = SYSTEM_ID) -> Source | None:
    """Return what provides a device, None if its name does not say it.

    `lvm` is how volume groups are protected from activation on two nodes.
    """
    if match := _DRBD.fullmatch(device):
        return Source(DRBD, (match[1],))
    if match := _ZVOL.fullmatch(device):
        return Source(ZFS, (match[1],))
    match = _LV.fullmatch(device)
    if match is None or match[1] in _NO_GROUPS:
        return None
    if lvm == LVMLOCKD:
        return Source(LVM, (match[1], match[2]), lock=True)
    return Source(LVM, (match[1],))  # the system ID is that of the whole volume group


def mapped_volume(device: str) -> tuple[str, str] | None:
    """Return the volume group and volume that a name of the device mapper can mean, else None."""
    match = _MAPPED.fullmatch(device)
    if match is None:
        return None
    group, volume = (part.replace("--", "-") for part in match.groups())
    return group, volume


def is_same_everywhere(device: str) -> bool:
    """Return whether a name means the same device on all nodes."""
    if os.path.normpath(device) != device:
        return False
    known = source_of(device) or mapped_volume(device) or _LASTING.fullmatch(device)
    return known is not None
