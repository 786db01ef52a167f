# SPDX-License-Identifier: Apache-2.0
"""The cluster example with the agent ocf:pyshell:Target: where it comes from, and what follows.

`cluster cib` prints it, and a real cluster's scheduler says what it does after a failure.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from driver import ROOT, Pyshell
from examples.clustertools import constraints, described
from examples.readmes import EXAMPLES, lines_to_type
from examples.scheduler import BOTH_UP, simulate, those_of, with_scores

FOLDER = EXAMPLES / "pacemaker"
CIB, DOCUMENT = FOLDER / "cib.xml", FOLDER / "disks.json"
WWN = "iqn.2020-07.com.example:disks"
MEMBERS = ("state-disks", "target-disks", "ip-disks")
DRBD = "drbd-disks"
UP_TO_DATE, DISKLESS = 10000, 5
# Where the example's persistent reservations are.
STATE = ("state_dir=/srv/disks", "state_device=/dev/drbd/by-res/disks/1")
Scheduler = Callable[..., list[str]]


@pytest.fixture
def installed(pyshell: Pyshell) -> Pyshell:
    """Return pyshell on a node that has the example's document."""
    pyshell.must("pwd")
    file = pyshell.config_dir / "cluster/disks.json"
    file.parent.mkdir(parents=True)
    file.touch(0o600)
    shutil.copyfile(DOCUMENT, file)
    return pyshell


def test_the_document_is_fit_for_a_cluster(installed: Pyshell) -> None:
    file = installed.config_dir / "cluster/disks.json"
    ran = installed("check", str(file), "cluster=true").done()
    assert ran.lines == [f"{file}: no errors"]


def test_the_example_is_what_the_command_prints(installed: Pyshell) -> None:
    found = installed("-o", "json", "cluster", "cib", WWN, *STATE).done().json["result"]
    assert found["edits"] == []
    every = [*found["storage"], *found["members"]]
    there = described(CIB)
    assert list(there) == [one["id"] for one in every]
    for one in every:
        operations = [{"name": each["name"], **each["settings"]} for each in one["operations"]]
        parameters = {name: usual(installed, text) for name, text in one["parameters"].items()}
        assert there[one["id"]] == (one["agent"], parameters, operations)
    assert constraints(CIB) == {
        **{
            one["id"]: (one["resource"], one["role"], one["other"], one["other_role"])
            for one in found["colocations"]
        },
        **{
            one["id"]: (one["first"], one["action"], one["then"], one["then_action"])
            for one in found["orders"]
        },
    }


def usual(pyshell: Pyshell, text: str) -> str:
    """Return a path below a real host's /etc/target."""
    return text.replace(str(pyshell.config_dir), "/etc/target")


# The scheduler


@pytest.fixture
def schedule(cluster_package: Path, tmp_path: Path) -> Scheduler:
    """Return what says the scheduler's steps for a configuration and what happens."""

    def run(text: str, *options: str) -> list[str]:
        file = tmp_path / "cib.xml"
        file.write_text(text)
        return simulate(cluster_package, tmp_path, file, *options)

    return run


@pytest.fixture
def started(schedule: Scheduler, tmp_path: Path) -> str:
    """Return the configuration of the cluster that has started the target on node1."""
    # The agent's meta-data need none of the functions of resource-agents.
    (tmp_path / "ocf-shellfuncs").write_text("OCF_SUCCESS=0\n")
    after = tmp_path / "started.xml"
    text = with_scores(CIB.read_text(), DRBD, UP_TO_DATE, UP_TO_DATE - 1)
    steps = schedule(text, *BOTH_UP, "--save-output", str(after))
    wanted = [f"{DRBD}:0 promote on node1", *starts("node1")]
    assert those_of(steps, [*wanted, *starts("node2")]) == wanted
    return with_restart_digest(after.read_text(), tmp_path)


def starts(node: str) -> list[str]:
    """Return the steps of starting the group."""
    return [f"{name} start on {node}" for name in MEMBERS]


def stops(node: str) -> list[str]:
    """Return the steps of stopping the group."""
    return [f"{name} stop on {node}" for name in reversed(MEMBERS)]


def moves(*more: str) -> list[str]:
    """Return all steps that tests look for."""
    nodes = ("node1", "node2")
    actions = ("promote", "demote")
    return [
        *(step for node in nodes for step in (*starts(node), *stops(node))),
        *(f"{DRBD} {action} on {node}" for action in actions for node in nodes),
        *(f"Fencing {node} (reboot)" for node in nodes),
        *(f"target-disks reload-agent on {node}" for node in nodes),
        *more,
    ]


def digest(parameters: Mapping[str, str]) -> str:
    """Return Pacemaker's digest of a resource's parameters."""
    pairs = " ".join(f'{name}="{value}"' for name, value in sorted(parameters.items()))
    return hashlib.md5(f" <parameters {pairs}/>\n".encode(), usedforsecurity=False).hexdigest()


def with_restart_digest(text: str, functions: Path) -> str:
    """Return a cluster's state in which the target's start notes what only a restart can change.

    A cluster's node takes that from the agent's meta-data; crm_simulate asks no agent.
    """
    known = subprocess.run(
        ["sh", ROOT / "packaging/ocf/Target", "meta-data"],
        env={"OCF_FUNCTIONS_DIR": str(functions), "PATH": "/usr/bin:/bin"},
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    every = list(ElementTree.fromstring(known).iter("parameter"))
    fixed = [one.attrib["name"] for one in every if one.get("reloadable") != "1"]
    parameters = described(CIB)["target-disks"][1]
    assert parameters.keys() - set(fixed) == {"checksum"}
    kept = {name: value for name, value in parameters.items() if name in fixed}
    note = f'op-force-restart=" {" ".join(fixed)} " op-restart-digest="{digest(kept)}"'

    def noted(found: re.Match[str]) -> str:
        assert digest(parameters) in found[0]
        return f"{found[0][:-2]} {note}/>"

    start = r'<lrm_rsc_op [^>]*operation_key="target-disks_start_0"[^>]*/>'
    changed, number = re.subn(start, noted, text)
    assert number == 1
    return changed


def with_parameter(text: str, name: str, value: str) -> str:
    """Return a configuration with another value of the target's parameter."""
    changed, number = re.subn(rf'(name="{name}" value=")[^"]*', rf"\g<1>{value}", text)
    assert number == 1
    return changed


def test_a_target_that_runs_before_is_stopped_first(schedule: Scheduler) -> None:
    text = with_scores(CIB.read_text(), DRBD, UP_TO_DATE, UP_TO_DATE)
    # So the agent's first monitor answers for what the cluster did not start.
    steps = schedule(text, *BOTH_UP, "--op-inject", "target-disks_monitor_0@node1=1")
    first = ["target-disks stop on node1", f"{DRBD}:0 promote on node1"]
    assert those_of(steps, [*first, *starts("node1")]) == [*first, *starts("node1")]


def test_a_running_target_is_left_alone(schedule: Scheduler, started: str) -> None:
    assert schedule(started) == []


def test_after_the_loss_of_a_node_it_is_fenced_before_the_target_starts_on_the_other(
    schedule: Scheduler, started: str
) -> None:
    assert those_of(schedule(started, "--node-fail", "node1"), moves()) == [
        "Fencing node1 (reboot)",
        f"{DRBD} promote on node2",
        *starts("node2"),
    ]


def test_the_target_stays_if_the_lost_node_returns(
    schedule: Scheduler, started: str, tmp_path: Path
) -> None:
    lost = tmp_path / "lost.xml"
    schedule(started, "--node-fail", "node1", "--save-output", str(lost))
    text = lost.read_text().replace(f'value="{UP_TO_DATE - 1}"', f'value="{UP_TO_DATE}"')
    steps = schedule(text, "--node-up", "node1")
    assert f"{DRBD} start on node1" in steps
    assert those_of(steps, moves()) == []


@pytest.mark.parametrize("monitor", ["9", "0", "1"])  # failed, demoted, unknown
def test_after_the_loss_of_the_disk_the_target_stops_before_drbd_and_moves(
    schedule: Scheduler, started: str, monitor: str
) -> None:
    text = started.replace(f'value="{UP_TO_DATE}"', f'value="{DISKLESS}"')
    steps = schedule(text, "--op-inject", f"{DRBD}_monitor_29000@node1={monitor}")
    assert those_of(steps, moves()) == [
        *stops("node1"),
        f"{DRBD} demote on node1",
        f"{DRBD} promote on node2",
        *starts("node2"),
    ]


def test_a_lost_address_is_added_again_and_the_target_keeps_running(
    schedule: Scheduler, started: str
) -> None:
    steps = schedule(started, "--op-inject", "ip-disks_monitor_10000@node1=7")
    assert those_of(steps, moves()) == ["ip-disks stop on node1", "ip-disks start on node1"]


def test_a_failed_target_is_restarted_without_its_address(
    schedule: Scheduler, started: str
) -> None:
    steps = schedule(started, "--op-inject", "target-disks_monitor_10000@node1=1")
    assert those_of(steps, moves()) == [
        "ip-disks stop on node1",
        "target-disks stop on node1",
        "target-disks start on node1",
        "ip-disks start on node1",
    ]


def test_a_stop_that_fails_fences_the_node_before_the_target_starts_on_the_other(
    schedule: Scheduler, started: str
) -> None:
    steps = schedule(started, "--op-inject", "target-disks_stop_0@node1=1")
    assert those_of(steps, moves()) == [
        "Fencing node1 (reboot)",
        f"{DRBD} promote on node2",
        *starts("node2"),
    ]


def test_another_checksum_reloads_the_target(schedule: Scheduler, started: str) -> None:
    steps = schedule(with_parameter(started, "checksum", "0" * 64))
    assert those_of(steps, moves()) == ["target-disks reload-agent on node1"]


def test_another_document_restarts_the_target(schedule: Scheduler, started: str) -> None:
    steps = schedule(with_parameter(started, "document", "/etc/target/cluster/other.json"))
    assert those_of(steps, moves()) == [
        "ip-disks stop on node1",
        "target-disks stop on node1",
        "target-disks start on node1",
        "ip-disks start on node1",
    ]


def test_what_readme_says_to_type_runs(
    installed: Pyshell, cluster_package: Path, tmp_path: Path
) -> None:
    machine = installed.folder / "machine.json"
    known = json.loads(machine.read_text())
    device = {"path": "/dev/drbd/by-res/disks/0", "kernel_name": "drbd0", "size": 1 << 30}
    machine.write_text(json.dumps({**known, "devices": [*known["devices"], device]}))
    folder = installed.config_dir / "cluster"
    installed("apply", str(folder / "disks.json")).done()
    shutil.rmtree(folder)

    run: dict[str, Callable[[list[str]], Any]] = {
        "crm_simulate": lambda words: simulate(
            cluster_package, tmp_path, FOLDER / words[2], *words[3:]
        ),
        "install": lambda words: Path(words[3]).mkdir(int(words[2], 8)),
        "pyshell": lambda words: installed(*words).done(),
    }
    lines = lines_to_type(FOLDER)
    assert {line.split()[0] for line in lines} == run.keys()
    for line in lines:
        program, *words = line.split()
        run[program]([real(installed, word) for word in words])
    assert (folder / "disks.json").stat().st_mode & 0o777 == 0o600


def real(pyshell: Pyshell, word: str) -> str:
    """Return a path as it is on the simulated host."""
    return word.replace("/etc/target", str(pyshell.config_dir))
