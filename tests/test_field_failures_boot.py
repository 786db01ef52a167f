# SPDX-License-Identifier: Apache-2.0
"""Failures around the restore at boot, each by its number in the field notes."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell, Ran, run_process
from pyshell.host import DISK
from pyshell.simulator import SimulatedDevice

BLOCK = "/backstores/block/lee_block"
OTHER = "/backstores/block/other"
LATE = SimulatedDevice("/dev/mapper/lee-lee.lv", "dm-0", 20 << 30, number="253:0")
MAPPED = f"{TPG}/acls/{CLIENT}/mapped_lun0"
WITH_LEE = [BLOCK, f"{TPG}/luns/lun0", MAPPED]


@pytest.fixture
def early(exported: Pyshell) -> Pyshell:
    """Return pyshell early at boot: two disks are saved, that of the first is not there yet."""
    exported.prepare(
        "/backstores/block create other /dev/sdb",
        f"{TPG}/luns create {OTHER}",
        "saveconfig",
        "clearconfig confirm=true",
    )
    exported.simulator.machine.remove(LATE.path)
    return exported


@contextmanager
def coming(pyshell: Pyshell, appear: Callable[[], object]) -> Iterator[None]:
    """Let something happen once pyshell waits, which gives the lock away."""

    def act() -> None:
        deadline = time.monotonic() + 100
        while not (pyshell.folder / "missing").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        appear()

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def running(pyshell: Pyshell, *paths: str) -> list[bool]:
    """Tell which paths are there."""
    return [pyshell(path).status == 0 for path in paths]


# 2: a boot that restored in part looks like a good one


def test_field_failure_2_a_restore_in_part_has_an_exit_status_of_its_own(early: Pyshell) -> None:
    ran = early.line("restoreconfig wait=0")
    assert (ran.out, ran.status) == ("", 6)
    assert running(early, *WITH_LEE, OTHER) == [False, False, False, True]


def test_field_failure_2_each_object_that_is_left_out_has_a_line(early: Pyshell) -> None:
    first, *lines, hint = early.line("restoreconfig wait=0").err.splitlines()
    assert first == f"{early.saved_file} is restored in part, 3 errors:"
    assert [line.rpartition(": ")[2] for line in lines] == [
        "There is no block device /dev/mapper/lee-lee.lv, skipped",
        "There is no storage object block/lee_block, skipped",
        f"There is no LUN 0 of TPG 1 of target {SERVER}, skipped",
    ]
    assert "restoreconfig missing_only=true" in hint


def test_field_failure_2_in_targetclis_manner_the_status_is_1(early: Pyshell) -> None:
    early.program = "targetcli"
    assert early.line("restoreconfig").status == 1
    assert early.line("restoreconfig missing_only=true").status == 1


@pytest.mark.parametrize(
    ("spoil", "status", "told"),
    [
        (lambda path: path.unlink(), 3, "not found"),
        (lambda path: path.write_text("{"), 1, "saveconfig.json is not JSON: line 1"),
        (lambda path: path.chmod(0o666), 4, "is not trusted"),
    ],
    ids=["missing", "damaged", "open to others"],
)
def test_field_failure_2_no_file_is_told_from_one_that_cannot_be_used(
    early: Pyshell, spoil: Callable[[Path], object], status: int, told: str
) -> None:
    spoil(early.saved_file)
    ran = early.line("restoreconfig wait=0")
    assert (ran.out, ran.status) == ("", status)
    assert told in ran.err


def test_field_failure_2_status_tells_what_is_missing_and_what_to_do(early: Pyshell) -> None:
    early.line("restoreconfig wait=0")
    shown = early.line("status").done().out
    assert f"  {BLOCK}: There is no block device {LATE.path}\n" in shown
    assert "'restoreconfig missing_only=true' adds them" in shown
    found = early("-o", "json", "status").json["result"]["missing"]
    assert list(found) == WITH_LEE


def test_field_failure_2_in_the_journal_each_line_has_its_priority(
    early: Pyshell, tmp_path: Path
) -> None:
    ran = into_journal(early, tmp_path, "restoreconfig", "wait=1")
    assert ran.status == 6
    assert ran.err.startswith(f"<5>Waiting up to 1 seconds for {LATE.path}\n<3>")
    assert all(line.startswith("<3>") for line in ran.err.splitlines()[1:])


def into_journal(pyshell: Pyshell, folder: Path, *arguments: str) -> Ran:
    """Run pyshell with a standard error that stands for the journal's stream."""
    journal = folder / "journal"
    journal.touch()
    found = journal.stat()
    script = f'exec 2>>"{journal}"; exec "$0" -m pyshell "$@"'
    command = ["sh", "-c", script, sys.executable, f"--simulate={pyshell.folder}", *arguments]
    stream = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    ran = run_process(command, environment=stream)
    return Ran(ran.out, journal.read_text(), ran.status)


# 3: a restore that comes before the devices


def test_field_failure_3_a_late_device_is_waited_for(early: Pyshell) -> None:
    with coming(early, lambda: early.simulator.machine.add(LATE)):
        ran = early.line("restoreconfig wait=120")
    assert ran.out == f"Configuration restored from {early.saved_file}\n"
    assert ran.err.splitlines() == [
        f"Waiting up to 120 seconds for {LATE.path}",
        *(f"Added late: {path}" for path in WITH_LEE),
    ]
    assert not (early.folder / "missing").exists()


def test_field_failure_3_what_is_there_is_served_before_the_wait(early: Pyshell) -> None:
    seen: list[list[bool]] = []

    def look() -> None:
        folders = [f"iscsi/{SERVER}/tpgt_1/lun/lun_{number}" for number in (0, 1)]
        seen.append([(early.configfs / folder).is_dir() for folder in folders])

    with coming(early, look):
        early.line("restoreconfig wait=1")
    assert seen == [[False, True]]


def test_field_failure_3_others_can_work_during_the_wait(early: Pyshell) -> None:
    ran: list[Ran] = []

    def work() -> None:
        ran.append(early.process("--lock-timeout=8", "/backstores/ramdisk", "create", "new", "1M"))
        early.simulator.machine.add(LATE)

    with coming(early, work):
        assert early.line("restoreconfig wait=40").status == 0
    assert ran[0].status == 0
    assert "lun0" in early.must(f"ls {TPG}/luns")[1]


def test_field_failure_3_what_is_deleted_during_the_wait_stays_so(early: Pyshell) -> None:
    def work() -> None:
        early.process("/iscsi", "delete", SERVER)
        early.simulator.machine.add(LATE)

    with coming(early, work):
        ran = early.line("restoreconfig wait=40")
    assert ran.status == 0, ran.err
    assert running(early, BLOCK, f"/iscsi/{SERVER}") == [True, False]


def test_field_failure_3_a_device_that_is_in_use_is_not_waited_for(early: Pyshell) -> None:
    early.simulator.machine.add(
        SimulatedDevice(LATE.path, "dm-0", 1 << 30, holder="mounted on /", number="253:0")
    )
    start = time.monotonic()
    ran = early.line("restoreconfig wait=120")
    assert ran.status == 6
    assert "mounted on /" in ran.err
    assert time.monotonic() - start < 15


def test_field_failure_3_a_late_image_file_is_waited_for(pyshell: Pyshell) -> None:
    pyshell.line("/backstores/fileio create image /srv/image 1M")
    pyshell.must("saveconfig", "clearconfig confirm=true")
    image = pyshell.folder / "files/srv/image"
    image.rename(image.with_name("aside"))
    with coming(pyshell, lambda: image.with_name("aside").rename(image)):
        assert pyshell.line("restoreconfig wait=120").status == 0
    assert running(pyshell, "/backstores/fileio/image") == [True]


def test_field_failure_3_a_late_tape_is_waited_for(pyshell: Pyshell) -> None:
    tape = next(one for one in pyshell.simulator.machine.table().devices if one.scsi_type != DISK)
    pyshell.must("/backstores/pscsi create tape /dev/st0", "saveconfig", "clearconfig confirm=true")
    pyshell.simulator.machine.remove(tape.path)
    with coming(pyshell, lambda: pyshell.simulator.machine.add(tape)):
        assert pyshell.line("restoreconfig wait=120").status == 0
    assert running(pyshell, "/backstores/pscsi/tape") == [True]


def test_field_failure_3_only_what_is_missing_is_added_later(early: Pyshell) -> None:
    early.line("restoreconfig wait=0")
    early.must(f"{TPG} set parameter MaxBurstLength=8192")
    early.simulator.machine.add(LATE)
    before = early.saved_file.read_bytes()
    assert early.must("restoreconfig missing_only=true") == [f"Added {path}" for path in WITH_LEE]
    assert "MaxBurstLength=8192" in early.must(f"{TPG} get parameter MaxBurstLength")[0]
    assert early.saved_file.read_bytes() == before
    assert early.line("restoreconfig missing_only=true").done(noting="Nothing of ").out == ""


def test_field_failure_3_adding_what_is_missing_still_is_told(early: Pyshell) -> None:
    early.line("restoreconfig wait=0")
    ran = early.line("restoreconfig missing_only=true")
    assert (ran.out, ran.status) == ("", 6)
    assert f"There is no block device {LATE.path}, skipped" in ran.err


def test_field_failure_3_what_was_deleted_by_command_is_not_brought_back(early: Pyshell) -> None:
    early.line("restoreconfig wait=0")
    early.must(f"/iscsi delete {SERVER}", f"{OTHER.rpartition('/')[0]} delete other")
    early.simulator.machine.add(LATE)
    assert early.must("restoreconfig missing_only=true") == [f"Added {BLOCK}"]
    assert running(early, OTHER, f"/iscsi/{SERVER}") == [False, False]


def test_field_failure_3_after_a_new_start_the_whole_file_comes_first(early: Pyshell) -> None:
    early.line("restoreconfig wait=0")
    early.must("clearconfig confirm=true")
    early.simulator.machine.add(LATE)
    ran = early.line("restoreconfig missing_only=true")
    assert (ran.out, ran.status) == ("", 1)
    assert "restoreconfig restores it" in ran.err


def test_field_failure_3_a_disk_mended_in_the_file_is_added(early: Pyshell) -> None:
    early.line("restoreconfig wait=0")
    text = early.saved_file.read_text()
    early.saved_file.write_text(text.replace(LATE.path, "/dev/sdc"))
    assert early.must("restoreconfig missing_only=true") == [f"Added {path}" for path in WITH_LEE]


def test_field_failure_3_of_another_file_all_that_does_not_run_is_added(early: Pyshell) -> None:
    early.simulator.machine.add(LATE)
    early.must("restoreconfig", f"{TPG}/luns delete lun0")
    copy = early.folder / "copy.json"
    copy.write_bytes(early.saved_file.read_bytes())
    copy.chmod(0o600)
    added = early.must(f"restoreconfig {copy} missing_only=true")
    assert added == [f"Added {TPG}/luns/lun0", f"Added {MAPPED}"]


@pytest.mark.parametrize("more", ["clear_existing=true", "force=true", f"target={SERVER}"])
def test_what_is_missing_goes_with_no_other_choice(early: Pyshell, more: str) -> None:
    ran = early.line(f"restoreconfig missing_only=true {more}")
    assert (ran.out, ran.status) == ("", 2)


def test_a_dry_run_neither_waits_nor_adds(early: Pyshell) -> None:
    early.line("restoreconfig wait=0")
    before = early.files()
    early.line("restoreconfig missing_only=true wait=60", "--dry-run").done()
    assert early.files() == before


# 13: of several targets that are named, only the first of the file came back


def test_field_failure_13_any_target_of_a_file_comes_back_by_its_name(pyshell: Pyshell) -> None:
    wwns = [f"iqn.2020-07.com.example:t{number}" for number in range(3)]
    pyshell.must(*(f"/iscsi create {wwn}" for wwn in wwns), "saveconfig")
    for wwn in reversed(wwns):
        pyshell.must("clearconfig confirm=true", f"restoreconfig target={wwn}")
        assert running(pyshell, *(f"/iscsi/{one}" for one in wwns)) == [one == wwn for one in wwns]


def test_field_failure_13_a_name_that_the_file_lacks_is_an_error(early: Pyshell) -> None:
    ran = early.line("restoreconfig target=iqn.2020-07.com.example:none")
    assert (ran.out, ran.status) == ("", 3)
    assert "holds no target iqn.2020-07.com.example:none, nothing was restored" in ran.err


# 52: a boot that waits for random numbers


def test_field_failure_52_a_restore_asks_for_no_random_numbers(
    early: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    early.simulator.machine.add(LATE)
    strip_aliases(early)

    def none(*_: object) -> bytes:
        raise AssertionError("random numbers were asked for")

    monkeypatch.setattr(os, "urandom", none)
    monkeypatch.setattr(os, "getrandom", none)
    assert early.line("restoreconfig wait=0").status == 0


def test_field_failure_52_links_have_the_same_names_each_time(early: Pyshell) -> None:
    early.simulator.machine.add(LATE)
    strip_aliases(early)
    names = []
    for _ in range(2):
        early.must("restoreconfig")
        names.append(sorted(str(p) for p in early.configfs.rglob("*") if p.is_symlink()))
        early.must("clearconfig confirm=true")
    assert names[0] == names[1]
    assert len(names[0]) == 4


def strip_aliases(pyshell: Pyshell) -> None:
    """Take the names of links out of the saved file, as a hand-written one has none."""
    document = pyshell.document()
    for tpg in document["targets"][0]["tpgs"]:
        every = [*tpg["luns"], *(one for acl in tpg["node_acls"] for one in acl["mapped_luns"])]
        for entry in every:
            entry.pop("alias", None)
    pyshell.saved_file.write_text(json.dumps(document))
