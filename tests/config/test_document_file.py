# SPDX-License-Identifier: Apache-2.0
"""Writing a saved configuration: whole or not at all, for its owner's eyes, with backups."""

from __future__ import annotations

import gzip
import json
import os
import stat
from datetime import datetime
from pathlib import Path

import pytest

from pyshell.config import document_file
from pyshell.config.document import Document
from pyshell.errors import NotFoundError, PyshellError

SMALL: Document = {"targets": [], "storage_objects": [], "fabric_modules": []}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the configuration is saved."""
    return tmp_path / "saveconfig.json"


def test_the_text_is_as_rtslib_writes_it() -> None:
    assert document_file.to_text(SMALL) == (
        '{\n  "fabric_modules": [],\n  "storage_objects": [],\n  "targets": []\n}\n'
    )


def test_a_document_is_written_readable_by_its_owner_only(path: Path) -> None:
    document_file.write(SMALL, path)
    assert json.loads(path.read_text()) == SMALL
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_file_and_folder_reach_the_disk_before_and_after_the_renaming(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts: list[str] = []
    sync, rename = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        acts.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def watched_rename(source: str, target: str, **folders: int) -> None:
        acts.append("rename")
        rename(source, target, **folders)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_rename)
    document_file.write(SMALL, path)
    assert acts == ["file", "rename", "folder"]


@pytest.mark.parametrize("act", ["fsync", "replace", "fchmod", "open"])
@pytest.mark.parametrize("raised", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_a_failing_system_call_leaves_only_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, act: str, raised: BaseException
) -> None:
    path.write_text("old")

    def fail(*_arguments: object, **_named: object) -> None:
        raise raised

    monkeypatch.setattr(os, act, fail)
    expected = PyshellError if isinstance(raised, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        document_file.write(SMALL, path)
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_link_is_followed(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.json"
    real.parent.mkdir()
    path.symlink_to(real)
    document_file.write(SMALL, path)
    assert path.is_symlink()
    assert json.loads(real.read_text()) == SMALL


def test_a_folder_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(PyshellError, match="Cannot write"):
        document_file.write(SMALL, tmp_path)
    assert not list(tmp_path.parent.glob(".pyshell.*"))


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="Cannot write"):
        document_file.write(SMALL, tmp_path / "none" / "x.json")


def test_only_files_left_by_killed_writers_are_removed(path: Path) -> None:
    dead, other = path.parent / ".pyshell.4194305.new", path.parent / ".other.4194305.new"
    living = path.parent / f".pyshell.{os.getppid()}.new"
    for left in (dead, other, living):
        left.touch()
    document_file.write(SMALL, path)
    assert [left.exists() for left in (dead, other, living)] == [False, True, True]


# Backups


def backed_up(path: Path, text: str, second: int, keep: int = 3) -> Path | None:
    """Put a text into the file and back it up, at a second of a certain day."""
    path.write_text(text)
    return document_file.back_up(path, keep, lambda: datetime(2020, 7, 1, 12, 0, second))


def test_a_backup_is_named_as_targetcli_names_it(path: Path) -> None:
    made = backed_up(path, "{}", 5)
    assert made == path.parent / "backup" / "saveconfig-20200701-12:00:05-json.gz"
    assert gzip.decompress(made.read_bytes()) == b"{}"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700


def test_nothing_is_backed_up_if_nothing_is_saved(path: Path) -> None:
    assert document_file.back_up(path, 3) is None
    assert document_file.backups(path) == []


def test_the_same_file_is_backed_up_once(path: Path) -> None:
    assert backed_up(path, "one", 1) is not None
    assert backed_up(path, "one", 2) is None
    assert backed_up(path, "two", 3) is not None
    assert len(document_file.backups(path)) == 2


def test_the_oldest_backups_are_removed(path: Path) -> None:
    for second in range(6):
        backed_up(path, str(second), second)
    texts = [gzip.decompress(file.read_bytes()).decode() for file in document_file.backups(path)]
    assert texts == ["3", "4", "5"]


def test_a_damaged_backup_is_reported(path: Path) -> None:
    made = backed_up(path, "one", 1)
    assert made is not None
    made.write_bytes(b"no gzip at all")
    with pytest.raises(PyshellError, match="is damaged"):
        backed_up(path, "two", 2)


def test_a_plain_backup_of_an_old_release_counts(path: Path) -> None:
    folder = path.parent / "backup"
    folder.mkdir()
    (folder / "saveconfig-20140101-10:00:00.json").write_text("one")
    assert backed_up(path, "one", 1) is None


@pytest.mark.parametrize("before", [0, 3])
def test_no_backups_are_kept_if_none_are_requested(path: Path, before: int) -> None:
    """Finding 13: 0 kept all of them."""
    for second in range(before):
        assert backed_up(path, str(second), second) is not None
    assert backed_up(path, "new", 9, keep=0) is None
    assert document_file.backups(path) == []


def test_a_backup_that_would_fill_the_memory_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding 52."""
    monkeypatch.setattr(document_file, "LARGE", 1000)
    bomb = path.parent / "bomb.json.gz"
    bomb.write_bytes(gzip.compress(b" " * 1001))
    bomb.chmod(0o600)
    with pytest.raises(PyshellError, match="larger than"):
        document_file.load(bomb)


def test_a_backup_can_be_given_by_its_path(path: Path) -> None:
    """Finding 13."""
    made = backed_up(path, '{"targets": []}', 1)
    assert made is not None
    assert document_file.load(made) == document_file.load_trusted(made).document == {"targets": []}


@pytest.mark.parametrize("data", [b"", gzip.compress(b"", mtime=0), b" \n"])
def test_an_empty_file_is_reported_as_empty(path: Path, data: bytes) -> None:
    """Finding 13."""
    path.write_bytes(data)
    with pytest.raises(PyshellError, match=r"is empty\.$"):
        document_file.load(path)
    path.chmod(0o600)
    with pytest.raises(PyshellError, match=r"is empty\. Nothing was changed\.$"):
        document_file.load_trusted(path)
