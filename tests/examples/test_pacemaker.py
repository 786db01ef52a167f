# SPDX-License-Identifier: Apache-2.0
"""The cluster example with stock agents: run by these agents and by a real cluster's scheduler.

test_cluster_transitions.py has the example with the agent ocf:pyshell:Target.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from examples.agents import CIB, FOLDER, GENERIC_ERROR, NOT_RUNNING, RUNNING, Executor, resources
from examples.scheduler import BOTH_UP, simulate, those_of, with_scores

PYSHELL = Path(sys.executable).with_name("pyshell")
SECRET = "a#long-secret^1"
CHAP = {"incoming_username": "client", "incoming_password": SECRET}
TARGET, LUN = resources()["target_disk1"], resources()["lun_disk1"]
ORDER = ["block_disk1", "ip_disk1", "target_disk1", "lun_disk1", "unblock_disk1"]


@pytest.fixture
def disk(pyshell: Pyshell, tmp_path: Path) -> str:
    """Return the path of a disk of the simulated host that the agents find on this one, too."""
    path = tmp_path / "drbd0"
    path.touch()
    pyshell.must("pwd")
    file = pyshell.folder / "machine.json"
    machine = json.loads(file.read_text())
    machine["devices"].append({"path": str(path), "kernel_name": "drbd0", "size": 1 << 30})
    file.write_text(json.dumps(machine))
    return str(path)


@pytest.fixture
def run(agents_package: Path, pyshell: Pyshell, tmp_path: Path) -> Executor:
    """Return what runs the agents, whose `targetcli` is the example's script."""
    script = (FOLDER / "targetcli").read_text()
    assert "=/var/lib/pyshell-cluster\n" in script
    made = tmp_path / "programs/targetcli"
    made.parent.mkdir()
    made.write_text(script.replace("/var/lib/pyshell-cluster", str(tmp_path / "cluster")))
    made.chmod(0o755)
    return executor(agents_package, pyshell, tmp_path)


@pytest.fixture
def run_with_link(agents_package: Path, pyshell: Pyshell, tmp_path: Path) -> Executor:
    """Return what runs the agents, whose `targetcli` is a link to pyshell."""
    made = tmp_path / "programs/targetcli"
    made.parent.mkdir()
    made.symlink_to(PYSHELL)
    return executor(agents_package, pyshell, tmp_path)


def executor(package: Path, pyshell: Pyshell, tmp_path: Path) -> Executor:
    """Return what runs the agents with `programs` in their PATH."""
    (tmp_path / "programs/pyshell").symlink_to(PYSHELL)
    home = {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME")}
    simulated = {**home, "PYSHELL_SIMULATE": str(pyshell.folder)}
    return Executor(package, tmp_path / "programs", tmp_path, simulated, str(pyshell.configfs))


def test_the_agents_start_watch_and_stop_what_pyshell_serves(
    run: Executor, pyshell: Pyshell, disk: str
) -> None:
    assert run(TARGET, "monitor").status == NOT_RUNNING
    started = run(TARGET, "start", **CHAP)
    assert started.status == RUNNING, started.err
    assert SECRET not in started.err
    assert run(LUN, "start", path=disk, emulate_tpu="1").status == RUNNING
    assert run(TARGET, "monitor").status == RUNNING
    assert run(LUN, "monitor", path=disk).status == RUNNING
    tree = pyshell.line("ls").out
    assert re.search(rf"o- lun0 \.+ \[block/lun_disk1 \({disk}\)", tree)
    assert re.search(rf"o- {CLIENT} \.+ \[1-way auth, Mapped LUNs: 1\]", tree)
    assert "o- 192.168.56.101:3260 " in tree
    assert "0.0.0.0" not in tree
    assert pyshell.read("core/iblock_0/lun_disk1/wwn/vpd_unit_serial") == "8d2b4f5e\n"

    assert run(LUN, "stop", path=disk).status == RUNNING
    assert run(LUN, "monitor", path=disk).status == NOT_RUNNING
    assert "1-way auth, Mapped LUNs: 0" in pyshell.line(f"ls {TPG}/acls").out
    assert run(TARGET, "stop").status == RUNNING
    assert run(TARGET, "monitor").status == NOT_RUNNING
    assert run(TARGET, "stop").status == RUNNING  # what is stopped stays so
    assert pyshell.must("ls / 2") == Pyshell(pyshell.folder.parent / "empty").must("ls / 2")


def test_the_script_keeps_the_agents_preferences_from_the_administrators(tmp_path: Path) -> None:
    shows = tmp_path / "pyshell"
    shows.write_text('#!/bin/sh\necho "$PYSHELL_HOME" "$@"\n')
    shows.chmod(0o755)
    search = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["sh", FOLDER / "targetcli", "ls"], env=search, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "/var/lib/pyshell-cluster ls\n"


def test_a_link_serves_the_agents_too_in_targetclis_manner(
    run_with_link: Executor, pyshell: Pyshell, disk: str
) -> None:
    started = run_with_link(TARGET, "start", **CHAP)
    assert started.status == RUNNING, started.err
    assert f"Parameter password is now '{SECRET}'." in started.err
    assert pyshell.must("get global auto_add_default_portal") == ["auto_add_default_portal=false "]
    assert run_with_link(LUN, "start", path=disk).status == RUNNING
    assert run_with_link(LUN, "stop", path=disk).status == RUNNING
    assert run_with_link(TARGET, "stop").status == RUNNING


def test_for_its_default_portal_the_agent_makes_none(run: Executor, pyshell: Pyshell) -> None:
    assert run(TARGET, "start", portals="0.0.0.0:3260").status == RUNNING
    assert "[Portals: 0]" in pyshell.line(f"ls {TPG}").out


def test_initiators_of_the_lun_would_lose_their_acls(
    run: Executor, pyshell: Pyshell, disk: str
) -> None:
    assert run(TARGET, "start").status == RUNNING
    assert f"o- {CLIENT} " in pyshell.line(f"ls {TPG}/acls").out
    both = {"path": disk, "allowed_initiators": CLIENT}
    for action in ("start", "stop"):
        assert run(LUN, action, **both).status == RUNNING
    assert "[ACLs: 0]" in pyshell.line(f"ls {TPG}/acls").out
    assert "allowed_initiators" not in LUN.parameters


def test_what_pyshell_refuses_fails_the_agent_with_the_reason(run: Executor) -> None:
    done = run(TARGET, "start", iqn="iqn.bad")
    assert done.status == GENERIC_ERROR
    assert "'iqn.bad' is not an iSCSI qualified name" in done.err


@pytest.mark.parametrize("name", ORDER)
def test_the_agents_know_the_parameters_that_the_example_gives(
    agents_package: Path, name: str, tmp_path: Path
) -> None:
    run = Executor(agents_package, tmp_path, tmp_path, {})
    resource = resources()[name]
    told = run(resource, "meta-data").out
    known = {one.get("name") for one in ElementTree.fromstring(told).iter("parameter")}
    assert resource.parameters.keys() <= known


def test_both_nodes_give_the_disk_one_serial_number_that_the_kernel_takes() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}", LUN.parameters["scsi_sn"])
    assert LUN.parameters["target_iqn"] == TARGET.parameters["iqn"] == SERVER


def test_the_cluster_would_start_all_in_order_on_the_node_of_the_disk(
    cluster_package: Path, tmp_path: Path
) -> None:
    file = tmp_path / "cib.xml"
    file.write_text(with_scores(CIB.read_text(), "drbd_disk1", 10000, 10))
    after = tmp_path / "after.xml"
    started = simulate(cluster_package, tmp_path, file, *BOTH_UP, "--save-output", str(after))
    wanted = ["drbd_disk1:0 promote on node1", *(f"{name} start on node1" for name in ORDER)]
    assert those_of(started, wanted) == wanted
    assert not [step for step in started if step.endswith("start on node2") and "disk1 " in step]

    moved = simulate(cluster_package, tmp_path, after, "--node-fail", "node1")
    wanted = [
        "Fencing node1 (reboot)",
        "drbd_disk1 promote on node2",
        *(f"{name} start on node2" for name in ORDER),
    ]
    assert those_of(moved, wanted) == wanted
