# SPDX-License-Identifier: Apache-2.0
"""The paths that rtslib works with: they do what pathlib's do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import rtslib_fb.utils
from rtslib_fb.node import CFSNode

from pyshell.lio.rtslib_path import QuickPath, lend

pytestmark = pytest.mark.usefixtures("changes_allowed")


@pytest.fixture(autouse=True)
def _configfs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(CFSNode, "configfs_dir", str(tmp_path))


def test_rtslib_works_with_them_but_for_what_a_simulator_put_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Simulators:
        pass

    monkeypatch.setattr(rtslib_fb.utils, "Path", Path)
    monkeypatch.setattr(rtslib_fb.node, "Path", Simulators)
    lend()
    assert rtslib_fb.utils.Path is QuickPath
    assert rtslib_fb.node.Path is Simulators


def test_rtslibs_reading_and_writing_gives_the_same(tmp_path: Path) -> None:
    file = tmp_path / "attribute"
    file.touch()
    assert QuickPath(file).write_text("1\n") == 2
    assert file.read_text() == "1\n"
    QuickPath(file).write_text("é")
    assert QuickPath(file).read_text() == file.read_text() == "é"


def test_a_text_of_more_than_one_piece_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("x" * 200_000)
    assert len(QuickPath(tmp_path, "long").read_text()) == 200_000


@pytest.mark.parametrize("act", ["read_text", "rmdir", "unlink", "stat"])
def test_errors_name_the_path(tmp_path: Path, act: str) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError) as raised:
        getattr(QuickPath(missing), act)()
    assert raised.value.filename == str(missing)


def test_a_refused_write_names_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CFSNode, "configfs_dir", "/dev")
    with pytest.raises(OSError, match="No space left") as raised:
        QuickPath("/dev/full").write_text("1")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "/dev/full")


def test_what_a_folder_holds_is_listed_with_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    found = {
        path.name: (path.is_dir(), path.is_file(), path.is_symlink())
        for path in QuickPath(tmp_path).iterdir()
    }
    assert found == {
        path.name: (path.is_dir(), path.is_file(), path.is_symlink()) for path in tmp_path.iterdir()
    }
    assert QuickPath(tmp_path / "link").is_symlink()
    assert not QuickPath(tmp_path / "nothing").is_symlink()


def test_folders_are_made_and_removed(tmp_path: Path) -> None:
    one = QuickPath(tmp_path) / "one"
    one.mkdir()
    with pytest.raises(FileExistsError):
        one.mkdir()
    one.mkdir(exist_ok=True)
    (one / "two/three").mkdir(parents=True)
    assert (tmp_path / "one/two/three").is_dir()
    (one / "two/three").rmdir()
    (tmp_path / "link").symlink_to("one")
    QuickPath(tmp_path / "link").unlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one"]


def test_a_folder_outside_that_exists_may_exist() -> None:
    QuickPath("/proc").mkdir(parents=True, exist_ok=True)
    with pytest.raises(PermissionError):
        QuickPath("/proc/new").mkdir(parents=True, exist_ok=True)


def test_every_other_act_is_pathlibs(tmp_path: Path) -> None:
    (tmp_path / "tpgt_1").mkdir()
    path = QuickPath(str(tmp_path))
    assert [found.name for found in path.glob("tpgt*")] == ["tpgt_1"]
    assert (path.parent, path.exists()) == (tmp_path.parent, True)
    assert path.samefile(QuickPath(tmp_path))
    assert path == tmp_path
    assert len({path, QuickPath(tmp_path)}) == 1
    assert (str(path), f"{path}") == (str(tmp_path), str(tmp_path))


@pytest.mark.parametrize("way_out", ["../victim", "a/../../victim", "..", "/etc/none"])
@pytest.mark.parametrize("act", ["write_text", "mkdir", "rmdir", "unlink"])
def test_finding_44_rtslib_changes_nothing_outside_of_configfs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, act: str, way_out: str
) -> None:
    root = tmp_path / "target"
    (root / "a").mkdir(parents=True)
    monkeypatch.setattr(CFSNode, "configfs_dir", str(root))
    (tmp_path / "victim").write_text("kept")
    with pytest.raises(PermissionError):
        getattr(QuickPath(str(root), way_out), act)(*["x"] * (act == "write_text"))
    with pytest.raises(PermissionError):
        rtslib_fb.target.os.symlink(f"{root}/a", f"{root}/{way_out}")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "target", "victim"]
    assert (tmp_path / "victim").read_text() == "kept"


def test_finding_44_rtslib_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        QuickPath(tmp_path, "new").write_text("x")
    assert list(tmp_path.iterdir()) == []
