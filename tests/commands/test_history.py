# SPDX-License-Identifier: Apache-2.0
"""`history` lists every change, selected by path, user and time."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from driver import SERVER, TPG, Pyshell
from pyshell.commands.history import period
from pyshell.config.store import About, undo, utc
from pyshell.config.store.change_log import ChangeLog, Entry
from pyshell.errors import PyshellError, UsageError
from pyshell.lio import Lio
from pyshell.lio.operations.targets import CreatePortal

NEW = "/backstores/ramdisk create {} 1M"


def changes(pyshell: Pyshell, *arguments: str) -> list[dict[str, Any]]:
    """Return what `history` lists, the newest first."""
    found: list[dict[str, Any]] = pyshell("history", *arguments, "-o", "json").done().json["result"]
    return found


def commands(pyshell: Pyshell, *arguments: str) -> list[str]:
    return [one["command"] for one in changes(pyshell, *arguments)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use a time zone of its own: an hour before UTC."""
    monkeypatch.setenv("TZ", "XST+1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_every_change_has_its_line_user_source_and_objects(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "lee")
    pyshell.must(f"/iscsi create {SERVER}")
    pyshell.batch([f"cd {TPG}", "set attribute login_timeout=20", "/ saveconfig"]).done()
    monkeypatch.delenv("SUDO_USER")
    pyshell.must(f"{TPG} set auth userid=u password=verysecret12", "saveconfig")
    found = changes(pyshell)
    assert [(one["number"], one["user"], one["source"], one["command"]) for one in found[1:]] == [
        (4, found[0]["user"], "one-liner", f"{TPG} set auth userid=u password=********"),
        (3, "lee", "batch", "/ saveconfig"),
        (2, "lee", "batch", f"{TPG} set attribute login_timeout=20"),
        (1, "lee", "one-liner", f"/iscsi create {SERVER}"),
    ]
    assert found[-1]["paths"][0] == f"/iscsi/{SERVER}"
    assert all(re.fullmatch(r"2.*T..:..:..Z", one["time"]) for one in found)
    assert "verysecret12" not in ChangeLog(pyshell.open()).file.read_text()


def test_a_save_names_the_revision_that_it_kept(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"), "saveconfig", NEW.format("b"), "saveconfig")
    pyshell("--save", *NEW.format("c").split()).done()
    assert [one["revision"] for one in changes(pyshell)] == [2, None, 1, None, None, None]
    assert commands(pyshell)[0] == "saveconfig"


def test_it_selects_by_path(pyshell: Pyshell) -> None:
    pyshell.must(f"/iscsi create {SERVER}", NEW.format("a"))
    pyshell.must(f"{TPG}/luns create /backstores/ramdisk/a", f"{TPG} set attribute login_timeout=9")
    assert commands(pyshell, "path=/backstores") == [NEW.format("a")]
    assert len(commands(pyshell, "/iscsi")) == 3
    assert commands(pyshell, f"path={TPG}/luns")[0].startswith(f"{TPG}/luns create")
    assert len(pyshell("/iscsi", "history", "path=.", "-o", "name").done().lines) == 3
    assert commands(pyshell, "path=/loopback") == []
    assert len(commands(pyshell, "path=/")) == 4


def test_it_selects_by_user_and_number(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    for user in ("lee", "kim", "lee"):
        monkeypatch.setenv("SUDO_USER", user)
        pyshell.must(NEW.format(f"{user}{time.monotonic_ns()}"))
    assert [one["number"] for one in changes(pyshell, "user=lee")] == [3, 1]
    assert [one["number"] for one in changes(pyshell, "user=lee", "limit=1")] == [3]
    assert changes(pyshell, "user=root") == []


def test_it_selects_by_source(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    pyshell.must(NEW.format("a"))
    pyshell.batch([NEW.format("b")]).done()
    assert commands(pyshell, "source=batch") == ["saveconfig", NEW.format("b")]
    assert commands(pyshell, "source=boot") == []
    ran = pyshell("history", "source=bach")
    assert (ran.status, "Did you mean batch?" in ran.err) == (0, True)
    monkeypatch.setenv("PYSHELL_SOURCE", "ansible")
    pyshell.must(NEW.format("c"))
    assert commands(pyshell, "source=ansible") == [NEW.format("c")]


def test_it_selects_by_time(pyshell: Pyshell, clock: None) -> None:
    log = ChangeLog(pyshell.open())
    times = ("2026-11-28T23:30:00Z", "2026-11-29T00:30:00Z", "2026-11-29T13:00:30Z")
    for number, moment in enumerate(times, 1):
        log.append(Entry(number, About(moment, "lee", "prompt"), "x"))
    for words, wanted in (
        (("since=2026-11-29",), [3]),
        (("since=2026-11-29Z",), [3, 2]),
        (("until=2026-11-28",), [2, 1]),
        (("since=2026-11-28T23:30", "until=2026-11-29T12:00"), [3, 2]),
        (("since='2026-11-29 12:00:31'",), []),
        (("until=2h",), [3, 2, 1] if datetime.now(timezone.utc).year > 2026 else None),
    ):
        line = " ".join(["history", *words, "-o", "name"])
        if wanted is not None:
            assert pyshell.line(line).done().lines == [str(number) for number in wanted], words
    assert pyshell("history").done().lines[1].split()[1:4] == ["2026-11-29", "12:00", "lee"]


def test_times_are_read_in_many_forms(clock: None) -> None:
    now = datetime.now(timezone.utc)
    assert abs(period("2h").start - (now - timedelta(hours=2))) < timedelta(seconds=5)
    assert abs(period("90 s").start - (now - timedelta(seconds=90))) < timedelta(seconds=5)
    assert abs(period("3d").start - (now - timedelta(days=3))) < timedelta(seconds=5)
    assert period("yesterday").end == period("today").start
    today = now.astimezone().date().isoformat()
    assert period("14:05").start == period(f"{today}T14:05").start
    assert period("14:05:07").end == period(f"{today}T14:05:08").start
    assert utc(period("2026-11-29").start) == "2026-11-29T01:00:00Z"
    assert utc(period("2026-11-29T14:00Z").end) == "2026-11-29T14:01:00Z"


@pytest.mark.parametrize(
    "text", ["", "x", "2026-13-01", "2026-11-29T25:00", "9999-12-31", "-1h", "1y", "0001-01-01",
             "999999w", "2026-11-29T14:00ZZZ", "Z", "25:00", "9:5", "14:00:61"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        period(text)


def test_a_failed_command_is_listed_if_it_had_begun(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(operation: CreatePortal, lio: Lio) -> None:
        raise PyshellError("Not today.")

    pyshell.line(f"{TPG} set attribute login_timeout=9")  # fails before it begins
    with monkeypatch.context() as patch:
        patch.setattr(CreatePortal, "do", refuse)
        assert pyshell.line(f"/iscsi create {SERVER}").status == 1
    found = changes(pyshell)
    assert [(one["number"], one["state"], one["undo"]) for one in found] == [(1, "failed", None)]
    assert undo.numbers(pyshell.open()) == []


def test_what_is_undone_and_done_again_has_its_state(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"), "undo")
    assert [(one["state"], one["undo"]) for one in changes(pyshell)] == [
        ("done", None), ("undone", None),
    ]  # fmt: skip
    pyshell.must("redo")
    assert [(one["state"], one["undo"]) for one in changes(pyshell)][-1] == ("done", 1)


@pytest.mark.parametrize("line", ["ls", f"{NEW.format('a')} --dry-run", "history", "check"])
def test_what_only_reads_is_not_listed(pyshell: Pyshell, line: str) -> None:
    before = changes(pyshell)
    pyshell.line(line)
    assert changes(pyshell) == before == []


def test_a_restore_at_boot_and_a_clear_are_listed(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyshell.must(f"apply {pyshell.example}", "saveconfig", "clearconfig confirm=true")
    monkeypatch.setenv("PYSHELL_WAY", "boot")
    pyshell.must("restoreconfig")
    found = changes(pyshell)
    assert [(one["source"], one["command"]) for one in found[:2]] == [
        ("boot", "restoreconfig"), ("one-liner", "clearconfig confirm=true"),
    ]  # fmt: skip
    assert found[0]["undo"] is None
    assert f"/iscsi/{SERVER}" in found[0]["paths"]
    assert f"/iscsi/{SERVER}" in found[1]["paths"]
    assert len(changes(pyshell, f"path=/iscsi/{SERVER}")) == 3


def test_a_damaged_line_is_reported_and_the_rest_listed(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"))
    file = ChangeLog(pyshell.open()).file
    file.write_text(f"{file.read_text()}{{\n")
    ran = pyshell("history")
    assert ran.err == "The log has 1 damaged line, which is not shown.\n"
    assert NEW.format("a") in ran.out


def test_hostile_text_of_the_log_is_escaped(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"))
    file = ChangeLog(pyshell.open()).file
    data = json.loads(file.read_text())
    hostile = "\x1b[31mred\nroot\u202e"
    data |= {"number": 2, "line": hostile, "user": hostile, "objects": [hostile]}
    file.write_text(f"{json.dumps(data)}\n")
    for form in ("table", "tsv", "json", "jsonl", "name"):
        out = pyshell("history", "-o", form).done().out
        assert not {"\x1b", "\u202e"} & set(out)
        assert "\nroot" not in out


def test_what_was_killed_before_it_was_logged_is_listed(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"), NEW.format("b"))
    log = ChangeLog(pyshell.open())
    lines = log.file.read_text().splitlines(keepends=True)
    log.file.write_text(lines[0])  # the second was killed just before
    assert [(one["number"], one["state"]) for one in changes(pyshell)] == [(2, "done"), (1, "done")]
    pyshell.must(NEW.format("c"))
    assert [one["number"] for one in changes(pyshell)] == [3, 2, 1]
    assert [json.loads(line)["number"] for line in log.file.read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize("hindrance", ["folder", "rights", "full"])
def test_a_log_that_cannot_be_written_stops_no_change(
    pyshell: Pyshell, hindrance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ChangeLog(pyshell.open())
    if hindrance == "folder":
        log.file.mkdir(parents=True)
    elif hindrance == "rights":
        log.file.parent.parent.mkdir(parents=True)
        log.file.parent.write_text("")
    else:
        write = os.write

        def full(descriptor: int, data: bytes) -> int:
            return write(descriptor, data[: len(data) // 2] if b'"state"' in data else data)

        monkeypatch.setattr(os, "write", full)
    ran = pyshell.batch([NEW.format("a"), NEW.format("b"), "undo", "redo"])
    assert ran.status == 0
    assert ran.err.count("Changes are not logged for 'history': ") == 1
    assert [line for line in ran.lines if line.startswith("Redid")] != []
    monkeypatch.undo()
    assert [pyshell("undo").status for _ in range(3)] == [0, 0, 3]


def test_it_needs_no_target_and_has_all_formats(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must(NEW.format("a"), NEW.format("b"))
    assert pyshell("history", "-o", "name").done().lines == ["2", "1"]
    tsv = pyshell("history", "-o", "tsv").done().lines
    assert tsv[0].split("\t")[:4] == ["number", "time", "user", "source"]
    assert tsv[1].split("\t")[-3:] == [NEW.format("b"), "1", "/backstores/ramdisk/b"]
    assert [json.loads(line)["number"] for line in pyshell("history", "-o", "jsonl").done().lines]


@pytest.mark.parametrize(
    ("named", "shown"),
    [("backup", "backup"), ("ansible-2", "ansible-2"), ("cluster", "one-liner"),
     ("boot", "one-liner"), ("", "one-liner"), ("timer", "one-liner"), ("A", "one-liner"),
     ("x" * 21, "one-liner"), ("x\n", "one-liner")],
)  # fmt: skip
def test_a_program_can_name_the_source(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, named: str, shown: str
) -> None:
    monkeypatch.setenv("PYSHELL_SOURCE", named)
    pyshell.must(NEW.format("a"))
    assert [one["source"] for one in changes(pyshell)] == [shown]
