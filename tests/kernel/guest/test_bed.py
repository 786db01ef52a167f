# SPDX-License-Identifier: Apache-2.0
"""The guest is what the other tests here take it for: Debian's kernel with an empty LIO."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import rtslib_fb as rtslib

from pyshell.lio.configfs import changing

from .. import lio


@pytest.fixture(autouse=True)
def rtslib_may_change_the_kernel() -> Iterator[None]:
    """Let rtslib create objects without one of pyshell's operations."""
    with changing():
        yield


def test_kernel_is_the_beds_own_with_its_modules() -> None:
    assert Path("/lib/modules", os.uname().release, "kernel").is_dir()


def test_configfs_shows_an_empty_lio() -> None:
    assert " /sys/kernel/config configfs " in Path("/proc/mounts").read_text()
    assert sorted(os.listdir(lio.CONFIGFS)) == ["core", "dbroot", "version"]


def test_rtslib_makes_a_ramdisk() -> None:
    rtslib.RDMCPStorageObject("disk", 1 << 20)
    assert (lio.CONFIGFS / "core/rd_mcp_0/disk/udev_path").exists()


def test_lio_is_cleared_of_all_kinds_of_objects() -> None:
    disk = rtslib.RDMCPStorageObject("disk", 1 << 20)
    rtslib.ALUATargetPortGroup(disk, "group", 1)
    for fabric, wwn in (
        ("iscsi", "iqn.2020-07.org.example:a"),
        ("loopback", "naa.5001405000000001"),
    ):
        tpg = rtslib.TPG(rtslib.Target(rtslib.FabricModule(fabric), wwn), 1)
        lun = rtslib.LUN(tpg, 0, disk)
        if fabric == "iscsi":
            rtslib.NetworkPortal(tpg, "0.0.0.0", 3260)
            rtslib.MappedLUN(rtslib.NodeACL(tpg, "iqn.2020-07.org.example:b"), 0, lun)
            tpg.enable = True
    Path("/etc/target/backup").mkdir()
    Path("/etc/target/backup/old.json").write_text("{}")
    lio.clear()
    assert os.listdir(lio.CONFIGFS / "core") == ["alua"]
    assert sorted(os.listdir(lio.CONFIGFS)) == ["core", "dbroot", "version"]
    assert os.listdir("/etc/target") == []


def test_files_are_brought_back(results: Path) -> None:
    (results / "note").write_text("from the guest\n")
