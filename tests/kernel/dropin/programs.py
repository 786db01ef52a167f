# SPDX-License-Identifier: Apache-2.0
"""The programs: what the guest gets of each, the lines of shell that run it, and what came of it.

All run as their authors publish them. A test's outcome is `passed`, `skipped: WHY`, `failed: WHY`,
or, for a playbook, Ansible's counts.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import agents, sources

PLAYBOOKS = Path(__file__).with_name("playbooks")
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
BED = Path("/bed")
# Block devices of the guest.
LOOPS = (
    "modprobe loop && cd /var/tmp && for n in 0 1 2 3; do "
    "truncate -s 64M disk$n.img && losetup /dev/loop$n disk$n.img; done"
)
# As on a host with a network, apt knows targetcli-fb, whatever is installed.
ARCHIVE = (
    "echo 'deb [trusted=yes] file:/bed/packages/archive ./' > /etc/apt/sources.list "
    "&& rm -rf /etc/apt/sources.list.d && apt-get update -q"
)
# Roles that install targetcli-fb would replace pyshell-targetcli.
_INSTALLED = "$(dpkg -S /usr/bin/targetcli | cut -d: -f1)"
_OTHER_PACKAGE = f'-e "{{iscsi_packages: [python3-distutils, {_INSTALLED}]}}"'


@dataclass(frozen=True)
class Step:
    """A line of shell that runs tests, and what reads their outcomes from its output."""

    line: str
    read: Callable[[str], Mapping[str, str]]


@dataclass(frozen=True)
class Program:
    """A program that calls targetcli."""

    title: str
    package: str
    """The Debian package whose version the page names, if any."""
    steps: Sequence[Step]
    before: Sequence[str] = ()
    """Lines of shell that make what it needs."""
    prepare: Callable[[Path, Path | None], None] = field(default=lambda bed, roles: None)
    """Puts files into the guest's folder /bed; the second argument is the folder of roles."""


def unittests(output: str) -> dict[str, str]:
    """Read what a verbose runner of Python's unittest prints."""
    found = {}
    for test, module, rest in re.findall(
        r"^(test_\w+) \(([\w.]+)\)(.*?)(?=^test_\w+ \(|^=====|^-----|\Z)", output, re.M | re.S
    ):
        outcome = re.search(r"(?:^|\s|\.\.\. ?)(ok|FAIL|ERROR|skipped '(.*)')\s*$", rest, re.M)
        name = f"{module.removesuffix('.' + test)}.{test}"
        found[name] = _outcome(outcome) if outcome else f"{FAILED}: no outcome"
    for test, module, text in re.findall(
        r"^(?:ERROR|FAIL): (\w+) \(([\w.]+)\).*?^-+\n(.*?)(?=^=====|^-----|\Z)", output, re.M | re.S
    ):
        name = f"{module.removesuffix('.' + test)}.{test}"
        found[name] = f"{FAILED}: {text.strip().splitlines()[-1][:160]}"
    return found


def _outcome(found: re.Match[str]) -> str:
    if found[1] == "ok":
        return PASSED
    return f"{SKIPPED}: {found[2]}" if found[2] else f"{FAILED}: {found[1]}"


def recaps(name: str) -> Callable[[str], dict[str, str]]:
    """Return what reads Ansible's counts of a playbook that runs twice."""

    def read(output: str) -> dict[str, str]:
        counts = re.findall(r"^localhost\s+: ok=(\d+) +changed=(\d+).*failed=(\d+)", output, re.M)
        runs = [f"{ok} ok, {changed} changed, {failed} failed" for ok, changed, failed in counts]
        return {name: "; ".join(runs) or f"{FAILED}: {' '.join(output.split())[-160:]}"}

    return read


def _trial(name: str, trial: agents.Trial) -> Step:
    return Step(trial.line(disk="/dev/loop0"), lambda out: {name: agents.outcome(out)})


def _playbook(name: str, *options: str) -> Step:
    words = " ".join(("ansible-playbook", *options, f"{BED}/playbooks/{name}.yml"))
    environment = f"export ANSIBLE_ROLES_PATH={BED}/roles ANSIBLE_LOCALHOST_WARNING=False"
    # Each role makes what is missing, so that a second run changes nothing.
    line = f"targetcli clearconfig confirm=True; {environment}; {words}; {words}; targetcli ls"
    return Step(line, recaps(name))


def _put_roles(bed: Path, checkouts: Path | None) -> None:
    if checkouts is None:
        raise ValueError("the roles are on GitHub: --roles names a folder with checkouts of them")
    shutil.copytree(PLAYBOOKS, bed / "playbooks")
    sources.copy_roles(checkouts, bed / "roles")


def _suite(folder: str, command: str) -> Step:
    return Step(f"cd /root/{folder} && {command}", unittests)


PROGRAMS = {
    "resource-agents": Program(
        "resource agents, by ocf-tester",
        "resource-agents",
        [_trial(name, trial) for name, trial in agents.TRIALS.items()],
        before=(LOOPS,),
    ),
    "ansible": Program(
        "Ansible roles",
        "ansible-core",
        [
            _playbook("OndrejHome.targetcli", "--start-at-task 'define backstore objects'"),
            _playbook("ricsanfre.iscsi_target", _OTHER_PACKAGE),
            _playbook("iscsi-target", "--start-at-task 'Add iSCSI kernel modules to /etc/modules'"),
        ],
        before=(LOOPS, ARCHIVE),
        prepare=_put_roles,
    ),
    "libblockdev": Program(
        "libblockdev's tests with LIO disks",
        "python3-blockdev",
        [
            _suite(
                "libblockdev",
                "python3 tests/run_tests.py --installed swap_test dm_test mpath_test "
                "utils_test.UtilsDevUtilsSymlinksTestCase mdraid_test.MDTestActivateDeactivate",
            )
        ],
        # Its tests write to their folder.
        before=("cp -r /bed/libblockdev /root",),
        prepare=lambda bed, _: sources.unpack(sources.LIBBLOCKDEV, bed / "libblockdev"),
    ),
    "udisks": Program(
        "UDisks' D-Bus tests on its LIO disks",
        "udisks2",
        [
            _suite(
                "udisks",
                "python3 src/tests/dbus-tests/run_tests.py --system "
                "test_40_drive test_50_block test_90_swapspace",
            )
        ],
        before=("cp -r /bed/udisks /root",),
        prepare=lambda bed, _: sources.unpack(sources.UDISKS, bed / "udisks"),
    ),
}
