# SPDX-License-Identifier: Apache-2.0
"""The machine around the target behind one interface, real and simulated: its devices, network,
services and handlers.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pyshell.expressions import expression

BY_ID = "/dev/disk/by-id/"
EXPIRE, EXPIRE_AFTER = "--expire", "--expire-after"
"""Options for timers alone: see `pyshell.shell.expiry`."""
# SCSI peripheral device types, and what administrators call them.
DISK, TAPE, ZONED_DISK = 0, 1, 0x14
_TYPE_NAMES = {0: "disk", 1: "tape", 5: "CD-ROM", 7: "optical disk", 8: "changer", 0x14: "disk"}
_HCTL = expression(r"\d+:\d+:\d+:\d+")
_RELEASE = expression(r"(\d+)\.(\d+)")


@dataclass(frozen=True)
class BlockDevice:
    """A block device. `size` is in bytes; `holder` says what uses it, "" if nothing does."""

    path: str
    name: str
    size: int
    read_only: bool
    scsi_type: int | None
    holder: str
    model: str = ""
    """Vendor and model, or the kind of a virtual device; "" if unknown."""


@dataclass(frozen=True)
class Queue:
    """Limits of a block device's queue: sectors of 512 bytes, the rest in bytes."""

    block_size: int
    discard_sectors: int
    discard_granularity: int
    write_zeroes_sectors: int
    rotational: bool
    depth: int
    """The number of requests that fit into it."""
    max_sectors: int
    """The most blocks of one request."""
    write_cache: bool | None = None
    """Whether it has a volatile write cache, None if it does not say."""


@dataclass(frozen=True)
class ScsiDevice:
    """A SCSI device: `path` is the node it was named by, or the best of its nodes.

    `problem` says why it cannot be passed through by that name, "" if it can.
    """

    path: str
    hctl: str
    scsi_type: int
    problem: str = ""

    @property
    def type_name(self) -> str:
        """Return the device's type in words."""
        return _TYPE_NAMES.get(self.scsi_type, f"SCSI device of type {self.scsi_type}")


def is_hctl(name: str) -> bool:
    """Return whether a SCSI device is named by host:channel:target:lun."""
    return _HCTL.fullmatch(name) is not None


@dataclass(frozen=True)
class UserHandler:
    """A handler of user-space storage objects; `description` explains its configuration strings."""

    name: str
    description: str


class DeviceEvents(Protocol):
    """Events that a device may have appeared. None is lost since it was opened."""

    def pause(self, seconds: float) -> None:
        """Sleep that long, or less if a device may have appeared."""


class Clock:
    """No events: wake up at intervals of so many seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval

    def pause(self, seconds: float) -> None:
        """Sleep for an interval at most."""
        time.sleep(min(seconds, self._interval))


class Services(Protocol):
    """The host's systemd."""

    def state(self, unit: str) -> str:
        """Return what `systemctl is-enabled` prints, "" if the unit is not installed."""

    def enable(self, units: Sequence[str]) -> None:
        """Have units started at boot; none is started now. Raises PyshellError."""

    def disable(self, units: Sequence[str]) -> None:
        """Have units no longer started at boot; none is stopped now. Raises PyshellError."""


class Machine(ABC):
    """The host that the target runs on."""

    @abstractmethod
    def host_file(self, path: str) -> Path:
        """Return where a file of the host, as an image file or one below /proc, can be opened."""

    def text(self, path: str) -> str:
        """Return the stripped text of a file of the host, "" if it cannot be read."""
        return file_text(self.host_file(path))

    @abstractmethod
    def ask(self, *command: str) -> str | None:
        """Return what a program that changes nothing prints; None if it is missing or fails."""

    # Devices

    @abstractmethod
    def block_device(self, path: str) -> BlockDevice | None:
        """Return the block device at `path`, None if that is something else or missing."""

    @abstractmethod
    def block_devices(self, folder: str) -> list[str]:
        """Return the paths of block devices, sorted; also those of `folder` if it is in /dev."""

    @abstractmethod
    def scsi_device(self, name: str) -> ScsiDevice | None:
        """Return the SCSI device at a path or H:C:T:L, None if there is none."""

    @abstractmethod
    def in_use(self, path: str) -> bool:
        """Return whether the block device at `path` cannot be opened exclusively."""

    @abstractmethod
    def device_size(self, name: str) -> int | None:
        """Return the bytes of the device that the kernel calls `name`, None if it is gone."""

    @abstractmethod
    def queue(self, name: str) -> Queue | None:
        """Return the limits of the device that the kernel calls `name`, None if unknown."""

    @abstractmethod
    def lasting_name(self, path: str) -> str | None:
        """Return the name of a disk below /dev/disk/by-id, None if it has none."""

    @abstractmethod
    def present(self, path: str) -> bool:
        """Return whether there is a device of any kind at `path`."""

    @abstractmethod
    def device_events(self, report: Callable[[str], None]) -> AbstractContextManager[DeviceEvents]:
        """Listen for devices that appear; `report` is called with why that is not possible."""

    # Image files

    @abstractmethod
    def makes_folders(self, path: str) -> bool:
        """Return whether missing folders are created along with an image file at `path`."""

    @abstractmethod
    def frees_space(self, path: str) -> bool:
        """Return whether parts of a file at `path` can be freed (holes punched), if that is known.

        The file may be missing; its folder exists.
        """

    def image_file(self, path: str) -> Path:
        """Return where an image file is created or resized."""
        return self.host_file(path)

    def free_space(self, path: str) -> int:
        """Return the bytes that a file at `path` can still get, 0 if that is unknown."""
        return _free_bytes(self.host_file(path))

    # Hardware and kernel

    @abstractmethod
    def kernel_release(self) -> str:
        """Return the kernel's release; of a simulated host, that of the recorded kernel."""

    @abstractmethod
    def cpus(self) -> int:
        """Return the number of processors."""

    @abstractmethod
    def memory(self) -> int:
        """Return the bytes of memory, 0 if unknown."""

    @abstractmethod
    def addresses(self) -> Mapping[str, str]:
        """Return the IP addresses that portals can have, each with its interface or ""."""

    @abstractmethod
    def loadable_fabrics(self, modules: Mapping[str, str]) -> frozenset[str]:
        """Return those fabrics, the keys, whose kernel module exists, loaded or not."""

    def usb_controllers(self) -> list[str]:
        """Return the USB device controllers, sorted: with one, this host can be a USB disk."""
        return names_in(self.host_file("/sys/class/udc"))

    def can_offload_iscsi(self) -> bool:
        """Return whether a Chelsio adapter, to which iSCSI can be offloaded, has its driver."""
        return any(":" in name for name in names_in(self.host_file("/sys/bus/pci/drivers/cxgb4")))

    def can_share_devices(self) -> bool:
        """Return whether the kernel may know `exclusive=0` of block objects: Linux 6.17 does.

        Others may have it backported, which only the text of the kernel's module shows. True if
        the module cannot be read.
        """
        release = _RELEASE.match(self.kernel_release())
        if release is None or (int(release[1]), int(release[2])) >= (6, 17):
            return True
        import lzma  # few commands ask this

        module = (self.ask("modinfo", "-n", "target_core_iblock") or "").strip()
        try:
            content = self.host_file(module).read_bytes()
            if module.endswith(".xz"):
                content = lzma.decompress(content)
        except (OSError, lzma.LZMAError):
            return True
        return not module.endswith((".ko", ".xz")) or b"exclusive=" in content

    # Timers and messages

    @abstractmethod
    def start_timer(self, unit: str, delays: Sequence[int], words: Sequence[str]) -> None:
        """Have `pyshell --expire WORDS` run after each of these seconds, outside this process.

        The end of this process, its session or its terminal does not affect it. Raises
        PyshellError.
        """

    @abstractmethod
    def stop_timer(self, unit: str) -> None:
        """Stop a timer, if it is there."""

    @abstractmethod
    def log(self, text: str) -> None:
        """Write a line to the system's log."""

    @abstractmethod
    def announce(self, text: str) -> None:
        """Write a line to the system's log and to the terminals of all users."""

    # Services

    @abstractmethod
    def services(self) -> Services:
        """Return the host's systemd."""

    @abstractmethod
    def user_handlers(self, *, patiently: bool = False) -> Sequence[UserHandler]:
        """Return the handlers of user-space storage objects, sorted by name.

        Waits for a service that is busy only if `patiently`.
        """

    @abstractmethod
    def check_config(self, handler: str, config: str) -> None:
        """Ask a handler whether it can open `config` ("HANDLER/…"). Raises PyshellError."""

    @abstractmethod
    def change_medium(self, handler: str, name: str, size: int, config: str) -> None:
        """Ask a handler for another medium in a storage object. Raises PyshellError."""


def file_text(path: str | os.PathLike[str]) -> str:
    """Return the stripped text of a file, "" if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            return file.read().strip()
    except OSError:
        return ""


def names_in(folder: str | os.PathLike[str]) -> list[str]:
    """Return the sorted names in a folder, none if it cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _free_bytes(path: Path) -> int:
    folder = path if path.is_dir() else path.parent
    try:
        status = os.statvfs(folder)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize
