# SPDX-License-Identifier: Apache-2.0
"""The log of changes: what is appended, rotated and read, and what is skipped."""

from __future__ import annotations

import json
import os
import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver import Pyshell
from pyshell.config.store import About, change_log
from pyshell.config.store.change_log import ChangeLog, Entry, Objects, touched
from pyshell.errors import PyshellError

ABOUT = About("2026-11-29T14:00:00Z", "lee", "prompt")
ENTRY = Entry(
    7,
    ABOUT,
    "/iscsi create x",
    change_log.PARTIAL,
    Objects(("/iscsi/x", "/iscsi/y"), 30),
    3,
    5,
    (4, 3),
    (2,),
)


@pytest.fixture
def log(pyshell: Pyshell) -> ChangeLog:
    return ChangeLog(pyshell.open())


def test_an_entry_is_read_as_it_was_logged(log: ChangeLog) -> None:
    plain = Entry(8, ABOUT, "saveconfig")
    log.append(ENTRY)
    log.append(plain)
    assert log.read() == ([ENTRY, plain], 0)
    assert (log.highest(), log.last()) == (8, plain)
    assert list(json.loads(log.file.read_text().splitlines()[1])) == [
        "number", "time", "user", "source", "line", "state",
    ]  # fmt: skip


def test_an_empty_log_has_no_number(log: ChangeLog) -> None:
    assert (log.read(), log.highest(), log.last()) == (([], 0), 0, None)


def test_it_is_for_root_alone(log: ChangeLog) -> None:
    before = os.umask(0)
    try:
        log.append(ENTRY)
    finally:
        os.umask(before)
    assert stat.S_IMODE(log.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.file.parent.stat().st_mode) == 0o700


def test_files_are_rotated_and_numbers_go_on(
    log: ChangeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "SIZE_MAX", 2000)
    for number in range(1, 101):
        log.append(replace(ENTRY, number=number))
        assert log.highest() == number
    names = sorted(path.name for path in log.file.parent.iterdir())
    assert names == ["changes.jsonl", *(f"changes.jsonl.{n}" for n in range(1, change_log.FILES))]
    assert all(path.stat().st_size <= 2000 for path in log.file.parent.iterdir())
    found, damaged = log.read()
    assert damaged == 0
    assert [entry.number for entry in found] == [*range(101 - len(found), 101)]
    log.file.unlink()  # as after a rotation
    assert log.highest() > 90


def test_what_a_crash_left_of_a_line_is_skipped(log: ChangeLog) -> None:
    log.append(ENTRY)
    with log.file.open("a") as file:
        file.write('{"number": 8, "time": "2026')
    assert log.highest() == 8
    log.append(replace(ENTRY, number=9))
    found, damaged = log.read()
    assert ([entry.number for entry in found], damaged) == ([7, 9], 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 0}, {"number": "7"}, {"number": True}, {"number": 10**12}, {"time": "today"},
        {"time": 5}, {"user": 5}, {"line": None}, {"state": "odd"}, {"objects": [5]},
        {"objects": 5}, {"batch": -1}, {"undid": ["x"]}, {"revision": 1.5}, {"line": "\ud800"},
        {"objects_count": None},
    ],
)  # fmt: skip
def test_a_damaged_line_is_skipped(log: ChangeLog, changed: dict[str, Any]) -> None:
    log.append(ENTRY)
    with log.file.open("a") as file:
        file.write(json.dumps({**ENTRY.to_json(), "number": 8, **changed}) + "\n")
    assert log.read() == ([ENTRY], 1)


@pytest.mark.parametrize("text", ["[]", "5", "[" * 5000, "9" * 5000, "\0", "null", '"x"'])
def test_a_line_that_is_no_change_is_skipped(log: ChangeLog, text: str) -> None:
    log.append(ENTRY)
    with log.file.open("a") as file:
        file.write(f"{text}\n")
    log.append(replace(ENTRY, number=8))
    found, damaged = log.read()
    assert ([entry.number for entry in found], damaged) == ([7, 8], 1)


def test_the_last_line_of_a_number_counts(log: ChangeLog) -> None:
    log.append(replace(ENTRY, state=change_log.UNFINISHED))
    log.append(ENTRY)
    log.append(replace(ENTRY, number=8, state=change_log.UNFINISHED))
    log.append(replace(ENTRY, number=8, state=change_log.UNCHANGED))
    assert log.read() == ([ENTRY], 0)


def test_a_long_line_is_cut(log: ChangeLog) -> None:
    log.append(replace(ENTRY, line="x" * 100_000))
    assert log.highest() == 7
    assert len(log.read()[0][0].line) == 4096


@pytest.mark.parametrize("kind", ["link", "second name", "folder", "pipe"])
def test_nothing_but_its_own_file_is_written(log: ChangeLog, tmp_path: Path, kind: str) -> None:
    log.file.parent.mkdir(parents=True)
    other = log.file.with_name("other")  # a second name is one on the same file system
    other.write_text("")
    if kind == "second name":
        os.link(other, log.file)
    elif kind == "folder":
        log.file.mkdir()
    elif kind == "pipe":
        os.mkfifo(log.file)
    else:
        log.file.symlink_to(tmp_path / "missing" / "other")
    with pytest.raises(PyshellError):
        log.append(ENTRY)
    assert other.read_text() == ""


def test_the_folder_above_may_be_that_of_another_program(log: ChangeLog) -> None:
    log.file.parent.mkdir(parents=True)
    log.file.parent.parent.chmod(0o777)  # /var/log is writable by syslog's group on some systems
    log.append(ENTRY)
    assert log.highest() == 7


def test_objects_are_those_above_if_there_are_many() -> None:
    luns = [f"/iscsi/iqn.x:{n // 40}/tpg1/luns/lun{n}" for n in range(120)]
    found = touched([*luns, "/backstores/block/a", "/backstores/block/a/alua/g"])
    assert found.count == 122
    assert found.paths == (
        "/backstores/block/a", "/iscsi/iqn.x:0", "/iscsi/iqn.x:1", "/iscsi/iqn.x:2",
    )  # fmt: skip
    assert found.touch("/iscsi/iqn.x:1/tpg1/luns/lun41")
    assert found.touch("/backstores")
    assert not found.touch("/backstores/block/b")
    many = touched(f"/iscsi/iqn.x:{n}" for n in range(200))
    assert (many.paths, many.count) == (("/iscsi",), 200)
    few = touched(["/iscsi/a/tpg1", "/iscsi/a/tpg1"])
    assert few == Objects(("/iscsi/a/tpg1",), 1)
    assert few.touch("/iscsi/a")
    assert not few.touch("/iscsi/a/tpg1/luns/lun0")
    assert not few.touch("/iscsi/a/tpg11")


def test_it_goes_to_the_journal(log: ChangeLog, pyshell: Pyshell) -> None:
    folder = pyshell.simulator.machine.file("/run/systemd/journal")
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        opened = os.open(folder, os.O_PATH)  # the whole path can be too long for a socket
        journal.bind(f"/proc/self/fd/{opened}/socket")
        os.close(opened)
        log.append(replace(ENTRY, line="create 'x\nPRIORITY=0'"))
        fields = journal.recv(1 << 16).decode().splitlines()
    assert "SYSLOG_IDENTIFIER=pyshell" in fields
    assert r"MESSAGE=lee (prompt): create 'x\x0aPRIORITY=0' [partial]" in fields
    assert [field for field in fields if field.startswith("PRIORITY=")] == ["PRIORITY=5"]
    assert {"PYSHELL_CHANGE=7", "PYSHELL_USER=lee", "PYSHELL_SOURCE=prompt"} <= {*fields}
