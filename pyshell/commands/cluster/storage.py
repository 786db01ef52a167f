# SPDX-License-Identifier: Apache-2.0
"""What makes the devices of a target available on one node at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyshell.config import cluster_devices
from pyshell.config.cluster_devices import Source, mapped_volume, source_of
from pyshell.lio.configfs import is_below
from pyshell.lio.identifiers import plugin_name, storage_object_path

if TYPE_CHECKING:
    from pyshell.config.document import StorageObjectEntry


@dataclass
class Devices:
    """The devices of a target. `lvm` is how a volume group is protected."""

    lvm: str
    kind_of: Callable[[str], str]
    """Returns what a device is, "" if this host does not know."""
    sources: list[Source] = field(default_factory=list)
    """Each once, in the order of the devices."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Devices that none of them provides, and why."""
    visible: dict[str, str] = field(default_factory=dict)
    """Devices that need nothing, and why."""

    def add_object(self, entry: StorageObjectEntry, state_dir: str | None) -> None:
        """Add the device of a storage object."""
        plugin = plugin_name(entry["plugin"])
        path = storage_object_path(entry["plugin"], entry["name"])
        device, handler = entry.get("dev", ""), ""
        if plugin == "user":
            handler, _, device = (entry.get("config") or "").partition("/")
        if handler in cluster_devices.NETWORK_HANDLERS:
            self.visible[path] = f"all nodes must reach this storage; {cluster_devices.FENCED}"
        elif handler and not device.startswith("/"):
            self.unknown[path] = f"add the resource that moves the data of the handler {handler}"
        elif plugin == "ramdisk" or not device:
            self.unknown[path] = "nothing moves it to another node; use block devices"
        elif state_dir is not None and is_below(os.path.normpath(device), f"{state_dir}/"):
            return  # on the file system that is mounted there
        else:
            self.add(device)

    def add(self, device: str) -> None:
        """Add a device."""
        normal = cluster_devices.plain(device)
        found = source_of(device, self.lvm)
        if found is not None:
            self._add(found)
        elif visible := cluster_devices.shared(device):
            self.visible[device] = visible
        elif normal != device and cluster_devices.is_same_everywhere(normal):
            self.unknown[device] = f"it is not a plain path; use {normal}"
        elif volume := mapped_volume(device):
            self._add_mapped(device, f"/dev/{'/'.join(volume)}")
        elif device.startswith("/dev/") or not device.startswith("/"):
            self.unknown[device] = (
                "its name does not say what moves it; use /dev/drbd/by-res/RESOURCE/VOLUME,"
                " /dev/VG/LV, /dev/zvol/POOL/VOLUME or /dev/disk/by-id/DISK"
            )
        else:
            self.unknown[device] = "add the resource that mounts the file system with this file"

    def _add(self, source: Source) -> None:
        if source not in self.sources:
            self.sources.append(source)

    def _add_mapped(self, device: str, volume: str) -> None:
        """Add a device of the device mapper that can be a logical volume: the host may know."""
        kind = self.kind_of(device)
        found = source_of(volume, self.lvm)
        if kind == "logical volume" and found is not None:
            self._add(found)
        elif kind or cluster_devices.is_opened(device):
            self.unknown[device] = "add the resource that opens or creates it"
        else:
            self.unknown[device] = (
                f"if it is a logical volume, use {volume}; if not, add the resource that creates it"
            )
