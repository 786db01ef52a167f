# SPDX-License-Identifier: Apache-2.0
"""Reading many files of one folder: as each by its path, and errors name the whole path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyshell.lio.configfs import RealKernel

pytestmark = pytest.mark.usefixtures("changes_allowed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two files, of which one says nothing."""
    (tmp_path / "block_size").write_text("512\n")
    (tmp_path / "alias").write_bytes(b"\xff\n")
    return tmp_path


def test_files_are_read_as_by_their_paths(folder: Path) -> None:
    kernel = RealKernel(str(folder))
    with kernel.within(str(folder)) as text_of:
        for name in ("block_size", "alias"):
            assert text_of(name) == kernel.read(f"{folder}/{name}")


def test_the_folder_is_not_kept_open(folder: Path) -> None:
    before = os.listdir("/proc/self/fd")
    reading = RealKernel(str(folder)).within(str(folder))
    with pytest.raises(FileNotFoundError), reading as text_of:
        text_of("none")
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("below", ["none", "no/such/folder"])
def test_what_is_not_there_is_named_by_its_whole_path(folder: Path, below: str) -> None:
    reading = RealKernel(str(folder)).within(f"{folder}/{below}")
    with reading as text_of, pytest.raises(FileNotFoundError) as caught:
        text_of("none")
    assert caught.value.filename == f"{folder}/{below}/none"


WAYS_OUT = ("..", ".", "", "a/../../x", "../victim", "/etc/passwd", "attrib//x", "./x", "a/..")


@pytest.mark.parametrize("name", WAYS_OUT)
@pytest.mark.parametrize("act", ["read", "write", "mkdir", "rmdir", "unlink"])
def test_finding_44_nothing_outside_of_configfs_is_touched(
    tmp_path: Path, act: str, name: str
) -> None:
    root = tmp_path / "target"
    (root / "a").mkdir(parents=True)
    (tmp_path / "victim").write_text("kept")
    with pytest.raises(PermissionError):
        getattr(RealKernel(str(root)), act)(f"{root}/{name}", *["x"] * (act == "write"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "target", "victim"]
    assert (tmp_path / "victim").read_text() == "kept"


def test_finding_44_a_link_does_not_lead_a_write_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / "target"
    root.mkdir()
    (tmp_path / "victim").write_text("kept")
    (root / "link").symlink_to(tmp_path / "victim")
    (root / "devices").symlink_to("/dev")
    with pytest.raises(OSError, match="symbolic links"):
        RealKernel(str(root)).write(f"{root}/link", "x")
    with pytest.raises(PermissionError, match="outside"):
        RealKernel(str(root)).write(f"{root}/devices/null", "x")
    assert (tmp_path / "victim").read_text() == "kept"


def test_finding_44_a_write_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RealKernel(str(tmp_path)).write(f"{tmp_path}/new", "x")
    assert list(tmp_path.iterdir()) == []
