# SPDX-License-Identifier: Apache-2.0
"""ALUA: logical unit groups, a storage object's target port groups, and the LUNs in them."""

from __future__ import annotations

import errno

from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.recorded import template
from pyshell.simulator.refusal import refuse
from pyshell.simulator.values import integer

DEFAULT_GROUP = "default_tg_pt_gp"
# How the kernel's own messages call a fabric, where that is not its folder's name.
_FABRIC_NAMES = {"iscsi": "iSCSI"}
_STATES = {
    "0": "Active/Optimized",
    "1": "Active/NonOptimized",
    "2": "Standby",
    "3": "Unavailable",
    "4": "LBA Dependent",
    "14": "Offline",
    "15": "Transitioning",
}
_STATUSES = ("None", "Altered by Explicit STPG", "Altered by Implicit ALUA")


def fabric_name(fabric: str) -> str:
    """Return the name that the kernel prints for a fabric."""
    return _FABRIC_NAMES.get(fabric, fabric)


def make_lu_group(kernel: Kernel, parent: Place, name: str) -> None:
    """Make core/alua/lu_gps/NAME."""
    kernel.tree.grow(f"{parent.owner}core/alua/lu_gps/{name}", template("lu_gp", ""), {})


def make_group(kernel: Kernel, parent: Place, name: str) -> None:
    """Make a target port group of a storage object; it is of use once its id is written."""
    kernel.tree.grow(f"{parent.owner}/alua/{name}", template("tg_pt_gp", parent.variant), {})


def drop_group(kernel: Kernel, place: Place) -> None:
    """Send the group's LUNs back to the default group."""
    default = f"{place.owner.rpartition('/')[0]}/{DEFAULT_GROUP}"
    for lun in members(kernel, place.owner):
        join(kernel, lun, default)


def members(kernel: Kernel, group: str) -> list[str]:
    """Return the LUNs in a target port group, in the order they came."""
    found: list[str] = kernel.tree.facts(group).get("members", [])
    return found


def join(kernel: Kernel, lun: str, group: str | None) -> None:
    """Move a LUN into a target port group; None only takes it out of its own."""
    facts = kernel.tree.facts(lun)
    old = facts.get("group")
    if old and kernel.tree.is_group(old):
        _set_members(kernel, old, [other for other in members(kernel, old) if other != lun])
    if group:
        _set_members(kernel, group, [*members(kernel, group), lun])
        kernel.tree.put(f"{lun}/alua_tg_pt_gp", _describe(kernel, group))
    facts["group"] = group
    kernel.tree.remember(lun, facts)


def refresh(kernel: Kernel, group: str) -> None:
    """Bring what the LUNs of a group show of it up to date."""
    text = _describe(kernel, group)
    for lun in members(kernel, group):
        kernel.tree.put(f"{lun}/alua_tg_pt_gp", text)


def _set_members(kernel: Kernel, group: str, luns: list[str]) -> None:
    kernel.tree.remember(group, {"members": luns})
    kernel.tree.put(f"{group}/members", "".join(_member_line(lun) for lun in luns))


def _member_line(lun: str) -> str:
    fabric, target, tpg, _, name = lun.split("/")
    return f"{fabric_name(fabric)}/{target}/{tpg}/{name}\n\0"  # the kernel copies the NUL too


def _describe(kernel: Kernel, group: str) -> str:
    def text(name: str) -> str:
        return kernel.tree.text(f"{group}/{name}").strip()

    return (
        f"TG Port Alias: {group.rpartition('/')[2]}\n"
        f"TG Port Group ID: {text('tg_pt_gp_id')}\n"
        f"TG Port Primary Access State: {_STATES.get(text('alua_access_state'), 'Unknown')}\n"
        f"TG Port Primary Access Status: {text('alua_access_status')}\n"
        "TG Port Secondary Access State: None\n"
        "TG Port Secondary Access Status: None\n"
    )


def write_group_id(kernel: Kernel, place: Place, text: str) -> None:
    """Number a target port group, once."""
    number = integer(text)
    path = f"{place.owner}/tg_pt_gp_id"
    if number > 0xFFFF or kernel.tree.text(path):
        refuse(errno.EINVAL)
    kernel.tree.put(path, f"{number}\n")


def write_state(kernel: Kernel, place: Place, text: str) -> None:
    """Set the primary access state by number."""
    number = integer(text)
    if str(number) not in _STATES:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/alua_access_state", f"{number}\n")
    refresh(kernel, place.owner)


def write_status(kernel: Kernel, place: Place, text: str) -> None:
    """Set the access status by number; it shows as words."""
    number = integer(text)
    if number >= len(_STATUSES):
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/alua_access_status", f"{_STATUSES[number]}\n")
    refresh(kernel, place.owner)


def write_type(kernel: Kernel, place: Place, text: str) -> None:
    """Set which kinds of change the group allows, by number; it shows as words."""
    names = ("None", "Implicit", "Explicit", "Implicit and Explicit")
    number = integer(text)
    if number >= len(names):
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/alua_access_type", f"{names[number]}\n")


RULES = Rules(
    makes={"lu_gp": make_lu_group, "tg_pt_gp": make_group},
    drops={"tg_pt_gp": drop_group},
    writes={
        ("tg_pt_gp", "tg_pt_gp_id"): write_group_id,
        ("tg_pt_gp", "alua_access_state"): write_state,
        ("tg_pt_gp", "alua_access_status"): write_status,
        ("tg_pt_gp", "alua_access_type"): write_type,
    },
)
