# SPDX-License-Identifier: Apache-2.0
"""LUNs, and the mapped LUNs that are created with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.host import BlockDevice
from pyshell.simulator.simulated_machine import SimulatedMachine

OTHER = "iqn.2020-07.192.168.56.106:other"
THIRD = "iqn.2020-07.192.168.56.107:third"


def protection(pyshell: Pyshell) -> dict[str, str]:
    """Return `write_protect` of each mapped LUN, by initiator and number."""
    found = pyshell.configfs.glob("iscsi/*/tpgt_1/acls/*/lun_*/write_protect")
    return {f"{one.parts[-3][-6:]} {one.parts[-2]}": one.read_text().strip() for one in found}


def test_mapped_luns_of_a_read_only_storage_object_are_write_protected(target: Pyshell) -> None:
    target.must(
        "/backstores/block create ro dev=/dev/sdb readonly=true",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create /backstores/block/ro",
        f"{TPG}/acls create {OTHER}",
        f"{TPG}/acls/{OTHER} create 5 0",
        f"{TPG}/acls/{OTHER} create 6 0 write_protect=false",
        f"share /backstores/block/ro to={THIRD} target={SERVER}",
    )
    assert protection(target) == {
        "client lun_0": "1", ":other lun_0": "1", ":other lun_5": "1", ":other lun_6": "0",
        ":third lun_0": "1",
    }  # fmt: skip


def test_mapped_luns_on_a_new_read_only_device_are_write_protected(
    target: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    block_device = SimulatedMachine.block_device

    def read_only(machine: SimulatedMachine, path: str) -> BlockDevice | None:
        found = block_device(machine, path)
        return replace(found, read_only=True) if found is not None else None

    monkeypatch.setattr(SimulatedMachine, "block_device", read_only)
    target.must(
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/acls/{CLIENT} create 3 /dev/sdb",
        f"share /dev/sdb to={OTHER} target={SERVER}",
    )
    assert protection(target) == {"client lun_3": "1", ":other lun_0": "1"}


def test_a_targetcli_command_maps_a_read_only_storage_object_as_targetcli_does(
    target: Pyshell,
) -> None:
    target.must(
        "/backstores/block create ro dev=/dev/sdb readonly=true",
        f"{TPG}/acls create {CLIENT}",
    )
    assert target("--compat", f"{TPG}/luns", "create", "/backstores/block/ro").status == 0
    assert protection(target) == {"client lun_0": "0"}
