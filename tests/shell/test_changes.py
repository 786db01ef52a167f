# SPDX-License-Identifier: Apache-2.0
"""What is kept for `undo` while the target is changed already."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driver import Pyshell
from pyshell.config.running import read_running
from pyshell.config.store import undo
from pyshell.errors import PyshellError
from pyshell.lio.operations.storage import DeleteStorageObject
from pyshell.lio.operations.targets import DeleteTarget


@pytest.fixture
def running(pyshell: Pyshell) -> Pyshell:
    """Return a target that runs the example."""
    pyshell.prepare(f"restoreconfig {pyshell.example}")
    return pyshell


def test_a_clear_keeps_all_before_the_first_storage_object_goes(
    running: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_running(running.open())
    kept = []
    delete = DeleteStorageObject.do_for_good

    def look_first(operation: DeleteStorageObject, lio: object) -> object:
        done = undo.last(running.open())
        kept.append(done.before if done and done.line.startswith("clearconfig") else None)
        return delete(operation, lio)  # type: ignore[arg-type]

    monkeypatch.setattr(DeleteStorageObject, "do_for_good", look_first)
    running.must("clearconfig confirm=true")
    assert kept == [before] * len(before["storage_objects"])


def test_a_clear_that_fails_keeps_all_the_same(
    running: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_running(running.open())

    def refuse(operation: DeleteTarget, lio: object) -> None:
        raise PyshellError("Not today")

    monkeypatch.setattr(DeleteTarget, "do_for_good", refuse)
    assert running("clearconfig confirm=true").status == 1
    done = undo.last(running.open())
    assert done is not None
    assert (done.line, done.before) == ("clearconfig confirm=true", before)


def test_what_cannot_be_kept_is_told_and_stops_nothing(
    running: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PyshellError("There is no space")

    monkeypatch.setattr(undo, "keep_document", refuse)
    ran = running("clearconfig confirm=true")
    assert (ran.status, ran.err) == (0, "'undo' cannot undo this: There is no space.\n")


# Findings 64 and 65


@pytest.fixture
def one_done(pyshell: Pyshell) -> Path:
    """Return the file of the only command that can be undone."""
    pyshell.prepare("/backstores/ramdisk create a 1M")
    return pyshell.open().run_dir / "undo" / "1.json"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: [], lambda data: {}, lambda data: {**data, "about": 5},
        lambda data: {**data, "operations": 5}, lambda data: {**data, "operations": [5]},
        lambda data: {**data, "operations": [{"kind": "none"}]},
        lambda data: {**data, "operations": [{"kind": "", "items": [[[], 1]]}]},
        lambda data: {**data, "operations": [{"kind": "DeleteStorageObject", "place": 5}]},
        lambda data: {**data, "operations": [{"kind": "SetImageSize", "place": "x", "size": []}]},
        lambda data: {**data, "before": 5}, lambda data: {**data, "before": {"targets": [5]}},
        lambda data: {**data, "x": "\0"},
    ],
)  # fmt: skip
def test_a_damaged_entry_is_told_and_nothing_is_undone(
    pyshell: Pyshell, one_done: Path, spoil: Callable[[Any], Any]
) -> None:
    one_done.write_text(json.dumps(spoil(json.loads(one_done.read_text()))))
    before = pyshell.tree()
    ran = pyshell.line("undo")
    assert ran.status == 1, ran.err
    assert str(one_done) in ran.err
    assert pyshell.tree() == before


@pytest.mark.parametrize("text", ["[" * 5000, "9" * 5000, "", "\0"])
def test_an_entry_that_is_no_json_is_told(pyshell: Pyshell, one_done: Path, text: str) -> None:
    one_done.write_text(text)
    ran = pyshell.line("undo")
    assert ran.status == 1
    assert f"{one_done} is damaged" in ran.err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path, int], None]:
    """Return what lets a function of `os` fail for paths below a folder."""

    def fail(name: str, below: Path, number: int) -> None:
        real = getattr(os, name)

        def act(path: Any, *arguments: Any, **named: Any) -> Any:
            if str(path).startswith(str(below)):
                raise OSError(number, os.strerror(number), str(path))
            return real(path, *arguments, **named)

        monkeypatch.setattr(os, name, act)

    return fail


def test_what_is_undone_but_cannot_be_moved_is_a_warning(
    pyshell: Pyshell, one_done: Path, failing: Callable[[str, Path, int], None]
) -> None:
    failing("rename", one_done.parent, 30)  # EROFS
    ran = pyshell.line("undo")
    assert (ran.status, ran.err.count("\n")) == (0, 1)
    assert f"'undo' still lists what is undone: Cannot move {one_done}" in ran.err
    assert not pyshell.tree().get("core/rd_mcp_0/a")


@pytest.mark.parametrize("act", ["listdir", "scandir"])
def test_a_folder_that_cannot_be_read_stops_no_change(
    pyshell: Pyshell, one_done: Path, failing: Callable[[str, Path, int], None], act: str
) -> None:
    failing(act, one_done.parent, 5)  # EIO
    ran = pyshell.line("/backstores/ramdisk create b 1M")
    assert ran.status == 0, ran.err
    assert "Created ramdisk b" in ran.out
    failing(act, pyshell.config_dir, 5)
    assert pyshell.line("undo").status in (0, 1)


def test_a_state_that_cannot_be_read_stops_no_change(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create a 1M", "saveconfig")
    state = pyshell.config_dir / "pyshell-state.json"
    state.chmod(0o666)
    ran = pyshell.line("/backstores/ramdisk create b 1M")
    assert ran.status == 0
    assert "Could not record that" in ran.err
    saved = pyshell.saved_file.read_bytes()
    ran = pyshell.line("saveconfig")
    assert ran.status == 4
    assert f"chmod go-w {state}" in ran.err
    assert pyshell.saved_file.read_bytes() == saved


# Questions where many sessions would end


@pytest.fixture
def crowded(pyshell: Pyshell) -> Pyshell:
    """Return a target in demo mode where six initiators are logged in."""
    tpg = "/iscsi/iqn.2020-07.com.example:crowd/tpg1"
    pyshell.prepare(
        "/backstores/ramdisk create disk1 1M",
        "/iscsi create iqn.2020-07.com.example:crowd",
        f"{tpg} set attribute generate_node_acls=1",
        f"{tpg}/luns create /backstores/ramdisk/disk1",
        *(f"login iqn.2020-07.com.example:host{number}" for number in range(6)),
    )
    return pyshell


@pytest.mark.parametrize(
    ("line", "question", "name"),
    [
        ("/backstores/ramdisk delete disk1", "takes LUN 0 from 6 initiators", "disk1"),
        ("/iscsi delete iqn.2020-07.com.example:crowd", "terminates 6 sessions", "{crowd}"),
        ("/iscsi/{crowd}/tpg1 disable", "terminates 6 sessions", "{crowd}"),
        ("clearconfig confirm=true", "terminates 6 sessions", "{crowd}"),
    ],
)
def test_a_name_is_typed_before_many_sessions_are_disturbed(
    crowded: Pyshell, line: str, question: str, name: str
) -> None:
    wwn = "iqn.2020-07.com.example:crowd"
    line, name = line.format(crowd=wwn), name.format(crowd=wwn)
    before = crowded.tree()
    for answer in ("y\n", "yes\n", "\n", "disk\n"):
        ran = crowded(line, stdin=answer, keyboard=True)
        assert ran.status == 1
        assert f"This {question}" in ran.err
        assert f"Type {name} to continue: " in ran.err
        assert ran.err.endswith(f"Nothing was changed. The answer was not {name}.\n")
        assert crowded.tree() == before
    assert crowded(line, stdin=f"{name}\n", keyboard=True).status == 0
    assert crowded.tree() != before


def test_yes_and_force_answer_in_advance_however_many_sessions_end(crowded: Pyshell) -> None:
    tpg = "/iscsi/iqn.2020-07.com.example:crowd/tpg1"
    assert "Type " not in crowded(f"{tpg} disable", "--dry-run", keyboard=True).err
    assert crowded(f"{tpg} disable force=true", keyboard=True).status == 0


def test_a_question_names_at_most_twenty_sessions(crowded: Pyshell) -> None:
    crowded.must(*(f"login iqn.2020-07.com.example:host{number}" for number in range(6, 23)))
    ran = crowded("/iscsi delete iqn.2020-07.com.example:crowd", stdin="n\n", keyboard=True)
    assert ran.err.count(" at iqn.2020-07.com.example:crowd/tpg1") == 20
    assert "  and 3 more\n" in ran.err
    assert "This terminates 23 sessions" in ran.err


def test_five_sessions_need_only_a_y(crowded: Pyshell) -> None:
    crowded.must("logout iqn.2020-07.com.example:host5")
    ran = crowded("/iscsi delete iqn.2020-07.com.example:crowd", stdin="y\n", keyboard=True)
    assert ran.status == 0
    assert "Continue? [y/N]" in ran.err


def test_nothing_is_asked_about_what_cannot_be_done(crowded: Pyshell) -> None:
    tpg = "/iscsi/iqn.2020-07.com.example:crowd/tpg1"
    crowded.must("/backstores/block create disk2 /dev/sdb", f"{tpg}/luns create block/disk2")
    replace = "/backstores/block/disk2 replace dev="
    ran = crowded(f"{replace}/dev/sda force=true", stdin="n\n", keyboard=True)
    assert ran.err == "/dev/sda is in use: partitioned.\n"
    ran = crowded(f"{replace}/dev/sdc", stdin="n\n", keyboard=True)
    assert "takes a disk from 6 initiators" in ran.err


def test_the_label_of_the_host_is_in_every_question(crowded: Pyshell, tmp_path: Path) -> None:
    crowded.must("set global label=PRODUCTION")
    ran = crowded("/iscsi delete iqn.2020-07.com.example:crowd", stdin="\n", keyboard=True)
    assert "On PRODUCTION, this terminates 6 sessions" in ran.err
    file = tmp_path / "kept.txt"
    file.write_text("x")
    ran = crowded(f"ls | save {file}", stdin="\n", keyboard=True)
    assert f"On PRODUCTION, {file} already exists. Replace it?" in ran.err
    assert crowded("--compat", "get global label").status == 0
