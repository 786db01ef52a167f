# SPDX-License-Identifier: Apache-2.0
"""Sleep until a device may have appeared: woken by udev's events, else at intervals."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

# What storage objects are made of: disks, and SCSI devices that are passed through.
_SUBSYSTEMS = ("block", "scsi_generic", "scsi_tape")
_UDEV_RUNS = "/run/udev/control"
_EVENTS_SECONDS = 2.0  # image files and handlers appear without an event
_CLOCK_SECONDS = 1.0


class DeviceEvents(Protocol):
    """Events that a device may have appeared. None is lost since it was opened."""

    def pause(self, seconds: float) -> None:
        """Sleep that long, or less if a device may have appeared."""


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


class Clock:
    """No events: wake up at intervals of so many seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval

    def pause(self, seconds: float) -> None:
        """Sleep for an interval at most."""
        time.sleep(min(seconds, self._interval))
