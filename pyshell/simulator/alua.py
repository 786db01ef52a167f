# SPDX-License-Identifier: Apache-2.0
"""ALUA: a storage object's target port groups and the LUNs in them; logical unit groups."""

from __future__ import annotations

import errno

from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.recorded import template
from pyshell.simulator.refusal import refuse
from pyshell.simulator.values import cast, number

DEFAULT_GROUP = "default_tg_pt_gp"
DEFAULT_UNITS = "core/alua/lu_gps/default_lu_gp"
_NAME_MAX = 255
_FLAG_STATUS = "alua_tg_pt_status"
_ID_MAX = 0xFFFF
# How the kernel's own messages call a fabric, where that is not its folder's name.
_FABRIC_NAMES = {"iscsi": "iSCSI"}
# The states by number: how they are shown, and which file of a group says that it may take them.
_STATES = {
    0: ("Active/Optimized", "alua_support_active_optimized"),
    1: ("Active/NonOptimized", "alua_support_active_nonoptimized"),
    2: ("Standby", "alua_support_standby"),
    3: ("Unavailable", "alua_support_unavailable"),
    4: ("LBA Dependent", "alua_support_lba_dependent"),
    14: ("Offline", "alua_support_offline"),
    15: ("Transitioning", "alua_support_transitioning"),
}
_STATUSES = ("None", "Altered by Explicit STPG", "Altered by Implicit ALUA")
_IMPLICIT = ("Implicit\n", "Implicit and Explicit\n")


# Target port groups


def make_group(kernel: Kernel, parent: Place, name: str) -> None:
    """Make a target port group of a storage object; it is of use once its id is written."""
    kernel.tree.grow(f"{parent.owner}/alua/{name}", template("tg_pt_gp", ""), {})


def drop_group(kernel: Kernel, place: Place) -> None:
    """Send the group's LUNs back to the default group."""
    default = f"{_device_of(place.owner)}/alua/{DEFAULT_GROUP}"
    for lun in members(kernel, place.owner):
        join(kernel, lun, default)


def members(kernel: Kernel, group: str) -> list[str]:
    """Return the LUNs in a target port group, in the order they came."""
    found: list[str] = kernel.tree.facts(group).get("members", [])
    return found


def join(kernel: Kernel, lun: str, group: str) -> None:
    """Move a LUN into a target port group."""
    leave(kernel, lun)
    _set_members(kernel, group, [*members(kernel, group), lun])
    kernel.tree.remember(lun, {**kernel.tree.facts(lun), "group": group})
    describe(kernel, lun)


def leave(kernel: Kernel, lun: str) -> None:
    """Take a LUN out of its target port group."""
    facts = kernel.tree.facts(lun)
    group = facts.pop("group", None)
    if group:
        _set_members(kernel, group, [m for m in members(kernel, group) if m != lun])
        kernel.tree.remember(lun, facts)


def _set_members(kernel: Kernel, group: str, luns: list[str]) -> None:
    kernel.tree.remember(group, {"members": luns})
    kernel.tree.put(f"{group}/members", "".join(_member_line(lun) for lun in luns))


def _member_line(lun: str) -> str:
    fabric, target, tpg, _, name = lun.split("/")
    tag = number(tpg.removeprefix("tpgt_"), "u64")
    shown = _FABRIC_NAMES.get(fabric, fabric)
    return f"{shown}/{target}/tpgt_{tag}/{name}\n\0"  # the kernel copies the NUL too


def describe(kernel: Kernel, lun: str) -> None:
    """Bring what a LUN shows of its group up to date."""
    group = kernel.tree.facts(lun)["group"]

    def text(path: str) -> str:
        return kernel.tree.text(path).strip()

    offline = "Offline" if text(f"{lun}/alua_tg_pt_offline") == "1" else "None"
    kernel.tree.put(
        f"{lun}/alua_tg_pt_gp",
        f"TG Port Alias: {group.rpartition('/')[2]}\n"
        f"TG Port Group ID: {text(f'{group}/tg_pt_gp_id')}\n"
        f"TG Port Primary Access State: {_STATES[int(text(f'{group}/alua_access_state'))][0]}\n"
        f"TG Port Primary Access Status: {text(f'{group}/alua_access_status')}\n"
        f"TG Port Secondary Access State: {offline}\n"
        f"TG Port Secondary Access Status: {_STATUSES[int(text(f'{lun}/alua_tg_pt_status'))]}\n",
    )


def _show_to_members(kernel: Kernel, group: str) -> None:
    for lun in members(kernel, group):
        describe(kernel, lun)


def _device_of(group: str) -> str:
    return group.rsplit("/", 2)[0]


def write_group_id(kernel: Kernel, place: Place, text: str) -> None:
    """Number a target port group, once; 0 asks for the next free number."""
    value = number(text, "u64")
    path = f"{place.owner}/tg_pt_gp_id"
    taken = _ids(kernel, place, "tg_pt_gp_id")
    if value > _ID_MAX or kernel.tree.text(path) or value in taken - {0}:
        refuse(errno.EINVAL)
    kernel.tree.put(path, f"{value or max(taken) + 1}\n")


def _ids(kernel: Kernel, place: Place, file: str) -> set[int]:
    """Return the numbers of a group and its siblings."""
    folder = place.owner.rpartition("/")[0]
    texts = (kernel.tree.text(f"{folder}/{name}/{file}") for name in kernel.tree.groups(folder))
    return {int(text) for text in texts if text}


def write_state(kernel: Kernel, place: Place, text: str) -> None:
    """Change the primary access state of a numbered group of a storage object in use."""
    tree, group = kernel.tree, place.owner
    if not tree.text(f"{group}/tg_pt_gp_id"):
        refuse(errno.EINVAL)
    if not tree.facts(_device_of(group)).get("enabled") or place.variant == "pscsi":
        refuse(errno.ENODEV)
    value = cast(number(text, "u64"), "s32")
    if value not in _STATES or tree.text(f"{group}/alua_access_type") not in _IMPLICIT:
        refuse(errno.EINVAL)
    if tree.text(f"{group}/{_STATES[value][1]}") != "1\n":
        refuse(errno.EINVAL)
    tree.put(f"{group}/alua_access_state", f"{value}\n")
    tree.put(f"{group}/alua_access_status", f"{_STATUSES[2]}\n")
    _show_to_members(kernel, group)


def write_status(kernel: Kernel, place: Place, text: str) -> None:
    """Set by whom the state was changed, by number; it shows as words."""
    if not kernel.tree.text(f"{place.owner}/tg_pt_gp_id"):
        refuse(errno.EINVAL)
    value = cast(number(text, "u64"), "s32")
    if not 0 <= value < len(_STATUSES):
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/alua_access_status", f"{_STATUSES[value]}\n")
    _show_to_members(kernel, place.owner)


# What a LUN says of itself


def write_lun_group(kernel: Kernel, place: Place, text: str) -> None:
    """Move a LUN to another target port group of its storage object; NULL is the default one."""
    device = kernel.tree.facts(place.owner).get("leads_to")
    if device is None or not kernel.tree.facts(place.owner).get("group"):
        refuse(errno.ENODEV)
    if len(text) > _NAME_MAX:
        refuse(errno.EINVAL)
    name = text.strip()
    group = f"{device}/alua/{DEFAULT_GROUP if name == 'NULL' else name}"
    if not name or not kernel.tree.is_group(group):
        refuse(errno.ENODEV)
    if not kernel.tree.text(f"{group}/tg_pt_gp_id"):
        refuse(errno.ENODEV)
    join(kernel, place.owner, group)


def write_lun_flag(kernel: Kernel, place: Place, text: str) -> None:
    """Set the secondary state, its status, or whether it is kept in a file.

    The LUN keeps them while it leads to no storage object.
    """
    facts = kernel.tree.facts(place.owner)
    if not facts.get("leads_to"):
        refuse(errno.ENODEV)
    value = number(text, "u64")
    if value > (2 if place.inner == _FLAG_STATUS else 1):
        refuse(errno.EINVAL)
    changed = {place.inner: f"{value}\n"}
    if place.inner == "alua_tg_pt_offline":
        changed[_FLAG_STATUS] = "2\n"  # altered by implicit ALUA
    kernel.tree.remember(place.owner, {**facts, "flags": {**facts.get("flags", {}), **changed}})
    kernel.tree.put_all(place.owner, changed)
    describe(kernel, place.owner)


def kept_flags(kernel: Kernel, lun: str) -> dict[str, str]:
    """Return what a LUN shows again when it is linked anew."""
    flags: dict[str, str] = kernel.tree.facts(lun).get("flags", {})
    return flags


# Logical unit groups


def make_units(kernel: Kernel, _parent: Place, name: str) -> None:
    """Make core/alua/lu_gps/NAME; it is of use once its id is written."""
    kernel.tree.grow(f"core/alua/lu_gps/{name}", template("lu_gp", ""), {})


def drop_units(kernel: Kernel, place: Place) -> None:
    """Send the group's storage objects back to the default group."""
    for device in members(kernel, place.owner):
        join_units(kernel, device, DEFAULT_UNITS)


def join_units(kernel: Kernel, device: str, units: str) -> None:
    """Put a storage object into a logical unit group."""
    leave_units(kernel, device)
    _set_units(kernel, units, [*members(kernel, units), device])
    kernel.tree.remember(device, {**kernel.tree.facts(device), "units": units})
    number_text = kernel.tree.text(f"{units}/lu_gp_id")
    shown = f"LU Group Alias: {units.rpartition('/')[2]}\nLU Group ID: {number_text}"
    kernel.tree.put(f"{device}/alua_lu_gp", shown)


def leave_units(kernel: Kernel, device: str) -> None:
    """Take a storage object out of its logical unit group."""
    facts = kernel.tree.facts(device)
    units = facts.pop("units", None)
    if units:
        _set_units(kernel, units, [m for m in members(kernel, units) if m != device])
        kernel.tree.remember(device, facts)
        kernel.tree.put(f"{device}/alua_lu_gp", "")


def _set_units(kernel: Kernel, units: str, devices: list[str]) -> None:
    kernel.tree.remember(units, {"members": devices})
    lines = (f"{device.removeprefix('core/')}\n" for device in devices)
    kernel.tree.put(f"{units}/members", "".join(lines))


def write_units(kernel: Kernel, place: Place, text: str) -> None:
    """Move a storage object to another logical unit group; NULL to none.

    Ignored before the storage object is enabled, and where it has no ALUA.
    """
    facts = kernel.tree.facts(place.owner)
    if not facts.get("enabled") or place.variant == "pscsi":
        return
    if len(text) > _NAME_MAX:
        refuse(errno.EINVAL)
    name = text.strip()
    if name == "NULL":
        leave_units(kernel, place.owner)
        return
    units = f"core/alua/lu_gps/{name}"
    if units == DEFAULT_UNITS:
        refuse(errno.ENODEV)  # there is no way back to it
    if not name or not kernel.tree.is_group(units) or not kernel.tree.text(f"{units}/lu_gp_id"):
        refuse(errno.ENODEV)
    join_units(kernel, place.owner, units)


def write_units_id(kernel: Kernel, place: Place, text: str) -> None:
    """Number a logical unit group, once; 0 asks for the next free number."""
    value = number(text, "u64")
    path = f"{place.owner}/lu_gp_id"
    taken = _ids(kernel, place, "lu_gp_id")
    if value > _ID_MAX or kernel.tree.text(path) or value in taken - {0}:
        refuse(errno.EINVAL)
    kernel.tree.put(path, f"{value or max(taken) + 1}\n")


_LUN_FLAGS = ("alua_tg_pt_offline", _FLAG_STATUS, "alua_tg_pt_write_md")

RULES = Rules(
    makes={"lu_gp": make_units, "tg_pt_gp": make_group},
    drops={"lu_gp": drop_units, "tg_pt_gp": drop_group},
    writes={
        ("tg_pt_gp", "tg_pt_gp_id"): write_group_id,
        ("tg_pt_gp", "alua_access_state"): write_state,
        ("tg_pt_gp", "alua_access_status"): write_status,
        ("lun", "alua_tg_pt_gp"): write_lun_group,
        **{("lun", flag): write_lun_flag for flag in _LUN_FLAGS},
        ("device", "alua_lu_gp"): write_units,
        ("lu_gp", "lu_gp_id"): write_units_id,
    },
)
