# SPDX-License-Identifier: Apache-2.0
"""Running lines: a path with `*` is one change, whatever the number of its nodes (finding 3)."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

ONE, TWO = f"{CLIENT}1", f"{CLIENT}2"
ACLS = f"{TPG}/acls"
SIZES = "/backstores/ramdisk/* set attribute block_size=4096"


@pytest.fixture
def disks(target: Pyshell) -> Pyshell:
    """Return a target with two ramdisks and two ACLs."""
    target.prepare(*(f"/backstores/ramdisk create {name} 1M" for name in "ab"))
    target.prepare(*(f"{ACLS} create {name}" for name in (ONE, TWO)))
    return target


def block_sizes(disks: Pyshell) -> list[str]:
    said = disks.must("/backstores/ramdisk/* get attribute block_size")
    return [line.strip() for line in said if not line.startswith("[")]


def test_all_nodes_change_or_none(disks: Pyshell) -> None:
    disks.must(f"{TPG}/luns create /backstores/ramdisk/b")
    before = disks.tree()
    ran = disks.line(SIZES)
    assert (ran.status, ran.out, disks.tree()) == (5, "", before)
    assert ran.err.startswith("/backstores/ramdisk/b: block_size")
    disks.must(f"{TPG}/luns delete 0", SIZES)
    assert block_sizes(disks) == ["block_size=4096"] * 2


def test_undo_takes_all_of_it_back(disks: Pyshell) -> None:
    disks.must(SIZES, "undo")
    assert block_sizes(disks) == ["block_size=512"] * 2


def test_a_secret_is_read_once_for_all(disks: Pyshell) -> None:
    line = f"{ACLS}/* set auth userid=u password=-"
    assert disks(*line.split(), stdin="correct horse\nother secret\n").status == 0
    shown = disks.must(f"{ACLS}/* get auth password show_secrets=true")
    assert [one.strip() for one in shown if "=" in one] == ["password=correct horse"] * 2


def test_one_question_for_all(disks: Pyshell) -> None:
    disks.must(f"{TPG}/luns create /backstores/ramdisk/a")
    for name in (ONE, TWO):
        disks.simulator.login(SERVER, 1, name, "192.168.56.105")
    line = f"{ACLS}/* delete 0"
    before = disks.tree()
    ran = disks(*line.split(), stdin="n\ny\n", keyboard=True)
    assert (ran.err.count("[y/N]"), ran.status, disks.tree()) == (1, 1, before)
    assert "also removes" not in ran.err  # each mapping is named by the line
    assert ONE in ran.err
    assert TWO in ran.err


def test_a_dry_run_shows_each_node_and_changes_nothing(disks: Pyshell) -> None:
    before = disks.files()
    lines = disks.line(SIZES, "--dry-run").done().lines
    assert [one for one in lines if one.startswith("[")] == [
        "[/backstores/ramdisk/a]", "[/backstores/ramdisk/b]",
    ]  # fmt: skip
    assert all(one.endswith("(dry run)") for one in lines if not one.startswith("["))
    assert disks.files() == before


def test_save_follows_the_whole(disks: Pyshell) -> None:
    disks("--save", *SIZES.split())
    sizes = [o["attributes"]["block_size"] for o in disks.document()["storage_objects"]]
    assert sizes == [4096, 4096]


def test_what_exists_is_tolerated_on_each_node_alone(disks: Pyshell) -> None:
    disks.must(f"{TPG}/luns create /backstores/ramdisk/a", f"{ACLS}/{ONE} delete 0")
    line = f"{ACLS}/* create 0 0 exist_ok=true"
    assert "nothing to do" in disks.line(line).done(noting=f"{ACLS}/{TWO}: Mapped LUN 0").err
    assert disks.line(f"{ACLS}/* delete 0 missing_ok=true").status == 0
    assert disks.must(f"{ACLS}/* ls depth=0")[1].endswith("[Mapped LUNs: 0]")


def test_the_star_stands_anywhere_and_within_a_name(disks: Pyshell) -> None:
    lines = disks.must(f"/iscsi/*/tpg1/acls/{CLIENT}* pwd")
    assert lines == [f"[{ACLS}/{ONE}]", f"{ACLS}/{ONE}", f"[{ACLS}/{TWO}]", f"{ACLS}/{TWO}"]
    assert disks.must("/*/*/tpg1/portals/* status")[0].startswith(f"[{TPG}/portals/")


def test_json_is_one_document(disks: Pyshell) -> None:
    shown = disks("-o", "json", "/backstores/ramdisk/*", "status").json["result"]
    assert [one["path"] for one in shown] == ["/backstores/ramdisk/a", "/backstores/ramdisk/b"]
    done = disks("-o", "json", *SIZES.split()).json["result"]
    assert [one["messages"] for one in done["nodes"]] == [
        ["Parameter block_size is now '4096'."]
    ] * 2
    assert disks("-o", "json", "/backstores/fileio/*", "status").json["result"] == []


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("/backstores/fileio/* status", 0, "Nothing matches /backstores/fileio/*."),
        ("/backstores/x* status", 3, "Nothing matches x* in /backstores/x*."),
        ("/nothing/* status", 3, "No such path /nothing"),
        ("/backstores/* cd", 2, "cd runs on one node at a time, and the path names 4."),
        ("/backstores/* bookmarks add x", 2, "bookmarks runs on one node at a time"),
        ("/backstores/* nothing", 2, "Command not found: nothing."),
    ],
)
def test_what_cannot_be_run_on_all_is_told(
    disks: Pyshell, line: str, status: int, told: str
) -> None:
    ran = disks.line(line)
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith(told)


def test_in_targetcli_mode_a_star_behind_a_name_means_its_children(disks: Pyshell) -> None:
    disks.program = "targetcli"
    assert disks.line("/backstores/ramdisk* pwd").lines[1] == "/backstores/ramdisk/a"


def test_a_mistyped_command_of_the_root_is_suggested_elsewhere(pyshell: Pyshell) -> None:
    ran = pyshell.line("/iscsi saveconfg")
    assert "Command not found: saveconfg. Did you mean the root's command / saveconfig?" in ran.err
    ran = pyshell.line("/iscsi xyzzy")
    assert ran.err.startswith("Command not found: xyzzy. 'help' lists the commands.\n")
