# SPDX-License-Identifier: Apache-2.0
"""Runs the tests below guest/ in guests with a real kernel, and shows them as the host's own.

Environment: PYSHELL_REQUIRE_KERNEL=1 makes a machine without the bed a failure, not a skip;
PYSHELL_BED_RESULTS=FOLDER keeps console, output and the tests' files there, a folder each guest.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .guests import Guests
from .relay import SELECTION, Reporter

GUEST_TESTS = Path(__file__).with_name("guest")
IN_GUEST = "PYSHELL_IN_GUEST" in os.environ


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
