# SPDX-License-Identifier: Apache-2.0
"""The resource agent ocf:pyshell:Target on the real kernel, as a cluster's node runs it."""

from __future__ import annotations

import mmap
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.agents import GENERIC_ERROR, NOT_RUNNING
from examples.target_agent import PYSHELL, TargetAgent, was_killed

from ..commands import run, wait_for
from ..initiator import Initiator, disk_bytes
from ..lio import CONFIGFS
from .conftest import LVM
from .export import ADDRESS, SERVER, TPG, export_lee
from .shell import batch
from .test_reservations import A, persist, register, reservations

OTHER = "iqn.2020-07.com.example:other"
GUEST = "iqn.2020-07.192.168.56.106:guest"
MONITOR_SECONDS = 2.0
"""Of an emulated processor. Ten times as long, and it would need pyshell."""
CONNECT_SECONDS = 30
BLOCK = 4096
BOOT_FILE = Path("/etc/target/saveconfig.json")
KILLED = ("start", "reload-agent", "stop") * (10 if os.environ.get("PYSHELL_TEST_FAULTS") else 1)


@pytest.fixture
def agent(resource_agents: Path, forked: Path, lee: Path, tmp_path: Path) -> Iterator[TargetAgent]:
    """Return the agent with the document of an exported volume, which does not run."""
    document = Path("/etc/target/cluster/disk.json")
    document.parent.mkdir(mode=0o700)
    state = tmp_path / "state"
    state.mkdir()
    run("mount", "-t", "tmpfs", "state", str(state))
    export_lee(lee)
    batch(f"saveconfig {document} target={SERVER}", f"clearconfig confirm=true target={SERVER}")
    BOOT_FILE.unlink()
    parameters = {
        "target": SERVER,
        "document": str(document),
        "state_dir": str(state),
        "pyshell": str(forked),
    }
    yield TargetAgent(resource_agents / "usr/lib/ocf", tmp_path, parameters)
    shutil.rmtree(document.parent)
    run("umount", str(state))


def is_free(device: Path) -> bool:
    """Return whether a device can be opened exclusively."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_EXCL))
    except OSError:
        return False
    return True


def change(agent: TargetAgent, *lines: str) -> None:
    """Make the running target, after some lines, the document; then undo the lines."""
    batch(*lines, f"saveconfig {agent.parameters['document']} target={SERVER}")
    batch(*["undo"] * len(lines))


class Writer(threading.Thread):
    """Writes to a disk, past its page cache, until it is stopped."""

    def __init__(self, disk: Path) -> None:
        super().__init__()
        self._disk = disk
        self._stopped = threading.Event()
        self.written = 0
        self.failure: OSError | None = None

    def run(self) -> None:
        """Write blocks, and keep the first failure."""
        block = mmap.mmap(-1, BLOCK)  # direct writes need an aligned buffer
        try:
            opened = os.open(self._disk, os.O_WRONLY | os.O_DIRECT)
            while not self._stopped.is_set():
                block[:8] = self.written.to_bytes(8, "little")
                os.pwrite(opened, block, self.written % BLOCK * BLOCK)
                self.written += 1
            os.close(opened)
        except OSError as error:
            self.failure = error

    def stop(self) -> None:
        """Stop writing; no write may have failed."""
        self._stopped.set()
        self.join()
        assert self.failure is None
        assert self.written


def sessions() -> list[str]:
    """Return the names of the initiator's sessions; a new login has another one."""
    return sorted(os.listdir("/sys/class/iscsi_session"))


def test_a_node_serves_changes_and_releases_a_disk(
    agent: TargetAgent, lee: Path, initiator: Initiator
) -> None:
    assert agent("monitor").status == NOT_RUNNING
    agent.must("start")
    assert not is_free(lee)
    assert agent.must("monitor", depth=10) == ""
    began = time.monotonic()
    agent.must("monitor")
    assert time.monotonic() - began < MONITOR_SECONDS

    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    disk = initiator.disk(SERVER)
    register(disk, A, "--param-aptpl")
    persist(disk, "reserve", f"--param-rk={A}", "--prout-type=1")
    before = {key: reservations()[key] for key in ("type", "holders", "registrations", "aptpl")}
    writer, own = Writer(disk), sessions()
    writer.start()
    wait_for("writes", lambda: writer.written)

    # The session goes on while the document adds an ACL, and the volume grows.
    change(agent, f"{TPG}/acls create {GUEST}")
    run("lvextend", *LVM, "-y", "-L", "+64M", str(lee))
    size = disk_bytes(disk.name)
    agent.must("reload-agent")
    assert GUEST in batch(f"ls {TPG}/acls", "saveconfig")
    assert SERVER not in BOOT_FILE.read_text()
    run("iscsiadm", "-m", "session", "-R")
    wait_for("the larger disk", lambda: disk_bytes(disk.name) == size + (64 << 20))
    writer.stop()
    assert sessions() == own

    # The reservation is stored, and there again after a stop and a start.
    initiator.logout(SERVER)
    agent.must("stop")
    assert is_free(lee)
    assert not (CONFIGFS / "iscsi" / SERVER).exists()
    stored = Path(agent.parameters["state_dir"])
    assert [f"sa_res_key={int(A, 16)}" in file.read_text() for file in stored.iterdir()] == [True]
    assert list(Path("/etc/target/pr").iterdir()) == []
    agent.must("start")
    assert {key: reservations()[key] for key in before} == before
    agent.must("stop")


def test_a_stop_fails_while_the_device_is_held(agent: TargetAgent, lee: Path) -> None:
    agent.must("start")
    agent.must("stop")
    held = os.open(lee, os.O_RDONLY | os.O_EXCL)
    try:
        ran = agent("stop")
    finally:
        os.close(held)
    assert ran.status == GENERIC_ERROR
    assert f"{lee} is in use" in ran.err
    agent.must("stop")


def test_an_action_that_was_killed_converges_when_it_is_repeated(
    agent: TargetAgent, lee: Path
) -> None:
    agent.parameters["pyshell"] = str(PYSHELL)  # one that ends with the agent
    chance = random.Random(1)
    began = time.monotonic()
    agent.must("start")
    seconds = time.monotonic() - began
    killed = 0
    for action in KILLED:
        if action == "start":
            agent.must("stop")
        process = agent.begin(action)
        time.sleep(chance.uniform(0.1, 0.7) * seconds)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        killed += was_killed(process)
        if action == "stop" or chance.random() < 0.5:
            agent.must("stop")
            assert is_free(lee)
            assert agent("monitor").status == NOT_RUNNING
        agent.must("start")
        assert agent.must("monitor", depth=10) == ""
    assert killed > len(KILLED) // 2
    agent.must("stop")
    assert is_free(lee)


def test_a_portal_listens_on_an_address_that_comes_later() -> None:
    """`cluster cib` starts the address after the target."""
    later = {"192.168.56.77": ["32"], "fd00::77": ["128", "nodad"]}
    portals = [f"/iscsi/{OTHER}/tpg1/portals create {address}" for address in later]
    batch(f"/iscsi create {OTHER} default_portal=false", *portals)
    for address, (length, *more) in later.items():
        run("ip", "addr", "add", f"{address}/{length}", "dev", "lo", *more)
        socket.create_connection((address, 3260), CONNECT_SECONDS).close()
        run("ip", "addr", "del", f"{address}/{length}", "dev", "lo")
    batch(f"/iscsi delete {OTHER}")
