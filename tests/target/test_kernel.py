# SPDX-License-Identifier: Apache-2.0
"""Reading many files of one folder: as each by its path, and errors name the whole path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyshell.target.kernel import RealKernel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two files, of which one says nothing."""
    (tmp_path / "block_size").write_text("512\n")
    (tmp_path / "alias").write_bytes(b"\xff\n")
    return tmp_path


def test_files_are_read_as_by_their_paths(folder: Path) -> None:
    kernel = RealKernel()
    with kernel.within(str(folder)) as text_of:
        for name in ("block_size", "alias"):
            assert text_of(name) == kernel.read(f"{folder}/{name}")


def test_the_folder_is_not_kept_open(folder: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError), RealKernel().within(str(folder)) as text_of:
        text_of("none")
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("below", [".", "no/such/folder"])
def test_what_is_not_there_is_named_by_its_whole_path(folder: Path, below: str) -> None:
    reading = RealKernel().within(f"{folder}/{below}")
    with reading as text_of, pytest.raises(FileNotFoundError) as caught:
        text_of("none")
    assert caught.value.filename == f"{folder}/{below}/none"
