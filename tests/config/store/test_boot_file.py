# SPDX-License-Identifier: Apache-2.0
"""The file that is restored at boot: what a save keeps, and what it refuses to lose."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver import LONG, TPG, Pyshell
from pyshell.config import document_file
from pyshell.config.document import Document
from pyshell.config.store import About, losses, revisions
from pyshell.config.store.boot_file import BootFile
from pyshell.config.store.revisions import Policy
from pyshell.errors import ConflictError, NotFoundError, PyshellError

LEE = About("2020-07-01T12:00:00Z", "lee", "prompt", "first")
ANN = About("2020-07-02T12:00:00Z", "ann", "batch", "second")
MANY = Policy(50, 0)
TARGET = "/loopback/naa.5001405000000001"


def disks(*names: str, size: int = 1048576) -> Document:
    """Return a document with ramdisks, of which one target exports each."""
    storage: Any = [{"name": name, "plugin": "ramdisk", "size": size} for name in names]
    luns: Any = [
        {"index": index, "storage_object": f"/backstores/ramdisk/{name}"}
        for index, name in enumerate(names)
    ]
    tpgs: Any = [{"tag": 1, "luns": luns}]
    targets: Any = [{"fabric": "loopback", "wwn": "naa.5001405000000001", "tpgs": tpgs}]
    return {"storage_objects": storage, "targets": targets, "fabric_modules": []}


ONE, TWO = disks("one"), disks("one", "two")


@pytest.fixture
def boot(tmp_path: Path) -> BootFile:
    """Return the file of a folder in which nothing was saved."""
    return BootFile(tmp_path / "target", tmp_path / "mark", pytest.fail)


def save(boot: BootFile, document: Document, about: About = LEE, **judged: Any) -> list[str]:
    """Save a document if that is not refused; return what judging it told."""
    notes = boot.judge(document, **judged)
    boot.save(document, about, 10, MANY)
    return notes


def saved(boot: BootFile) -> Any:
    """Return what the file holds."""
    return json.loads(boot.path.read_text())


def listed(boot: BootFile) -> list[tuple[str, About]]:
    """Return the revisions, newest first, without targetcli's backups."""
    found = revisions.listed(boot.config_dir, boot.about())
    return [(one.word, one.about) for one in found if one.file.suffix != ".gz"]


# Revisions


def test_the_first_save_replaces_nothing(boot: BootFile) -> None:
    save(boot, ONE)
    assert listed(boot) == [("saved", LEE)]


def test_the_replaced_file_is_kept_with_its_author(boot: BootFile) -> None:
    save(boot, ONE)
    save(boot, TWO, ANN)
    assert listed(boot) == [("saved", ANN), ("1", LEE)]
    assert revisions.read_revision(boot.config_dir, "1") == ONE


def test_saving_the_same_again_keeps_no_revision_and_its_author(boot: BootFile) -> None:
    save(boot, ONE)
    save(boot, ONE, ANN)
    assert listed(boot) == [("saved", LEE)]


def test_a_comment_is_added_to_an_unchanged_file_without_one(boot: BootFile) -> None:
    save(boot, ONE, replace(LEE, comment=""))
    save(boot, ONE, ANN)
    assert listed(boot) == [("saved", replace(LEE, comment="second"))]
    told = boot.save(ONE, replace(ANN, comment="third"), 10, MANY)
    assert told == ["The same configuration was saved before as 'second': that comment stays."]


def test_order_and_layout_do_not_make_another_document(boot: BootFile) -> None:
    save(boot, TWO)
    turned = {**TWO, "storage_objects": TWO["storage_objects"][::-1]}
    boot.path.write_text(json.dumps(turned))
    assert save(boot, TWO, ANN) == []
    assert [word for word, _ in listed(boot)] == ["saved"]


def test_numbers_are_not_reused(boot: BootFile) -> None:
    for number in range(3):
        boot.save(disks(f"disk{number}"), LEE, 10, Policy(0, 0))
    assert revisions.numbers(boot.config_dir) == []
    save(boot, ONE)
    assert revisions.numbers(boot.config_dir) == [3]


def test_a_file_of_an_unknown_program_is_kept_too(boot: BootFile) -> None:
    boot.config_dir.mkdir()
    boot.path.write_text("{ a slip")
    assert save(boot, ONE) == []
    (kept,) = listed(boot)[1:]
    assert (kept[0], kept[1].user, kept[1].way) == ("1", "", "outside")


def test_targetclis_host_wide_number_of_backups_is_honoured(boot: BootFile) -> None:
    boot.config_dir.mkdir()
    (boot.config_dir / "targetcli.conf").write_text("# host\nmax_backup_files = 15\n")
    save(boot, ONE)
    folder = f"{boot.config_dir}/backup/."
    assert boot.save(TWO, LEE, 10, MANY) == [f"Last 15 configs saved in {folder}"]
    assert boot.save(ONE, LEE, 20, MANY) == [f"Last 20 configs saved in {folder}"]


# Changes by others


def test_a_change_by_others_is_not_overwritten(boot: BootFile) -> None:
    save(boot, ONE)
    document_file.write(disks("hand"), boot.path)
    with pytest.raises(ConflictError, match="has been changed") as caught:
        save(boot, TWO)
    assert "force=true" in caught.value.hint
    assert saved(boot) == disks("hand")


@pytest.mark.parametrize("way", ["force", "compat"])
def test_an_overwritten_change_by_others_is_kept(boot: BootFile, way: str) -> None:
    save(boot, ONE)
    document_file.write(disks("hand"), boot.path)
    judged: dict[str, Any] = {way: True}
    (note,) = save(boot, TWO, **judged)
    assert "has been changed" in note
    assert saved(boot) == TWO
    assert revisions.read_revision(boot.config_dir, "1") == disks("hand")


def test_a_file_that_other_users_can_write_becomes_no_revision_or_backup(boot: BootFile) -> None:
    boot.config_dir.mkdir(mode=0o700)
    text = document_file.to_text(TWO)
    boot.path.write_text(text)
    boot.path.chmod(0o666)
    told = boot.save(ONE, LEE, 10, MANY)
    assert revisions.numbers(boot.config_dir) == []
    assert document_file.backups(boot.path) == []
    (kept,) = boot.config_dir.glob("saveconfig.json.untrusted-*")
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == (text, 0o600)
    assert told == [
        f"{boot.path} is not trusted: other users can write to it."
        f" The old file is kept as {kept}, not as a revision."
    ]
    boot.save(TWO, ANN, 10, MANY)
    assert revisions.numbers(boot.config_dir) == [1], "what pyshell wrote is kept as ever"


def test_the_same_file_can_be_saved_again(boot: BootFile) -> None:
    save(boot, ONE)
    document_file.write(TWO, boot.path)
    assert save(boot, TWO) == []
    assert save(boot, ONE) == []


def test_a_missing_file_does_not_prevent_a_save(boot: BootFile) -> None:
    save(boot, ONE)
    boot.path.unlink()
    assert save(boot, TWO) == []


def test_a_restored_file_is_known(boot: BootFile) -> None:
    save(boot, ONE)
    document_file.write(TWO, boot.path)
    boot.restored(boot.path.read_bytes(), {})
    assert save(boot, ONE) == []


def test_a_merged_save_leaves_a_change_by_others_to_be_noticed(boot: BootFile) -> None:
    save(boot, ONE)
    document_file.write(disks("hand"), boot.path)
    merged = disks("hand", "one")
    assert boot.judge(merged, merged=True) == []
    boot.save(merged, LEE, 10, MANY, merged_from=ONE)
    with pytest.raises(ConflictError, match="has been changed"):
        save(boot, ONE)


# What a restore could not bring back


@pytest.fixture
def partly(boot: BootFile) -> BootFile:
    """Return a file with two disks of which a restore brought the first alone."""
    save(boot, TWO)
    missing = losses.missing(TWO, losses.tree_paths(ONE), {"/backstores/ramdisk/two": "no memory"})
    boot.restored(boot.path.read_bytes(), missing)
    return boot


def test_missing_objects_have_reasons(partly: BootFile) -> None:
    disk = "/backstores/ramdisk/two"
    assert partly.state().missing == {disk: "no memory", f"{TARGET}/luns/lun1": f"needs {disk}"}


@pytest.mark.parametrize("compat", [False, True])
def test_a_save_does_not_lose_missing_objects_silently(partly: BootFile, compat: bool) -> None:
    with pytest.raises(ConflictError) as caught:
        save(partly, ONE, compat=compat)
    assert "/backstores/ramdisk/two (no memory)." in caught.value.message
    assert "lun1" not in caught.value.message
    assert "without=/backstores/ramdisk/two " in caught.value.hint
    assert saved(partly) == TWO


@pytest.mark.parametrize("told", [{"force": True}, {"without": ["/backstores/ramdisk/two"]}])
def test_a_save_loses_missing_objects_by_name(partly: BootFile, told: dict[str, Any]) -> None:
    notes = save(partly, ONE, **told)
    assert [note.partition("no longer contains ")[2] for note in notes] == [
        "/backstores/ramdisk/two.",
        f"{TARGET}/luns/lun1.",
    ]
    assert partly.state().missing == {}
    assert save(partly, disks("three")) == []


def test_naming_a_lun_does_not_name_its_disk(partly: BootFile) -> None:
    with pytest.raises(ConflictError, match="ramdisk/two"):
        save(partly, ONE, without=[f"{TARGET}/luns/lun1"])


def test_an_unknown_name_is_reported(partly: BootFile) -> None:
    with pytest.raises(NotFoundError, match="would not be lost"):
        save(partly, ONE, without=["/backstores/ramdisk/tow"])


def test_an_object_that_is_running_again_is_no_loss(partly: BootFile) -> None:
    assert save(partly, disks("one", "two", size=2097152)) == []
    assert partly.state().missing == {}


def test_objects_of_another_document_are_no_loss(partly: BootFile) -> None:
    document_file.write(disks("hand"), partly.path)
    assert len(save(partly, ONE, compat=True)) == 1  # that it was changed


def test_a_merged_save_keeps_the_marks_of_kept_objects(partly: BootFile) -> None:
    partly.save(disks("one", "two", size=2097152), LEE, 10, MANY, merged_from=ONE)
    assert len(partly.state().missing) == 2


def test_invalid_entries_are_marked_as_well() -> None:
    odd = disks("one")
    odd["storage_objects"].append({"name": "x", "plugin": "punchcard"})
    missing = losses.missing(odd, losses.tree_paths(ONE), {})
    assert list(missing) == ["/backstores/punchcard/x"]
    before = document_file.to_text(odd).encode()
    assert losses.lost(missing, before, ONE) == ["/backstores/punchcard/x"]


def test_a_restore_that_cannot_be_recorded_is_a_warning(tmp_path: Path) -> None:
    told: list[str] = []
    boot = BootFile(tmp_path / "none", tmp_path / "mark", told.append)
    boot.path.parent.mkdir()
    boot.path.write_text("{}")
    (boot.config_dir / "pyshell-state.json").mkdir()
    boot.restored(b"{}", {})
    assert len(told) == 1
    assert "could not be recorded" in told[0]


# Killed at any moment

KILLS = 200 if LONG else 60


def killed_after(seconds: float, work: Callable[[], object]) -> None:
    """Do work in a process of its own, which is killed after some time."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def litter(folder: Path) -> list[str]:
    """Return the names of hidden files below a folder."""
    return [path.name for path in folder.rglob(".*")]


def test_a_killed_save_leaves_the_old_or_the_new_file(boot: BootFile) -> None:
    dice = random.Random(4)
    texts = {document_file.to_text(document).encode(): document for document in (ONE, TWO)}

    def save_for_ever() -> None:
        while True:
            for document in (ONE, TWO):
                boot.save(document, LEE, 3, Policy(3, 0))

    boot.save(ONE, LEE, 3, Policy(3, 0))
    found, left, kills = [], 0, 0
    # On a busy machine the process may rarely have begun to save when it is killed.
    while kills < KILLS or (not left and kills < 20 * KILLS):
        kills += 1
        killed_after(dice.uniform(0.002, 0.03), save_for_ever)
        data = boot.path.read_bytes()
        assert data in texts
        assert stat.S_IMODE(boot.path.stat().st_mode) == 0o600
        assert document_file.digest(data) in boot.state().known
        found.append(data)
        if litter(boot.config_dir):
            left += 1
            other = next(document for text, document in texts.items() if text != data)
            assert save(boot, other) == []
            assert litter(boot.config_dir) == []
    assert len(set(found)) == 2
    assert left > 0  # else no save was ever hit in its midst


def test_a_killed_command_leaves_the_old_or_the_new_file(target: Pyshell) -> None:
    dice = random.Random(8)
    target.must("saveconfig")
    for number in range(20 if LONG else 8):
        before = target.saved_file.read_bytes()
        target.must(f"{TPG} {'disable' if number % 2 else 'enable'}")
        killed_after(dice.uniform(0, 0.12), lambda: target.line("saveconfig"))
        after = target.saved_file.read_bytes()
        assert stat.S_IMODE(target.saved_file.stat().st_mode) == 0o600
        target.must("saveconfig")
        assert after in (before, target.saved_file.read_bytes())
        assert litter(target.config_dir) == []


# Finding 65: what cannot be noted


@pytest.fixture
def telling(tmp_path: Path) -> tuple[BootFile, list[str]]:
    """Return the file of a folder in which one document is saved, and what it warns of."""
    told: list[str] = []
    made = BootFile(tmp_path / "target", tmp_path / "mark", told.append)
    made.save(ONE, LEE, 10, MANY)
    return made, told


def test_a_save_that_cannot_be_recorded_is_still_a_save(
    telling: tuple[BootFile, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    boot, told = telling

    def fail(*_arguments: object) -> None:
        raise PyshellError("Cannot prune: Input/output error")

    monkeypatch.setattr(revisions, "prune", fail)
    boot.save(TWO, ANN, 10, MANY)
    assert saved(boot) == TWO
    assert len(told) == 1
    assert "is saved, but" in told[0]


def test_a_revision_that_cannot_be_written_leaves_the_file_unchanged(
    telling: tuple[BootFile, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    boot, _ = telling
    real = os.listdir

    def fail(path: Any = ".") -> Any:
        if str(path).endswith("revisions"):
            raise OSError(5, os.strerror(5), str(path))
        return real(path)

    (boot.config_dir / "revisions").mkdir(exist_ok=True)
    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(PyshellError, match="Input/output error"):
        boot.save(TWO, ANN, 10, MANY)
    assert saved(boot) == ONE


@pytest.mark.parametrize("days", [36500, 800000, 10**12])
def test_no_number_of_days_is_too_many(telling: tuple[BootFile, list[str]], days: int) -> None:
    """Finding 64."""
    boot, told = telling
    boot.save(TWO, ANN, 10, Policy(50, days))
    assert (saved(boot), told) == (TWO, [])


def test_the_state_is_recorded_even_if_the_mark_cannot_be_written(
    telling: tuple[BootFile, list[str]],
) -> None:
    boot, told = telling
    boot.mark_file = Path("/proc/none/mark")  # no folder can be made there
    assert not boot.restored(boot.path.read_bytes(), {"/x": "is absent"})
    assert boot.state().missing == {"/x": "is absent"}
    assert len(told) == 1
