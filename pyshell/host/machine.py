# SPDX-License-Identifier: Apache-2.0
"""The host around the target: devices, image files, memory, what fabrics and handlers there are."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pyshell.host import facts, handlers, scsi_devices
from pyshell.host.arrivals import Arrivals, arrivals
from pyshell.host.handlers import Handler
from pyshell.host.scsi_devices import ScsiDevice
from pyshell.lio import fabrics

_SECTOR = 512  # sysfs counts sizes in sectors of 512 bytes, whatever the device's own are


@dataclass(frozen=True)
class BlockDevice:
    """A block device. `size` is in bytes; `holder` says who uses it, "" where nobody does."""

    path: str
    name: str
    size: int
    read_only: bool
    scsi_type: int | None
    holder: str
    model: str = ""
    """What it is, in its maker's or driver's words, "" where nobody says."""


@dataclass(frozen=True)
class Queue:
    """Limits of a block device's queue: sectors of 512 bytes, the rest in bytes."""

    block_size: int
    discard_sectors: int
    discard_granularity: int
    write_zeroes_sectors: int
    rotational: bool
    depth: int
    """Requests that it holds at once."""
    max_sectors: int
    """The most blocks of one request."""


class Machine(Protocol):
    """What pyshell asks of the host it runs on, real or simulated."""

    def block_device(self, path: str) -> BlockDevice | None:
        """Return the block device at `path`, None where that is something else or nothing."""

    def block_devices(self, folder: str) -> list[str]:
        """Return the paths of block devices, sorted; those of `folder`, too, if it is in /dev."""

    def addresses(self) -> list[tuple[str, str]]:
        """Return the host's addresses, each with the interface that has it, "" if unknown."""

    def scsi_device(self, name: str) -> ScsiDevice | None:
        """Return the SCSI device at a path or H:C:T:L, None where there is none."""

    def in_use(self, path: str) -> bool:
        """Tell whether the block device at `path` cannot be had exclusively."""

    def device_size(self, name: str) -> int | None:
        """Return the bytes of the device that the kernel calls `name`, None if it is gone."""

    def queue(self, name: str) -> Queue | None:
        """Return the limits of the device that the kernel calls `name`, None if unknown."""

    def cpus(self) -> int:
        """Return how many processors the host has."""

    def image_file(self, path: str) -> Path:
        """Return where the image file that the target calls `path` lies."""

    def makes_folders(self, path: str) -> bool:
        """Tell whether the folders that an image file lies in are created along with it."""

    def host_file(self, path: str) -> Path:
        """Return where a file of the host, as one below /proc or /etc, can be read."""

    def ask(self, *command: str) -> str | None:
        """Run a program that only looks; None where it is not there or says no."""

    def lasting_name(self, path: str) -> str | None:
        """Return the name below /dev/disk/by-id of a disk, None where it has none."""

    def present(self, path: str) -> bool:
        """Tell whether there is a device of any kind at `path`."""

    def arrivals(self, tell: Callable[[str], None]) -> AbstractContextManager[Arrivals]:
        """Listen for devices that appear; `tell` is told where that cannot be."""

    def loadable_fabrics(self) -> frozenset[str]:
        """Return the fabrics that the kernel can provide, loaded or not."""

    def usb_controllers(self) -> list[str]:
        """Return the USB device controllers: with one, this host can be a USB disk."""

    def memory(self) -> int:
        """Return the bytes of memory that the host has."""

    def free_space(self, path: str) -> int:
        """Return the bytes that a file at `path` can still get."""

    def user_handlers(self, *, patiently: bool = False) -> Sequence[Handler]:
        """Return the handlers of user-space storage objects, sorted by name.

        A service that is busy is waited for only `patiently`.
        """

    def check_config(self, handler: str, config: str) -> None:
        """Ask a handler whether it can open `config` ("HANDLER/…"). Raises PyshellError."""

    def change_medium(self, handler: str, name: str, size: int, config: str) -> None:
        """Ask a handler for another medium in a storage object. Raises PyshellError."""


class RealMachine:
    """The host that this process runs on."""

    def cpus(self) -> int:
        """Return how many processors the host has."""
        return os.cpu_count() or 1

    def block_device(self, path: str) -> BlockDevice | None:
        """Return the block device at `path`, None where that is something else or nothing."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        if not stat.S_ISBLK(status.st_mode):
            return None
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        folder = os.path.realpath(f"/sys/dev/block/{number}")
        return BlockDevice(
            path=path,
            name=os.path.basename(folder).replace("!", "/"),
            size=_number(f"{folder}/size") * _SECTOR,
            read_only=_number(f"{folder}/ro") != 0,
            # A disk that is not SCSI has no type file; SAM's type 0 is a direct-access device.
            scsi_type=_number(f"{folder}/device/type"),
            holder=_holder(number, folder),
            model=facts.model(folder),
        )

    def block_devices(self, folder: str) -> list[str]:
        """Return the paths of block devices, sorted; those of `folder`, too, if it is in /dev."""
        return facts.block_devices(folder)

    def addresses(self) -> list[tuple[str, str]]:
        """Return the host's addresses, each with the interface that has it, "" if unknown."""
        return facts.addresses()

    def in_use(self, path: str) -> bool:
        """Tell whether the block device at `path` cannot be had exclusively."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return error.errno == errno.EBUSY
        with contextlib.suppress(OSError):  # a tape without a medium cannot be rewound
            os.close(descriptor)
        return False

    def device_size(self, name: str) -> int | None:
        """Return the bytes of the device that the kernel calls `name`, None if it is gone."""
        text = facts.text(f"/sys/class/block/{name.replace('/', '!')}/size")
        return int(text) * _SECTOR if text.isdigit() else None

    def queue(self, name: str) -> Queue | None:
        """Return the limits of the device that the kernel calls `name`, None if unknown."""
        folder = os.path.realpath(f"/sys/class/block/{name.replace('/', '!')}")
        if os.path.exists(f"{folder}/partition"):
            folder = os.path.dirname(folder)
        queue = f"{folder}/queue"
        size = _number(f"{queue}/logical_block_size")
        if not size:
            return None
        return Queue(
            block_size=size,
            discard_sectors=_number(f"{queue}/discard_max_bytes") // _SECTOR,
            discard_granularity=_number(f"{queue}/discard_granularity"),
            write_zeroes_sectors=_number(f"{queue}/write_zeroes_max_bytes") // _SECTOR,
            rotational=_number(f"{queue}/rotational") != 0,
            depth=_number(f"{queue}/nr_requests"),
            max_sectors=_number(f"{queue}/max_hw_sectors_kb") * 1024 // size,
        )

    def image_file(self, path: str) -> Path:
        """Return where the image file that the target calls `path` lies: right there."""
        return Path(path)

    def makes_folders(self, path: str) -> bool:
        """Return that folders must exist before an image file is created in them."""
        return False

    def host_file(self, path: str) -> Path:
        """Return where a file of the host can be read: right there."""
        return Path(path)

    def ask(self, *command: str) -> str | None:
        """Run a program that only looks; None where it is not there or says no."""
        from pyshell.host import inquiry

        return inquiry.ask(*command)

    def lasting_name(self, path: str) -> str | None:
        """Return the name below /dev/disk/by-id of a disk, None where it has none."""
        from pyshell.host import inquiry

        return inquiry.lasting_name(path)

    def present(self, path: str) -> bool:
        """Tell whether there is a device of any kind at `path`."""
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return False
        return stat.S_ISBLK(mode) or stat.S_ISCHR(mode)

    def arrivals(self, tell: Callable[[str], None]) -> AbstractContextManager[Arrivals]:
        """Listen to udev; `tell` is told where that cannot be."""
        return arrivals(tell)

    def loadable_fabrics(self) -> frozenset[str]:
        """Return the fabrics whose module this kernel has."""
        return fabrics.loadable()

    def usb_controllers(self) -> list[str]:
        """Return the USB device controllers: with one, this host can be a USB disk."""
        try:
            return sorted(os.listdir("/sys/class/udc"))
        except OSError:
            return []

    def scsi_device(self, name: str) -> ScsiDevice | None:
        """Return the SCSI device at a path or H:C:T:L, None where there is none."""
        return scsi_devices.named(name)

    def memory(self) -> int:
        """Return the bytes of memory that the host has."""
        match = re.search(r"MemTotal:\s+(\d+) kB", facts.text("/proc/meminfo"))
        return int(match.group(1)) * 1024 if match else 0

    def free_space(self, path: str) -> int:
        """Return the bytes that a file at `path` can still get."""
        return free_bytes(Path(path))

    def user_handlers(self, *, patiently: bool = False) -> Sequence[Handler]:
        """Return the handlers of user-space storage objects, sorted by name.

        A service that is busy is waited for only `patiently`.
        """
        return handlers.running(patiently=patiently)

    def check_config(self, handler: str, config: str) -> None:
        """Ask a handler whether it can open `config` ("HANDLER/…"). Raises PyshellError."""
        handlers.check_config(handler, config)

    def change_medium(self, handler: str, name: str, size: int, config: str) -> None:
        """Ask a handler for another medium in a storage object. Raises PyshellError."""
        handlers.change_medium(handler, name, size, config)


def free_bytes(path: Path) -> int:
    """Return the bytes that are free where `path` is or would be, 0 where that cannot be told."""
    folder = path if path.is_dir() else path.parent
    try:
        status = os.statvfs(folder)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def _holder(number: str, folder: str) -> str:
    """Say who uses a block device: a mount, swap, or another block device (LVM, md, dm)."""
    numbers = {number}
    try:
        entries = os.listdir(folder)
    except OSError:
        return ""
    for entry in entries:
        partition = facts.text(f"{folder}/{entry}/dev") if entry != "device" else ""
        if partition:
            numbers.add(partition)
    for line in facts.text("/proc/self/mountinfo").split("\n"):
        fields = line.split(" ")
        if len(fields) > 4 and fields[2] in numbers:
            return f"mounted on {fields[4]}"
    for line in facts.text("/proc/swaps").splitlines()[1:]:
        if os.path.basename(os.path.realpath(line.split()[0])) == os.path.basename(folder):
            return "used as swap"
    try:
        holders = sorted(os.listdir(f"{folder}/holders"))
    except OSError:
        holders = []
    return f"held by {', '.join(holders)}" if holders else ""


def _number(path: str) -> int:
    text = facts.text(path)
    return int(text) if text.isdigit() else 0
