# SPDX-License-Identifier: Apache-2.0
"""What makes the devices of a target available on one node at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyshell.config.cluster_devices import SHARED, Source, mapped_volume, source_of
from pyshell.lio.configfs import is_below
from pyshell.lio.identifiers import plugin_name, storage_object_path

if TYPE_CHECKING:
    from pyshell.config.document import StorageObjectEntry


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
        elif device.startswith(SHARED):
            self.visible[device] = "all nodes must see this disk; only fencing protects it"
        elif volume := mapped_volume(device):
            name = "/".join(volume)
            self.unknown[device] = f"if it is a logical volume, use /dev/{name}"
        elif device.startswith("/dev/"):
            self.unknown[device] = (
                "its name does not say what moves it; use /dev/drbd/by-res/RESOURCE/VOLUME,"
                " /dev/VG/LV, /dev/zvol/POOL/VOLUME or /dev/disk/by-id/DISK"
            )
        else:
            self.unknown[device] = "add the resource that mounts the file system with this file"
