# SPDX-License-Identifier: Apache-2.0
"""The replaced parts of rtslib behave as its own, and its errors become pyshell's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from rtslib_fb import node, target, utils

from pyshell.errors import (
    BusyError,
    ExistsError,
    NotFoundError,
    NotPermittedError,
    PyshellError,
    from_os_error,
)
from pyshell.lio.failures import doing
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.storage import CreateStorageObject
from pyshell.lio.rtslib import replace_parts
from pyshell.lio.rtslib_files import HostOs, QuickPath
from pyshell.lio.rtslib_older import WITHOUT_PATHLIB, NotInCFSError

CREATE = CreateStorageObject(StorageObject("block", "x", 0, "/nowhere"), {"dev": "/dev/x"})

pytestmark = pytest.mark.usefixtures("changes_allowed")


@pytest.fixture(autouse=True)
def _configfs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(node.CFSNode, "configfs_dir", str(tmp_path))


def test_rtslib_works_with_them_but_for_what_a_simulator_put_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Simulators:
        pass

    # rtslib 2.1 has no Path.
    name, of_python, replaced = ("os", os, HostOs) if WITHOUT_PATHLIB else ("Path", Path, QuickPath)
    monkeypatch.setattr(utils, name, of_python)
    monkeypatch.setattr(node, name, Simulators)
    replace_parts()
    found = getattr(utils, name)
    assert found is replaced or isinstance(found, replaced)
    assert getattr(node, name) is Simulators


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
    monkeypatch.setattr(node.CFSNode, "configfs_dir", "/dev")
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
    monkeypatch.setattr(node.CFSNode, "configfs_dir", str(root))
    (tmp_path / "victim").write_text("kept")
    with pytest.raises(PermissionError):
        getattr(QuickPath(str(root), way_out), act)(*["x"] * (act == "write_text"))
    with pytest.raises(PermissionError):
        target.os.symlink(f"{root}/a", f"{root}/{way_out}")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "target", "victim"]
    assert (tmp_path / "victim").read_text() == "kept"


def test_finding_44_rtslib_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        QuickPath(tmp_path, "new").write_text("x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "kind", "status"),
    [
        (errno.EEXIST, ExistsError, 5),
        (errno.EBUSY, BusyError, 5),
        (errno.ENOTEMPTY, BusyError, 5),
        (errno.EADDRINUSE, BusyError, 5),
        (errno.ENOENT, NotFoundError, 3),
        (errno.ENODEV, NotFoundError, 3),
        (errno.EACCES, NotPermittedError, 4),
        (errno.EPERM, NotPermittedError, 4),
        (errno.EROFS, NotPermittedError, 4),
        (errno.EINVAL, PyshellError, 1),
        (errno.ENOSPC, PyshellError, 1),
    ],
)
def test_an_errno_gives_kind_and_status(number: int, kind: type[PyshellError], status: int) -> None:
    with pytest.raises(PyshellError) as caught, doing("create target x"):
        raise OSError(number, os.strerror(number), "/some/path")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.errno) == (status, number)
    assert (caught.value.path, caught.value.step) == ("/some/path", "create target x")
    assert f"({errno.errorcode[number]}) at /some/path." in str(caught.value)


def test_the_kernels_error_under_rtslibs_is_kept() -> None:
    error = utils.RTSLibError("Could not create it in configFS")
    error.__context__ = OSError(errno.EBUSY, "busy", "/core/iblock_0/x/enable")
    with pytest.raises(BusyError) as caught, doing(CREATE.step(), hint=CREATE.hint):
        raise error
    assert caught.value.errno == errno.EBUSY
    assert caught.value.hint == "The device is in use: 'lsblk' shows its user."


def test_rtslibs_own_errors_keep_their_words() -> None:
    with pytest.raises(PyshellError, match="Cannot set x: It is so") as caught, doing("set x"):
        raise utils.RTSLibError("It is so")
    assert caught.value.status == 1


def test_rtslibs_not_found_is_not_found() -> None:
    with pytest.raises(NotFoundError), doing("delete x"):
        raise NotInCFSError("It is gone")


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(PyshellError, match=r"Cannot set x: .* not UTF-8 text"), doing("set x"):
        "\udcff".encode()


def test_an_error_without_errno_is_told_all_the_same() -> None:
    found = from_os_error(OSError("no number"), "do it")
    assert str(found) == "Cannot do it: no number."
    assert found.status == 1


def test_message_and_hint_are_one_line() -> None:
    assert str(PyshellError("It\nfailed", "Try again.")) == "It failed. Try again."
    assert str(PyshellError("It failed!", "Try again.")) == "It failed! Try again."


def test_what_rtslib_says_is_kept_for_targetcli_mode() -> None:
    """Finding 28: targetcli prints rtslib's sentence as it is."""
    refused = utils.RTSLibError("Could not create Target in configFS: why")
    refused.__cause__ = OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    with pytest.raises(PyshellError) as raised, doing("create target x"):
        raise refused
    assert raised.value.targetcli == "Could not create Target in configFS: why"
    assert raised.value.errno == errno.EINVAL
