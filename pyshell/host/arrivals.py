# SPDX-License-Identifier: Apache-2.0
"""Sleep until a device may have appeared: on udev's events, else by the clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

# What storage objects are made of: disks, and SCSI devices that are passed through.
_SUBSYSTEMS = ("block", "scsi_generic", "scsi_tape")
_UDEV_RUNS = "/run/udev/control"
_LOOK_ANYHOW = 2.0  # seconds; image files and handlers come without an event
_LOOK_BLINDLY = 1.0


class Arrivals(Protocol):
    """What tells that there may be a new device. It notices all since it was opened."""

    def pause(self, seconds: float) -> None:
        """Sleep that long, less where a device may have appeared."""


@contextmanager
def arrivals(tell: Callable[[str], None]) -> Iterator[Arrivals]:
    """Listen to udev; where that cannot be, `tell` why, and go by the clock."""
    monitor, reason = _monitor()
    if monitor is None:
        tell(f"{reason}: devices are looked for once a second.")
        yield _Clock()
        return
    yield _Events(monitor)


def _monitor() -> tuple[Any, str]:
    """Return a monitor of udev's events, or None and the reason why there is none."""
    # It says so at its start. Without it the library would listen all the same, in vain.
    if not os.path.exists(_UDEV_RUNS):
        return None, "udev does not run here"
    try:
        import pyudev

        monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="udev")
        for subsystem in _SUBSYSTEMS:
            monitor.filter_by(subsystem)
        monitor.start()
    except (ImportError, OSError) as error:  # no libudev; no netlink, as in some containers
        return None, f"udev cannot be listened to ({error})"
    return monitor, ""


class _Events:
    """Events of udev, which come when a device is there under all of its names."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor

    def pause(self, seconds: float) -> None:
        """Sleep until the next event; not long, as not all that is waited for makes one."""
        self._monitor.poll(min(seconds, _LOOK_ANYHOW))


class _Clock:
    """No events: look every now and then."""

    def pause(self, seconds: float) -> None:
        """Sleep a while."""
        time.sleep(min(seconds, _LOOK_BLINDLY))
