# SPDX-License-Identifier: Apache-2.0
"""What all tests share: a clean environment, and pyshell on a simulated target of their own."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import forkserver
from driver import CLIENT, SERVER, TPG, Pyshell
from foldercopy import Copies, empty
from pyshell.lio import Lio, rtslib
from pyshell.lio.configfs import changing

KERNEL_TESTS = Path(__file__).with_name("kernel")
# A simulated kernel is many small files: in memory, where there is such a place, tests run quicker.
_MEMORY = Path("/dev/shm")
# Files that take long, some of them only with the packages that they need.
_LONGEST = (
    "test_rpm.py", "test_packaging.py", "test_pacemaker.py", "test_cloud_init.py",
    "test_cluster_lines.py",
    "test_ansible.py", "test_completions.py", "test_check_random.py", "test_killed.py",
    "test_edit.py", "test_screen_edit.py",
)  # fmt: skip
# Whatever of the caller's environment changes what pyshell does or how it shows it.
_FOREIGN = (
    "PYSHELL_SIMULATE",
    "PYSHELL_SOURCE",
    "PYSHELL_HOME",
    "TARGETCLI_HOME",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "TERM",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
)


@pytest.hookimpl(optionalhook=True)  # a distribution need not have xdist
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run all tests by one process more than there are processors: some tests only wait.

    Run the tests in this process if files are named: starting others would take longer.
    """
    if config.args_source is not config.ArgsSource.TESTPATHS:
        return 0
    return len(os.sched_getaffinity(0)) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist keep the order of files: the longest are not those of most tests."""
    config.option.loadscopereorder = False
    # nohup ignores it, which programs inherit: those that tests hang up would go on.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: each runs in one process."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking at all tests again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(autouse=True)
def _clean_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give each test a home of its own; afterwards, take any simulator from under rtslib."""
    if KERNEL_TESTS in request.path.parents:
        yield  # these run on a machine of their own
        return
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    home: Path = request.getfixturevalue("_folder") / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    yield
    rtslib.end_simulation()


@contextmanager
def _temporary() -> Iterator[Path]:
    base = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pyshell-test-", dir=base) as folder:
        yield Path(folder)
        with suppress(OSError):  # the rest is left to the slower, thorough way
            empty(folder)


@pytest.fixture
def _folder() -> Iterator[Path]:
    """Return a folder that is gone after the test."""
    with _temporary() as folder:
        yield folder


@pytest.fixture
def memory(_folder: Path) -> Path:
    """Return a folder for further simulated targets, in memory if there is a place."""
    return _folder


@pytest.fixture(scope="session")
def _copies() -> Iterator[Copies]:
    """Return the folders of prepared targets that tests have used."""
    with _temporary() as folder:
        yield Copies(folder)


@pytest.fixture
def pyshell(_folder: Path, _copies: Copies) -> Iterator[Pyshell]:
    """Return pyshell on a fresh simulated target."""
    made = Pyshell(_folder / "simulator", _copies)
    yield made
    made.close()


@pytest.fixture
def changes_allowed() -> Iterator[None]:
    """Allow the test itself to change the kernel's configuration, as an operation may."""
    with changing():
        yield


@pytest.fixture
def lio(pyshell: Pyshell) -> Lio:
    """Return the fresh simulated target, opened in this process."""
    return pyshell.open()


@pytest.fixture
def target(pyshell: Pyshell) -> Pyshell:
    """Return pyshell where a target with its first TPG and the default portal is there."""
    pyshell.prepare(f"/iscsi create {SERVER}")
    return pyshell


@pytest.fixture
def exported(target: Pyshell) -> Pyshell:
    """Return pyshell where one disk is exported to one initiator, over the default portal."""
    target.prepare(
        "/backstores/block create name=lee_block dev=/dev/mapper/lee-lee.lv",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create /backstores/block/lee_block lun=lun0",
    )
    return target


@pytest.fixture(scope="session")
def forked() -> Path:
    """Return a program `pyshell` that starts at once, for tests that run it many times."""
    return forkserver.program()
