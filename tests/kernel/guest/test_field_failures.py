# SPDX-License-Identifier: Apache-2.0
"""Field failures that only a real kernel can show."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..commands import run, wait_for
from .export import TPG, export_lee
from .shell import batch, pyshell


def scsi_disk() -> Path:
    """Return a disk that scsi_debug has made."""
    run("modprobe", "-a", "sd_mod")
    run("modprobe", "scsi_debug", "dev_size_mb=16")
    folder = Path("/sys/bus/pseudo/drivers/scsi_debug")

    def found() -> Path | None:
        for block in folder.glob("adapter*/host*/target*/*:*/block/*"):
            return Path("/dev") / block.name
        return None

    return wait_for("the disk of scsi_debug", found)


def test_field_failure_33_a_pulled_disk_is_shown_missing_and_can_be_deleted(
    clean_lio: None,
) -> None:
    disk = scsi_disk()
    batch(
        f"/backstores/block create pulled {disk}",
        "/iscsi create iqn.2020-07.com.example:pulled",
        "/iscsi/iqn.2020-07.com.example:pulled/tpg1/luns create /backstores/block/pulled",
    )
    Path(f"/sys/block/{disk.name}/device/delete").write_text("1")
    wait_for("the disk to go", lambda: not Path(f"/sys/class/block/{disk.name}").exists())
    shown = pyshell("ls").stdout
    assert re.search(rf"pulled \.+ \[{disk} \(MISSING\) write-thru activated\]", shown)
    assert "lun0" in shown
    pyshell("/backstores/block", "delete", "pulled")
    assert "Storage Objects: 1" not in pyshell("ls", "/backstores").stdout


def test_field_failure_34_a_deleted_storage_object_leaves_no_ghosts(lee: Path) -> None:
    export_lee(lee)
    pyshell("/backstores/block", "delete", "lee_block")
    assert "LUNs: 0" in pyshell(f"{TPG}/luns", "status").stdout
    assert os.listdir(f"/sys/kernel/config/target{_configfs(TPG)}/lun") == []


def _configfs(path: str) -> str:
    return path.replace("/tpg", "/tpgt_")


def test_field_failures_42_and_73_configfs_is_mounted_and_etc_target_made(clean_lio: None) -> None:
    for fabric in Path("/sys/kernel/config/target").glob("[il]*"):
        fabric.rmdir()
    run("umount", "/sys/kernel/config")
    run("umount", "/etc/target")
    run("rm", "-rf", "/etc/target")
    assert "backstores" in pyshell("ls").stdout
    assert os.path.ismount("/sys/kernel/config")
    assert pyshell("/backstores/ramdisk", "create", "memory", "1M").stderr == ""
    assert os.path.isdir("/etc/target")


def test_field_failure_72_every_spelling_of_true_protects(lee: Path) -> None:
    export_lee(lee)
    acl = f"{TPG}/acls/iqn.2020-07.192.168.56.105:client"
    words = ("true", "True", "YES", "on", "1")
    batch(*(f"{acl} create {index} 0 write_protect={word}" for index, word in enumerate(words, 1)))
    assert pyshell("ls", acl).stdout.count("(ro)]") == len(words)
    assert pyshell(acl, "create", "9", "0", "write_protect=maybe", status=2).stdout == ""


def test_a_device_in_use_is_refused_with_the_name_of_its_holder(lee: Path) -> None:
    export_lee(lee)
    refused = pyshell("/backstores/block", "create", "second", str(lee), status=5)
    assert "lee_block" in refused.stderr
