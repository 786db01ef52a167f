# SPDX-License-Identifier: Apache-2.0
"""Runs the tests below guest/ in guests with a real kernel, and shows them as the host's own.

Environment: PYSHELL_REQUIRE_KERNEL=1 makes a machine without the bed a failure, not a skip;
PYSHELL_BED_RESULTS=FOLDER keeps console, output and the tests' files there, a folder each guest.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from . import image
from .guests import Guests
from .relay import SELECTION, Reporter

GUEST_TESTS = Path(__file__).with_name("guest")
PACKAGE_SECONDS = 900
IN_GUEST = "PYSHELL_IN_GUEST" in os.environ


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Debian package, built from this tree; what else is built is beside it."""
    from driver import ROOT, tool  # the bed's own test copies this file alone

    tool("dpkg-buildpackage", "build-essential")
    tool("dh_python3", "dh-python")
    tool("dh", "debhelper")
    tool("/usr/bin/hatchling", "python3-hatchling pybuild-plugin-pyproject")
    folder = tmp_path_factory.mktemp("deb")
    subprocess.run([ROOT / "packaging/deb", folder], check=True, timeout=PACKAGE_SECONDS)
    (made,) = folder.glob("pyshell_*.deb")
    return made


def pytest_configure(config: pytest.Config) -> None:
    """Set up this side's end of the relay."""
    # rtslib asks pyudev for devices in a way that pyudev is to drop.
    config.addinivalue_line("filterwarnings", "ignore:Will be removed in 1.0:DeprecationWarning")
    if "PYSHELL_BED_RELAY" in os.environ:
        config.pluginmanager.register(Reporter(config, _results()))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On the host, put stand-ins for the guest's tests; in the guest, keep what was asked for."""
    if not IN_GUEST:
        _put_stand_ins(config, items)
    elif "PYSHELL_BED_RELAY" in os.environ:
        wanted = set((_results() / SELECTION).read_text(encoding="utf-8").splitlines())
        items[:] = [item for item in items if item.nodeid in wanted]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell which kernel the guests had."""
    ran = [report for report in terminalreporter.getreports("passed") if _is_guests(report.nodeid)]
    if ran and not IN_GUEST:
        terminalreporter.write_line(f"{len(ran)} tests passed on Linux {image.version()}")


def _is_guests(nodeid: str) -> bool:
    return "kernel/guest/" in nodeid


def _put_stand_ins(config: pytest.Config, items: list[pytest.Item]) -> None:
    selected = [item for item in items if GUEST_TESTS in item.path.parents]
    if not selected:
        return
    guests = Guests(config, selected)
    config.pluginmanager.register(guests)
    # Last, so that the host's own tests run while the guests do.
    items[:] = [item for item in items if item not in selected] + guests.stand_ins()


def _results() -> Path:
    return Path(os.environ["PYSHELL_BED_RESULTS"])
