# SPDX-License-Identifier: Apache-2.0
"""Findings about initiators that can change a disk in spite of read-only access."""

from __future__ import annotations

from driver import CLIENT, TPG, Pyshell

from .findings import ACL, OTHER, doctor, follow, gone, only

DISK = "/backstores/block/lee_block"


def test_read_only_access_does_not_stop_write_same(healthy: Pyshell) -> None:
    healthy.must(f"{ACL}/mapped_lun0 set attribute write_protect=true")
    commands = only(healthy, "protection", DISK, f"{CLIENT} can overwrite it")
    follow(healthy, commands)
    assert gone(healthy, "protection")
    assert healthy.read("core/iblock_0/lee_block/attrib/max_write_same_len").strip() == "0"
    assert healthy.read("core/iblock_0/lee_block/attrib/emulate_3pc").strip() == "1"
    healthy.must("saveconfig", "clearconfig confirm=true", "restoreconfig")
    assert gone(healthy, "protection")


def test_turning_write_same_off_is_a_choice_if_others_may_write(healthy: Pyshell) -> None:
    healthy.must(
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
        f"{TPG}/acls/{OTHER} create 0 0 write_protect=true",
    )
    (found,) = [one for one in doctor(healthy) if one["check"] == "protection"]
    assert found["message"].startswith(f"{OTHER} can overwrite it")
    assert "those with write access" in found["message"]
    assert (found["commands"], len(found["choices"])) == ([], 1)


def test_demo_mode_with_read_only_access_does_not_stop_write_same(healthy: Pyshell) -> None:
    healthy.must(f"{ACL} delete 0", f"{TPG} set attribute generate_node_acls=1")
    told = f"initiators without an ACL in {TPG} can overwrite it"
    (command,) = only(healthy, "protection", DISK, told)
    assert "max_write_same_len=0" in command
    healthy.must(f"{TPG} set attribute demo_mode_write_protect=0")
    assert gone(healthy, "protection")


def test_an_initiator_that_may_write_to_one_disk_can_copy_it_to_another(healthy: Pyshell) -> None:
    healthy.must(
        "/backstores/ramdisk create name=memory size=8M",
        f"{TPG}/luns create /backstores/ramdisk/memory add_mapped_luns=false",
        f"{ACL} create 1 1 write_protect=true",
    )
    follow(healthy, only(healthy, "protection", "/backstores/ramdisk/memory", "EXTENDED COPY"))
    assert gone(healthy, "protection")
    assert healthy.read("core/rd_mcp_1/memory/attrib/emulate_3pc").strip() == "0"


def test_a_read_only_storage_object_is_protected_by_its_mapped_luns(healthy: Pyshell) -> None:
    healthy.must(
        "/backstores/block create name=archive dev=/dev/sdb readonly=true",
        f"{TPG}/luns create /backstores/block/archive add_mapped_luns=false",
        f"{ACL} create 1 1",
        f"{ACL}/mapped_lun1 set attribute write_protect=false",
    )
    path = "/backstores/block/archive"
    follow(healthy, only(healthy, "protection", path, f"but {CLIENT} can write to it"))
    follow(healthy, only(healthy, "protection", path, "in spite of read-only access"))
    assert gone(healthy, "protection")
    healthy.must(
        "/loopback create naa.5001405000000001",
        "/loopback/naa.5001405000000001/luns create /backstores/block/archive",
    )
    assert gone(healthy, "protection")
    healthy.must(f"{TPG} set attribute generate_node_acls=1 demo_mode_write_protect=0")
    (command,) = only(healthy, "protection", path, f"initiators without an ACL in {TPG} can write")
    assert "demo_mode_write_protect=1" in command


def test_a_ramdisk_has_no_write_same(healthy: Pyshell) -> None:
    healthy.must(
        "/backstores/ramdisk create name=memory size=8M",
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
        f"{TPG}/luns create /backstores/ramdisk/memory add_mapped_luns=false",
        f"{TPG}/acls/{OTHER} create 1 1 write_protect=true",
    )
    assert gone(healthy, "protection")
