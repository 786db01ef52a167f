# SPDX-License-Identifier: Apache-2.0
"""Listening for devices: by udev's events, and by the clock where there are none."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyshell.host import real_machine


class Monitor:
    """Stands for pyudev's monitor."""

    def __init__(self) -> None:
        self.subsystems: list[str] = []
        self.started = False
        self.polled: list[float] = []

    def filter_by(self, subsystem: str) -> None:
        self.subsystems.append(subsystem)

    def start(self) -> None:
        self.started = True

    def poll(self, timeout: float) -> None:
        self.polled.append(timeout)


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Monitor:
    """Return what pyudev gives on a host where udev runs."""
    found = Monitor()
    library = SimpleNamespace(
        Context=object,
        Monitor=SimpleNamespace(from_netlink=lambda context, source: found),
    )
    monkeypatch.setitem(sys.modules, "pyudev", library)
    monkeypatch.setattr(real_machine, "_UDEV_RUNS", str(tmp_path))
    return found


def test_listening_starts_before_the_first_check(monitor: Monitor) -> None:
    with real_machine.listening(pytest.fail):
        assert monitor.started
        assert monitor.polled == []


def test_it_listens_for_disks_tapes_and_other_scsi_devices(monitor: Monitor) -> None:
    with real_machine.listening(pytest.fail):
        assert monitor.subsystems == ["block", "scsi_generic", "scsi_tape"]


def test_devices_without_events_are_checked_at_intervals(monitor: Monitor) -> None:
    with real_machine.listening(pytest.fail) as found:
        found.pause(60)
        found.pause(0.5)
    assert monitor.polled == [2.0, 0.5]


def test_without_udev_it_sleeps_at_intervals_and_reports_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(real_machine, "_UDEV_RUNS", str(tmp_path / "none"))
    told: list[str] = []
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with real_machine.listening(told.append) as found:
        found.pause(60)
        found.pause(0.01)
    assert slept == [1.0, 0.01]
    assert told == ["udev does not run here: devices are checked once per second."]


def test_without_netlink_it_sleeps_at_intervals_and_reports_that(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(monitor, "start", refused)
    told: list[str] = []
    with real_machine.listening(told.append) as found:
        found.pause(0.01)
    assert len(told) == 1
    assert "Operation not permitted" in told[0]
    assert monitor.polled == []
