# SPDX-License-Identifier: Apache-2.0
"""Device names that mean the same device on all nodes of a cluster, and who manages each.

Names in the order of discovery, such as /dev/sda, can mean another device on another node.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from pyshell.expressions import expression

DRBD, LVM, ZFS = "drbd", "lvm", "zfs"
SYSTEM_ID, LVMLOCKD = "system_id", "lvmlockd"
NETWORK_HANDLERS = frozenset({"rbd", "glfs"})
"""Handlers of tcmu-runner whose configuration names storage that all nodes reach."""
FENCED = "only fencing protects it"
_DRBD = expression(r"/dev/drbd/by-res/([A-Za-z0-9_][A-Za-z0-9_.-]*)(?:/[0-9]+)?")
_ZVOL = expression(r"/dev/zvol/([A-Za-z][A-Za-z0-9_.:-]*)/[A-Za-z0-9_.:/-]+")
_LV = expression(r"/dev/([A-Za-z0-9_+.][A-Za-z0-9_+.-]*)/([A-Za-z0-9_+.][A-Za-z0-9_+.-]*)")
# The device mapper doubles the hyphens of both names.
_MAPPED = expression(r"/dev/mapper/(?!mpath)((?:[A-Za-z0-9_+.]|--)+)-((?:[A-Za-z0-9_+.]|--)+)")
_OPENED = expression(r"/dev/mapper/(luks|crypt|dm_crypt)-.+")
_SHARED = {
    re.compile(r"/dev/disk/by-id/.+"): "all nodes must see this disk",
    re.compile(r"/dev/rbd/.+"): "all nodes must map this image, as rbdmap does",
    re.compile(r"/dev/mapper/[23][0-9a-f]{16,32}", re.ASCII): (  # names that are WWIDs
        "all nodes must see this disk, by multipath without user_friendly_names"
    ),
}
_BY_DATA = expression(r"/dev/disk/by-(uuid|label|partuuid|partlabel)/.+")
_DIFFERS = "can be another device on another node"
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


def is_opened(device: str) -> bool:
    """Return whether a name of the device mapper is that of an encrypted device."""
    return _OPENED.fullmatch(device) is not None


def shared(device: str) -> str:
    """Return what all nodes need for a device that several of them can see, "" for others."""
    found = (what for pattern, what in _SHARED.items() if pattern.fullmatch(device))
    return next((f"{what}; {FENCED}" for what in found), "")


def plain(device: str) -> str:
    """Return a path without `.`, `..` and double slashes."""
    return os.path.normpath(f"/{device.lstrip('/')}")


def is_same_everywhere(device: str) -> bool:
    """Return whether a name means the same device on all nodes."""
    return plain(device) == device and not why_it_differs(device)


def why_it_differs(device: str) -> str:
    """Return why a name can mean another device on another node, "" if it cannot."""
    if plain(device) != device:
        return "is not a plain path" if not why_it_differs(plain(device)) else _DIFFERS
    if source_of(device) or mapped_volume(device) or shared(device):
        return ""
    if _BY_DATA.fullmatch(device):
        return "is a name from data on the disks, which an initiator can change or copy"
    return _DIFFERS
