# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests on the real kernel: a clean LIO, the scenario's volume, an initiator."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import NoReturn

import pytest
from rtslib_fb import tcm

from .. import commands, lio
from ..initiator import Initiator

LEE = Path("/dev/mapper/lee-lee.lv")
# Nothing of udev is in the guest.
LVM = ("--config", "activation{udev_sync=0 udev_rules=0}")
TEST_SECONDS = 1000
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """End a test that hangs, so that those after it still run."""

    def give_up(*_: object) -> NoReturn:
        raise TimeoutError(f"the test took more than {TEST_SECONDS} seconds")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(autouse=True)
def clean_lio(time_limit: None) -> Iterator[None]:
    """Give each test a kernel without targets and storage objects, and leave one."""
    lio.clear()
    # rtslib remembers, for the life of the process, which storage objects there were.
    tcm.bs_cache.clear()
    yield
    lio.clear()


@pytest.fixture
def lee(clean_lio: None) -> Path:
    """Return the scenario's logical volume, 20 GiB of zeros; another test may have grown it."""
    if int(commands.run("blockdev", "--getsize64", str(LEE)).stdout) != 20 << 30:
        commands.run("lvreduce", *LVM, "-q", "-y", "-f", "-L", "20G", str(LEE))
    commands.run("blkdiscard", str(LEE))
    return LEE


@pytest.fixture
def initiator(clean_lio: None) -> Iterator[Initiator]:
    """Return an initiator, not started; it is stopped before LIO is cleared."""
    initiator = Initiator()
    yield initiator
    initiator.stop()


@pytest.fixture
def resource_agents() -> Path:
    """Return where the cluster's resource agents are unpacked."""
    package = Path(os.environ["PYSHELL_AGENTS"])
    assert package.is_dir(), package
    return package


@pytest.fixture
def run() -> Callable[..., CompletedProcess[str]]:
    """Return `commands.run`: runs a program with a time limit and shows its output on failure."""
    return commands.run


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Path:
    """Return a folder of this test, kept on the host if PYSHELL_BED_RESULTS is set there."""
    name = re.sub(r"[^\w.-]+", "_", request.node.nodeid)
    folder = Path(os.environ["PYSHELL_BED_RESULTS"]) / "files" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the comparison of the two kernels first: both count from their start, if nothing was."""
    first = HERE / "test_conformance.py"
    items.sort(key=lambda item: item.path.parent == HERE and item.path != first)
