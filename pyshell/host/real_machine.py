# SPDX-License-Identifier: Apache-2.0
"""The host that this process runs on, and the events of its udev."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from pyshell.host import (
    Clock,
    DeviceEvents,
    Machine,
    Services,
    block_devices,
    handlers,
    procnet,
)

_MODULE_LISTS = ("modules.dep", "modules.builtin")
# What storage objects are made of: disks, and SCSI devices that are passed through.
_SUBSYSTEMS = ("block", "scsi_generic", "scsi_tape")
_SYSTEMD_RUNS = "/run/systemd/system"  # as sd_booted(3)
_UDEV_RUNS = "/run/udev/control"
_EVENTS_SECONDS = 2.0  # image files and handlers appear without an event
_CLOCK_SECONDS = 1.0
# File systems that implement FALLOC_FL_PUNCH_HOLE (fallocate(2) and their sources), by the names
# that `stat` of coreutils prints; overlayfs passes it to the file system below.
_PUNCH_HOLES = frozenset(
    {"bcachefs", "btrfs", "ceph", "ext2/ext3", "f2fs", "gfs/gfs2", "ocfs2", "overlayfs", "tmpfs",
     "xfs", "zfs"}
)  # fmt: skip


class RealMachine(Machine):
    """The host that this process runs on.

    `programs`, which starts processes, is imported late: most commands start none.
    """

    block_device = staticmethod(block_devices.block_device)
    scsi_device = staticmethod(block_devices.scsi_device)
    in_use = staticmethod(block_devices.in_use)
    device_size = staticmethod(block_devices.size)
    queue = staticmethod(block_devices.queue)
    lasting_name = staticmethod(block_devices.lasting_name)
    present = staticmethod(block_devices.is_present)
    block_devices = staticmethod(block_devices.paths)  # hides the module below
    user_handlers = staticmethod(handlers.running)
    check_config = staticmethod(handlers.check_config)
    change_medium = staticmethod(handlers.change_medium)

    def host_file(self, path: str) -> Path:
        return Path(path)

    def device_events(self, report: Callable[[str], None]) -> AbstractContextManager[DeviceEvents]:
        return listening(report)

    def makes_folders(self, path: str) -> bool:
        return False

    def frees_space(self, path: str) -> bool:
        folder = os.path.dirname(os.path.realpath(path))
        return (self.ask("stat", "-f", "-c", "%T", folder) or "").strip() in _PUNCH_HOLES

    def kernel_release(self) -> str:
        return os.uname().release

    def cpus(self) -> int:
        return os.cpu_count() or 1

    def memory(self) -> int:
        match = re.search(r"MemTotal:\s+(\d+) kB", self.text("/proc/meminfo"))
        return int(match.group(1)) * 1024 if match else 0

    def addresses(self) -> Mapping[str, str]:
        return procnet.for_portals(procnet.addresses(self) or {})

    def loadable_fabrics(self, modules: Mapping[str, str]) -> frozenset[str]:
        present = loadable_modules(modules.values())
        return frozenset(fabric for fabric, module in modules.items() if module in present)

    def ask(self, *command: str) -> str | None:
        from pyshell.host import programs

        return programs.ask(*command)

    def log(self, text: str) -> None:
        from pyshell.host import programs

        programs.log(text)

    def start_timer(self, unit: str, delays: Sequence[int], words: Sequence[str]) -> None:
        from pyshell.host import programs

        if os.path.isdir(_SYSTEMD_RUNS):
            programs.Systemd().start_timer(unit, delays, words)
        else:
            programs.start_detached_timer(delays, words)

    def stop_timer(self, unit: str) -> None:
        from pyshell.host import programs

        if os.path.isdir(_SYSTEMD_RUNS):
            programs.Systemd().stop_timer(unit)

    def announce(self, text: str) -> None:
        from pyshell.host import programs

        self.log(text)
        programs.write_to_all(f"pyshell: {text}")

    def services(self) -> Services:
        from pyshell.host import programs

        return programs.Systemd()


def loadable_modules(
    wanted: Collection[str],
    release: str | None = None,
    modules: str = "/lib/modules",
    loaded: str = "/sys/module",
) -> frozenset[str]:
    """Return those modules that the running kernel has: built in, loaded or loadable.

    Names have underscores, no hyphens. Reads `modules.dep` and `modules.builtin` once; loads
    nothing. A kernel without these lists may have all built in, so all are returned (field
    failure 41).
    """
    folder = f"{modules}/{release or os.uname().release}"
    times = (_changed(f"{folder}/{name}") for name in _MODULE_LISTS)
    listed = _listed(folder, frozenset(wanted), *times)
    if listed is None:
        return frozenset(wanted)
    return listed | {name for name in wanted if os.path.isdir(f"{loaded}/{name}")}


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=1)
def _listed(folder: str, wanted: frozenset[str], *changed: int) -> frozenset[str] | None:
    """Return those modules that the lists in a folder name, None without lists.

    Listing a tree asks once a fabric; `changed` has the time of each list, 0 for a missing one.
    """
    present = ""
    for name, time in zip(_MODULE_LISTS, changed, strict=True):
        if time:
            with contextlib.suppress(OSError), open(f"{folder}/{name}", encoding="utf-8") as file:
                present += file.read()
    if not present:
        return None
    present = present.replace("-", "_")
    return frozenset(name for name in wanted if f"/{name}.ko" in present)


@contextmanager
def listening(report: Callable[[str], None]) -> Iterator[DeviceEvents]:
    """Listen to udev; if that is not possible, `report` why, and sleep at intervals."""
    monitor, reason = _monitor()
    if monitor is None:
        report(f"{reason}: devices are checked once per second.")
        yield Clock(_CLOCK_SECONDS)
        return
    yield _UdevEvents(monitor)


def _monitor() -> tuple[Any, str]:
    """Return a monitor of udev's events, or None and the reason why there is none."""
    # udevd creates this file. Without udevd the library would listen without an error.
    if not os.path.exists(_UDEV_RUNS):
        return None, "udev does not run here"
    try:
        import pyudev

        monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="udev")
        for subsystem in _SUBSYSTEMS:
            monitor.filter_by(subsystem)
        monitor.start()
    except (ImportError, OSError) as error:  # no libudev; no netlink, as in some containers
        return None, f"cannot listen to udev ({error})"
    return monitor, ""


class _UdevEvents:
    """Events of udev, which come when a device has all of its names."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor

    def pause(self, seconds: float) -> None:
        """Sleep until the next event, at most for an interval."""
        self._monitor.poll(min(seconds, _EVENTS_SECONDS))
