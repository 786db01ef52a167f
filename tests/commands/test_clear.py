# SPDX-License-Identifier: Apache-2.0
"""`clearconfig` with a target deletes that one alone, and can prove that its devices are free."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

OTHER = "iqn.2020-07.com.example:other"
LEE = "/dev/mapper/lee-lee.lv"


@pytest.fixture
def file(exported: Pyshell, tmp_path: Path) -> Path:
    """Return a file with the exported target, beside which another one runs."""
    made = tmp_path / "server.json"
    exported.must(
        f"saveconfig {made} target={SERVER}",
        f"/iscsi create {OTHER}",
        "/backstores/ramdisk create spare 1M",
        f"/iscsi/{OTHER}/tpg1/luns create /backstores/ramdisk/spare",
    )
    return made


def clear(pyshell: Pyshell, *more: str) -> list[str]:
    """Clear the target and return what pyshell says."""
    return pyshell("clearconfig", "confirm=true", f"target={SERVER}", *more).done().lines


def test_the_target_and_what_only_it_exports_are_deleted(exported: Pyshell, file: Path) -> None:
    other = exported.must(f"ls /iscsi/{OTHER}", "ls /backstores/ramdisk")
    exported.must(f"{TPG}/luns create /backstores/ramdisk/spare")
    assert clear(exported) == [f"Target {SERVER} cleared"]
    assert exported.must(f"ls /iscsi/{OTHER}", "ls /backstores/ramdisk") == other
    assert SERVER not in exported.line("ls /").out
    assert "lee_block" not in exported.line("ls /").out


def test_the_deleted_objects_count_as_deleted_by_a_save(exported: Pyshell, file: Path) -> None:
    exported.must("saveconfig")
    clear(exported)
    exported.must("saveconfig")
    assert [one["wwn"] for one in exported.document()["targets"]] == [OTHER]


def test_undo_restores_the_target(exported: Pyshell, file: Path) -> None:
    before = exported.must("ls /")
    clear(exported)
    exported.must("undo")
    assert exported.must("ls /") == before


def test_a_dry_run_deletes_nothing(exported: Pyshell, file: Path) -> None:
    before = exported.must("ls /")
    assert clear(exported, "--dry-run") == [f"Target {SERVER} would be cleared (dry run)"]
    assert exported.must("ls /") == before


def test_objects_that_an_interrupted_command_left_are_deleted_by_the_file(
    exported: Pyshell, file: Path
) -> None:
    exported.must(f"/iscsi delete {SERVER}")
    assert "lee_block" in exported.line("ls /").out
    assert clear(exported, f"savefile={file}") == [f"Target {SERVER} cleared"]
    assert "lee_block" not in exported.line("ls /").out
    assert clear(exported, f"savefile={file}") == [f"Target {SERVER} is clear already"]


def test_it_fails_while_another_target_exports_one_of_the_objects(
    exported: Pyshell, file: Path
) -> None:
    exported.must(f"/iscsi/{OTHER}/tpg1/luns create /backstores/block/lee_block")
    words = ("clearconfig", "confirm=true", f"target={SERVER}", f"savefile={file}")
    dry = exported(*words, "--dry-run")
    assert SERVER in exported.line("ls /").out
    ran = exported(*words)
    assert (ran.status, ran.err) == (dry.status, dry.err)
    assert ran.status == 5
    assert ran.err.startswith(
        "/backstores/block/lee_block is not deleted with the target:"
        f" /iscsi/{OTHER}/tpg1/luns/lun1 exports it."
    )
    assert SERVER not in exported.line("ls /").out


def test_it_fails_while_another_object_uses_the_device(exported: Pyshell, file: Path) -> None:
    clear(exported)
    exported.must(f"/backstores/block create again {LEE}")
    ran = exported("clearconfig", "confirm=true", f"target={SERVER}", f"savefile={file}")
    assert (ran.status, ran.out) == (5, "")
    assert ran.err.startswith(f"{LEE} is in use: storage object block/again.")


def test_it_fails_while_a_program_uses_the_device(exported: Pyshell, file: Path) -> None:
    clear(exported)
    machine = exported.folder / "machine.json"
    table = json.loads(machine.read_text())
    for device in table["devices"]:
        if device["path"] == LEE:
            device["holder"] = "mounted on /srv"
    machine.write_text(json.dumps(table))
    ran = exported("clearconfig", "confirm=true", f"target={SERVER}", f"savefile={file}")
    assert (ran.status, ran.out) == (5, "")
    assert ran.err.startswith(f"{LEE} is in use: mounted on /srv")


def test_a_device_that_is_gone_is_free(exported: Pyshell, file: Path) -> None:
    clear(exported)
    exported.simulator.machine.remove(LEE)
    assert clear(exported, f"savefile={file}") == [f"Target {SERVER} is clear already"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["target=iqn.2020-07.com.example:none"], 3, "No such target: iqn.2020-07.com.example:"),
        (["savefile=x.json"], 2, "savefile= needs target=. Give target=WWN."),
        ([f"target={OTHER}", "savefile=FILE"], 3, f"The file holds no target {OTHER}."),
        ([f"target={OTHER}", "savefile=/nosuch.json"], 3, "Restore file /nosuch.json not found."),
    ],
)
def test_what_cannot_be_cleared(
    exported: Pyshell, file: Path, words: list[str], status: int, message: str
) -> None:
    before = exported.must("ls /")
    given = [word.replace("FILE", str(file)) for word in words]
    ran = exported("clearconfig", "confirm=true", *given)
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith(message)
    assert exported.must("ls /") == before


def test_a_session_of_the_target_is_reported(exported: Pyshell, file: Path) -> None:
    exported.must(f"login {CLIENT} target={SERVER}")
    dry = clear(exported, "--dry-run")
    assert any(CLIENT in line for line in dry), dry
    assert any(CLIENT in line for line in clear(exported))


# restoreconfig clear_existing=true of a part


@pytest.mark.parametrize("force", ["", "force=true"])
def test_a_part_is_restored_in_place_and_the_rest_stays(
    exported: Pyshell, file: Path, force: str
) -> None:
    exported.must("/iscsi set discovery_auth enable=1 userid=me password=long-enough-1")
    before = exported.must("ls /")
    exported.must(f"{TPG} set attribute login_timeout=20", f"{TPG}/acls create {OTHER}")
    words = ["clear_existing=true", f"target={SERVER}", *filter(None, [force])]
    assert exported("restoreconfig", str(file), *words).done().lines == [
        f"Configuration restored from {file}"
    ]
    assert exported.must("ls /") == before
    assert exported.must(f"{TPG} get attribute login_timeout") == ["login_timeout=15 "]
    assert "me" in exported.line("/iscsi get discovery_auth userid").out


def test_an_equal_target_is_not_touched(exported: Pyshell, file: Path) -> None:
    exported.must(f"login {CLIENT} target={SERVER}")
    exported.must(f"restoreconfig {file} clear_existing=true target={SERVER}")
    assert CLIENT in exported.line("sessions").out


def test_one_storage_object_is_restored_and_nothing_else(exported: Pyshell, file: Path) -> None:
    before = exported.must("ls /")
    exported.must("/backstores/block/lee_block set attribute emulate_caw=0")
    exported.must(f"restoreconfig {file} clear_existing=true storage_object=lee_block")
    assert exported.must("/backstores/block/lee_block get attribute emulate_caw") == [
        "emulate_caw=1 "
    ]
    assert exported.must("ls /") == before


def test_the_hint_repeats_what_is_to_be_cleared(exported: Pyshell) -> None:
    ran = exported("clearconfig", f"target={SERVER}")
    assert ran.status == 2
    assert f"'clearconfig confirm=true target={SERVER}' removes {SERVER}." in ran.err
    assert "'clearconfig confirm=true' removes all." in exported("clearconfig").err
