# SPDX-License-Identifier: Apache-2.0
"""The table of hardware: looked up by any name, changed by hand or by a test."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from driver import Pyshell
from pyshell.simulator import Hardware, SimulatedDevice
from simulator.acts import VOLUME, Acts


@pytest.fixture
def machine(kernel: Acts) -> Hardware:
    """Return the machine as it is delivered."""
    return kernel.simulator.machine


@pytest.mark.parametrize("path", [VOLUME, "/dev/dm-0", "/dev/lee/lee.lv"])
def test_the_volume_of_the_scenario(machine: Hardware, path: str) -> None:
    found = machine.device(path)
    assert found
    assert (found.path, found.kernel_name, found.size) == (VOLUME, "dm-0", 21474836480)


def test_sizes_in_logical_blocks(machine: Hardware) -> None:
    disk = machine.named("nvme0n1")
    assert disk
    assert (disk.sector_size, disk.sectors) == (4096, disk.size // 4096)


def test_a_scsi_device_by_its_address(machine: Hardware) -> None:
    assert [machine.at(hctl) and machine.at(hctl).path for hctl in ("0:0:1:0", "9:9:9:9")] == [  # type: ignore[union-attr]
        "/dev/sdb",
        None,
    ]


def test_a_removed_disk_is_not_found(machine: Hardware) -> None:
    machine.remove("/dev/sdd")
    assert (machine.device("/dev/sdd"), machine.named("sdd"), machine.at("1:0:0:0")) == (None,) * 3
    assert "/dev/sdd" in [device.path for device in machine.table().devices]


def test_a_removed_disk_can_be_added_again(machine: Hardware) -> None:
    disk = machine.device("/dev/sdd")
    assert disk
    machine.remove("/dev/sdd")
    machine.add(disk)
    assert machine.device("/dev/sdd") == disk


def test_an_unknown_disk_cannot_be_removed(machine: Hardware) -> None:
    with pytest.raises(ValueError, match="/dev/nothing"):
        machine.remove("/dev/nothing")


def test_a_new_device_is_found_at_once(machine: Hardware, kernel: Acts) -> None:
    machine.add(SimulatedDevice("/dev/vdb", "vdb", 1 << 30))
    other = Hardware(kernel.simulator.folder)
    assert other.device("/dev/vdb") == SimulatedDevice("/dev/vdb", "vdb", 1 << 30)


def test_a_circular_link_finds_nothing(kernel: Acts) -> None:
    kernel.edit_machine(links={"/dev/a": "/dev/b", "/dev/b": "/dev/a"})
    assert kernel.simulator.machine.device("/dev/a") is None


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/tmp/x.img", "files/tmp/x.img"),
        ("/etc/target", "etc/target"),
        ("/etc/target/pr/x", "etc/target/pr/x"),
        ("/etc/other", "files/etc/other"),
        ("../../etc/passwd", "files/etc/passwd"),
        ("relative", "files/relative"),
    ],
)
def test_where_a_file_of_the_host_is_stored(kernel: Acts, path: str, place: str) -> None:
    assert kernel.simulator.machine.file(path) == kernel.simulator.folder / place


def test_the_kernel_can_provide_two_fabrics(machine: Hardware) -> None:
    assert machine.table().fabrics == ("iscsi", "loopback")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("{}", "lacks devices and links"),
        ('{"devices": [{"pth": 1}], "links": {}, "fabrics": [], "cpus": 1}', "without path"),
    ],
)
def test_an_error_in_the_table_is_reported(kernel: Acts, text: str, told: str) -> None:
    Path(kernel.simulator.folder / "machine.json").write_text(text)
    with pytest.raises(ValueError, match=told):
        kernel.simulator.machine.device(VOLUME)


def table(**parts: object) -> str:
    """Return a table that is right but for some parts."""
    whole = {"devices": [], "links": {}, "fabrics": [], "cpus": 1}
    return json.dumps({**whole, **parts})


DEVICE = {"path": "/dev/x", "kernel_name": "x", "size": 1 << 20}


@pytest.mark.parametrize(
    "text",
    [
        "[]", "[" * 5000, table(cpus="two"), table(cpus=-1), table(cpus=10**30),
        table(memory=-1), table(links={"/dev/a": 5}), table(fabrics=[7]), table(handlers={"a": 1}),
        table(devices=[{**DEVICE, "kernel_name": 3}]), table(devices=[{**DEVICE, "size": "big"}]),
        table(devices=[{**DEVICE, "size": -1}]), table(devices=[{**DEVICE, "size": 10**20}]),
        table(devices=[{**DEVICE, "sector_size": 0}]), table(devices=[{**DEVICE, "present": 1}]),
        table(devices=[{**DEVICE, "hctl": ["0:0:0:0"]}]), table(devices=["x"]),
        table(devices=[{**DEVICE, "size": 1}])[:-1] + ', "x": ' + "1" * 5000 + "}",
    ],
)  # fmt: skip
def test_a_table_with_wrong_types_is_refused_when_opened(pyshell: Pyshell, text: str) -> None:
    """Finding 64."""
    pyshell.prepare("ls")
    (pyshell.folder / "machine.json").write_text(text)
    ran = pyshell.line("/backstores/ramdisk create a 1M")
    assert ran.status == 1
    assert ran.err.startswith(str(pyshell.folder / "machine.json"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_simulator_of_another_user_is_refused(pyshell: Pyshell) -> None:
    """Finding 45: its table and its links would lead root's writing anywhere."""
    pyshell.must("ls")
    os.chown(pyshell.folder, 65534, 65534)
    ran = pyshell.line("/backstores/ramdisk create a 1M")
    assert ran.status == 4
    assert f"the folder {pyshell.folder} belongs to nobody" in ran.err
    os.chown(pyshell.folder, 0, 0)
    (pyshell.folder / "machine.json").chmod(0o666)
    assert "other users can write to it" in pyshell.line("ls").err


@pytest.mark.parametrize(
    ("path", "offered"),
    [
        ("/srv/a.img", True),
        ("/srv/new/deep/a.img", True),
        ("//srv/../srv/new/a.img", True),
        ("/srv/../nosuch/a.img", False),
        ("/nosuch/a.img", False),
        ("/srvx/a.img", False),
        ("/a.img", False),
    ],
)
def test_folders_are_created_only_below_those_of_the_host(
    machine: Hardware, path: str, offered: bool
) -> None:
    """Finding 42: an image file in a folder that does not exist is refused elsewhere."""
    assert machine.offers(path) == offered


def test_no_folder_is_created_below_a_file(machine: Hardware) -> None:
    machine.file("/srv").mkdir(parents=True, exist_ok=True)
    machine.file("/srv/a.img").touch()
    assert not machine.offers("/srv/a.img/b.img")
