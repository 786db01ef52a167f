# SPDX-License-Identifier: Apache-2.0
"""A target of a document in the folder `cluster` is neither saved, restored nor pruned."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.config import document_file
from pyshell.config.store import clustered

OTHER = "iqn.2020-07.192.168.56.101:other"
MOVED = f"/iscsi/{SERVER}"
DISK = "/backstores/block/lee_block"
OWN = "/backstores/ramdisk/local"


def cluster_file(pyshell: Pyshell) -> Path:
    return pyshell.config_dir / "cluster" / "disks.json"


def put_under_control(pyshell: Pyshell) -> Path:
    """Write the document of the target, as an administrator does."""
    file = cluster_file(pyshell)
    file.parent.mkdir(parents=True, exist_ok=True)
    pyshell.must(f"saveconfig {file} target={SERVER}")
    return file


@pytest.fixture
def moved(exported: Pyshell) -> Pyshell:
    """Return a host that runs a target of the cluster, and one of its own."""
    exported.prepare(
        "/backstores/ramdisk create local 1M",
        f"/iscsi create {OTHER}",
        f"/iscsi/{OTHER}/tpg1/luns create {OWN}",
    )
    put_under_control(exported)
    return exported


@pytest.fixture
def saved_before(exported: Pyshell) -> Pyshell:
    """Return the same, whose boot file holds both from before."""
    exported.prepare(
        "/backstores/ramdisk create local 1M",
        f"/iscsi create {OTHER}",
        f"/iscsi/{OTHER}/tpg1/luns create {OWN}",
        "saveconfig",
    )
    put_under_control(exported)
    return exported


def targets(document: Any) -> set[str]:
    return {one["wwn"] for one in document["targets"]}


def names(document: Any) -> set[str]:
    return {one["name"] for one in document["storage_objects"]}


def running(pyshell: Pyshell) -> Any:
    return json.loads(pyshell.line("saveconfig -").out)


CONTROL = "is under cluster control"


# saveconfig


def test_it_is_not_saved_to_the_boot_file(moved: Pyshell) -> None:
    ran = moved("saveconfig").done(noting=f"{MOVED} {CONTROL} ({cluster_file(moved)}): it is not")
    assert ran.lines[-1] == f"Configuration saved to {moved.saved_file}"
    assert targets(moved.document()) == {OTHER}
    assert names(moved.document()) == {"local"}


def test_it_is_saved_to_other_files(moved: Pyshell, tmp_path: Path) -> None:
    moved.must(f"saveconfig {tmp_path}/all.json")
    found = json.loads((tmp_path / "all.json").read_text())
    assert targets(found) == {SERVER, OTHER}


@pytest.fixture
def shared(moved: Pyshell) -> Pyshell:
    """Return the host whose own target exports the disk of the cluster's target as well."""
    moved.prepare(
        f"/iscsi/{OTHER}/tpg1/luns create {DISK}",
        f"/iscsi/{OTHER}/tpg1/acls create {CLIENT}",
    )
    return moved


LUN = f"/iscsi/{OTHER}/tpg1/luns/lun1"


def luns(document: Any) -> list[str]:
    return [
        lun["storage_object"]
        for target in document["targets"]
        for tpg in target["tpgs"]
        for lun in tpg["luns"]
    ]


@pytest.mark.parametrize("here", [True, False])
def test_its_storage_object_is_not_saved_for_another_target(shared: Pyshell, here: bool) -> None:
    if not here:
        shared.must(f"/iscsi delete {SERVER}")
    ran = shared("saveconfig")
    assert ran.status == 0
    assert f"{LUN} exports {DISK}, which is under cluster control ({cluster_file(shared)}): " in (
        ran.err
    )
    assert names(shared.document()) == {"local"}
    assert luns(shared.document()) == [OWN]
    (acl,) = shared.document()["targets"][0]["tpgs"][0]["node_acls"]
    assert [one["tpg_lun"] for one in acl["mapped_luns"]] == [0]
    assert "is saved in" in shared.line("status").out
    assert shared("diff").status == 0


def test_a_lun_of_its_storage_object_is_not_restored(shared: Pyshell, tmp_path: Path) -> None:
    for file in (tmp_path / "all.json", shared.saved_file):
        aside = cluster_file(shared).rename(shared.config_dir / "aside")
        shared.must(f"saveconfig {file}")
        aside.rename(cluster_file(shared))
    cleared(shared)
    for line in (f"apply {tmp_path}/all.json", "restoreconfig", "apply saved prune=true"):
        ran = shared.line(line)
        assert ran.status == 0
        assert ran.err.count(LUN) == 1
        assert luns(running(shared)) == [OWN]
        assert names(running(shared)) == {"local"}
        shared.must(f"clearconfig confirm=true target={OTHER}")


def test_a_lun_of_its_storage_object_is_left_alone(shared: Pyshell) -> None:
    shared("saveconfig")
    ran = shared("apply", "saved", "prune=true")
    assert f"{LUN} exports {DISK}, which is under cluster control" in ran.err
    assert luns(running(shared)).count(DISK) == 2


def test_its_storage_objects_are_not_saved_while_it_starts_or_stops(moved: Pyshell) -> None:
    moved.must(f"/iscsi delete {SERVER}")
    moved("saveconfig")
    assert names(moved.document()) == {"local"}


@pytest.mark.parametrize("line", ["exit", "/backstores/ramdisk create more 1M"])
def test_it_is_not_saved_on_leaving(moved: Pyshell, line: str) -> None:
    moved.batch([f"{TPG} set attribute login_timeout=20", line], "--save")
    assert targets(moved.document()) == {OTHER}


def test_targetcli_mode_saves_alike(moved: Pyshell) -> None:
    moved.program = "targetcli"
    ran = moved("saveconfig")
    assert ran.status == 0
    assert CONTROL in ran.err
    assert targets(moved.document()) == {OTHER}


def test_one_storage_object_of_it_is_not_saved(moved: Pyshell) -> None:
    moved("saveconfig")
    ran = moved.line(f"{DISK} saveconfig")
    assert ran.status == 0
    assert CONTROL in ran.err
    assert targets(moved.document()) == {OTHER}


def test_a_save_removes_it_from_the_boot_file(saved_before: Pyshell) -> None:
    assert targets(saved_before.document()) == {SERVER, OTHER}
    saved_before("saveconfig").done(noting=MOVED)
    assert targets(saved_before.document()) == {OTHER}


def test_a_save_where_only_it_runs_empties_the_boot_file(exported: Pyshell) -> None:
    exported.prepare("saveconfig")
    put_under_control(exported)
    exported("saveconfig").done(noting=MOVED)
    assert targets(exported.document()) == set()
    assert exported("saveconfig").status == 0


def test_a_save_where_only_it_runs_does_not_say_that_nothing_runs(saved_before: Pyshell) -> None:
    saved_before("clearconfig", "confirm=true")
    saved_before.must(f"apply {cluster_file(saved_before)} target={SERVER}")
    ran = saved_before("saveconfig")
    assert ran.status == 1
    assert "Apart from targets under cluster control, the running configuration is empty" in ran.err


# Saving documents


def test_not_all_targets_are_put_under_control(moved: Pyshell) -> None:
    ran = moved("saveconfig", str(cluster_file(moved).with_name("all.json")))
    assert ran.status == 2
    assert (
        "would put all targets under cluster control. Save one with 'saveconfig FILE target=WWN'"
        in ran.err
    )


def test_the_document_of_another_target_is_not_overwritten(moved: Pyshell) -> None:
    file = cluster_file(moved)
    before = file.read_bytes()
    ran = moved("saveconfig", str(file), f"target={OTHER}")
    assert ran.status == 5
    assert f"{file} is the document of {MOVED}." in ran.err
    assert file.read_bytes() == before
    moved.must(f"saveconfig {file} target={SERVER}")
    moved.must(f"saveconfig {file} target={OTHER} force=true")
    assert targets(json.loads(file.read_text())) == {OTHER}


# Whether it is saved


def test_it_does_not_count_as_unsaved(moved: Pyshell) -> None:
    assert "is not saved" in moved.line("status").out
    moved("saveconfig")
    assert "is saved in" in moved.line("status").out
    ran = moved("diff")
    assert (ran.status, ran.out) == (0, "")
    assert f"{MOVED} {CONTROL}" in ran.err
    moved.must(f"{TPG} set attribute login_timeout=20")
    assert "is saved in" in moved.line("status").out
    assert moved("diff").status == 0


def test_status_shows_it(moved: Pyshell) -> None:
    told = f"{MOVED} {CONTROL} ({cluster_file(moved)})."
    assert told in moved.line("status").out
    assert moved("-o", "json", "status").json["result"]["cluster"] == {
        MOVED: str(cluster_file(moved))
    }
    moved.must(f"clearconfig confirm=true target={SERVER}")
    assert told not in moved.line("status").out


def test_status_without_a_boot_file(exported: Pyshell) -> None:
    put_under_control(exported)
    told = exported("status").out
    assert "Apart from targets under cluster control, nothing is running" in told
    assert "is saved in" not in told


def test_changes_of_it_alone_leave_the_boot_file_as_it_is(moved: Pyshell) -> None:
    moved("saveconfig")
    before = moved.saved_file.read_bytes()
    ran = moved.batch([f"{TPG} set attribute login_timeout=20"])
    assert ran.status == 0
    assert moved.saved_file.read_bytes() == before
    moved.batch(["/backstores/ramdisk create more 1M"])
    assert names(moved.document()) == {"local", "more"}


def test_no_note_asks_to_save_it(moved: Pyshell) -> None:
    moved("saveconfig")
    moved.must(f"clearconfig confirm=true target={SERVER}")
    assert moved.line(f"apply {cluster_file(moved)} target={SERVER}").err == ""
    moved.must("/backstores/ramdisk create more 1M")
    moved.must(f"clearconfig confirm=true target={SERVER}")
    told = moved.line(f"apply {cluster_file(moved)} target={SERVER}").err
    assert told.startswith("The running configuration is not saved")


def test_a_boot_file_that_holds_it_differs(saved_before: Pyshell) -> None:
    assert "is not saved in" in saved_before.line("status").out
    assert saved_before("diff").status == 1


# restoreconfig


def cleared(pyshell: Pyshell) -> None:
    pyshell.must(f"clearconfig confirm=true target={SERVER}")
    pyshell.must(f"clearconfig confirm=true target={OTHER}")


@pytest.mark.parametrize("words", [(), ("wait=1",), ("clear_existing=true",)])
def test_the_boot_file_does_not_restore_it(saved_before: Pyshell, words: tuple[str, ...]) -> None:
    cleared(saved_before)
    ran = saved_before("restoreconfig", *words).done(noting=f"{MOVED} {CONTROL}")
    assert ran.lines == [f"Configuration restored from {saved_before.saved_file}"]
    assert targets(running(saved_before)) == {OTHER}
    assert names(running(saved_before)) == {"local"}
    assert "could not be restored" not in saved_before.line("status").out


def test_targetcli_mode_does_not_restore_it(saved_before: Pyshell) -> None:
    cleared(saved_before)
    saved_before.program = "targetcli"
    ran = saved_before("restoreconfig", str(saved_before.saved_file), "clear_existing")
    assert ran.status == 0
    assert targets(running(saved_before)) == {OTHER}


@pytest.mark.parametrize(
    "word", [f"target={SERVER}", "storage_object=lee_block", "storage_object=block/lee_block"]
)
def test_the_boot_file_does_not_restore_it_by_name(saved_before: Pyshell, word: str) -> None:
    cleared(saved_before)
    ran = saved_before("restoreconfig", word)
    assert ran.status == 5
    assert CONTROL in ran.err
    assert running(saved_before)["targets"] == []


def test_another_target_is_restored_by_name(saved_before: Pyshell) -> None:
    cleared(saved_before)
    assert saved_before("restoreconfig", f"target={OTHER}").status == 0
    assert targets(running(saved_before)) == {OTHER}


def test_its_own_document_can_be_applied_and_restored(saved_before: Pyshell) -> None:
    file = str(cluster_file(saved_before))
    cleared(saved_before)
    for line in (f"apply {file} target={SERVER}", f"restoreconfig {file}"):
        saved_before.must(line)
        assert targets(running(saved_before)) == {SERVER}
        saved_before.must(f"clearconfig confirm=true target={SERVER}")


@pytest.fixture
def backup(moved: Pyshell) -> Path:
    """Return a file with the whole configuration from before, and a change of the target."""
    file = moved.config_dir / "whole-host.json"
    moved.must(f"saveconfig {file}")
    text = file.read_text()
    assert '"login_timeout": 15' in text
    file.write_text(text.replace('"login_timeout": 15', '"login_timeout": 20'))
    return file


@pytest.mark.parametrize("line", ["restoreconfig {}", "apply {}", "apply {} prune=true"])
def test_a_backup_does_not_create_it(moved: Pyshell, backup: Path, line: str) -> None:
    cleared(moved)
    ran = moved.line(line.format(backup))
    assert f"{MOVED} {CONTROL} ({cluster_file(moved)}): it is left to the cluster." in ran.err
    assert ran.status == 0
    assert targets(running(moved)) == {OTHER}
    assert names(running(moved)) == {"local"}


@pytest.mark.parametrize("line", ["restoreconfig {} clear_existing=true", "apply {} prune=true"])
def test_a_backup_does_not_change_it(moved: Pyshell, backup: Path, line: str) -> None:
    moved.must("/backstores/ramdisk create more 1M")
    ran = moved.line(line.format(backup))
    assert ran.err.count(MOVED) == 1
    assert names(running(moved)) == {"lee_block", "local"}
    assert moved.read(f"iscsi/{SERVER}/tpgt_1/attrib/login_timeout").strip() == "15"


def test_a_backup_cannot_be_applied_to_it(moved: Pyshell, backup: Path) -> None:
    for line in (f"apply {backup}", f"restoreconfig {backup}", f"apply {backup} prune=true"):
        ran = moved.line(f"{line} target={SERVER}")
        assert ran.status == 5
        assert CONTROL in ran.err
    cleared(moved)
    moved.must(f"apply {backup} target={OTHER}")
    assert moved("restoreconfig", str(backup), "storage_object=lee_block").status == 5
    assert targets(running(moved)) == {OTHER}


def test_a_link_to_its_own_document_is_that_document(moved: Pyshell, tmp_path: Path) -> None:
    cleared(moved)
    link = tmp_path / "link.json"
    link.symlink_to(cluster_file(moved))
    moved.must(f"apply {link} target={SERVER}")
    assert targets(running(moved)) == {SERVER}


def test_what_was_missing_of_it_is_not_added(pyshell: Pyshell) -> None:
    """It came under cluster control after a restore that lacked its device."""
    pyshell.must(
        "/backstores/block create lee_block /dev/sdb",
        f"/iscsi create {SERVER}",
        f"{TPG}/luns create {DISK}",
        "saveconfig",
    )
    document = json.loads(pyshell.saved_file.read_text())
    document["storage_objects"][0]["dev"] = "/dev/later"
    pyshell.saved_file.write_text(json.dumps(document))
    cleared_all = pyshell("clearconfig", "confirm=true")
    assert cleared_all.status == 0
    assert pyshell("restoreconfig", "wait=0").status == 6
    pyshell("clearconfig", "confirm=true")
    assert pyshell("restoreconfig", "wait=0").status == 6
    file = cluster_file(pyshell)
    file.parent.mkdir()
    file.write_text(json.dumps({**document, "fabric_modules": []}))
    ran = pyshell("restoreconfig", "missing_only=true")
    assert ran.status == 0
    assert pyshell.line("status").out.count("could not be restored") == 0
    assert pyshell("saveconfig", "force=true").status == 0
    assert pyshell.document()["targets"] == []


@pytest.mark.parametrize("words", [("force=true",), ()])
def test_clear_existing_leaves_it_alone(moved: Pyshell, words: tuple[str, ...]) -> None:
    moved("saveconfig")
    moved.must("/backstores/ramdisk create more 1M")
    ran = moved("restoreconfig", "clear_existing=true", *words)
    assert ran.status == 0
    assert f"{MOVED} {CONTROL} ({cluster_file(moved)}): it is left alone." in ran.err
    assert targets(running(moved)) == {SERVER, OTHER}
    assert names(running(moved)) == {"lee_block", "local"}


def test_clear_existing_of_targetcli_leaves_it_alone(moved: Pyshell) -> None:
    moved("saveconfig")
    moved.program = "targetcli"
    assert moved("restoreconfig", str(moved.saved_file), "clear_existing").status == 0
    assert targets(running(moved)) == {SERVER, OTHER}


@pytest.mark.parametrize("words", [("force=true",), ()])
def test_clear_existing_of_another_file(
    moved: Pyshell, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """It is left alone, unless the file has it: then the others are not."""
    file = tmp_path / "own.json"
    moved.must(f"saveconfig {file} target={OTHER}", "/backstores/ramdisk create more 1M")
    ran = moved("restoreconfig", str(file), "clear_existing=true", *words)
    assert ran.err.startswith(f"{MOVED} {CONTROL}")
    assert targets(running(moved)) == {SERVER, OTHER}
    assert names(running(moved)) == {"lee_block", "local"}
    moved("restoreconfig", str(cluster_file(moved)), "clear_existing=true", *words).done()
    assert targets(running(moved)) == {SERVER}
    assert names(running(moved)) == {"lee_block"}


def test_a_dry_run_does_not_delete_it_either(moved: Pyshell) -> None:
    moved("saveconfig")
    moved.must("/backstores/ramdisk create more 1M")
    out = moved("--dry-run", "restoreconfig", "clear_existing=true").out
    assert "more" in out
    assert SERVER not in out


# apply, rollback, undo


def test_apply_prune_leaves_it_alone(moved: Pyshell, tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    file.touch(0o600)
    file.write_text("{}")
    ran = moved("apply", str(file), "prune=true").done(noting=f"{MOVED} {CONTROL}")
    assert f"deleted /iscsi/{OTHER} " in ran.out
    assert targets(running(moved)) == {SERVER}
    assert names(running(moved)) == {"lee_block"}


def test_apply_prune_of_its_own_document_prunes_others(moved: Pyshell) -> None:
    moved.must(f"apply {cluster_file(moved)} prune=true")
    assert targets(running(moved)) == {SERVER}


def test_apply_saved_does_not_create_it(saved_before: Pyshell) -> None:
    cleared(saved_before)
    for word in ("saved", str(saved_before.saved_file)):
        saved_before("apply", word).done(noting=MOVED)
        assert targets(running(saved_before)) == {OTHER}
        assert saved_before("apply", word, f"target={SERVER}").status == 5


def test_apply_saved_works_without_its_device(saved_before: Pyshell) -> None:
    """As on the passive host, where ExecReload of the service applies the boot file."""
    cleared(saved_before)
    text = saved_before.saved_file.read_text()
    saved_before.saved_file.write_text(text.replace("/dev/mapper/lee-lee.lv", "/dev/drbd/none"))
    saved_before("apply", "saved").done(noting=MOVED)
    assert targets(running(saved_before)) == {OTHER}


@pytest.mark.parametrize("is_running", [True, False])
def test_rollback_neither_creates_nor_deletes_it(saved_before: Pyshell, is_running: bool) -> None:
    saved_before.must("/backstores/ramdisk create more 1M")
    saved_before("saveconfig").done(noting=MOVED)
    if not is_running:
        saved_before.must(f"clearconfig confirm=true target={SERVER}")
    ran = saved_before("rollback", "1").done(noting=f"{MOVED} {CONTROL}")
    assert ran.err.count(MOVED) == 1
    assert targets(running(saved_before)) == ({SERVER, OTHER} if is_running else {OTHER})
    assert "more" not in names(running(saved_before))


def test_undo_of_a_clear_leaves_it_to_the_cluster(moved: Pyshell) -> None:
    assert moved("clearconfig", "confirm=true").status == 0
    moved("undo").done(noting=MOVED)
    assert targets(running(moved)) == {OTHER}


def test_undo_of_a_restore_does_not_delete_it(moved: Pyshell) -> None:
    moved("saveconfig")
    cleared(moved)
    moved.must("/backstores/ramdisk create more 1M")
    moved("restoreconfig").done(noting="")
    moved.must(f"apply {cluster_file(moved)} target={SERVER}", "undo skip=true")
    moved("undo").done(noting=MOVED)
    assert targets(running(moved)) == {SERVER}


def test_undo_does_not_delete_what_the_cluster_started(moved: Pyshell) -> None:
    cleared(moved)
    moved.must(f"apply {cluster_file(moved)} target={SERVER}")
    ran = moved("undo")
    assert ran.status == 5
    assert f"This would delete {MOVED}, which is under cluster control" in ran.err
    assert targets(running(moved)) == {SERVER}
    moved.must(f"{TPG} set attribute login_timeout=20", "undo")
    assert moved.read(f"iscsi/{SERVER}/tpgt_1/attrib/login_timeout").strip() == "15"


@pytest.mark.parametrize("line", ["unshare lee_block", f"/iscsi delete {SERVER}"])
def test_undo_does_not_create_it_again(moved: Pyshell, line: str) -> None:
    """Another host can run it by now."""
    moved.line(line)
    ran = moved("undo")
    assert ran.status == 5
    assert "This would create " in ran.err
    assert f", which is under cluster control ({cluster_file(moved)})" in ran.err
    assert targets(running(moved)) == {OTHER}


def test_undo_does_not_open_its_device_again(moved: Pyshell) -> None:
    moved.must(f"/iscsi delete {SERVER}", f"/backstores/block delete {DISK[18:]}")
    assert f"This would create {DISK}, which is under cluster control" in moved("undo").err


def test_undo_restores_a_lun_of_it_while_it_runs(moved: Pyshell) -> None:
    assert moved("/backstores/block", "delete", "lee_block").status == 0
    moved.must("undo")
    assert names(running(moved)) == {"lee_block", "local"}


# clearconfig


def test_clearconfig_clears_it_and_says_so(moved: Pyshell) -> None:
    moved("clearconfig", "confirm=true").done(
        noting=f"{MOVED} {CONTROL} ({cluster_file(moved)}): a cluster that runs it takes it for"
    )
    assert running(moved)["targets"] == []


def test_clearconfig_asks(moved: Pyshell) -> None:
    ran = moved("clearconfig", "confirm=true", stdin="n\n", keyboard=True)
    assert ran.status == 1
    assert f"deletes {MOVED}, under cluster control" in ran.err
    assert targets(running(moved)) == {SERVER, OTHER}


def test_the_end_of_the_boot_service_leaves_it_alone(
    moved: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSHELL_WAY", "boot")
    moved("clearconfig", "confirm=true").done(noting=MOVED)
    assert targets(running(moved)) == {SERVER}
    assert names(running(moved)) == {"lee_block"}


# Documents


def damaged(pyshell: Pyshell, text: str = "{") -> Path:
    file = cluster_file(pyshell)
    file.write_bytes(text.encode(errors="surrogateescape"))
    return file


@pytest.mark.parametrize("text", ["{", "", "[]", '{"targets": [{"wwn": 1}]}', "\udcff"])
def test_nothing_is_saved_while_a_document_is_damaged(moved: Pyshell, text: str) -> None:
    """As after an interrupted copy: its target would be restored at boot."""
    moved("saveconfig")
    before = moved.saved_file.read_bytes()
    file = damaged(moved, text)
    moved.must("/backstores/ramdisk create more 1M")
    ran = moved("saveconfig")
    assert ran.status == 5
    assert ran.err.startswith("Not saved, as it is not known which targets are under cluster")
    assert ran.err.count(str(file)) == 1
    assert moved.saved_file.read_bytes() == before
    assert moved("saveconfig", str(cluster_file(moved)), f"target={SERVER}").status == 0
    moved("saveconfig").done(noting=MOVED)
    assert targets(moved.document()) == {OTHER}


def test_nothing_is_saved_on_leaving_while_a_document_is_damaged(moved: Pyshell) -> None:
    moved("saveconfig")
    before = moved.saved_file.read_bytes()
    damaged(moved)
    ran = moved.batch(["/backstores/ramdisk create more 1M"], "--save")
    assert "Not saved, as it is not known" in ran.err
    moved.program = "targetcli"
    assert "Not saved, as it is not known" in moved("saveconfig").err
    assert moved.line(f"{DISK} saveconfig").status != 0
    assert moved.saved_file.read_bytes() == before


def test_a_save_can_be_forced_while_a_document_is_damaged(moved: Pyshell) -> None:
    file = damaged(moved)
    ran = moved("saveconfig", "force=true")
    assert ran.status == 0
    assert f"Targets under cluster control in {file} are not known: {file} is not" in ran.err
    assert targets(moved.document()) == {SERVER, OTHER}


def test_only_documents_count(moved: Pyshell) -> None:
    folder = cluster_file(moved).parent
    (folder / "notes.txt").write_text("none")
    (folder / ".pyshell.1.new.json").write_text("none")
    (folder / "disks.json.old").write_text("none")
    assert clustered.files(moved.config_dir) == [cluster_file(moved)]
    assert not clustered.read(moved.config_dir).unread


def test_a_folder_that_cannot_be_read_is_reported(
    moved: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cluster_file(moved).parent

    def refuse(path: Path) -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    found = clustered.read(moved.config_dir)
    assert list(found.unread) == [folder]
    assert not found.targets


def test_spellings_do_not_matter(moved: Pyshell) -> None:
    file = cluster_file(moved)
    text = file.read_text().replace(f'"{SERVER}"', f'"{SERVER.upper()}"')
    file.write_text(text.replace('"block"', '"iblock"').replace("/block/", "/iblock/"))
    moved("saveconfig")
    assert targets(moved.document()) == {OTHER}
    assert names(moved.document()) == {"local"}


def test_without_the_folder_nothing_is_different(exported: Pyshell) -> None:
    assert exported("saveconfig").err == ""
    assert targets(exported.document()) == {SERVER}
    assert CLIENT in exported.saved_file.read_text()


# diff target=


def test_one_target_is_compared_with_its_document(moved: Pyshell) -> None:
    file = str(cluster_file(moved))
    assert moved("diff", file, "running", f"target={SERVER}").done().out == ""
    moved.must(f"{DISK} set attribute emulate_caw=0")
    ran = moved("diff", file, "running", f"target={SERVER.upper()}")
    assert ran.status == 1
    assert "emulate_caw: 1 -> 0" in ran.out
    assert "local" not in ran.out
    assert moved("diff", file, "running", "target=iqn.2020-07.com.example:none").status == 2
    # Nothing differs below a path of the file: that is not that the target is missing.
    wwn = f"target={SERVER}"
    assert moved("diff", "running", file, wwn, "path=/backstores/pscsi").done().out == ""
    assert "emulate_caw" in moved("diff", "running", file, wwn, "path=/backstores").out


def test_a_change_by_hand_notes_once_that_the_document_is_to_be_changed(moved: Pyshell) -> None:
    line = f"{TPG} set attribute login_timeout=20"
    for options in (("--dry-run",), ()):
        told = moved.line(line, *options).err
        assert told.startswith(f"{MOVED} is under cluster control ({cluster_file(moved)}): ")
        assert told.count("the cluster does not keep this change") == 1
    assert DISK in moved.line(f"{DISK} set attribute emulate_tpu=0").err
    other = f"/iscsi/{OTHER}/tpg1 set attribute login_timeout=20"
    for line in (other, "undo", "undo", f"apply {cluster_file(moved)}"):
        assert "does not keep" not in moved.line(line).err


def test_the_cluster_itself_is_not_told_and_is_the_source_of_its_changes(
    moved: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSHELL_WAY", "cluster")
    assert moved.line(f"{TPG} set attribute login_timeout=20").err == ""
    monkeypatch.delenv("PYSHELL_WAY")
    assert "(cluster by " in moved.line("undo --dry-run").out


def test_info_of_a_target_names_its_document(moved: Pyshell) -> None:
    assert f"under cluster control: {cluster_file(moved)}" in moved.line(f"{MOVED} info").lines
    assert "cluster" not in moved.line(f"/iscsi/{OTHER} info").out
    assert "cluster" not in moved("--compat", MOVED, "info").out


def test_a_storage_object_is_not_saved_into_the_folder_of_documents(moved: Pyshell) -> None:
    before = cluster_file(moved).read_bytes()
    for file in (cluster_file(moved), cluster_file(moved).with_name("other.json")):
        ran = moved.line(f"{OWN} saveconfig {file}")
        assert ran.status == 2
        assert "would put all its targets under cluster control" in ran.err
    assert cluster_file(moved).read_bytes() == before


def test_documents_are_read_once_by_a_command(
    moved: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load = document_file.load

    def count(path: Path) -> Any:
        read.append(path)
        return load(path)

    monkeypatch.setattr(document_file, "load", count)
    clustered._parsed.cache_clear()
    moved.must("status")
    assert read.count(cluster_file(moved)) <= 1
    cluster_file(moved).write_text("{}")
    assert f"under cluster control: {cluster_file(moved)}" not in moved.line(f"{MOVED} info").lines
