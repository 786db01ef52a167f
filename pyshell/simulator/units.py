# SPDX-License-Identifier: Apache-2.0
"""Logical unit groups: which storage objects ALUA takes for one disk."""

from __future__ import annotations

import errno

from pyshell.simulator import alua
from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.recorded import template
from pyshell.simulator.refusal import refuse

DEFAULT = "core/alua/lu_gps/default_lu_gp"
_NAME_MAX = 255


def make_group(kernel: Kernel, _parent: Place, name: str) -> None:
    """Make core/alua/lu_gps/NAME; it is of use once its id is written."""
    kernel.tree.grow(f"core/alua/lu_gps/{name}", template("lu_gp", ""), {})


def drop_group(kernel: Kernel, place: Place) -> None:
    """Send the group's storage objects back to the default group."""
    for device in alua.members(kernel, place.owner):
        join(kernel, device, DEFAULT)


def join(kernel: Kernel, device: str, units: str) -> None:
    """Put a storage object into a logical unit group."""
    leave(kernel, device)
    _set_members(kernel, units, [*alua.members(kernel, units), device])
    kernel.tree.remember(device, {**kernel.tree.facts(device), "units": units})
    number_text = kernel.tree.text(f"{units}/lu_gp_id")
    shown = f"LU Group Alias: {units.rpartition('/')[2]}\nLU Group ID: {number_text}"
    kernel.tree.put(f"{device}/alua_lu_gp", shown)


def leave(kernel: Kernel, device: str) -> None:
    """Take a storage object out of its logical unit group."""
    facts = kernel.tree.facts(device)
    units = facts.pop("units", None)
    if units:
        _set_members(kernel, units, [m for m in alua.members(kernel, units) if m != device])
        kernel.tree.remember(device, facts)
        kernel.tree.put(f"{device}/alua_lu_gp", "")


def _set_members(kernel: Kernel, units: str, devices: list[str]) -> None:
    kernel.tree.remember(units, {"members": devices})
    lines = (f"{device.removeprefix('core/')}\n" for device in devices)
    kernel.tree.put(f"{units}/members", alua.page(lines))


def write_group(kernel: Kernel, place: Place, text: str) -> None:
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
        leave(kernel, place.owner)
        return
    units = f"core/alua/lu_gps/{name}"
    if units == DEFAULT:
        refuse(errno.ENODEV)  # there is no way back to it
    if not name or not kernel.tree.is_group(units) or not kernel.tree.text(f"{units}/lu_gp_id"):
        refuse(errno.ENODEV)
    join(kernel, place.owner, units)


RULES = Rules(
    makes={"lu_gp": make_group},
    drops={"lu_gp": drop_group},
    writes={("device", "alua_lu_gp"): write_group, ("lu_gp", "lu_gp_id"): alua.write_id},
)
