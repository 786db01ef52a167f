# SPDX-License-Identifier: Apache-2.0
"""The simulator behind the seams of kernel and machine; loaded only where it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pyshell import simulator
from pyshell.errors import NotFoundError, PyshellError, from_os_error
from pyshell.host.arrivals import Arrivals
from pyshell.host.handlers import Handler
from pyshell.host.machine import BlockDevice, Queue, free_bytes
from pyshell.host.scsi_devices import ScsiDevice, is_address
from pyshell.lio.configfs import by_paths, require_changing
from pyshell.simulator.under_rtslib import attach as attach_rtslib

_LOOK_SECONDS = 0.05
_WRITE_ZEROES = 8388607
"""Sectors: that of the recorded logical volume, which the table does not change."""


def open_folder(folder: Path) -> simulator.Simulator:
    """Open the simulated target in `folder`, which is made where it is missing, under rtslib.

    Raises PyshellError where the folder holds something else.
    """
    try:
        found = simulator.open_simulator(folder)
        found.machine.check()
    except OSError as error:
        raise from_os_error(error, "open the simulated target", path=str(folder)) from error
    except ValueError as error:
        hint = "Mend or remove that file, or name another folder with --simulate=DIR."
        raise PyshellError(str(error), hint) from error
    found.before_act = require_changing
    attach_rtslib(found)
    return found


class SimulatedKernel:
    """The simulator's acts under the names of the kernel's seam."""

    def __init__(self, found: simulator.Simulator) -> None:
        self.root = str(found.configfs)
        self.read = found.read
        self.write = found.write
        self.mkdir = found.mkdir
        self.rmdir = found.rmdir
        self.unlink = found.unlink

    def within(self, folder: str) -> AbstractContextManager[Callable[[str], str]]:
        """Give what reads files of one folder by their names."""
        return by_paths(self, folder)


class SimulatedMachine:
    """The simulator's table of devices and hardware, as the target's rooms ask for it."""

    def __init__(self, found: simulator.Simulator) -> None:
        self._table = found.machine
        self._holder = found.holder

    def block_device(self, path: str) -> BlockDevice | None:
        """Return the block device at `path`, None where the table has none."""
        found = self._table.device(path)
        if found is None or found.scsi_type == 1:  # a tape is a character device
            return None
        holder = found.holder or ""
        model = f"{found.vendor} {found.model}".strip()
        return BlockDevice(
            path, found.kernel_name, found.size, False, found.scsi_type, holder, model
        )

    def block_devices(self, folder: str) -> list[str]:
        """Return the paths of the table's block devices and links, sorted."""
        return sorted([*(device.path for device in self._table.devices), *self._table.links])

    def addresses(self) -> list[tuple[str, str]]:
        """Return the table's addresses, each with its interface."""
        return list(self._table.addresses.items())

    def in_use(self, path: str) -> bool:
        """Tell whether the block device at `path` cannot be had exclusively."""
        return self._holder(path) is not None

    def device_size(self, name: str) -> int | None:
        """Return the bytes of the device that the kernel calls `name`, None if it is gone."""
        for device in self._table.devices:
            if device.kernel_name == name and device.present:
                return device.size
        return None

    def queue(self, name: str) -> Queue | None:
        """Return the limits of the device that the kernel calls `name`, None if unknown."""
        for device in self._table.devices:
            if device.kernel_name == name:
                return Queue(
                    block_size=device.sector_size,
                    discard_sectors=device.discard_sectors * device.sector_size // 512,
                    discard_granularity=device.discard_granularity * device.sector_size,
                    write_zeroes_sectors=_WRITE_ZEROES,
                    rotational=device.rotational,
                    depth=device.queue_depth,
                    max_sectors=device.max_sectors,
                )
        return None

    def cpus(self) -> int:
        """Return how many processors the table has."""
        return self._table.cpus

    def image_file(self, path: str) -> Path:
        """Return where the simulated host's file lies: below the simulator's folder."""
        return self._table.file(path)

    def makes_folders(self, path: str) -> bool:
        """Tell whether `path` lies below a folder of the simulated host, which needs no mkdir."""
        return self._table.offers(path)

    def host_file(self, path: str) -> Path:
        """Return where the simulated host's file lies: below the simulator's folder."""
        return self._table.file(path)

    def ask(self, *command: str) -> str | None:
        """Return the kernel's log to `dmesg`: the simulated host has no other program."""
        return self._table.logged() if command[:1] == ("dmesg",) else None

    def lasting_name(self, path: str) -> str | None:
        """Return the name below /dev/disk/by-id that the table has for a disk."""
        wanted = self._table.device(path)
        for name in sorted(self._table.links):
            if (
                wanted
                and name.startswith("/dev/disk/by-id/")
                and self._table.device(name) == wanted
            ):
                return name
        return None

    def present(self, path: str) -> bool:
        """Tell whether the table has a device at `path`."""
        return self._table.device(path) is not None

    def arrivals(self, tell: Callable[[str], None]) -> AbstractContextManager[Arrivals]:
        """Watch the table and the simulated host's files."""
        return nullcontext(_Clock())

    def loadable_fabrics(self) -> frozenset[str]:
        """Return the fabrics that the simulated kernel offers."""
        return frozenset(self._table.fabrics)

    def usb_controllers(self) -> list[str]:
        """Return the USB device controllers of the table."""
        return [port.name for port in self._table.ports if port.fabric == "usb_gadget"]

    def scsi_device(self, name: str) -> ScsiDevice | None:
        """Return the SCSI device at a path or H:C:T:L, None where the table has none."""
        found = self._table.at(name) if is_address(name) else self._table.device(name)
        if found is None or found.hctl is None:
            return None
        return ScsiDevice(found.path if is_address(name) else name, found.hctl, found.scsi_type)

    def memory(self) -> int:
        """Return the bytes of memory that the simulated host has."""
        return self._table.memory

    def free_space(self, path: str) -> int:
        """Return the bytes that are free where the simulator's folder lies."""
        return free_bytes(self._table.file("/"))

    def user_handlers(self, *, patiently: bool = False) -> Sequence[Handler]:
        """Return the handlers that the table names."""
        return [Handler(name, text) for name, text in sorted(self._table.handlers.items())]

    def check_config(self, handler: str, config: str) -> None:
        """Take every configuration; raise NotFoundError where the table has no such handler."""
        if handler not in self._table.handlers:
            raise NotFoundError(f"No handler {handler} is running.")

    def change_medium(self, handler: str, name: str, size: int, config: str) -> None:
        """Refuse, as the handlers of tcmu-runner do."""
        self.check_config(handler, config)
        raise PyshellError("ChangeMedium failed: No such method \u201cChangeMedium\u201d")


class _Clock:
    """A look at a simulated machine costs little: nothing but a short sleep lies between two."""

    def pause(self, seconds: float) -> None:
        """Sleep a while."""
        time.sleep(min(seconds, _LOOK_SECONDS))
