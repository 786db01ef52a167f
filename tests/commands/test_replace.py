# SPDX-License-Identifier: Apache-2.0
"""`replace` exchanges the device below a storage object: initiators see the same disk."""

from __future__ import annotations

from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

DISK = "/backstores/block/disk1"
IMAGE = "/backstores/fileio/image1"
KEPT = ("wwn", "vendor", "product", "revision", "naa", "luns", "initiators")


@pytest.fixture
def disk(target: Pyshell) -> Pyshell:
    """Return pyshell where a disk of 8 GiB is exported."""
    target.prepare(
        "/backstores/block create disk1 /dev/sdb wwn=0123456789abcdef vendor=ACME",
        f"{DISK} set attribute emulate_3pc=0",
        f"{DISK}/alua create standby 16",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create {DISK} 3",
        f"{TPG}/luns/lun3 set alua alua_tg_pt_gp_name=standby",
    )
    return target


def info(pyshell: Pyshell, path: str = DISK) -> dict[str, Any]:
    found: dict[str, Any] = pyshell("-o", "json", path, "info").json["result"]
    return found


def test_only_the_device_differs(disk: Pyshell) -> None:
    before = info(disk)
    ran = disk.line(f"{DISK} replace dev=/dev/mapper/lee-lee.lv").done()
    assert ran.lines == [
        "Replaced /dev/sdb by /dev/mapper/lee-lee.lv below storage object block/disk1."
    ]
    after = info(disk)
    assert after["dev"] == "/dev/mapper/lee-lee.lv"
    assert [after.get(name) for name in KEPT] == [before.get(name) for name in KEPT]
    assert disk.line(f"{DISK} get attribute emulate_3pc").lines[0].strip() == "emulate_3pc=0"
    assert "(standby)" in disk.line(f"ls {TPG}/luns").out
    disk.must("undo")
    assert info(disk) == before


def test_the_question_and_a_dry_run_name_the_sessions(disk: Pyshell) -> None:
    line = f"{DISK} replace dev=/dev/mapper/lee-lee.lv"
    disk.must(f"login {CLIENT}")
    before = disk.tree()
    ran = disk(line, keyboard=True, stdin="n\n")
    assert f"This takes a disk from {CLIENT}, logged in now. Continue?" in ran.err
    assert f"Would take a disk from {CLIENT}" in disk.line(line, "--dry-run").done().out
    assert disk.tree() == before


def test_a_smaller_device_needs_force(disk: Pyshell) -> None:
    disk.must(f"{DISK} replace dev=/dev/mapper/lee-lee.lv")
    ran = disk.line(f"{DISK} replace dev=/dev/sdb")
    assert ran.status == 2
    assert "is smaller than storage object block/disk1" in ran.err
    disk.must(f"{DISK} replace dev=/dev/sdb force=true")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/nothing", "There is no block device /dev/nothing."),
        ("/dev/mapper/lee-lee.lv", "/dev/mapper/lee-lee.lv is in use: storage object block/other"),
    ],
)
def test_a_device_that_cannot_be_used_is_refused(disk: Pyshell, path: str, message: str) -> None:
    disk.must("/backstores/block create other /dev/mapper/lee-lee.lv")
    before = disk.tree()
    ran = disk.line(f"{DISK} replace dev={path}")
    assert ran.status != 0
    assert message in ran.err
    assert disk.tree() == before


def test_the_same_device_changes_nothing(disk: Pyshell) -> None:
    before = disk.tree()
    assert "already uses /dev/sdb" in disk.line(f"{DISK} replace dev=/dev/sdb").done().out
    assert disk.tree() == before


def test_a_device_that_is_gone_is_replaced(disk: Pyshell) -> None:
    serial = info(disk)["wwn"]
    disk.simulator.machine.remove("/dev/sdb")
    disk.must(f"{DISK} replace dev=/dev/mapper/lee-lee.lv")
    found = info(disk)
    assert (found["dev"], found["wwn"]) == ("/dev/mapper/lee-lee.lv", serial)
    assert found["initiators"] == [CLIENT]


def test_an_incomplete_object_holds_no_device(disk: Pyshell) -> None:
    left = disk.configfs / "core/iblock_7/left"
    disk.simulator.mkdir(str(left.parent))
    disk.simulator.mkdir(str(left))
    disk.simulator.write(str(left / "udev_path"), "/dev/mapper/lee-lee.lv")
    disk.must(f"{DISK} replace dev=/dev/mapper/lee-lee.lv")


def test_an_image_file_can_be_exchanged(disk: Pyshell) -> None:
    disk.must(
        "/backstores/fileio create image1 /srv/image1.img 1M write_back=false",
        f"{IMAGE} set attribute block_size=4096",
        f"{TPG}/luns create {IMAGE} 5",
    )
    copy = disk.simulator.machine.file("/srv/copy.img")
    copy.write_bytes(bytes(2 << 20))
    disk.must(f"{IMAGE} replace dev=/srv/copy.img")
    found = info(disk, IMAGE)
    assert (found["dev"], found["size"], found["write_back"]) == ("/srv/copy.img", 2 << 20, False)
    assert disk.line(f"{IMAGE} get attribute block_size").lines[0].strip() == "block_size=4096"
    ran = disk.line(f"{IMAGE} replace dev=/srv/missing.img")
    assert "There is no image file /srv/missing.img." in ran.err


def test_other_backstores_have_no_device(target: Pyshell) -> None:
    target.must("/backstores/ramdisk create memory 1M")
    ran = target.line("/backstores/ramdisk/memory replace dev=/dev/sdb")
    assert ran.status == 2
    assert "Only block and fileio storage objects can." in ran.err


def test_what_a_cluster_starts_is_not_replaced(disk: Pyshell) -> None:
    file = disk.config_dir / "cluster" / "disks.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    disk.must(f"saveconfig {file} target={SERVER}")
    ran = disk.line(f"{DISK} replace dev=/dev/mapper/lee-lee.lv")
    assert ran.status == 5
    assert "is under cluster control" in ran.err
