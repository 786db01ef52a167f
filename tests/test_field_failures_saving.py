# SPDX-License-Identifier: Apache-2.0
"""Failures around the saved configuration, each by its number in the field notes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.config.model import NAMES_ONLY, items
from pyshell.simulator import Simulator

ACL = f"{TPG}/acls/{CLIENT}"
DISK = "/backstores/ramdisk create"
BLOCK = "/backstores/block/lee_block"


def names(pyshell: Pyshell) -> list[str]:
    """Return the names of the storage objects in the saved file."""
    return [entry["name"] for entry in pyshell.document()["storage_objects"]]


def paths(pyshell: Pyshell, file: Path | None = None) -> set[str]:
    """Return the objects in the saved file, or another one."""
    found = items(json.loads((file or pyshell.saved_file).read_text()), NAMES_ONLY)
    return {path for path, item in found.items() if not item.implied}


def edit(pyshell: Pyshell, before: str, after: str) -> None:
    """Change the saved file by hand."""
    text = pyshell.saved_file.read_text()
    assert before in text
    pyshell.saved_file.write_text(text.replace(before, after))


# 1, 2, 4: what a restore could not bring back is lost by the next save


@pytest.fixture
def partly(exported: Pyshell) -> Pyshell:
    """Return pyshell where a restore brought back all but a disk that is absent."""
    exported.prepare(f"{DISK} scratch 1M", "saveconfig")
    exported.prepare("clearconfig confirm=true")
    edit(exported, "/dev/mapper/lee-lee.lv", "/dev/mapper/late")
    assert exported.line("restoreconfig").status == 1
    return exported


@pytest.mark.parametrize("program", ["pyshell", "targetcli"])
def test_field_failure_1_a_save_by_command_keeps_what_could_not_be_restored(
    partly: Pyshell, program: str
) -> None:
    partly.must(f"{DISK} more 1M")
    partly.program = program
    before = paths(partly)
    ran = partly.line("saveconfig")
    assert ran.status == 0
    told = f"keeps {BLOCK}, which is not running: There is no block device /dev/mapper/late"
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert paths(partly) == before | {"/backstores/ramdisk/more"}
    partly.program = "pyshell"
    assert (
        partly.line("saveconfig comment=again").status == 0
    )  # it is still missing, and still kept
    assert paths(partly) == before | {"/backstores/ramdisk/more"}


@pytest.mark.parametrize("program", ["pyshell", "targetcli"])
def test_field_failure_1_a_save_on_leaving_keeps_what_could_not_be_restored(
    partly: Pyshell, program: str
) -> None:
    partly.program = program
    before = paths(partly)
    ran = partly.batch([f"{DISK} more 1M", "exit"])
    assert f"{partly.saved_file} keeps {BLOCK}" in ran.err
    assert paths(partly) == before | {"/backstores/ramdisk/more"}


def test_nothing_is_carried_over_from_a_file_that_others_can_write(
    partly: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "other.json"
    file.write_text(partly.saved_file.read_text())
    file.chmod(0o600)
    partly.must("clearconfig confirm=true")
    assert partly.line(f"restoreconfig {file}").status == 1
    file.chmod(0o666)
    ran = partly.line(f"saveconfig {file}")
    assert "other users can write to it. Nothing is carried over from it." in ran.err
    assert BLOCK not in paths(partly, file)


@pytest.mark.parametrize("wish", [f"without={BLOCK}", "force=true"])
def test_field_failure_1_it_is_given_up_by_name(partly: Pyshell, wish: str) -> None:
    ran = partly.line(f"saveconfig {wish}")
    assert ran.status == 0
    assert f"no longer contains {BLOCK}." in ran.err
    assert f"no longer contains {TPG}/luns/lun0." in ran.err
    assert names(partly) == ["scratch"]
    partly.must(f"{DISK} more 1M", "saveconfig")


def test_field_failure_2_a_later_restore_that_is_whole_takes_the_mark_off(partly: Pyshell) -> None:
    partly.must("clearconfig confirm=true")
    edit(partly, "/dev/mapper/late", "/dev/mapper/lee-lee.lv")
    partly.must("restoreconfig", f"{DISK} more 1M", "saveconfig")
    assert sorted(names(partly)) == ["lee_block", "more", "scratch"]


def test_field_failure_2_what_is_made_by_hand_is_missing_no_more(partly: Pyshell) -> None:
    partly.must("/backstores/block create lee_block /dev/mapper/lee-lee.lv")
    assert f"{TPG}/luns/lun0" in partly.line("saveconfig").err
    partly.must(f"{TPG}/luns create {BLOCK} lun=lun0", "saveconfig")
    assert sorted(names(partly)) == ["lee_block", "scratch"]


def test_field_failure_2_what_is_deleted_is_missing_no_more(partly: Pyshell) -> None:
    partly.must(f"/iscsi delete {SERVER}")
    assert f"{TPG}/luns" not in partly.line("saveconfig").err
    assert partly.line(f"saveconfig without={BLOCK}").status == 0
    assert names(partly) == ["scratch"]


def test_field_failure_4_a_tool_that_saved_first_is_noticed(exported: Pyshell) -> None:
    exported.must("saveconfig")
    exported.saved_file.write_text('{"storage_objects": [], "targets": []}')
    ran = exported.line("saveconfig")
    assert (ran.out, ran.status) == ("", 5)
    assert "has been changed since pyshell last read or wrote it" in ran.err


# 8, 53: edits by hand or by another program vanish


def test_field_failure_8_an_edit_by_hand_is_not_overwritten(exported: Pyshell) -> None:
    exported.must("saveconfig")
    edit(exported, "lee_block", "edited")
    exported.must(f"{DISK} more 1M")
    before = exported.saved_file.read_bytes()
    ran = exported.line("saveconfig")
    assert (ran.out, ran.status) == ("", 5)
    assert "diff" in ran.err
    assert "force=true" in ran.err
    ran = exported.batch([f"{DISK} another 1M"])
    assert "Configuration saved" not in ran.out
    assert exported.saved_file.read_bytes() == before
    assert exported.line("saveconfig force=true").status == 0
    assert "edited" in exported.line("revisions show 1").done().out


def test_field_failure_8_in_targetclis_manner_the_edit_is_kept_as_a_revision(
    exported: Pyshell,
) -> None:
    exported.must("saveconfig")
    edit(exported, "lee_block", "edited")
    exported.program = "targetcli"
    ran = exported("saveconfig").done(noting=f"{exported.saved_file} has been changed since")
    assert ran.lines[-1] == f"Configuration saved to {exported.saved_file}"
    assert "edited" in exported.line("revisions show 1").done().out


def test_field_failure_8_what_runs_as_the_file_says_may_be_saved(exported: Pyshell) -> None:
    exported.must("saveconfig")
    exported.saved_file.write_text(json.dumps(exported.document()))  # another layout
    exported.must("saveconfig")


def test_field_failure_53_of_two_programs_that_change_the_file_neither_loses(
    exported: Pyshell,
) -> None:
    exported.must("saveconfig", f"{DISK} mine 1M")
    theirs = exported.document()
    theirs["storage_objects"].append({"name": "theirs", "plugin": "ramdisk", "size": 1048576})
    exported.saved_file.write_text(json.dumps(theirs))
    assert exported.line("saveconfig").status == 5
    assert exported.line("saveconfig force=true").status == 0
    kept = exported.line("revisions show 1").done().out
    assert ('"theirs"' in kept, names(exported)) == (True, ["lee_block", "mine"])


# 10: an attribute that cannot be read


def test_field_failure_10_what_cannot_be_read_is_left_out_with_a_note(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Simulator.read

    def broken(simulator: Simulator, path: str) -> str:
        if path.endswith("attrib/emulate_tpu"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return read(simulator, path)

    monkeypatch.setattr(Simulator, "read", broken)
    ran = exported.line("saveconfig").done(noting="core/iblock_0/lee_block/attrib/emulate_tpu")
    assert "emulate_tpu cannot be read (Invalid argument): it is not saved" in ran.err
    (disk,) = exported.document()["storage_objects"]
    assert "emulate_tpu" not in disk["attributes"]
    assert "emulate_caw" in disk["attributes"]


def test_field_failure_10_a_write_only_attribute_is_left_out(exported: Pyshell) -> None:
    (disk,) = list(exported.configfs.glob("core/iblock_*/lee_block/attrib"))
    (disk / "pi_prot_format").touch()
    (disk / "pi_prot_format").chmod(0o200)
    exported.must("saveconfig")
    assert "pi_prot_format" not in exported.document()["storage_objects"][0]["attributes"]
    exported.must("clearconfig confirm=true", "restoreconfig")


# 14: settings that are not in the file


def test_field_failure_14_saved_cleared_restored_and_saved_is_the_same(exported: Pyshell) -> None:
    exported.must(
        "/iscsi set discovery_auth enable=1 userid=all password=verysecret1",
        f"{ACL} set auth userid=me password=verysecret2",
        f"{ACL} set auth mutual_userid=you mutual_password=verysecret3",
        f"{ACL} set attribute dataout_timeout=7",
        f"{TPG} set attribute authentication=1 login_timeout=7",
        f"{TPG} set parameter MaxBurstLength=65536",
        f"{BLOCK} set attribute emulate_tpu=1",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{TPG}/portals create 192.0.2.1 3261",
        "saveconfig",
    )
    before = exported.saved_file.read_bytes()
    for setting in ("verysecret1", "verysecret2", "verysecret3", "192.0.2.1", "65536"):
        assert setting.encode() in before
    exported.must("clearconfig confirm=true", "restoreconfig", "saveconfig")
    assert exported.saved_file.read_bytes() == before


# 15: files that a save makes beside the saved one


def test_field_failure_15_all_that_a_save_keeps_is_for_root_alone(exported: Pyshell) -> None:
    before = os.umask(0)
    try:
        exported.must("saveconfig", f"{TPG} disable", "saveconfig")
    finally:
        os.umask(before)
    modes: dict[str, int] = {}
    for path in exported.config_dir.rglob("*"):
        modes[str(path.relative_to(exported.config_dir))] = stat.S_IMODE(path.stat().st_mode)
    folders = {name: modes.pop(name) for name in ("alua", "backup", "pr", "revisions")}
    assert set(folders.values()) == {0o700}
    assert {"saveconfig.json", "pyshell-state.json", "revisions/1.json"} < set(modes)
    assert set(modes.values()) == {0o600}


def test_field_failure_15_what_others_may_read_keeps_no_longer_than_the_save(
    exported: Pyshell, tmp_path: Path
) -> None:
    lax = tmp_path / "x.json"
    lax.write_text("{}")
    lax.chmod(0o644)
    exported.must(f"saveconfig {lax}")
    assert stat.S_IMODE(lax.stat().st_mode) == 0o600


# 16: backups that are duplicates, or too few


def test_field_failure_16_many_saves_of_the_same_are_kept_once(exported: Pyshell) -> None:
    for _ in range(4):
        exported.must("saveconfig")
    assert len(exported.must("revisions")) == 3  # the heading, saved, and one backup
    exported.must(f"{TPG} disable")
    for _ in range(3):
        exported.must("saveconfig")
    words = [line.split()[0] for line in exported.must("revisions")]
    assert [word for word in words if word.isdigit()] == ["1"]


def test_field_failure_16_a_host_wide_limit_holds_for_all_users(exported: Pyshell) -> None:
    exported.must("saveconfig")
    (exported.config_dir / "pyshell.json").write_text('{"max_revisions": 1}')
    for number in range(3):
        shutil.rmtree(exported.folder / "home", ignore_errors=True)  # another user has another
        exported.must(f"{DISK} disk{number} 1M", "saveconfig")
    words = [line.split()[0] for line in exported.must("revisions")]
    assert [word for word in words if word.isdigit()] == ["3"]


# 17: saving one object


def test_field_failure_17_one_storage_object_is_saved_alone(exported: Pyshell) -> None:
    exported.must("saveconfig", f"{DISK} mine 1M", f"{DISK} other 1M")
    exported.must(f"{TPG}/luns create /backstores/ramdisk/mine")
    said = exported.must("/backstores/ramdisk/mine saveconfig")
    assert said[-1] == f"Storage Object 'ramdisk:mine' config saved to {exported.saved_file}."
    assert names(exported) == ["lee_block", "mine"]
    (target,) = exported.document()["targets"]
    luns: list[Any] = target["tpgs"][0]["luns"]
    assert [lun["storage_object"].rpartition("/")[2] for lun in luns] == ["lee_block", "mine"]
    exported.must("clearconfig confirm=true", "restoreconfig")


def test_field_failure_17_an_edit_by_hand_survives_it(exported: Pyshell) -> None:
    exported.must("saveconfig", f"{DISK} mine 1M")
    theirs = exported.document()
    theirs["storage_objects"].append({"name": "theirs", "plugin": "ramdisk", "size": 1048576})
    exported.saved_file.write_text(json.dumps(theirs))
    exported.must("/backstores/ramdisk/mine saveconfig")
    assert names(exported) == ["lee_block", "theirs", "mine"]
    assert exported.line("saveconfig").status == 5


def test_field_failure_17_it_leaves_the_rest_to_be_saved(exported: Pyshell) -> None:
    ran = exported.batch([f"{DISK} mine 1M", "/backstores/ramdisk/mine saveconfig"])
    assert f"Configuration saved to {exported.saved_file}" in ran.out


# Finding 25: a save carries over what a restore left out


def test_finding_25_another_file_keeps_what_a_restore_of_it_left_out(
    exported: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "other.json"
    exported.must(f"{DISK} scratch 1M", f"saveconfig {file}", "clearconfig confirm=true")
    machine = exported.simulator.machine
    device = machine.device("/dev/mapper/lee-lee.lv")
    assert device is not None
    machine.remove(device.path)
    assert exported.line(f"restoreconfig {file}").status == 1
    before = paths(exported, file)
    ran = exported.line(f"saveconfig {file}")
    assert ran.status == 0
    assert f"{file} keeps {BLOCK}" in ran.err
    assert paths(exported, file) == before
    machine.add(device)
    exported.must(f"restoreconfig {file} missing_only=true", f"saveconfig {file}")
    assert paths(exported, file) == before


def test_finding_25_a_deleted_object_is_not_carried_over(partly: Pyshell) -> None:
    partly.must(f"/iscsi delete {SERVER}")
    assert partly.line("saveconfig").status == 0
    assert not [path for path in paths(partly) if path.startswith("/iscsi")]
    assert BLOCK in paths(partly)


def test_finding_25_a_lun_that_took_the_number_of_a_missing_one_wins(partly: Pyshell) -> None:
    partly.must(f"{TPG}/luns create /backstores/ramdisk/scratch lun=0")
    ran = partly.line("saveconfig")
    lun = next(iter(partly.document()["targets"][0]["tpgs"][0]["luns"]))
    assert ran.status == 0, ran.err
    assert lun["storage_object"] == "/backstores/ramdisk/scratch"
    assert BLOCK in paths(partly)


# Finding 15: --save


def test_finding_15_an_apply_that_changes_nothing_saves_if_asked_to(
    exported: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "wanted.json"
    exported.must(f"saveconfig {file}")
    ran = exported("apply", str(file))
    assert ran.status == 0
    assert "not saved" in ran.err
    assert not exported.saved_file.exists()
    assert "Configuration saved" in exported("--save", "apply", str(file)).done().out
    before = exported.saved_file.stat().st_mtime_ns
    ran = exported("--save", "apply", str(file)).done()
    assert "0 changed" in ran.out
    assert ran.err == ""
    assert exported.saved_file.stat().st_mtime_ns == before


# Finding 14: the last object


def test_finding_14_the_last_object_that_a_command_deleted_may_be_saved_as_gone(
    pyshell: Pyshell,
) -> None:
    pyshell.must(f"{DISK} one 1M", f"{DISK} two 1M", "saveconfig")
    pyshell.must("/backstores/ramdisk delete one", "/backstores/ramdisk delete two", "saveconfig")
    assert paths(pyshell) == set()


def test_finding_14_what_others_removed_is_not_saved_as_gone(pyshell: Pyshell) -> None:
    pyshell.must(f"{DISK} one 1M", f"{DISK} two 1M", "saveconfig", "/backstores/ramdisk delete one")
    pyshell("clearconfig", "confirm=true").done()
    assert pyshell.line("saveconfig").status == 1
    assert paths(pyshell) >= {"/backstores/ramdisk/two"}
