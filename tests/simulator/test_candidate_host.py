# SPDX-License-Identifier: Apache-2.0
"""A candidate writes nothing of its host: no image file, folder, service, timer or log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driver import Pyshell, everything_below
from pyshell.config.candidate import Candidate
from pyshell.errors import ConflictError
from pyshell.host.real_machine import RealMachine
from pyshell.lio import Lio, listing
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Operation, carry_out
from pyshell.lio.operations.storage import CreateImageFile, CreateStorageObject, GrowImageFile

SIZE = 1 << 20


@pytest.fixture
def candidate(pyshell: Pyshell, tmp_path: Path) -> Iterator[Candidate]:
    """Return a candidate whose host is the one that runs the tests."""
    pyshell.must("/backstores/ramdisk create name=one size=1M")
    made = Candidate(replace(pyshell.open(), machine=RealMachine()))
    yield made
    made.close()


def fileio(lio: Lio, path: Path, size: int = SIZE) -> CreateStorageObject:
    place = StorageObject("fileio", path.stem, listing.free_hba(lio), lio.root)
    return CreateStorageObject(place, {"dev": str(path), "size": size, "write_back": True})


def do(candidate: Candidate, *operations: Operation) -> None:
    candidate.note(operations)
    carry_out(candidate.lio, operations)


def test_image_files_of_the_host_are_not_written(candidate: Candidate, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    there = folder / "there.img"
    there.write_bytes(b"content" * 1000)
    os_time = there.stat().st_mtime_ns
    before = everything_below(folder)
    new = folder / "new.img"
    lio = candidate.lio
    do(candidate, CreateImageFile(str(new), SIZE, sparse=False), fileio(lio, new))
    do(candidate, fileio(lio, there, 7000))
    do(candidate, GrowImageFile(str(there), SIZE, sparse=False))
    do(candidate, GrowImageFile(str(new), 2 * SIZE, sparse=True))
    assert lio.machine.host_file(str(there)).stat().st_size == SIZE
    assert lio.machine.host_file(str(new)).stat().st_size == 2 * SIZE
    assert everything_below(folder) == before
    assert there.stat().st_mtime_ns == os_time
    steps = candidate.plan(candidate.begun).operations
    made = next(one for one in steps if isinstance(one, CreateImageFile))
    assert (made.path, made.size, made.sparse) == (str(new), 2 * SIZE, False)


def test_files_are_those_of_the_host(candidate: Candidate, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    machine = candidate.lio.machine
    assert machine.host_file(str(file)) == file
    assert machine.text("/proc/sys/kernel/ostype") == "Linux"
    assert machine.host_file("/etc/target/saveconfig.json") == Path("/etc/target/saveconfig.json")
    assert machine.addresses() == RealMachine().addresses()


def test_the_host_is_not_changed(candidate: Candidate) -> None:
    machine = candidate.lio.machine
    changes: list[Callable[[], None]] = [
        lambda: machine.services().enable(["target.service"]),
        lambda: machine.services().disable(["target.service"]),
        lambda: machine.change_medium("fbo", "disc", 1, "/srv/disc.iso"),
        lambda: machine.start_timer("unit", [1], ["x"]),
        lambda: machine.stop_timer("unit"),
    ]
    for change in changes:
        with pytest.raises(ConflictError):
            change()
    machine.log("text")
    machine.announce("text")


def test_no_folder_of_the_kernels_state_is_created(candidate: Candidate) -> None:
    assert candidate.lio.prepare_change() == []
    assert not candidate.lio.dbroot_folder("pr").exists()
    assert candidate.lio.run_dir.is_relative_to(candidate.lio.candidate_folder or "/none")
