# SPDX-License-Identifier: Apache-2.0
"""What goes with an object that is deleted is named, and at a terminal asked about."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.lio.identifiers import NodeAcl, Portal, Target, Tpg
from pyshell.lio.operations import disturbance
from pyshell.lio.operations.setters import Set

PARTS = "1 LUN (block/lee_block), 1 ACL and 1 mapped LUN"
DELETE = "/backstores/block delete lee_block"
ASKED = [
    (DELETE, "This also removes 1 LUN and 1 mapped LUN. Continue? [y/N]"),
    (f"/iscsi delete {SERVER}", f"This also removes {PARTS}. Continue? [y/N]"),
    (f"/iscsi/{SERVER} delete 1", f"This also removes {PARTS}."),
]


@pytest.mark.parametrize(("line", "question"), ASKED)
def test_ux_row_9_a_no_leaves_all_as_it_was(exported: Pyshell, line: str, question: str) -> None:
    before = exported.tree()
    ran = exported(*line.split(), stdin="n\n", keyboard=True)
    assert question in ran.err
    assert (ran.status, exported.tree()) == (1, before)
    assert exported(*line.split(), stdin="y\n", keyboard=True).status == 0
    assert exported.tree() != before


@pytest.mark.parametrize(("line", "question"), ASKED)
def test_a_dry_run_names_them(exported: Pyshell, line: str, question: str) -> None:
    told = question.removeprefix("This also removes ").partition(".")[0]
    assert f"Would also remove {told}. (dry run)" in exported("--dry-run", *line.split()).lines


def test_clearing_asks_before_it_cuts_sessions(exported: Pyshell) -> None:
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    before = exported("ls").out
    ran = exported("clearconfig", "confirm=true", stdin="n\n", keyboard=True)
    assert f"This terminates the session of {CLIENT}. Continue? [y/N]" in ran.err
    assert (ran.status, exported("ls").out) == (1, before)
    assert "[y/N]" not in exported("--yes", "clearconfig", "confirm=true", keyboard=True).err
    assert exported("ls").out != before


def test_the_luns_are_named_before_the_question(exported: Pyshell) -> None:
    told = exported(*DELETE.split(), stdin="n\n", keyboard=True).err
    before, asked, _ = told.partition("This also removes")
    assert f"{TPG}/luns/lun0 is deleted with it, mapped for {CLIENT}." in before
    assert asked


@pytest.mark.parametrize("line", [f"{DELETE} force=true", f"--yes {DELETE}", f"--dry-run {DELETE}"])
def test_who_says_so_is_not_asked(exported: Pyshell, line: str) -> None:
    ran = exported(*line.split(), keyboard=True)
    assert ("[y/N]" in ran.err, ran.status) == (False, 0)


def test_neither_a_script_nor_targetcli_is_asked(exported: Pyshell) -> None:
    assert "[y/N]" not in exported(*DELETE.split()).err
    exported.program = "targetcli"
    assert exported(*f"/iscsi delete {SERVER}".split(), keyboard=True).err == ""


def test_what_has_no_luns_is_not_asked_about(target: Pyshell) -> None:
    assert target(*f"/iscsi delete {SERVER}".split(), keyboard=True).err == ""


def test_very_many_are_counted(target: Pyshell) -> None:
    for number in range(5):
        target.must(f"/backstores/ramdisk create d{number} 1M")
        target.must(f"{TPG}/luns create /backstores/ramdisk/d{number}")
    ran = target(*f"/iscsi delete {SERVER}".split(), stdin="n\n", keyboard=True)
    assert (
        "This also removes 5 LUNs (ramdisk/d0, ramdisk/d1, ramdisk/d2, …). Continue? [y/N]"
        in ran.err
    )


# Finding 23: one rule, by effect


ACLS = f"{TPG}/acls"


@pytest.mark.parametrize(
    ("line", "removed"),
    [
        ("unshare lee_block", "1 target, 1 storage object, 1 LUN (block/lee_block), 1 ACL"),
        (f"{TPG}/luns delete 0", "also removes 1 mapped LUN"),
        (f"{ACLS} delete {CLIENT}", "also removes 1 mapped LUN"),
        ("apply empty.json prune=true", "1 target, 1 storage object, 1 LUN"),
        ("rollback saved", "1 target, 1 storage object, 1 LUN"),
        ("restoreconfig clear_existing=true", "1 target, 1 storage object, 1 LUN"),
        ("restoreconfig clear_existing=true force=true", "1 target, 2 storage objects, 1 LUN"),
    ],
)
def test_what_the_line_does_not_name_is_asked_about(
    target: Pyshell, line: str, removed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(target.folder)
    target.must("clearconfig confirm=true", "/backstores/ramdisk create a 1M", "saveconfig")
    target.must("saveconfig comment=again", f"saveconfig {target.folder}/empty.json")
    target.must(f"share /dev/mapper/lee-lee.lv name=lee_block to={CLIENT} target={SERVER}")
    before = target.tree()
    ran = target(*line.split(), stdin="n\n", keyboard=True)
    assert (ran.err.count("[y/N]"), ran.status, target.tree()) == (1, 1, before), ran.err
    assert removed in ran.err
    assert "[y/N]" not in target("--yes", *line.split(), keyboard=True).err
    assert target.tree() != before


def test_what_the_line_names_is_not_asked_about(exported: Pyshell) -> None:
    for line in (
        f"{ACLS}/{CLIENT} delete 0",
        f"{ACLS} delete {CLIENT}",
        "undo",
        f"{ACLS} delete {CLIENT}",
        f"{TPG}/luns delete 0",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"/iscsi/{SERVER} delete 1",
        f"/iscsi delete {SERVER}",
        "/backstores/block delete lee_block",
        "clearconfig confirm=true",
    ):
        ran = exported(*line.split(), keyboard=True)
        assert (line, "[y/N]" in ran.err, ran.status) == (line, False, 0)


def test_a_queue_depth_and_a_portal_s_transport_terminate_sessions(exported: Pyshell) -> None:
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    lio = exported.open()
    tpg = Tpg(Target("iscsi", SERVER, lio.root), 1)
    depth = Set(NodeAcl(tpg, CLIENT), "cmdsn_depth", "7")
    iser = Set(Portal(tpg, "0.0.0.0", 3260), "iser", "0")
    assert disturbance.cut(lio, [depth]) == disturbance.cut(lio, [iser]) == [CLIENT]
    assert disturbance.cut(lio, [Set(tpg, "attrib/login_timeout", "20")]) == []


@pytest.mark.parametrize("lines", [["undo"], ["rollback saved"], [f"{TPG}/luns delete 0"]])
def test_a_script_is_told_whom_it_disconnected(exported: Pyshell, lines: list[str]) -> None:
    exported.prepare("saveconfig", "saveconfig comment=2", "/backstores/ramdisk create a 1M")
    exported.must(f"{TPG}/luns create /backstores/ramdisk/a")
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    ran = [exported.line(line) for line in lines][-1]
    assert ran.status == 0
    assert CLIENT in ran.out


def test_the_rule_is_stated_in_help(pyshell: Pyshell) -> None:
    assert "terminates sessions" in pyshell.line("help questions").out
    assert "'help questions'" in pyshell.line("/iscsi help delete").out
