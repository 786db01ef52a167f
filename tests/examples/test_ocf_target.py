# SPDX-License-Identifier: Apache-2.0
"""The cluster's resource agent ocf:pyshell:Target, run as the cluster runs it, on the simulator."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell, tool
from examples.agents import GENERIC_ERROR, NOT_RUNNING, PATH
from examples.target_agent import AGENT, TargetAgent, was_killed

NOT_INSTALLED, NOT_CONFIGURED = 5, 6
DISKS = ("/dev/drbd/by-res/disk1/0", "/dev/drbd/by-res/disk2/0")
SERIAL = "8d2b4f5e"
PORTAL = "192.168.56.101:3260"
GUEST = "iqn.2020-07.192.168.56.106:guest"
SECRET = "a#long-secret^1"


class Node(TargetAgent):
    """The agent on a simulated host, with a document."""

    def __init__(self, ocf: Path, pyshell: Pyshell, program: Path, folder: Path) -> None:
        self.pyshell = pyshell
        self.folder = folder
        self.document = pyshell.config_dir / "cluster" / "document.json"
        self.document.parent.mkdir(parents=True, exist_ok=True)
        parameters = {
            "target": SERVER,
            "document": str(self.document),
            "configfs": str(pyshell.configfs),
            "pyshell": str(program),
        }
        super().__init__(ocf, folder, parameters, PYSHELL_SIMULATE=str(pyshell.folder))

    def save(self) -> None:
        """Make the running target the document, and stop it."""
        self.change()
        self.pyshell.must(f"clearconfig confirm=true target={SERVER}")

    def change(self, *lines: str) -> None:
        """Make the running target, after some lines, the document."""
        self.pyshell.must(*lines, f"saveconfig {self.document} target={SERVER}")

    @property
    def objects(self) -> str:
        """Return what runs, as `ls` draws it."""
        return self.pyshell.line("ls /").out


@pytest.fixture
def node(agents_package: Path, pyshell: Pyshell, forked: Path, tmp_path: Path) -> Node:
    """Return a node with the document of a target with one disk, which does not run."""
    pyshell.must("pwd")
    file = pyshell.folder / "machine.json"
    machine = json.loads(file.read_text())
    for number, disk in enumerate(DISKS):
        machine["devices"].append({"path": disk, "kernel_name": f"drbd{number}", "size": 1 << 30})
    file.write_text(json.dumps(machine))
    made = Node(agents_package / "usr/lib/ocf", pyshell, forked, tmp_path)
    pyshell.must(
        f"share {DISKS[0]} to={CLIENT} target={SERVER} portal={PORTAL} wwn={SERIAL} name=disk1"
    )
    made.save()
    return made


# start, monitor, stop


def test_it_starts_watches_and_stops_the_target(node: Node) -> None:
    nothing = node.objects
    assert node("monitor").status == NOT_RUNNING
    node.must("stop")
    node.must("start")
    assert re.search(rf"o- {CLIENT} \.+ \[Mapped LUNs: 1\]", node.objects)
    assert node.must("monitor", depth=10) == node.must("monitor") == ""
    started = node.objects
    node.must("start")
    assert node.objects == started
    node.must("stop")
    assert node.objects == nothing
    assert node("monitor").status == NOT_RUNNING
    node.must("stop")
    assert not list(node.run_dir.glob("pyshell-*"))


def test_a_start_that_fails_leaves_nothing_and_a_stop_finds_nothing(node: Node) -> None:
    nothing = node.objects
    document = json.loads(node.document.read_text())
    gone = {**document["storage_objects"][0], "name": "gone", "dev": "/dev/drbd/by-res/none/0"}
    document["storage_objects"].append({**gone, "wwn": "8d2b4f5f"})
    luns = document["targets"][0]["tpgs"][0]["luns"]
    luns.append({**luns[0], "index": 1, "alias": "x", "storage_object": "/backstores/block/gone"})
    node.document.write_text(json.dumps(document))
    started = node("start")
    assert started.status == GENERIC_ERROR
    assert "There is no block device /dev/drbd/by-res/none/0" in started.err
    assert node.objects == nothing
    node.must("stop")
    assert node("monitor").status == NOT_RUNNING


@pytest.mark.parametrize(
    "line",
    [
        f"/iscsi delete {SERVER}",
        f"{TPG} disable",
        f"{TPG}/luns delete 0",
        f"{TPG}/acls delete {CLIENT}",
        f"{TPG}/acls/{CLIENT} delete 0",
        f"{TPG}/portals delete 192.168.56.101 3260",
        "/backstores/block delete disk1",
    ],
)
def test_a_target_that_is_not_served_as_started_is_an_error(node: Node, line: str) -> None:
    node.must("start")
    assert node.pyshell("--yes", line).status == 0
    ran = node("monitor")
    assert ran.status == GENERIC_ERROR
    assert "ocf-exit-reason:" in ran.err
    node.must("stop")
    assert node("monitor").status == NOT_RUNNING
    node.must("start")
    node.must("monitor", depth=10)


def test_a_target_that_the_cluster_did_not_start_is_an_error(node: Node) -> None:
    node.pyshell.must(f"apply {node.document}")
    ran = node("monitor")
    assert ran.status == GENERIC_ERROR
    assert f"{SERVER} runs, but the cluster did not start it here" in ran.err
    node.must("stop")
    assert node("monitor").status == NOT_RUNNING


def test_a_changed_setting_is_a_warning_of_the_deep_monitor(node: Node) -> None:
    node.must("start")
    node.pyshell.must(f"{TPG} set attribute login_timeout=20")
    assert node.must("monitor") == ""
    told = node.must("monitor", depth=10)
    assert f"{SERVER} differs from its document" in told
    assert "login_timeout" in told


def test_a_document_that_was_changed_and_not_applied_is_a_warning(node: Node) -> None:
    node.must("start")
    node.document.write_text(node.document.read_text() + "\n")
    assert f"{node.document} was changed or removed" in node.must("monitor", depth=10)


def test_no_secret_is_logged(node: Node) -> None:
    node.pyshell.must(f"apply {node.document}")
    node.change(f"{TPG}/acls/{CLIENT} set auth userid=me password={SECRET}")
    node.pyshell.must(f"clearconfig confirm=true target={SERVER}")
    assert SECRET in node.document.read_text()
    told = [node.must(action, depth=10) for action in ("start", "monitor", "reload-agent", "stop")]
    assert SECRET not in "".join(told)


# stop


def test_a_stop_fails_while_the_device_is_in_use(node: Node) -> None:
    node.must("start")
    node.must("stop")
    node.pyshell.must(f"/backstores/block create other {DISKS[0]}")
    ran = node("stop")
    assert ran.status == GENERIC_ERROR
    assert f"{DISKS[0]} is in use: storage object block/other." in ran.err
    assert f"ocf-exit-reason:{SERVER} is not stopped completely: see the log" in ran.err
    node.pyshell.must("/backstores/block delete other")
    node.must("stop")


def test_a_stop_fails_while_another_target_exports_the_disk(node: Node) -> None:
    node.must("start")
    node.pyshell.must(
        "/loopback create naa.5001405aaaaaaaaa",
        "/loopback/naa.5001405aaaaaaaaa/luns create /backstores/block/disk1",
    )
    ran = node("stop")
    assert ran.status == GENERIC_ERROR
    assert SERVER not in node.objects
    assert node("monitor").status == GENERIC_ERROR
    node.pyshell.must("/loopback delete naa.5001405aaaaaaaaa")
    node.must("stop")
    assert node("monitor").status == NOT_RUNNING


@pytest.mark.parametrize("text", [None, "{"])
def test_without_a_valid_document_a_node_that_serves_nothing_can_stop(
    node: Node, text: str | None
) -> None:
    node.document.unlink()
    if text is not None:
        node.document.write_text(text)
        node.document.chmod(0o600)
    node.must("stop")
    assert node("start").status == NOT_INSTALLED


def test_a_running_target_is_stopped_without_its_document(node: Node) -> None:
    node.must("start")
    node.document.unlink()
    node.must("stop")
    assert node("monitor").status == NOT_RUNNING


# Parameters


def test_a_document_with_another_checksum_is_not_started(node: Node) -> None:
    ran = node("start", checksum="0" * 64)
    assert ran.status == NOT_INSTALLED
    assert "is not the document with the checksum" in ran.err
    assert node("monitor").status == NOT_RUNNING
    node.must("start", checksum=hashlib.sha256(node.document.read_bytes()).hexdigest())


@pytest.mark.parametrize("action", ["validate-all", "monitor", "stop"])
@pytest.mark.parametrize("name", ["target", "document"])
def test_a_missing_parameter_is_named(node: Node, name: str, action: str) -> None:
    ran = node(action, depth=0, **{name: ""})
    assert ran.status == NOT_CONFIGURED
    assert f"The parameter '{name}' is missing" in ran.err


@pytest.mark.parametrize("wwn", [SERVER.upper(), f"{SERVER}/../x", f"{SERVER} "])
def test_a_wwn_that_is_not_spelled_as_in_configfs_is_refused(node: Node, wwn: str) -> None:
    ran = node("validate-all", target=wwn)
    assert ran.status == NOT_CONFIGURED
    assert f"'{wwn}' is not a WWN as the kernel spells it" in ran.err


def test_an_action_that_it_does_not_have_is_unimplemented(node: Node) -> None:
    assert node("promote").status == 3


# reload-agent


def test_a_changed_document_is_applied_and_sessions_continue(node: Node) -> None:
    node.must("start")
    node.pyshell.must(f"login {CLIENT}")
    node.change(f"{TPG}/acls create {GUEST}", f"{TPG} set attribute login_timeout=20")
    node.pyshell.must(f"{TPG}/acls delete {GUEST}", f"{TPG} set attribute login_timeout=15")
    node.must("reload-agent")
    assert f"o- {GUEST} " in node.objects
    assert CLIENT in node.pyshell.line("sessions").out
    assert node.must("monitor", depth=10) == ""
    node.must("stop")
    assert SERVER not in node.objects


def test_a_document_that_cannot_be_applied_leaves_the_target_as_it_was(node: Node) -> None:
    node.must("start")
    before = node.objects
    document = json.loads(node.document.read_text())
    document["storage_objects"][0]["dev"] = "/dev/drbd/by-res/none/0"
    node.document.write_text(json.dumps(document))
    told = node.must("reload-agent")
    assert f"{SERVER} is served as before: the new document was not applied." in told
    assert node.objects == before
    node.must("monitor")
    node.must("stop")
    assert node("monitor").status == NOT_RUNNING


def test_a_start_without_the_kernels_target_fails(node: Node) -> None:
    node.parameters["configfs"] = str(node.folder / "nowhere")
    assert node("start").status == GENERIC_ERROR
    node.must("stop")


def test_a_stopped_target_is_not_reloaded(node: Node) -> None:
    assert node("reload-agent").status == NOT_RUNNING


# Persistent reservations


@pytest.fixture
def state(node: Node) -> Path:
    """Return the folder for registrations; the simulated host has that of the kernel's in ours."""
    dbroot = node.folder / "dbroot"
    inside = node.pyshell.folder / "files" / str(dbroot).lstrip("/")
    (dbroot / "pr").mkdir(parents=True)
    inside.parent.mkdir(parents=True)
    inside.symlink_to(dbroot)
    (node.pyshell.configfs / "dbroot").write_text(f"{dbroot}\n")
    made = node.folder / "state"
    made.mkdir()
    node.parameters["state_dir"] = f"{made}/"
    # Nothing can be mounted without root.
    programs = node.folder / "programs"
    programs.mkdir()
    (programs / "mountpoint").write_text(f'#!/bin/sh\n[ "$2" = {made} ]\n')
    (programs / "mountpoint").chmod(0o755)
    node.environment["PATH"] = f"{programs}:{PATH}"
    return made


def test_registrations_are_stored_where_they_move_with_the_target(node: Node, state: Path) -> None:
    link = node.folder / f"dbroot/pr/aptpl_{SERIAL}"
    node.must("start")
    assert os.readlink(link) == str(state / f"aptpl_{SERIAL}")
    other = link.with_name("aptpl_other")
    other.symlink_to(node.folder / "elsewhere/aptpl_other")
    node.must("stop")
    assert not link.is_symlink()
    assert other.is_symlink()


def test_a_link_that_a_crash_left_is_used_again(node: Node, state: Path) -> None:
    link = node.folder / f"dbroot/pr/aptpl_{SERIAL}"
    link.symlink_to("/nowhere")
    node.must("start")
    assert os.readlink(link) == str(state / f"aptpl_{SERIAL}")


def test_registrations_from_before_the_cluster_are_kept_aside(node: Node, state: Path) -> None:
    link = node.folder / f"dbroot/pr/aptpl_{SERIAL}"
    link.write_text("No Registrations or Reservations\n")
    assert "is renamed to" in node.must("start")
    assert link.is_symlink()
    assert link.with_name(f"{link.name}.before-cluster").exists()


@pytest.mark.parametrize("name", [".", "none"])
def test_without_a_mounted_file_system_nothing_starts(node: Node, state: Path, name: str) -> None:
    folder = os.path.normpath(node.folder / name)
    node.parameters["state_dir"] = folder
    ran = node("start")
    assert ran.status == GENERIC_ERROR
    assert f"No file system is mounted at {folder}" in ran.err
    node.must("stop")
    assert node("monitor").status == NOT_RUNNING


# Kills

EVERY_STEP = os.environ.get("PYSHELL_TEST_FAULTS") == "all"
SOME_STEPS = (3, 6, 9)
STEPS = ("cp", "mv", "ln", "rm", "mkdir", "python3", "cat", "readlink", "sha256sum", "cmp")
KILL = """#!/bin/sh
# Count the programs that the agent runs, and kill it before or after the chosen one.
echo x >>"$STEPS"
number=$(wc -l <"$STEPS")
[ "$number:before" != "$KILL_AT" ] || kill -s KILL -- "-$(cut -d ' ' -f 5 /proc/self/stat)"
PROGRAM "$@"
status=$?
[ "$number:after" != "$KILL_AT" ] || kill -s KILL -- "-$(cut -d ' ' -f 5 /proc/self/stat)"
exit $status
"""


@pytest.fixture
def killed(node: Node, state: Path) -> Node:
    """Return a node on which `KILL_AT` kills the agent at one of its steps."""
    programs = node.folder / "programs"
    for name in (*STEPS, "pyshell"):
        own = node.parameters["pyshell"] if name == "pyshell" else None
        program = own or shutil.which(name, path=PATH)
        made = programs / name
        made.write_text(KILL.replace("PROGRAM", str(program)))
        made.chmod(0o755)
    node.environment["STEPS"] = str(node.folder / "steps")
    node.environment["KILL_AT"] = ""
    node.parameters["pyshell"] = str(programs / "pyshell")
    return node


def run_killed(node: Node, action: str, when: str) -> bool:
    """Run an action that is killed at a step, and return whether it was."""
    (node.folder / "steps").write_text("")
    return was_killed(node.begin(action, KILL_AT=when))


@pytest.mark.parametrize("action", ["start", "reload-agent", "stop"])
def test_an_action_that_was_killed_converges_when_it_is_repeated(killed: Node, action: str) -> None:
    node, nothing = killed, killed.objects
    first = node.document.read_text()
    node.must("start")
    node.change(f"{TPG}/acls create {GUEST}", f"share {DISKS[1]} to={GUEST} wwn=9c1a name=disk2")
    second = node.document.read_text()
    node.must("stop")
    steps = count(2) if EVERY_STEP else iter(SOME_STEPS)
    was_killed_at: list[bool] = []
    while all(was_killed_at) and (step := next(steps, None)):
        when = "after" if step % 2 else "before"
        node.document.write_text(first)
        if action != "start":
            node.must("start")
        node.document.write_text(second)
        was_killed_at.append(run_killed(node, action, f"{step // 2}:{when}"))
        told = f"{action} killed {when} program {step // 2}"
        if action == "stop" or step % 3 == 0:
            # The cluster stops what failed.
            node.must("stop")
            assert node.objects == nothing, told
            assert node("monitor").status == NOT_RUNNING, told
        if action != "stop":
            node.must("start")
            assert node.must("monitor", depth=10) == "", told
            assert f"o- {GUEST} " in node.objects
            node.must("stop")
        assert node.objects == nothing, told
        assert not list(node.run_dir.glob("pyshell-*")), told
    # With every step, the last one is beyond the action's end.
    assert sum(was_killed_at) == (len(was_killed_at) - 1 if EVERY_STEP else len(SOME_STEPS))


# The agent as a script


def test_shellcheck_has_nothing_to_say() -> None:
    command = [tool("shellcheck", "shellcheck"), "--shell=dash", str(AGENT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


# The cluster's own tester


@pytest.fixture
def public(node: Node, agents_package: Path) -> Iterator[Path]:
    """Return a folder with the agent, what it sources and the tester, that every user can read."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(AGENT, folder)
        shutil.copytree(agents_package / "usr/lib/ocf", folder / "ocf")
        shutil.copytree(agents_package / "usr/share/resource-agents", folder / "resource-agents")
        text = (agents_package / "usr/sbin/ocf-tester").read_text()
        assert "\nDATADIR=/usr/share\n" in text
        # Debian 12 has the DTD of OCF 1.0; these two are of 1.1, which its Pacemaker follows.
        dtd = folder / "resource-agents/ra-api-1.dtd"
        old = dtd.read_text()
        new = old.replace(
            '"0"\n        unique', '"0"\n        reloadable (1|0) "0"\n        unique'
        )
        new = new.replace("|reload|", "|reload|reload-agent|")
        assert len(new) > len(old) + len("|reload-agent")
        dtd.write_text(new)
        (folder / "ocf-tester").write_text(text.replace("DATADIR=/usr/share", f"DATADIR={folder}"))
        ocf = {"OCF_ROOT": "ocf", "OCF_FUNCTIONS_DIR": "ocf/lib/heartbeat"}
        node.environment |= {variable: str(folder / path) for variable, path in ocf.items()}
        yield folder


def test_ocf_tester_finds_nothing(node: Node, public: Path) -> None:
    tool("xmllint", "libxml2-utils")
    given = [word for name, value in node.parameters.items() for word in ("-o", f"{name}={value}")]
    done = subprocess.run(
        ["/bin/sh", public / "ocf-tester", "-v", "-n", "target_disk1", *given, public / "Target"],
        env=node.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed all tests" in done.stdout
