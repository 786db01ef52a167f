# SPDX-License-Identifier: Apache-2.0
"""What goes with an object that is deleted is named, and at a terminal asked about."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

DELETE = "/backstores/block delete lee_block"
ASKED = [
    (DELETE, "Delete it with 1 LUN and 1 mapped LUN? [y/N]"),
    (f"/iscsi delete {SERVER}", "Delete it with 1 LUN (block/lee_block) and 1 mapped LUN? [y/N]"),
    (f"/iscsi/{SERVER} delete 1", "Delete it with 1 LUN (block/lee_block) and 1 mapped LUN?"),
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
    told = question.removeprefix("Delete it with ").partition("?")[0]
    assert f"With it would go {told} (dry run)" in exported("--dry-run", *line.split()).lines


def test_clearing_asks_before_it_cuts_sessions(exported: Pyshell) -> None:
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    before = exported("ls").out
    ran = exported("clearconfig", "confirm=true", stdin="n\n", keyboard=True)
    assert f"This cuts off {CLIENT}. Go on? [y/N]" in ran.err
    assert (ran.status, exported("ls").out) == (1, before)
    assert "[y/N]" not in exported("--yes", "clearconfig", "confirm=true", keyboard=True).err
    assert exported("ls").out != before


def test_the_luns_are_named_before_the_question(exported: Pyshell) -> None:
    told = exported(*DELETE.split(), stdin="n\n", keyboard=True).err
    before, asked, _ = told.partition("Delete it with")
    assert f"{TPG}/luns/lun0 goes with it, mapped for {CLIENT}." in before
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
    assert "Delete it with 5 LUNs (ramdisk/d0, ramdisk/d1, ramdisk/d2, …)? [y/N]" in ran.err
