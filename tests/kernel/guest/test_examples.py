# SPDX-License-Identifier: Apache-2.0
"""The examples on the real kernel: the cluster's agents, and Ansible where it is installed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.agents import FOLDER, NOT_RUNNING, RUNNING, Executor, Resource, resources
from examples.playbook import Play

from ..commands import run
from ..initiator import Initiator
from .export import ADDRESS, SERVER
from .shell import batch

PYSHELL = Path(sys.executable).with_name("pyshell")


@pytest.fixture
def executor(resource_agents: Path, tmp_path: Path) -> Executor:
    """Return what runs the agents as they are, with the example's script as their targetcli."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "pyshell").symlink_to(PYSHELL)
    shutil.copy(FOLDER / "targetcli", programs)
    return Executor(resource_agents, programs, tmp_path, {"HOME": str(tmp_path)})


def done(executor: Executor, resource: Resource, action: str, status: int = RUNNING) -> None:
    """Run an action, which must end with that status."""
    ran = executor(resource, action)
    assert ran.status == status, ran.err


def test_the_agents_export_a_disk_and_take_it_from_who_uses_it(
    executor: Executor, lee: Path, initiator: Initiator
) -> None:
    target, lun = resources()["target_disk1"], resources()["lun_disk1"]
    lun = Resource(lun.name, lun.agent, {**lun.parameters, "path": str(lee), "emulate_tpu": "1"})
    done(executor, target, "start")
    done(executor, lun, "start")
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    disk = initiator.disk(SERVER)
    # From the serial number alone, so that it is the same whichever node serves it.
    wwid = Path(f"/sys/class/block/{disk.name}/device/wwid").read_text().strip()
    assert wwid == f"naa.6001405{lun.parameters['scsi_sn']:0<25}"
    done(executor, lun, "monitor")

    done(executor, lun, "stop")
    done(executor, lun, "monitor", NOT_RUNNING)
    done(executor, target, "stop")
    done(executor, target, "monitor", NOT_RUNNING)
    assert "Storage Objects: 1" not in batch("ls")


@pytest.fixture
def play(lee: Path, tmp_path: Path) -> Iterator[Play]:
    """Return the example's playbook, for this machine."""
    run("ip", "addr", "replace", f"{ADDRESS}/32", "dev", "lo")
    folder = Path("/etc/target")
    shutil.rmtree(folder, ignore_errors=True)
    yield Play(tmp_path, {"HOME": str(tmp_path)}, "-e", "pyshell_target_at_boot=false")
    shutil.rmtree(folder, ignore_errors=True)


def test_the_playbook_changes_the_kernel_once(play: Play) -> None:
    assert play("--diff").changed == 1
    assert "[block/lee_block (/dev/mapper/lee-lee.lv) (default_tg_pt_gp)]" in batch("ls")
    assert play("--check").changed == 0
