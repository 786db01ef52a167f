# SPDX-License-Identifier: Apache-2.0
"""ALUA: target port groups with their LUNs, logical unit groups with their storage objects."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pyshell.simulator.recorded import template
from pyshell.simulator.rules import Rules, SimulatedKernel, TreePath, cast, number, refuse

DEFAULT_PORT_GROUP = "default_tg_pt_gp"
DEFAULT_LU_GROUP = "core/alua/lu_gps/default_lu_gp"
_NAME_MAX = 255
_FLAG_STATUS = "alua_tg_pt_status"
_ID_MAX = 0xFFFF
_PAGE_SIZE = 4096
# Fabrics that the kernel's texts name differently from their folder.
_FABRIC_NAMES = {"iscsi": "iSCSI"}
# The states by number: their text, and the file of a group that allows them.
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


@dataclass(frozen=True)
class Groups:
    """A kind of groups: target port groups with LUNs, or logical unit groups with storage objects.

    `fact` is what a member remembers its group by, `line` what `members` shows of one, `describe`
    updates what the member shows of its group.
    """

    fact: str
    line: Callable[[str], str]
    describe: Callable[[SimulatedKernel, str], None]

    def join(self, kernel: SimulatedKernel, member: str, group: str) -> None:
        """Move a member into a group."""
        self.leave(kernel, member)
        self._set_members(kernel, group, [*members(kernel, group), member])
        kernel.tree.update(member, **{self.fact: group})
        self.describe(kernel, member)

    def leave(self, kernel: SimulatedKernel, member: str) -> None:
        """Remove a member from its group."""
        facts = kernel.tree.facts(member)
        group = facts.pop(self.fact, None)
        if group:
            self._set_members(kernel, group, [m for m in members(kernel, group) if m != member])
            kernel.tree.remember(member, facts)
            self.describe(kernel, member)

    def _set_members(self, kernel: SimulatedKernel, group: str, found: list[str]) -> None:
        kernel.tree.remember(group, {"members": found})
        kernel.tree.put(f"{group}/members", page(self.line(member) for member in found))


def members(kernel: SimulatedKernel, group: str) -> list[str]:
    """Return the members of a group, in the order they were added."""
    found: list[str] = kernel.tree.facts(group).get("members", [])
    return found


def page(lines: Iterable[str]) -> str:
    """Return as many whole lines as fit into an attribute."""
    text = ""
    for line in lines:
        if len(text.encode()) + len(line.encode()) > _PAGE_SIZE:
            break
        text += line
    return text


def _member_line(lun: str) -> str:
    fabric, target, tpg, _, name = lun.split("/")
    tag = number(tpg.removeprefix("tpgt_"), "u64")
    shown = _FABRIC_NAMES.get(fabric, fabric)
    return f"{shown}/{target}/tpgt_{tag}/{name}\n\0"  # the kernel copies the NUL too


def describe(kernel: SimulatedKernel, lun: str) -> None:
    """Update the file in which a LUN shows its group."""
    group = kernel.tree.facts(lun).get("group")
    if group is None:
        return

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


PORT_GROUPS = Groups("group", _member_line, describe)


def _make_port_group(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    kernel.tree.grow(f"{parent.owner}/alua/{name}", template("tg_pt_gp", ""), {})


def _make_lu_group(kernel: SimulatedKernel, _parent: TreePath, name: str) -> None:
    kernel.tree.grow(f"core/alua/lu_gps/{name}", template("lu_gp", ""), {})


def _drop_group(kernel: SimulatedKernel, where: TreePath) -> None:
    """Move the members of a group to the default group."""
    default = f"{_device_of(where.owner)}/alua/{DEFAULT_PORT_GROUP}"
    groups = PORT_GROUPS
    if where.kind == "lu_gp":
        groups, default = UNIT_GROUPS, DEFAULT_LU_GROUP
    for member in members(kernel, where.owner):
        groups.join(kernel, member, default)


def _show_to_members(kernel: SimulatedKernel, group: str) -> None:
    for lun in members(kernel, group):
        describe(kernel, lun)


def _device_of(group: str) -> str:
    return group.rsplit("/", 2)[0]


def _write_id(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set a group's number, once; 0 requests the next free one."""
    value = number(text, "u64")
    path = where.path
    folder = where.owner.rpartition("/")[0]
    siblings = (f"{folder}/{name}/{where.inner}" for name in kernel.tree.groups(folder))
    taken = {int(shown) for shown in map(kernel.tree.text, siblings) if shown}
    if value > _ID_MAX or kernel.tree.text(path) or value in taken - {0}:
        refuse(errno.EINVAL)
    kernel.tree.put(path, f"{value or max(taken) + 1}\n")


def _write_state(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Change the primary access state; the group has a number, its storage object is enabled."""
    tree, group = kernel.tree, where.owner
    if not tree.text(f"{group}/tg_pt_gp_id"):
        refuse(errno.EINVAL)
    if not tree.facts(_device_of(group)).get("enabled") or where.variant == "pscsi":
        refuse(errno.ENODEV)
    value = cast(number(text, "u64"), "s32")
    if value not in _STATES or tree.text(f"{group}/alua_access_type") not in _IMPLICIT:
        refuse(errno.EINVAL)
    if tree.text(f"{group}/{_STATES[value][1]}") != "1\n":
        refuse(errno.EINVAL)
    tree.put(f"{group}/alua_access_state", f"{value}\n")
    tree.put(f"{group}/alua_access_status", f"{_STATUSES[2]}\n")
    _show_to_members(kernel, group)


def _write_status(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the cause of the last change of state: written as a number, shown as words."""
    if not kernel.tree.text(f"{where.owner}/tg_pt_gp_id"):
        refuse(errno.EINVAL)
    value = cast(number(text, "u64"), "s32")
    if not 0 <= value < len(_STATUSES):
        refuse(errno.EINVAL)
    kernel.tree.put(f"{where.owner}/alua_access_status", f"{_STATUSES[value]}\n")
    _show_to_members(kernel, where.owner)


# LUNs


def _write_port_group(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Move a LUN to another target port group of its storage object; NULL means the default."""
    device = kernel.tree.facts(where.owner).get("leads_to")
    if device is None or not kernel.tree.facts(where.owner).get("group"):
        refuse(errno.ENODEV)
    if len(text) > _NAME_MAX:
        refuse(errno.EINVAL)
    name = text.strip()
    group = f"{device}/alua/{DEFAULT_PORT_GROUP if name == 'NULL' else name}"
    if not name or not kernel.tree.is_group(group):
        refuse(errno.ENODEV)
    if not kernel.tree.text(f"{group}/tg_pt_gp_id"):
        refuse(errno.ENODEV)
    PORT_GROUPS.join(kernel, where.owner, group)


def _write_lun_flag(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the secondary state, its status, or whether it is saved to a file.

    The LUN keeps them while it is linked to no storage object.
    """
    facts = kernel.tree.facts(where.owner)
    if not facts.get("leads_to"):
        refuse(errno.ENODEV)
    value = number(text, "u64")
    if value > (2 if where.inner == _FLAG_STATUS else 1):
        refuse(errno.EINVAL)
    changed = {where.inner: f"{value}\n"}
    if where.inner == "alua_tg_pt_offline":
        if "group" not in facts:
            refuse(errno.ENODEV)
        changed[_FLAG_STATUS] = "2\n"  # altered by implicit ALUA
    kernel.tree.remember(where.owner, {**facts, "flags": {**facts.get("flags", {}), **changed}})
    kernel.tree.put_all(where.owner, changed)
    describe(kernel, where.owner)


def kept_flags(kernel: SimulatedKernel, lun: str) -> dict[str, str]:
    """Return the flags that a LUN shows again when it is linked again."""
    flags: dict[str, str] = kernel.tree.facts(lun).get("flags", {})
    return flags


_LUN_FLAGS = ("alua_tg_pt_offline", _FLAG_STATUS, "alua_tg_pt_write_md")


def _describe_unit(kernel: SimulatedKernel, device: str) -> None:
    """Update the file in which a storage object shows its group."""
    units = kernel.tree.facts(device).get(UNIT_GROUPS.fact)
    text = ""
    if units:
        number_text = kernel.tree.text(f"{units}/lu_gp_id")
        text = f"LU Group Alias: {units.rpartition('/')[2]}\nLU Group ID: {number_text}"
    kernel.tree.put(f"{device}/alua_lu_gp", text)


UNIT_GROUPS = Groups("units", lambda device: f"{device.removeprefix('core/')}\n", _describe_unit)


def _write_lu_group(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Move a storage object to another logical unit group; NULL to none.

    Ignored before the storage object is enabled, and if it has no ALUA.
    """
    facts = kernel.tree.facts(where.owner)
    if not facts.get("enabled") or where.variant == "pscsi":
        return
    if len(text) > _NAME_MAX:
        refuse(errno.EINVAL)
    name = text.strip()
    if name == "NULL":
        UNIT_GROUPS.leave(kernel, where.owner)
        return
    units = f"core/alua/lu_gps/{name}"
    if units == DEFAULT_LU_GROUP:
        refuse(errno.ENODEV)  # nothing can be moved back to it
    if not name or not kernel.tree.is_group(units) or not kernel.tree.text(f"{units}/lu_gp_id"):
        refuse(errno.ENODEV)
    UNIT_GROUPS.join(kernel, where.owner, units)


RULES = Rules(
    makes={"tg_pt_gp": _make_port_group, "lu_gp": _make_lu_group},
    drops={"tg_pt_gp": _drop_group, "lu_gp": _drop_group},
    writes={
        ("tg_pt_gp", "tg_pt_gp_id"): _write_id,
        ("tg_pt_gp", "alua_access_state"): _write_state,
        ("tg_pt_gp", "alua_access_status"): _write_status,
        ("lun", "alua_tg_pt_gp"): _write_port_group,
        **{("lun", flag): _write_lun_flag for flag in _LUN_FLAGS},
        ("lu_gp", "lu_gp_id"): _write_id,
        ("device", "alua_lu_gp"): _write_lu_group,
    },
)
