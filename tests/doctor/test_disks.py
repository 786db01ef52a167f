# SPDX-License-Identifier: Apache-2.0
"""Findings about disks and their devices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.simulator import SimulatedDevice

from .findings import (
    ACL,
    OTHER,
    SECRET,
    doctor,
    follow,
    gone,
    only,
    paths,
)


def test_two_disks_have_one_serial_number(healthy: Pyshell) -> None:
    serial = healthy.read("core/iblock_0/lee_block/wwn/vpd_unit_serial").split(": ")[1].strip()
    healthy.must(
        f"/backstores/ramdisk create name=twin size=8M wwn={serial}",
        f"{TPG}/luns create /backstores/ramdisk/twin",
    )
    commands = only(healthy, "disks", "/backstores/ramdisk/twin", "/backstores/block/lee_block")
    follow(healthy, commands)
    assert gone(healthy, "disks")


def test_two_disks_have_one_id_though_their_serial_numbers_differ(healthy: Pyshell) -> None:
    near = "8d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a0"
    healthy.must(
        f"/backstores/ramdisk create name=one size=8M wwn={near}1",
        f"/backstores/ramdisk create name=two size=8M wwn={near}2",
        f"{TPG}/luns create /backstores/ramdisk/one add_mapped_luns=false",
        f"{TPG}/luns create /backstores/ramdisk/two add_mapped_luns=false",
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
        f"{TPG}/acls/{OTHER} create 7 2 write_protect=true",
    )
    before = healthy.line(f"ls {TPG}").out
    told = "is also that of /backstores/ramdisk/one"
    follow(healthy, only(healthy, "disks", "/backstores/ramdisk/two", told))
    assert gone(healthy, "disks")
    assert healthy.line(f"ls {TPG}").out == before


def test_of_two_disks_with_one_id_the_unused_one_changes_and_a_disconnect_is_reported(
    healthy: Pyshell,
) -> None:
    near = "8d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a0"
    healthy.must(
        f"/backstores/ramdisk create name=one size=8M wwn={near}1",
        f"/backstores/ramdisk create name=two size=8M wwn={near}2",
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
        f"{TPG}/luns create /backstores/ramdisk/one add_mapped_luns=false",
        f"{TPG}/luns create /backstores/ramdisk/two add_mapped_luns=false",
        f"{TPG}/acls/{OTHER} create 0 2",
    )
    healthy.simulator.login(SERVER, 1, OTHER, "192.168.56.106")
    only(healthy, "disks", "/backstores/ramdisk/one", "the id naa.60014058d2b4")
    healthy.must(f"{TPG}/acls/{CLIENT} create 7 1")
    healthy.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    told = f"It disconnects {OTHER}: unmount the disk and log out there first"
    only(healthy, "disks", "/backstores/ramdisk/two", told)


def test_a_disk_that_is_not_exported(healthy: Pyshell) -> None:
    healthy.must("/backstores/ramdisk create name=idle size=8M")
    (choice,) = only(healthy, "disks", "/backstores/ramdisk/idle", "no LUN exports it")
    follow(healthy, [choice.replace("INITIATOR", CLIENT)])
    assert gone(healthy, "disks")


@pytest.fixture
def buffered(healthy: Pyshell) -> Pyshell:
    """Return pyshell where an image file is exported that the host's memory caches."""
    healthy.line("/backstores/fileio create name=image file_or_dev=/srv/image size=8M").done()
    healthy.must(f"{TPG}/luns create /backstores/fileio/image lun=lun5", "saveconfig")
    return healthy


def test_a_cache_that_initiators_do_not_see(buffered: Pyshell) -> None:
    (attribute,) = buffered.configfs.glob("core/fileio_*/image/attrib/emulate_write_cache")
    buffered.simulator.write(str(attribute), "0")
    commands = only(buffered, "disks", "/backstores/fileio/image", "corrupts file systems")
    follow(buffered, commands)
    assert attribute.read_text(encoding="utf-8") == "1\n"


def test_a_cache_without_a_battery(buffered: Pyshell) -> None:
    expires = buffered.simulator.machine.file("/proc/sys/vm/dirty_expire_centisecs")
    expires.parent.mkdir(parents=True)
    expires.write_text("12000\n", encoding="utf-8")
    only(buffered, "disks", "/backstores/fileio/image", "about the last 125 seconds")
    commands = only(buffered, "disks", "/backstores/fileio/image", "no battery")
    ran = buffered.line("doctor /backstores")
    assert ran.status == 0, "it is the default of create"
    assert ran.lines[0].startswith("info: /backstores/fileio/image: ")
    assert ran.lines[-1].startswith("No problems found")
    follow(buffered, commands)
    assert gone(buffered, "disks")
    assert "fileio/image (/srv/image)" in buffered.line(f"ls {TPG}/luns/lun5").out


@pytest.mark.parametrize(
    ("made_of", "is_found"),
    [("/srv/image size=8M", True), ("/dev/sdb", True), ("/dev/sdc", False)],
)
def test_asynchronous_writes_that_nobody_flushes(
    healthy: Pyshell, made_of: str, is_found: bool
) -> None:
    """As seen on Linux 6.1: writes with aio do not flush the cache of the device."""
    healthy.line(f"/backstores/fileio create image {made_of} write_back=false aio=true")
    healthy.must(
        f"{TPG}/luns create /backstores/fileio/image lun=lun5",
        "saveconfig",
    )
    if is_found:
        follow(healthy, only(healthy, "disks", "/backstores/fileio/image", "does not flush"))
    assert gone(healthy, "disks")
    healthy.must("saveconfig")
    assert "write_back" not in healthy.line("check").out


@pytest.mark.parametrize("name", ["emulate_tpu", "emulate_tpws"])
def test_discard_on_a_device_that_lost_it(healthy: Pyshell, name: str) -> None:
    """The saved limits make the kernel enable it without asking the device."""
    block = "/backstores/block/lee_block"
    healthy.must(f"{block} set attribute emulate_tpu=0", f"{block} set attribute {name}=1")
    healthy.must("saveconfig", "clearconfig confirm=true")
    healthy.simulator.machine.add(replace(lee(healthy), discard_sectors=0))
    healthy.must("restoreconfig")
    assert "on, but the device cannot discard" in healthy.line(f"{block} info").out
    follow(healthy, only(healthy, "disks", block, "/dev/mapper/lee-lee.lv cannot discard"))
    assert gone(healthy, "disks")


@pytest.mark.parametrize("write_back", [False, True])
def test_synchronous_writes_are_flushed(healthy: Pyshell, write_back: bool) -> None:
    """A block object reports the device's cache; a file without aio is written with O_DSYNC."""
    lee = healthy.simulator.machine.device("/dev/mapper/lee-lee.lv")
    assert lee is not None
    assert lee.write_cache
    aio = str(write_back).lower()  # direct writes are not kept in this host's memory
    healthy.prepare(
        f"/backstores/fileio create image /dev/sdb write_back={aio} aio={aio}",
        f"{TPG}/luns create /backstores/fileio/image lun=lun5",
        "saveconfig",
    )
    assert gone(healthy, "disks")


def test_a_recreated_disk_keeps_exactly_its_mappings(
    buffered: Pyshell,
) -> None:
    buffered.must(
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
        f"{ACL} delete 5",
        f"{ACL} create 9 5 write_protect=true",
    )
    before = buffered.line(f"ls {TPG}").out
    assert "mapped_lun9" in before
    follow(buffered, only(buffered, "disks", "/backstores/fileio/image", "no battery"))
    assert gone(buffered, "disks")
    assert buffered.line(f"ls {TPG}").out == before


def test_a_cache_with_a_battery(buffered: Pyshell) -> None:
    kind = buffered.simulator.machine.file("/sys/class/power_supply/BAT0/type")
    kind.parent.mkdir(parents=True)
    kind.write_text("Battery\n", encoding="utf-8")
    assert doctor(buffered) == []


def lee(pyshell: Pyshell) -> SimulatedDevice:
    """Return the scenario's volume."""
    found = pyshell.simulator.machine.device("/dev/mapper/lee-lee.lv")
    assert found is not None
    return found


def test_a_device_is_missing(healthy: Pyshell) -> None:
    path = "/backstores/block/lee_block"
    healthy.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    before = paths(healthy)
    choices = only(healthy, "devices", path, "/dev/mapper/lee-lee.lv is gone")
    follow(healthy, [one.replace("/dev/disk/by-id/NEW-DEVICE", "/dev/sdc") for one in choices])
    assert gone(healthy, "devices")
    assert healthy.document()["storage_objects"][0]["dev"] == "/dev/sdc"
    assert paths(healthy) == before


@pytest.mark.parametrize(
    ("holder", "command"),
    [
        ("mounted on /srv/data", "umount /srv/data"),
        ("used as swap", "swapoff /dev/mapper/lee-lee.lv"),
        ("held by md0", "mdadm --stop /dev/md0"),
        ("held by dm-7", "lvchange -an /dev/mapper/guest-root"),
        ("held by dm-8", "dmsetup remove secret"),
    ],
)
def test_this_host_uses_a_device_itself(healthy: Pyshell, holder: str, command: str) -> None:
    for name, mapped, uuid in (("dm-7", "guest-root", "LVM-x"), ("dm-8", "secret", "CRYPT-x")):
        folder = healthy.folder / "sysfs"
        place = healthy.simulator.machine.file(f"/sys/class/block/{name}/dm")
        assert place.is_relative_to(folder)
        place.mkdir(parents=True)
        (place / "name").write_text(f"{mapped}\n", encoding="utf-8")
        (place / "uuid").write_text(f"{uuid}\n", encoding="utf-8")
    machine = healthy.simulator.machine
    machine.add(replace(lee(healthy), holder=holder))

    def host(printed: str) -> None:
        assert printed == command
        machine.add(replace(lee(healthy), holder=None))

    follow(healthy, only(healthy, "devices", "/backstores/block/lee_block", holder), host)
    assert gone(healthy, "devices")


def test_a_device_has_a_name_that_changes(healthy: Pyshell) -> None:
    healthy.must(
        "/backstores/block create name=disk dev=/dev/sdb",
        f"{TPG}/luns create /backstores/block/disk",
        "saveconfig",
    )
    assert gone(healthy, "devices")
    machine = healthy.simulator.machine
    lasting = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"
    machine.edit(links={**machine.table().links, lasting: "/dev/sdb"})
    follow(healthy, only(healthy, "devices", "/backstores/block/disk", lasting))
    follow(healthy, only(healthy, "saving", str(healthy.saved_file), "not saved"))
    assert doctor(healthy) == []
    assert f'"dev": "{lasting}"' in healthy.saved_file.read_text(encoding="utf-8")


@pytest.mark.parametrize(("size", "told"), [(4 << 20, "is lost"), (16 << 20, "is not used")])
def test_an_image_file_is_resized_by_others(buffered: Pyshell, size: int, told: str) -> None:
    image = buffered.simulator.machine.file("/srv/image")
    with image.open("r+b") as file:
        file.truncate(size)
    follow(buffered, only(buffered, "devices", "/backstores/fileio/image", told))
    assert gone(buffered, "devices")


def test_a_storage_object_that_was_never_configured(healthy: Pyshell) -> None:
    core = healthy.configfs / "core"
    healthy.simulator.mkdir(str(core / "rd_mcp_9"))
    healthy.simulator.mkdir(str(core / "rd_mcp_9/half"))
    (found,) = [one for one in doctor(healthy) if one["check"] == "devices"]
    assert found["path"] == "/backstores/ramdisk/half"
    assert "never configured" in found["message"]
    assert not found["commands"]
    healthy.must("/backstores/ramdisk delete half")
    assert gone(healthy, "devices")


def test_an_initiator_without_the_required_secret_cannot_log_in(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} set attribute authentication=1", "saveconfig")
    (command,) = only(healthy, "access", ACL, "it cannot log in")
    assert command.endswith(f"{ACL} set auth userid=client password=-")
    healthy.must(f"{ACL} set auth userid=client password={SECRET}", "saveconfig")
    assert gone(healthy, "access")
    # An attribute of its own weighs more.
    healthy.must(f"{TPG}/acls create {OTHER} add_mapped_luns=false")
    only(healthy, "access", f"{TPG}/acls/{OTHER}", "it cannot log in")
    healthy.must(f"{TPG}/acls/{OTHER} set attribute authentication=0")
    assert gone(healthy, "access")
