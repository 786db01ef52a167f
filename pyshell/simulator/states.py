# SPDX-License-Identifier: Apache-2.0
"""In which state an object is: the kernel judges a write to the same file by it."""

from __future__ import annotations

from pyshell.simulator.kernel import Kernel
from pyshell.simulator.places import Place

NEW = "new"


def state_of(kernel: Kernel, place: Place) -> str:
    """Return the object's state, by the names that the recording uses."""
    facts = kernel.tree.facts(place.owner)
    if place.kind == "device":
        if facts.get("links"):
            return "exported"
        return "enabled" if facts.get("enabled") else NEW
    if place.kind in ("lun", "mapped"):
        return "linked" if facts.get("leads_to") and not facts.get("is_cut") else NEW
    if place.kind in ("tg_pt_gp", "lu_gp"):
        file = f"{place.owner}/{place.kind}_id"
        return "numbered" if kernel.tree.text(file) else NEW
    return NEW
