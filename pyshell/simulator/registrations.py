# SPDX-License-Identifier: Apache-2.0
"""Persistent reservations of simulated iSCSI initiators.

What the files in `pr/` show, what the kernel stores and when it drops a registration was seen with
open-iscsi and sg_persist on kernel 6.1.
"""

from __future__ import annotations

import errno
import re
from typing import Any

from pyshell.expressions import expression
from pyshell.simulator.recorded import template
from pyshell.simulator.rules import Rules, SimulatedKernel, TreePath, refuse

TYPES = {
    "write_exclusive": (1, "Write Exclusive Access"),
    "exclusive_access": (3, "Exclusive Access"),
    "write_exclusive_registrants_only": (5, "Write Exclusive Access, Registrants Only"),
    "exclusive_access_registrants_only": (6, "Exclusive Access, Registrants Only"),
    "write_exclusive_all_registrants": (7, "Write Exclusive Access, All Registrants"),
    "exclusive_access_all_registrants": (8, "Exclusive Access, All Registrants"),
}
"""The types by name: their number, and the kernel's text."""
_TEXTS = dict(TYPES.values())
_ALL_REGISTRANTS = (7, 8)
_NONE = "No Registrations or Reservations\n\0"
_WHOLE = expression(r"(sa_res_key|res_holder|res_type|res_all_tg_pt|mapped_lun|tpgt|target_lun)=")

Registration = dict[str, Any]
"""initiator, isid, key, generation, target, tag, rtpi, lun, mapped; held if it is the holder."""


def register(
    kernel: SimulatedKernel, device: str, new: Registration, kind: int = 0, *, aptpl: bool
) -> None:
    """Register an initiator, unless it has that key and `kind`, and with `kind` reserve the disk.

    Refuses with EBUSY if another initiator holds a reservation. As the kernel does, it registers
    the initiator and then fails, with EIO, if the folder for the registrations is missing.
    """
    state = _state(kernel, device)
    registered = state["registered"]
    if kind and any(one.get("held") and _who(one) != _who(new) for one in registered):
        refuse(errno.EBUSY)
    own = next((one for one in registered if _who(one) == _who(new)), None)
    registers = own is None or own["key"] != new["key"] or not kind
    if own is None:
        registered.append(own := new)
    if registers:
        own |= {"key": new["key"], "generation": state["generation"]}
        state |= {"generation": state["generation"] + 1, "aptpl": aptpl}
    if kind:
        own["held"] = True
        state["type"] = kind
    _remember(kernel, device, state)
    if registers or state["aptpl"]:
        _store(kernel, device, state)


def drop(
    kernel: SimulatedKernel, device: str, where: TreePath, initiator: str | None = None
) -> None:
    """Drop what was registered through a mapped LUN or LUN that is removed.

    In demo mode, drop what `initiator` registered through a LUN. Stored registrations remain. If
    all registrants hold a reservation, the others do then.
    """
    state = _state(kernel, device)
    gone = [one for one in state["registered"] if _is_through(where, one, initiator)]
    if not gone:
        return
    kept = [one for one in state["registered"] if one not in gone]
    if any(one.get("held") for one in gone):
        if kept and state["type"] in _ALL_REGISTRANTS:
            kept[0]["held"] = True
        else:
            state["type"] = 0
    state["registered"] = kept
    _remember(kernel, device, state)


def adopt(kernel: SimulatedKernel, device: str, where: TreePath, lun: TreePath) -> None:
    """Register the initiator of a new mapped LUN if that was restored before."""
    state = _state(kernel, device)
    at = (_number(lun), _number(where))
    found = [
        one
        for one in state["restored"]
        if _is_through(where, one) and (one["lun"], one["mapped"]) == at
    ]
    if not found:
        return
    state["restored"] = [one for one in state["restored"] if one not in found]
    state["registered"] += [{**one, "generation": 0} for one in found]
    state["generation"] += len(found)
    state["type"] = next((one["type"] for one in found if one.get("held")), state["type"])
    state["aptpl"] = True
    _remember(kernel, device, state)


def _write_metadata(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Restore a registration, which its initiator has once its LUN is mapped."""
    if kernel.tree.facts(where.owner).get("links"):
        refuse(errno.EINVAL)
    pairs = dict(part.partition("=")[::2] for part in re.split("[,\n]", text) if "=" in part)
    try:
        number = {name: int(pairs[name]) for name in pairs if _WHOLE.match(f"{name}=")}
    except ValueError:
        refuse(errno.EINVAL)
    if not (pairs.get("initiator_node") and pairs.get("target_node") and number.get("sa_res_key")):
        refuse(errno.EINVAL)
    if number.get("res_holder") and not number.get("res_type"):
        refuse(errno.EINVAL)
    held = {"held": True, "type": number["res_type"]} if number.get("res_holder") else {}
    restored: Registration = {
        "initiator": pairs["initiator_node"],
        "isid": pairs.get("initiator_sid", ""),
        "key": number["sa_res_key"],
        "target": pairs["target_node"],
        "tag": number.get("tpgt", 0),
        "rtpi": 1,
        "lun": number.get("target_lun", 0),
        "mapped": number.get("mapped_lun", 0),
        **held,
    }
    state = _state(kernel, where.owner)
    state["restored"].append(restored)
    _remember(kernel, where.owner, state)


def registration(
    kernel: SimulatedKernel, where: TreePath, lun: TreePath, initiator: str, isid: str, key: int
) -> Registration:
    """Return the registration of an initiator at a mapped LUN, in demo mode at the LUN itself."""
    return {
        "initiator": initiator,
        "isid": isid,
        "key": key,
        "target": lun.parts[1],
        "tag": _tag(lun),
        "rtpi": kernel.tree.facts(lun.owner)["port"],
        "lun": _number(lun),
        "mapped": _number(where),
    }


def _is_through(where: TreePath, one: Registration, initiator: str | None = None) -> bool:
    """Return whether an initiator is registered through the (mapped) LUN at `where`."""
    if (where.parts[1], _tag(where)) != (one["target"], one["tag"]):
        return False
    if where.kind == "lun":
        return one["lun"] == _number(where) and initiator in (None, one["initiator"])
    return bool(one["initiator"].lower() == where.parts[4].lower())


def _tag(where: TreePath) -> int:
    return int(where.parts[2].removeprefix("tpgt_"))


def _number(where: TreePath) -> int:
    return int(where.name.removeprefix("lun_"))


def _who(one: Registration) -> tuple[str, ...]:
    return tuple(str(one[name]) for name in ("initiator", "isid", "target", "tag"))


def _state(kernel: SimulatedKernel, device: str) -> dict[str, Any]:
    empty = {"registered": [], "restored": [], "generation": 0, "type": 0, "aptpl": False}
    return {**empty, **kernel.tree.facts(device).get("reservations", {})}


def _remember(kernel: SimulatedKernel, device: str, state: dict[str, Any]) -> None:
    """Keep the reservations of a storage object, and show them."""
    kernel.tree.update(device, reservations=state)
    made = template("device", kernel.tree.facts(device)["plugin"])
    shown = {name: file.text for name, file in made.files.items() if name.startswith("pr/")}
    shown["pr/res_pr_generation"] = f"0x{state['generation']:08x}\n"
    shown["pr/res_aptpl_active"] = (
        f"APTPL Bit Status: {'Activated' if state['aptpl'] else 'Disabled'}\n"
    )
    if state["registered"]:
        shown["pr/res_pr_registered_i_pts"] = "SPC-3 PR Registrations:\n" + "".join(
            f"iSCSI Node: {one['initiator']},i,0x{one['isid']} Key: 0x{one['key']:016x}"
            f" PRgen: 0x{one['generation']:08x}\n"
            for one in state["registered"]
        )
    holder = next((one for one in state["registered"] if one.get("held")), None)
    if holder is not None:
        start = "SPC-3 Reservation"
        shown["pr/res_holder"] = (
            f"{start}: iSCSI Initiator: {holder['initiator']},i,0x{holder['isid']}\n"
        )
        shown["pr/res_pr_all_tgt_pts"] = f"{start}: Single Target Port registration\n"
        shown["pr/res_pr_type"] = f"{start} Type: {_TEXTS[state['type']]}\n"
        shown["pr/res_pr_holder_tg_port"] = (
            f"{start}: iSCSI Target Node Endpoint: {holder['target']}\n{start}: Relative Port"
            f" Identifier Tag: {holder['rtpi']} iSCSI Portal Group Tag: {holder['tag']}"
            f" iSCSI Logical Unit: {holder['lun']}\n"
        )
    kernel.tree.put_all(device, shown)


def _store(kernel: SimulatedKernel, device: str, state: dict[str, Any]) -> None:
    """Write the registrations to the file that a restore reads; EIO without its folder."""
    serial = kernel.tree.text(f"{device}/wwn/vpd_unit_serial").partition(": ")[2].strip()
    folder = kernel.machine.file(f"{kernel.tree.text('dbroot').strip()}/pr")
    if not folder.is_dir():
        refuse(errno.EIO)
    records = (_record(number, one, state) for number, one in enumerate(state["registered"]))
    text = f"{''.join(records)}\0" if state["aptpl"] else _NONE
    (folder / f"aptpl_{serial}").write_text(text, encoding="utf-8")


def _record(number: int, one: Registration, state: dict[str, Any]) -> str:
    held = f"res_holder=1\nres_type={state['type']:02x}\nres_scope=00\n"
    return (
        f"PR_REG_START: {number}\ninitiator_fabric=iSCSI\ninitiator_node={one['initiator']}\n"
        f"initiator_sid={one['isid']}\nsa_res_key={one['key']}\n"
        f"{held if one.get('held') else f'res_holder=0{chr(10)}'}"
        f"res_all_tg_pt=0\nmapped_lun={one['mapped']}\ntarget_fabric=iSCSI\n"
        f"target_node={one['target']}\ntpgt={one['tag']}\nport_rtpi={one['rtpi']}\n"
        f"target_lun={one['lun']}\nPR_REG_END: {number}\n"
    )


RULES = Rules(
    writes={
        (f"device/{plugin}", "pr/res_aptpl_metadata"): _write_metadata
        for plugin in ("iblock", "fileio", "rd_mcp", "user")
    }
)
