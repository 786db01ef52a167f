# SPDX-License-Identifier: Apache-2.0
"""The text, the exit status and the part of the tree of `doctor`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import pytest

from driver import ROOT, TPG, Pyshell
from pyshell.commands import examine
from pyshell.doctor import Code, Finding, Level

from .findings import (
    ACL,
    doctor,
    host_file,
)


def test_it_reports_no_problems(healthy: Pyshell) -> None:
    told = "No problems found by the checks that ran."  # a simulated host cannot show all
    assert healthy("doctor").done().lines[-1] == told


def test_it_does_not_report_success_for_skipped_checks() -> None:
    unseen = Finding("unseen", "/", "the boot is not seen")
    assert examine._lines([unseen])[-1] == "No problems found by the checks that ran."
    assert examine._lines([]) == ["No problems found."]


def test_the_worst_is_first() -> None:
    levels: list[Level] = ["unseen", "info", "warning", "error", "info"]
    lines = examine._lines([Finding(one, "/", "x") for one in levels])
    words = [line.partition(":")[0] for line in lines[:-1]]
    assert words == ["error", "warning", "info", "info", "skipped"]


def test_a_finding_is_one_line_with_its_commands_below(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} disable")
    ran = healthy("doctor")
    told = f"error: {TPG}: the TPG is disabled: no initiator can log in"
    where = ran.lines.index(told)
    assert ran.lines[where + 1] == "    Decide for yourself:"
    assert ran.lines[where + 2] == f"        pyshell --simulate={healthy.folder} {TPG} enable"
    assert ran.lines[-1] == "1 error and 1 warning. Suggested fixes are shown below each."
    assert ran.status == 2


def test_the_guide_explains_each_code_once() -> None:
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    _, table = guide.split("| code in JSON |\n")
    listed = re.findall(r"`([a-z_]+\.[a-z]+)`", table.partition("\n\n")[0])
    assert sorted(listed) == sorted(code for code in get_args(Code) if code)


def test_a_part_of_the_tree(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} disable")
    assert doctor(healthy, "/backstores") == []
    assert [one["check"] for one in doctor(healthy, "/iscsi")] == ["targets"]


def unseen(pyshell: Pyshell, path: str) -> list[str]:
    """Return what is told as not seen of a part of the tree."""
    found = pyshell("-o", "json", "doctor", path).json["result"]
    return [one["path"] for one in found if one["level"] == "unseen"]


def test_skipped_checks_are_reported_for_affected_paths(healthy: Pyshell) -> None:
    healthy.must("/loopback create naa.5001405000000001")
    host = ["addresses", "TCP ports", "firewall"]
    assert unseen(healthy, "/") == ["boot", *host]
    for path in ("/iscsi", TPG, f"{TPG}/portals", f"{TPG}/portals/0.0.0.0:3260"):
        assert unseen(healthy, path) == host
    for path in ("/backstores", "/loopback", ACL, f"{TPG}/luns"):
        assert unseen(healthy, path) == []
    assert (
        healthy("doctor", "/iscsi").done().lines[-1] == "No problems found by the checks that ran."
    )
    assert healthy("doctor", "/backstores").done().lines == ["No problems found."]


def test_a_blocked_port_is_reported_for_its_targets(healthy: Pyshell) -> None:
    other = "/iscsi/iqn.2020-07.com.example:other"
    healthy.must(
        f"/iscsi create {other.removeprefix('/iscsi/')}",
        f"{other}/tpg1/portals delete 0.0.0.0 3260",
        f"{other}/tpg1/portals create 0.0.0.0 3261",
    )
    host_file(healthy, "/etc/ufw/ufw.conf", "ENABLED=yes\n")
    host_file(healthy, "/etc/ufw/user.rules", "-A ufw-user-input -p tcp --dport 3261 -j ACCEPT\n")
    assert [one["check"] for one in doctor(healthy, TPG)] == ["firewall"]
    assert "firewall" not in [one["check"] for one in doctor(healthy, other)]
    assert doctor(healthy, "/backstores") == []


def test_it_changes_nothing(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} disable")
    before = healthy.files()
    healthy("doctor")
    assert healthy.files() == before


def test_a_failing_check_is_reported_and_the_others_run(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object) -> Iterator[Finding]:
        raise PermissionError(13, "Permission denied", "/proc/secret")

    healthy.must(f"{TPG} disable")
    checks = [
        replace(check, run=failing) if check.name == "network" else check
        for check in examine.CHECKS
    ]
    monkeypatch.setattr(examine, "CHECKS", checks)
    ran = healthy("doctor")
    assert "skipped: network: Permission denied: /proc/secret" in ran.lines
    assert f"error: {TPG}: the TPG is disabled: no initiator can log in" in ran.lines
    assert unseen(healthy, "/iscsi")[0] == "network"
    assert unseen(healthy, "/backstores") == []
