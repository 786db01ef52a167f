# SPDX-License-Identifier: Apache-2.0
"""Devices as sysfs shows them, and their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyshell.host import Queue, ScsiDevice, block_devices


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """Return a folder with a disk of one partition, a tape, and a device without a driver."""
    for name in (
        "0:0:0:0/block/sda/sda1/partition",
        "0:0:0:0/scsi_generic/sg0",
        "1:0:0:0/scsi_tape/nst0",
        "1:0:0:0/scsi_tape/nst0a",
        "1:0:0:0/scsi_tape/st0",
        "1:0:0:0/scsi_tape/st0a",
        "1:0:0:0/scsi_generic/sg1",
        "2:0:0:0/power",
        "virtual/block/loop0",
    ):
        (tmp_path / name).mkdir(parents=True)
    for address, kind in (("0:0:0:0", 0), ("1:0:0:0", 1), ("2:0:0:0", 8)):
        (tmp_path / address / "type").write_text(f"{kind}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "path", "found"),
    [
        ("0:0:0:0", "", ScsiDevice("/dev/sda", "0:0:0:0", 0)),
        ("0:0:0:0/block/sda", "/dev/disk/x", ScsiDevice("/dev/disk/x", "0:0:0:0", 0)),
        ("1:0:0:0", "", ScsiDevice("/dev/st0", "1:0:0:0", 1)),
        ("1:0:0:0/scsi_tape/nst0", "/dev/nst0", ScsiDevice("/dev/nst0", "1:0:0:0", 1)),
        ("1:0:0:0/scsi_generic/sg1", "/dev/sg1", ScsiDevice("/dev/sg1", "1:0:0:0", 1)),
    ],
)
def test_a_device_by_its_names(sysfs: Path, folder: str, path: str, found: ScsiDevice) -> None:
    assert block_devices.scsi_device_at(str(sysfs / folder), path) == found


@pytest.mark.parametrize(
    ("folder", "path", "problem"),
    [
        ("0:0:0:0/scsi_generic/sg0", "/dev/sg0", "is a disk by its generic name: use /dev/sda"),
        ("0:0:0:0/block/sda/sda1", "/dev/sda1", "is a partition, and only whole devices"),
        ("2:0:0:0", "", "has no device node"),
    ],
)
def test_unusable_scsi_device_names_have_a_problem(
    sysfs: Path, folder: str, path: str, problem: str
) -> None:
    found = block_devices.scsi_device_at(str(sysfs / folder), path)
    assert found is not None
    assert found.problem.startswith(problem)


def test_other_paths_are_not_scsi_devices(sysfs: Path) -> None:
    assert block_devices.scsi_device_at(str(sysfs / "virtual/block/loop0"), "/dev/loop0") is None
    assert block_devices.scsi_device_at(str(sysfs / "9:9:9:9"), "") is None
    assert [
        block_devices.scsi_device(n) for n in ("/dev/null", "/etc/passwd", "/nowhere", "9:9:9:9")
    ] == [None] * 4


@pytest.mark.parametrize(
    ("kind", "name"), [(0, "disk"), (1, "tape"), (5, "CD-ROM"), (13, "SCSI device of type 13")]
)
def test_types_have_names(kind: int, name: str) -> None:
    assert ScsiDevice("/dev/x", "0:0:0:0", kind).type_name == name


def queue_that_shows(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str | None
) -> Queue:
    """Return what is read of a device's queue; None if the kernel has no such file."""
    (folder / "queue").mkdir()
    (folder / "queue/logical_block_size").write_text("512\n")
    if text:
        (folder / f"queue/{file}").write_text(f"{text}\n")
    monkeypatch.setattr(block_devices, "_folder", lambda name: str(folder))
    found = block_devices.queue("sda")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shown", "cache"),
    [("write back", True), ("write through", False), ("none", None), (None, None)],
)
def test_the_volatile_cache_of_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str | None, cache: bool | None
) -> None:
    assert queue_that_shows(tmp_path, monkeypatch, "write_cache", shown).write_cache is cache


@pytest.mark.parametrize(("shown", "depth"), [("256", 256), (None, 128)])
def test_a_queue_whose_length_the_kernel_does_not_show_has_the_default_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str | None, depth: int
) -> None:
    """As Linux 6.12 does for logical volumes."""
    assert queue_that_shows(tmp_path, monkeypatch, "nr_requests", shown).depth == depth


def test_the_best_lasting_name_of_a_disk(tmp_path: Path) -> None:
    device = tmp_path / "sda"
    device.touch()
    (tmp_path / "by-id").mkdir()
    for name in ("scsi-3500", "wwn-0x500", "lvm-pv-uuid-x"):
        os.symlink(device, tmp_path / "by-id" / name)
    folder = f"{tmp_path}/by-id/"
    assert block_devices.lasting_name(str(device), folder) == f"{folder}wwn-0x500"
    assert block_devices.lasting_name(str(tmp_path), folder) is None
    assert block_devices.lasting_name(str(device), f"{tmp_path}/none/") is None


@pytest.mark.parametrize(
    "path",
    ["/dev/sda", "/dev/sdab12", "/dev/nvme0n1", "/dev/nvme10n2p3", "/dev/vdb", "/dev/xvda1",
     "/dev/md0", "/dev/md127p1", "/dev/dm-3", "/dev/loop0", "/dev/sg1", "/dev/sr0", "/dev/st0"],
)  # fmt: skip
def test_names_that_may_change_between_boots(path: str) -> None:
    """Finding 27."""
    assert block_devices.moves_between_boots(path)


@pytest.mark.parametrize(
    "path",
    ["/dev/disk/by-id/wwn-0x5000", "/dev/mapper/lee-lee.lv", "/dev/md/data", "/dev/vg/lv", "",
     "/dev/zvol/tank/v", "/srv/sda", "/dev/sda/x", "/dev/rbd/pool/image", "/dev/sda\n", "1:0:0:0"],
)  # fmt: skip
def test_lasting_names(path: str) -> None:
    assert not block_devices.moves_between_boots(path)
