# SPDX-License-Identifier: Apache-2.0
"""The host of a candidate: the target's own host, of which nothing is written.

A candidate is a simulated kernel that holds a copy of a target's configuration. Devices, addresses
and files are those of the target's host. Image files that a candidate creates or resizes are sparse
files in its own folder. A device that the copied target holds is free for the candidate's objects.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell.errors import ConflictError
from pyshell.host import (
    DISK,
    BlockDevice,
    DeviceEvents,
    Machine,
    Queue,
    ScsiDevice,
    Services,
    UserHandler,
)
from pyshell.simulator.hardware import Hardware, HardwareTable, SimulatedDevice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyshell.simulator import Simulator

_SECTOR = 512
_AFTER = "Run 'commit' or 'abort' first."


class CandidateHardware(Hardware):
    """The hardware of a target's host, as the kernel of a candidate sees it."""

    def __init__(
        self, folder: Path, host: Machine, table: HardwareTable, held: Collection[str]
    ) -> None:
        """`held` are the kernel's names of the devices that the copied target holds."""
        super().__init__(folder)
        self._host = host
        self._known = table
        self._held = frozenset(held)
        self._seeded: dict[str, SimulatedDevice | None] | None = None
        """While the copy is made: the devices found so far; None afterwards."""

    def prepare(self) -> None:
        """Do nothing: the table is not a file."""

    def table(self) -> HardwareTable:
        return self._known

    @contextmanager
    def seeding(self, lost: Mapping[str, SimulatedDevice]) -> Iterator[None]:
        """Offer all devices meanwhile, whatever uses them, and those that are `lost` by now."""
        self._seeded = dict(lost)
        try:
            yield
        finally:
            self._seeded = None

    def device(self, path: str) -> SimulatedDevice | None:
        if self._seeded is None:
            return self._device(path)
        if path not in self._seeded:
            self._seeded[path] = self._device(path)
        return self._seeded[path]

    def _device(self, path: str) -> SimulatedDevice | None:
        block, scsi = self._host.block_device(path), self._host.scsi_device(path)
        if block is None and scsi is None:
            return None
        name = block.name if block is not None else os.path.basename(path)
        queue = self._host.queue(name) if block is not None else None
        sector = queue.block_size if queue is not None else _SECTOR
        made = SimulatedDevice(
            path,
            name,
            block.size if block is not None else 0,
            sector_size=sector,
            scsi_type=scsi.scsi_type if scsi is not None else _type_of(block),
            hctl=scsi.hctl if scsi is not None else None,
            holder=self._user(path, name, block),
            model=block.model if block is not None else "",
        )
        if queue is None:
            return made
        return replace(
            made,
            max_sectors=queue.max_sectors,
            queue_depth=queue.depth,
            rotational=queue.rotational,
            discard_sectors=queue.discard_sectors * _SECTOR // sector,
            discard_granularity=queue.discard_granularity // sector,
            write_cache=queue.write_cache,
        )

    def _user(self, path: str, name: str, block: BlockDevice | None) -> str | None:
        """Return what else than the copied target uses a device, None for nothing."""
        if self._seeded is not None:
            return None
        if block is not None and block.holder:
            return block.holder
        return None if name in self._held or not self._host.in_use(path) else "another program"

    def named(self, kernel_name: str) -> SimulatedDevice | None:
        if self._seeded is not None:
            for known in self._seeded.values():
                if known is not None and known.kernel_name == kernel_name:
                    return known
        return self.device(f"/dev/{kernel_name}")

    def at(self, hctl: str) -> SimulatedDevice | None:
        found = self._host.scsi_device(hctl)
        return self.device(found.path) if found is not None and found.path else None

    def kept(self, path: str) -> Path:
        """Return where the candidate keeps a file of its own."""
        return super().file(path)

    def file(self, path: str) -> Path:
        """Return where a file is that the candidate may write: never one of the host.

        For an existing file or folder of the host, a sparse file of that size or an empty folder is
        created there.
        """
        kept = self.kept(path)
        if not os.path.lexists(kept):
            _stand_in(kept, self._host.host_file(path))
        return kept

    def offers(self, path: str) -> bool:
        return self._host.makes_folders(path)


def _type_of(block: BlockDevice | None) -> int:
    found = block.scsi_type if block is not None else None
    return DISK if found is None else found


def _stand_in(kept: Path, there: Path) -> None:
    """Create what stands for a file or folder of the host."""
    if there.is_dir():
        kept.mkdir(0o700, parents=True, exist_ok=True)
        return
    if there.parent.is_dir():
        kept.parent.mkdir(0o700, parents=True, exist_ok=True)
    if there.is_file():
        descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, there.stat().st_size)
        finally:
            os.close(descriptor)


class CandidateMachine(Machine):
    """The host of a candidate."""

    def __init__(self, host: Machine, hardware: CandidateHardware, simulator: Simulator) -> None:
        self._host = host
        self._hardware = hardware
        self._holder = simulator.holder

    def host_file(self, path: str) -> Path:
        """Return where a file can be read: the host's, unless the candidate changed it."""
        kept, there = self._hardware.kept(path), self._host.host_file(path)
        try:
            own = os.lstat(kept)
        except OSError:
            return there
        if not stat.S_ISREG(own.st_mode):
            return there
        try:
            return there if there.stat().st_size == own.st_size else kept
        except OSError:
            return kept

    def image_file(self, path: str) -> Path:
        return self._hardware.file(path)

    def ask(self, *command: str) -> str | None:
        return self._host.ask(*command)

    def block_device(self, path: str) -> BlockDevice | None:
        return self._host.block_device(path)

    def block_devices(self, folder: str) -> list[str]:
        return self._host.block_devices(folder)

    def scsi_device(self, name: str) -> ScsiDevice | None:
        return self._host.scsi_device(name)

    def in_use(self, path: str) -> bool:
        return self._holder(path) is not None

    def device_size(self, name: str) -> int | None:
        return self._host.device_size(name)

    def queue(self, name: str) -> Queue | None:
        return self._host.queue(name)

    def lasting_name(self, path: str) -> str | None:
        return self._host.lasting_name(path)

    def present(self, path: str) -> bool:
        return self._host.present(path)

    def device_events(self, report: Callable[[str], None]) -> AbstractContextManager[DeviceEvents]:
        return self._host.device_events(report)

    def makes_folders(self, path: str) -> bool:
        return self._host.makes_folders(path)

    def frees_space(self, path: str) -> bool:
        return self._host.frees_space(path)

    def free_space(self, path: str) -> int:
        return self._host.free_space(path)

    def kernel_release(self) -> str:
        return self._host.kernel_release()

    def cpus(self) -> int:
        return self._host.cpus()

    def memory(self) -> int:
        return self._host.memory()

    def addresses(self) -> Mapping[str, str]:
        return self._host.addresses()

    def loadable_fabrics(self, modules: Mapping[str, str]) -> frozenset[str]:
        return self._host.loadable_fabrics(modules)

    def usb_controllers(self) -> list[str]:
        return self._host.usb_controllers()

    def can_offload_iscsi(self) -> bool:
        return self._host.can_offload_iscsi()

    def can_share_devices(self) -> bool:
        return False

    def services(self) -> Services:
        return _ReadServices(self._host.services())

    def user_handlers(self, *, patiently: bool = False) -> Sequence[UserHandler]:
        return self._host.user_handlers(patiently=patiently)

    def check_config(self, handler: str, config: str) -> None:
        self._host.check_config(handler, config)

    def change_medium(self, handler: str, name: str, size: int, config: str) -> None:
        """Refuse: the handler would change the running storage object."""
        raise ConflictError("A candidate cannot change a medium.", _AFTER)

    def start_timer(self, unit: str, delays: Sequence[int], words: Sequence[str]) -> None:
        raise ConflictError("A candidate cannot start a timer.", _AFTER)

    def stop_timer(self, unit: str) -> None:
        raise ConflictError("A candidate cannot stop a timer.", _AFTER)

    def log(self, text: str) -> None:
        """Write nothing: a candidate changes nothing that others would want to know."""

    def announce(self, text: str) -> None:
        """Write nothing, as `log`."""


class _ReadServices:
    """The host's systemd, which a candidate does not change."""

    def __init__(self, host: Services) -> None:
        self._host = host

    def state(self, unit: str) -> str:
        return self._host.state(unit)

    def enable(self, units: Sequence[str]) -> None:
        raise ConflictError("A candidate cannot enable services.", _AFTER)

    def disable(self, units: Sequence[str]) -> None:
        raise ConflictError("A candidate cannot disable services.", _AFTER)
