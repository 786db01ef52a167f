# SPDX-License-Identifier: Apache-2.0
"""ALUA groups, and the LUNs and storage objects that are in them."""

from __future__ import annotations

import pytest

from pyshell.simulator.alua_groups import page
from simulator.acts import IQN, LUN, Acts, outcome

DEFAULT = "core/rd_mcp_0/disk/alua/default_tg_pt_gp"
GROUP = "core/rd_mcp_0/disk/alua/group"
MEMBER = f"iSCSI/{IQN}/tpgt_1/lun_0\n\0"


def group(kernel: Acts, number: str = "5") -> None:
    """Make an exported storage object with a numbered group beside the default one."""
    kernel.exported()
    kernel.mkdir(GROUP)
    kernel.write(f"{GROUP}/tg_pt_gp_id", number)


def shown(kernel: Acts) -> list[str]:
    """Return what the LUN shows of its group, without the names."""
    return [line.partition(": ")[2] for line in kernel.read(f"{LUN}/alua_tg_pt_gp").splitlines()]


def test_a_new_lun_is_in_the_default_group(kernel: Acts) -> None:
    kernel.exported()
    assert kernel.read(f"{DEFAULT}/members") == MEMBER
    assert shown(kernel) == ["default_tg_pt_gp", "0", "Active/Optimized", "None", "None", "None"]


def test_a_lun_moves(kernel: Acts) -> None:
    group(kernel)
    kernel.write(f"{LUN}/alua_tg_pt_gp", "group\n")
    assert shown(kernel)[:2] == ["group", "5"]
    assert (kernel.read(f"{DEFAULT}/members"), kernel.read(f"{GROUP}/members")) == ("", MEMBER)


@pytest.mark.parametrize("text", ["nosuch", "", " ", "group2"])
def test_a_lun_moves_only_to_a_numbered_group(kernel: Acts, text: str) -> None:
    group(kernel)
    kernel.mkdir(f"{GROUP}2")
    assert outcome(kernel.write, f"{LUN}/alua_tg_pt_gp", text or "\n") == "ENODEV"


def test_luns_of_a_removed_group_move_to_the_default_group(kernel: Acts) -> None:
    group(kernel)
    kernel.write(f"{LUN}/alua_tg_pt_gp", "group")
    kernel.rmdir(GROUP)
    assert (shown(kernel)[0], kernel.read(f"{DEFAULT}/members")) == ("default_tg_pt_gp", MEMBER)


def test_a_change_of_state_shows_in_the_lun(kernel: Acts) -> None:
    kernel.exported()
    kernel.write(f"{DEFAULT}/alua_access_state", "2")
    assert shown(kernel)[2:4] == ["Standby", "Altered by Implicit ALUA"]


@pytest.mark.parametrize(
    ("inner", "value", "state"),
    [
        ("alua_support_standby", "0", "2"),
        ("alua_access_type", "2", "1"),
        ("preferred", "0", "9"),
        ("preferred", "0", "4"),
    ],
)
def test_states_that_a_group_refuses(kernel: Acts, inner: str, value: str, state: str) -> None:
    kernel.exported()
    kernel.write(f"{DEFAULT}/{inner}", value)
    assert outcome(kernel.write, f"{DEFAULT}/alua_access_state", state) == "EINVAL"


@pytest.mark.parametrize(
    ("number", "why"), [("0", "EINVAL"), ("65536", "EINVAL"), ("6", "EINVAL"), ("5", "EINVAL")]
)
def test_a_group_is_numbered_once(kernel: Acts, number: str, why: str) -> None:
    group(kernel)
    assert outcome(kernel.write, f"{GROUP}/tg_pt_gp_id", number) == why


def test_a_group_without_number_has_no_state(kernel: Acts) -> None:
    kernel.mkdir(f"{kernel.enabled()}/alua/group")
    assert outcome(kernel.write, f"{GROUP}/alua_access_state", "1") == "EINVAL"
    kernel.write(f"{GROUP}/tg_pt_gp_id", "0")
    assert kernel.read(f"{GROUP}/tg_pt_gp_id") == "1\n"


def test_a_state_needs_a_device(kernel: Acts) -> None:
    kernel.device()
    assert outcome(kernel.write, f"{DEFAULT}/alua_access_state", "1") == "ENODEV"


def test_secondary_states_are_kept_when_a_lun_is_unlinked(kernel: Acts) -> None:
    device = kernel.exported()
    kernel.write(f"{LUN}/alua_tg_pt_offline", "1")
    kernel.unlink(f"{LUN}/link")
    assert outcome(kernel.read, f"{LUN}/alua_tg_pt_offline") == "ENODEV"
    kernel.link(device, f"{LUN}/link")
    assert shown(kernel)[4:] == ["Offline", "Altered by Implicit ALUA"]


def test_a_passed_through_disk_has_no_alua_of_its_own(kernel: Acts) -> None:
    kernel.exported("pscsi")
    assert kernel.read(f"{LUN}/alua_tg_pt_gp") == ""
    assert outcome(kernel.write, f"{LUN}/alua_tg_pt_gp", "default_tg_pt_gp") == "ENODEV"


def test_an_attribute_shows_at_most_a_page() -> None:
    assert page(["x" * 99 + "\n"] * 50) == ("x" * 99 + "\n") * 40


UNITS = "core/alua/lu_gps/units"


def test_a_storage_object_moves_between_unit_groups(kernel: Acts) -> None:
    device = kernel.enabled()
    assert kernel.read("core/alua/lu_gps/default_lu_gp/members") == "rd_mcp_0/disk\n"
    kernel.mkdir(UNITS)
    kernel.write(f"{UNITS}/lu_gp_id", "7")
    kernel.write(f"{device}/alua_lu_gp", "units")
    assert kernel.read(f"{device}/alua_lu_gp") == "LU Group Alias: units\nLU Group ID: 7\n"
    kernel.rmdir(UNITS)
    assert kernel.read("core/alua/lu_gps/default_lu_gp/members") == "rd_mcp_0/disk\n"


def test_nothing_moves_back_to_the_default_unit_group(kernel: Acts) -> None:
    device = kernel.enabled()
    assert outcome(kernel.write, f"{device}/alua_lu_gp", "default_lu_gp") == "ENODEV"


def test_a_removed_storage_object_leaves_its_unit_group(kernel: Acts) -> None:
    kernel.rmdir(kernel.enabled())
    assert kernel.read("core/alua/lu_gps/default_lu_gp/members") == ""
