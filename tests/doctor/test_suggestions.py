# SPDX-License-Identifier: Apache-2.0
"""Suggested commands are safe (findings 18 and 19)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest

from driver import TPG, Pyshell, run_here
from pyshell.config import model
from pyshell.simulator import SimulatedDevice

from .findings import (
    ACL,
    OTHER,
    doctor,
    follow,
    gone,
    paths,
)


def _absent_device(pyshell: Pyshell) -> None:
    pyshell.simulator.machine.remove("/dev/mapper/lee-lee.lv")


def _restored_in_part(pyshell: Pyshell) -> None:
    pyshell.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    pyshell("clearconfig", "confirm=true").done()
    assert pyshell("restoreconfig").status == 1


def _lun_deleted_unsaved(pyshell: Pyshell) -> None:
    pyshell.must(f"{TPG}/luns delete lun0", "/backstores/ramdisk create name=new size=8M")


def _many_things(pyshell: Pyshell) -> None:
    pyshell.must(
        f"{TPG} disable",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{ACL} set auth userid=u password=short",
        f"{TPG}/acls create {OTHER}",
        f"/iscsi create {OTHER}",
        "/backstores/ramdisk create name=idle size=8M",
        "/backstores/fileio create name=image file_or_dev=/srv/i.img size=8M",
    )


def _damaged_file(pyshell: Pyshell) -> None:
    pyshell.saved_file.write_text("{")


@pytest.mark.parametrize(
    "spoil",
    [_absent_device, _restored_in_part, _lun_deleted_unsaved, _many_things, _damaged_file],
)
def test_finding_18_no_suggested_command_loses_anything(
    healthy: Pyshell, spoil: Callable[[Pyshell], None]
) -> None:
    spoil(healthy)
    (known, held) = (paths(healthy), saved_paths(healthy))
    suggested = [command for one in doctor(healthy) for command in one["commands"]]
    for command in suggested:
        assert not any(word.isupper() and len(word) > 2 for word in command.split()), command
        if "missing_only=true" in command:  # the device may still be absent
            assert run_here(shlex.split(command)[1:]).status in (0, 6)
        else:
            follow(healthy, [command])
        assert paths(healthy) >= known, command
        assert saved_paths(healthy) >= held, command


def saved_paths(pyshell: Pyshell) -> set[str]:
    """Return the objects that the saved file holds, none for a damaged one."""
    text = pyshell.saved_file.read_text()
    return set(model.items(json.loads(text), model.NAMES_ONLY)) if len(text) > 1 else set()


def test_finding_18_carried_over_objects_are_not_unsaved_changes(healthy: Pyshell) -> None:
    _restored_in_part(healthy)
    assert "saving" in {one["check"] for one in doctor(healthy)}
    found = [one["path"] for one in doctor(healthy) if one["check"] == "saving"]
    assert str(healthy.saved_file) not in found


def test_finding_19_check_and_status_report_a_dead_object(healthy: Pyshell) -> None:
    _absent_device(healthy)
    ran = healthy("check")
    assert ran.status == 1
    assert "/dev/mapper/lee-lee.lv is gone" in ran.out
    shown = healthy("-o", "json", "status").json["result"]
    assert shown["gone"] == {"/backstores/block/lee_block": "/dev/mapper/lee-lee.lv is gone"}
    assert shown["healthy"] is False
    assert "/dev/mapper/lee-lee.lv is gone" in healthy("status").out


def test_finding_19_an_object_is_recreated_on_a_device_that_is_back(
    healthy: Pyshell,
) -> None:
    before = paths(healthy)
    machine = healthy.simulator.machine
    device = machine.device("/dev/mapper/lee-lee.lv")
    assert device is not None
    machine.remove(device.path)
    machine.add(replace(device, path="/dev/old", present=False))  # the kernel keeps the old one
    machine.add(replace(device, kernel_name="dm-9", number="254:9"))
    (found,) = [one for one in doctor(healthy) if one["check"] == "devices"]
    assert not found["choices"]
    follow(healthy, found["commands"])
    assert gone(healthy, "devices")
    assert paths(healthy) == before
    assert healthy("diff").status == 0


@pytest.mark.parametrize("name", ["/dev/md127", "/dev/sdz", "/dev/dm-7"])
def test_a_device_whose_name_moves_is_reported_by_check_and_doctor(
    pyshell: Pyshell, name: str
) -> None:
    """Finding 27."""
    pyshell.simulator.machine.add(SimulatedDevice(name, name.removeprefix("/dev/"), 1 << 21))
    pyshell.must(f"/backstores/block create moving {name}", "saveconfig")
    lasting = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"
    machine = pyshell.simulator.machine
    machine.edit(links={**machine.table().links, lasting: name})
    told = f"{name} can be another disk after the next boot; {lasting} stays the same"
    assert any(told in one["message"] for one in doctor(pyshell))
    told = f"{name} can be another device after the next boot. Use {lasting}."
    assert told in pyshell("check").out


@pytest.mark.parametrize(
    ("told", "shown"),
    [(True, "write-back, the device's own"), (False, "write-thru: "), (None, "unknown")],
)
def test_info_has_the_cache_of_the_device_itself(
    pyshell: Pyshell, told: bool | None, shown: str
) -> None:
    """Finding 26: of a block device the attribute is always 0."""
    pyshell.must("/backstores/block create disk /dev/mapper/lee-lee.lv")
    lee = pyshell.simulator.machine.device("/dev/mapper/lee-lee.lv")
    assert lee is not None
    pyshell.simulator.machine.add(replace(lee, write_cache=told))
    assert (
        pyshell("-o", "json", "/backstores/block/disk", "info")
        .json["result"]["cache_text"]
        .startswith(shown)
    )
    assert "write-thru" in pyshell.line("ls /backstores/block").out
