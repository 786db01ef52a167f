# SPDX-License-Identifier: Apache-2.0
"""The simulated host: the table of its hardware, its files and services behind `Machine`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from pyshell.errors import NotFoundError, PyshellError
from pyshell.files import reading, writing
from pyshell.host import (
    TAPE,
    BlockDevice,
    Clock,
    DeviceEvents,
    Machine,
    Queue,
    ScsiDevice,
    Services,
    UserHandler,
    is_hctl,
)
from pyshell.simulator import Simulator
from pyshell.simulator.hardware import HardwareTable
from pyshell.simulator.recorded import recorded_kernel

_PAUSE_SECONDS = 0.05  # reading a simulated host costs little
_WRITE_ZEROES = 8388607
"""Sectors: that of the recorded logical volume, which the table does not change."""
# On the simulated host, targetcli was used so far.
_UNITS = {
    "target.service": "enabled",
    "pyshell-restore.service": "disabled",
    "pyshell-missing.path": "disabled",
}


class SimulatedMachine(Machine):
    """The host of a simulated kernel. Its files lie below the simulator's folder."""

    def __init__(self, simulator: Simulator) -> None:
        self._hardware = simulator.machine
        self._holder = simulator.holder
        self._folder = simulator.folder
        self._services = SimulatedServices(simulator.folder / "services.json")

    @property
    def _table(self) -> HardwareTable:
        return self._hardware.table()

    def host_file(self, path: str) -> Path:
        return self._hardware.file(path)

    def ask(self, *command: str) -> str | None:
        """Return the kernel's log to `dmesg`: the simulated host has no other program."""
        return self._hardware.logged() if command[:1] == ("dmesg",) else None

    def block_device(self, path: str) -> BlockDevice | None:
        found = self._hardware.device(path)
        if found is None or found.scsi_type == TAPE:  # a tape is a character device
            return None
        holder = found.holder or ""
        model = f"{found.vendor} {found.model}".strip()
        return BlockDevice(
            path, found.kernel_name, found.size, False, found.scsi_type, holder, model
        )

    def block_devices(self, folder: str) -> list[str]:
        return sorted(
            [
                *(device.path for device in self._table.devices),
                *self._table.links,
            ]
        )

    def scsi_device(self, name: str) -> ScsiDevice | None:
        found = self._hardware.at(name) if is_hctl(name) else self._hardware.device(name)
        if found is None or found.hctl is None:
            return None
        return ScsiDevice(found.path if is_hctl(name) else name, found.hctl, found.scsi_type)

    def in_use(self, path: str) -> bool:
        return self._holder(path) is not None

    def device_size(self, name: str) -> int | None:
        device = self._hardware.named(name)
        return device.size if device is not None else None

    def queue(self, name: str) -> Queue | None:
        device = next((one for one in self._table.devices if one.kernel_name == name), None)
        if device is None:
            return None
        return Queue(
            block_size=device.sector_size,
            discard_sectors=device.discard_sectors * device.sector_size // 512,
            discard_granularity=device.discard_granularity * device.sector_size,
            write_zeroes_sectors=_WRITE_ZEROES,
            rotational=device.rotational,
            depth=device.queue_depth,
            max_sectors=device.max_sectors,
            write_cache=device.write_cache,
        )

    def lasting_name(self, path: str) -> str | None:
        wanted = self._hardware.device(path)
        by_id = (name for name in self._table.links if name.startswith("/dev/disk/by-id/"))
        found = (name for name in sorted(by_id) if self._hardware.device(name) == wanted)
        return next(found, None) if wanted is not None else None

    def present(self, path: str) -> bool:
        return self._hardware.device(path) is not None

    def device_events(self, report: Callable[[str], None]) -> AbstractContextManager[DeviceEvents]:
        return nullcontext(Clock(_PAUSE_SECONDS))

    def makes_folders(self, path: str) -> bool:
        return self._hardware.offers(path)

    def frees_space(self, path: str) -> bool:
        return True

    def free_space(self, path: str) -> int:
        return super().free_space("/")

    def kernel_release(self) -> str:
        return recorded_kernel()

    def can_share_devices(self) -> bool:
        return False

    def cpus(self) -> int:
        return self._table.cpus

    def memory(self) -> int:
        return self._table.memory

    def addresses(self) -> Mapping[str, str]:
        return self._table.addresses

    def loadable_fabrics(self, modules: Mapping[str, str]) -> frozenset[str]:
        return frozenset(self._table.fabrics)

    def start_timer(self, unit: str, delays: Sequence[int], words: Sequence[str]) -> None:
        from pyshell.host import programs  # few commands start one

        programs.start_detached_timer(delays, words)

    def stop_timer(self, unit: str) -> None:
        """Do nothing: the process ends by itself when its change is no longer unconfirmed."""

    def log(self, text: str) -> None:
        self._append("system.log", text)

    def announce(self, text: str) -> None:
        self.log(text)
        self._append("terminals.log", text)

    def _append(self, name: str, text: str) -> None:
        """Append a line to a file of the simulator's folder."""
        with suppress(PyshellError):
            writing.append(self._folder / name, f"{text}\n")

    def services(self) -> Services:
        return self._services

    def user_handlers(self, *, patiently: bool = False) -> Sequence[UserHandler]:
        return [UserHandler(name, text) for name, text in sorted(self._table.handlers.items())]

    def check_config(self, handler: str, config: str) -> None:
        """Accept every configuration; raise NotFoundError if the table has no such handler."""
        if handler not in self._table.handlers:
            raise NotFoundError(f"No handler {handler} is running.")

    def change_medium(self, handler: str, name: str, size: int, config: str) -> None:
        """Refuse, as the handlers of tcmu-runner do."""
        self.check_config(handler, config)
        raise PyshellError("ChangeMedium failed: No such method \u201cChangeMedium\u201d")


class SimulatedServices:
    """The simulated host's systemd: the states of its units, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def state(self, unit: str) -> str:
        return self._read().get(unit, "")

    def enable(self, units: Sequence[str]) -> None:
        self._write(dict.fromkeys(units, "enabled"))

    def disable(self, units: Sequence[str]) -> None:
        self._write(dict.fromkeys(units, "disabled"))

    def _read(self) -> dict[str, str]:
        try:
            found = reading.parse_json(reading.read(self._file, folder_known=True).data)
        except NotFoundError:
            return dict(_UNITS)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(s, str) for s in found.values()):
            raise PyshellError(f"{self._file} is damaged.", "Remove it.")
        return found

    def _write(self, states: Mapping[str, str]) -> None:
        text = json.dumps({**self._read(), **states}, indent=2)
        writing.replace(self._file, f"{text}\n".encode())
