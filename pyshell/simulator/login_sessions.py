# SPDX-License-Identifier: Apache-2.0
"""Sessions of simulated iSCSI initiators: login, what they show and count, logout.

What a session shows, which logins are refused and what ends a session was recorded with
open-iscsi as the initiator, on kernel 6.1. No data is transferred: the caller states how much was.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from pyshell.simulator import registrations
from pyshell.simulator.recorded import template
from pyshell.simulator.rules import SimulatedKernel, locate, refuse
from pyshell.simulator.tree_files import Facts

_INDEX = "fabric_statistics/iscsi_sess_stats/indx"
_ISID = "00023d000001"  # as the recorded session's info has it


@dataclass(frozen=True)
class ChapCredentials:
    """An initiator's CHAP name and secret, and those that it requires of the target."""

    userid: str
    password: str
    userid_mutual: str = ""
    password_mutual: str = ""


class LoginRefusedError(PermissionError):
    """The target or the initiator refuses the login; `why` is the reason."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(errno.EACCES, os.strerror(errno.EACCES), path)
        self.why = why


def login(
    kernel: SimulatedKernel,
    tpg: str,
    initiator: str,
    address: str,
    chap: ChapCredentials | None = None,
) -> None:
    """Log an initiator in, by its node ACL or, if the TPG generates ACLs, without one.

    Refuses with ENOENT if there is no such TPG, ECONNREFUSED if it is not enabled, and EEXIST if
    the initiator is logged in. Raises LoginRefusedError if the initiator is refused.
    """
    if not kernel.tree.is_group(tpg):
        refuse(errno.ENOENT)
    if kernel.tree.text(f"{tpg}/enable") != "1\n":
        target = _target(tpg).partition("/")[2]
        _log(kernel, f"Unable to locate Target Portal Group on {target}")
        refuse(errno.ECONNREFUSED)
    known = _sessions(kernel, tpg)
    if initiator in known:
        refuse(errno.EEXIST)
    acl = _acl(kernel, tpg, initiator)
    cached = kernel.tree.facts(tpg).get("cached_acls", [])
    if not _is_authorized(kernel, tpg, initiator):
        refuse_login(
            kernel, tpg, initiator, address, "authorize",
            "the initiator has no ACL, and generate_node_acls is 0",
        )  # fmt: skip
    for reason, why, log in _chap_faults(kernel, tpg, acl, chap):
        refuse_login(kernel, tpg, initiator, address, reason, why, log)
    numbers = {**kernel.tree.facts(tpg).get("numbers", {}), initiator: kernel.tree.count("session")}
    kernel.tree.update(tpg, numbers=numbers)
    _remember(kernel, tpg, {**known, initiator: address})
    if acl is None and kernel.tree.text(f"{tpg}/attrib/cache_dynamic_acls") == "1\n":
        kernel.tree.update(tpg, cached_acls=sorted({*cached, initiator}))
    _increase(kernel, f"{_target(tpg)}/fabric_statistics/iscsi_login_stats/accepts")


def _is_authorized(kernel: SimulatedKernel, tpg: str, initiator: str) -> bool:
    demo_mode = kernel.tree.text(f"{tpg}/attrib/generate_node_acls") == "1\n"
    cached = kernel.tree.facts(tpg).get("cached_acls", [])
    return demo_mode or initiator in cached or _acl(kernel, tpg, initiator) is not None


def accepts_without_chap(kernel: SimulatedKernel, tpg: str, initiator: str) -> bool:
    """Return whether an initiator without CHAP is authorized, and CHAP is not required of it."""
    acl = _acl(kernel, tpg, initiator)
    failed = next(_chap_faults(kernel, tpg, acl, None), None)
    return _is_authorized(kernel, tpg, initiator) and failed is None


def _acl(kernel: SimulatedKernel, tpg: str, initiator: str) -> str | None:
    """Return the ACL of an initiator, whose name may not be a valid path."""
    return f"{tpg}/acls/{initiator}" if initiator in kernel.tree.groups(f"{tpg}/acls") else None


def _chap_faults(
    kernel: SimulatedKernel, tpg: str, acl: str | None, chap: ChapCredentials | None
) -> Iterator[tuple[str, str, str]]:
    """Yield (reason that the kernel counts, explanation, line of its log) if CHAP fails.

    With an ACL, the ACL's secrets alone count; without, the TPG's. If the initiator breaks off, a
    failed negotiation is counted.
    """
    at_tpg = kernel.tree.text(f"{tpg}/attrib/authentication") == "1\n"
    own = kernel.tree.text(f"{acl}/attrib/authentication").strip() if acl else "-1"
    if chap is None:
        if own == "1" or (own == "-1" and at_tpg):
            yield "authenticate", "the target requires CHAP", _ENFORCING
        return
    if not at_tpg and own != "1":
        yield "negotiate", "the initiator offers CHAP, but the target does not use it", ""
    owner = acl or tpg
    if not _holds(kernel, owner, {"userid", "password"}):
        whose = "ACL" if acl else "TPG"
        yield "authenticate", f"the {whose} has no CHAP name and secret", _UNSET
    if not _match(kernel, owner, userid=chap.userid):
        yield "authenticate", "the CHAP name or secret is wrong", _OTHER_NAME
    if not _match(kernel, owner, password=chap.password):
        yield "authenticate", "the CHAP name or secret is wrong", _FAILED
    if not chap.password_mutual:
        return
    mutual = {"userid_mutual": chap.userid_mutual, "password_mutual": chap.password_mutual}
    if not (_holds(kernel, owner, set(mutual)) and _match(kernel, owner, **mutual)):
        yield "negotiate", "the target's CHAP secret is not the one that the initiator expects", ""


# The lines of the kernel's log for a failed authentication.
_FAILED = "Security negotiation failed."
_UNSET = f"CHAP user or password not set for Initiator ACL\n{_FAILED}"
_OTHER_NAME = f"CHAP_N values do not match!\n{_FAILED}"
_ENFORCING = (
    "Initiator is requesting CSG: 1, has not been successfully authenticated, and the Target is"
    " enforcing iSCSI Authentication, login failed."
)


def _log(kernel: SimulatedKernel, text: str) -> None:
    """Write the lines of a refused login to the kernel's log."""
    kernel.machine.log("\n".join(filter(None, (text, "iSCSI Login negotiation failed."))))


def _holds(kernel: SimulatedKernel, owner: str, names: set[str]) -> bool:
    return names.issubset(kernel.tree.facts(owner).get("secrets", []))


def _match(kernel: SimulatedKernel, owner: str, **given: str) -> bool:
    return all(
        kernel.tree.text(f"{owner}/auth/{name}").removesuffix("\n") == text
        for name, text in given.items()
    )


def refuse_login(
    kernel: SimulatedKernel,
    tpg: str,
    initiator: str,
    address: str,
    reason: str,
    why: str = "",
    log: str | None = None,
) -> NoReturn:
    """Count and log a refused login, then raise LoginRefusedError."""
    _count_refusal(kernel, _target(tpg), initiator, address, reason)
    if reason == "authorize":
        tag = tpg.rpartition("_")[2]
        log = (
            f"iSCSI Initiator Node: {initiator} is not authorized to access iSCSI target portal"
            f" group: {tag}."
        )
    elif log is None:
        log = _FAILED if reason == "authenticate" else ""
    _log(kernel, log)
    raise LoginRefusedError(kernel.tree.path(tpg), why)


def logout(kernel: SimulatedKernel, tpg: str, initiator: str) -> None:
    """End a session on its initiator's request."""
    _leave(kernel, tpg, initiator)
    _increase(kernel, f"{_target(tpg)}/fabric_statistics/iscsi_logout_stats/normal_logouts")


def _leave(kernel: SimulatedKernel, tpg: str, initiator: str) -> None:
    known = _sessions(kernel, tpg)
    if initiator not in known:
        refuse(errno.ENOENT)
    del known[initiator]
    _remember(kernel, tpg, known)
    acl = _acl(kernel, tpg, initiator)
    if acl:
        _show_alone(kernel, acl, initiator)
    elif initiator not in kernel.tree.facts(tpg).get("cached_acls", []):
        for name in kernel.tree.groups(f"{tpg}/lun"):
            lun = f"{tpg}/lun/{name}"
            if device := kernel.tree.facts(lun).get("leads_to"):
                registrations.drop(kernel, device, locate(lun), initiator)


def reserve(
    kernel: SimulatedKernel, path: str, initiator: str, key: int, kind: int, *, aptpl: bool
) -> None:
    """Register an initiator at a mapped LUN, in demo mode at a LUN; with `kind`, reserve the disk.

    Refuses with ENOENT if nothing is exported there, otherwise as `registrations.register`.
    """
    lun = _source(kernel, path) if "/acls/" in path else path
    device = _source(kernel, lun)
    new = registrations.registration(kernel, locate(path), locate(lun), initiator, _ISID, key)
    registrations.register(kernel, device, new, kind, aptpl=aptpl)


def end(kernel: SimulatedKernel, tpg: str, initiator: str | None = None) -> None:
    """Disconnect an initiator, or all: its ACL is removed or the TPG disabled."""
    for name in _sessions(kernel, tpg):
        if initiator in (None, name):
            _leave(kernel, tpg, name)


def take_over(kernel: SimulatedKernel, tpg: str, initiator: str) -> None:
    """Show in a new ACL the session that its initiator began without one."""
    known = _sessions(kernel, tpg)
    if initiator in known:
        _remember(kernel, tpg, known)


def _sessions(kernel: SimulatedKernel, tpg: str) -> Facts:
    return dict(kernel.tree.facts(tpg).get("sessions", {}))


def _remember(kernel: SimulatedKernel, tpg: str, sessions: Facts) -> None:
    kernel.tree.update(tpg, sessions=sessions)
    fabric = tpg.partition("/")[0]
    _count_sessions(kernel, _target(tpg))
    dynamic = []
    for initiator, address in sessions.items():
        acl = _acl(kernel, tpg, initiator)
        if acl:
            alias = initiator.rpartition(":")[2]
            values = {"initiator": initiator, "address": address, "alias": alias}
            number = kernel.tree.facts(tpg).get("numbers", {}).get(initiator, 1)
            texts = template("acl", fabric).state("session", values)
            kernel.tree.put_all(acl, _numbered(texts, number))
            _show_in_luns(kernel, acl, initiator)
        else:
            dynamic.append(initiator)
    shown = template("tpg", fabric).states["session"]["dynamic_sessions"]
    text = "".join(shown.format(initiator=initiator) for initiator in dynamic)
    kernel.tree.put(f"{tpg}/dynamic_sessions", text)


def _numbered(texts: dict[str, str], number: int) -> dict[str, str]:
    """Return a session's texts with its own number instead of the recorded 1."""
    texts["info"] = texts["info"].replace("LIO Session ID: 1 ", f"LIO Session ID: {number} ")
    texts[_INDEX] = f"{number}\n"
    return texts


def _show_in_luns(kernel: SimulatedKernel, acl: str, initiator: str | None) -> None:
    """Show in an ACL's mapped LUNs the session that uses them, or none."""
    index = kernel.tree.text(f"{acl}/{_INDEX}")
    texts = {"indx": index, "port_ident": f"{initiator}+i+{_ISID}\n"}
    for name in kernel.tree.groups(acl):
        if name.startswith("lun_") and kernel.tree.facts(f"{acl}/{name}").get("leads_to"):
            shown = texts if initiator else dict.fromkeys(texts, "")
            kernel.tree.put_all(f"{acl}/{name}/statistics/scsi_att_intr_port", shown)


def _target(tpg: str) -> str:
    return tpg.rpartition("/")[0]


def _count_sessions(kernel: SimulatedKernel, target: str) -> None:
    tpgs = (f"{target}/{name}" for name in kernel.tree.groups(target) if name.startswith("tpgt_"))
    count = sum(len(_sessions(kernel, tpg)) for tpg in tpgs)
    kernel.tree.put(f"{target}/fabric_statistics/iscsi_instance/sessions", f"{count}\n")


def _show_alone(kernel: SimulatedKernel, acl: str, initiator: str) -> None:
    made = template("acl", acl.partition("/")[0])
    texts = {inner: made.files[inner].text for inner in made.states["session"]}
    kernel.tree.put_all(acl, {**texts, "info": texts["info"].format(initiator=initiator)})
    _show_in_luns(kernel, acl, None)


_SHIFT = 20  # the kernel shows whole MiB
# For each kind of object: the folder of its counters, and the file that counts commands.
_FILES = {
    "device": ("statistics/scsi_lu", "num_cmds"),
    "lun": ("statistics/scsi_tgt_port", "in_cmds"),
    "mapped": ("statistics/scsi_auth_intr", "num_cmds"),
}
# A host that finds a disk requests its name, size, caches and so on: the number recorded for a
# ramdisk and Linux's disk driver. One more, which LIO does not support, only the device counts.
_PROBE_COMMANDS = 17
# The kernel's codes for why the last login failed.
FAILURES = {"other": 2, "authorize": 4, "authenticate": 5, "negotiate": 6}


def count_commands(
    kernel: SimulatedKernel, mapped: str, commands: int, *, read: int = 0, written: int = 0
) -> None:
    """Count commands to a mapped LUN, or in demo mode to a LUN, and bytes.

    Refuses with ENOENT if the object does not exist or is linked to nothing.
    """
    kinds = {"mapped": mapped} if "/acls/" in mapped else {}
    lun = _source(kernel, mapped) if kinds else mapped
    for kind, rel in {**kinds, "lun": lun, "device": _source(kernel, lun)}.items():
        _count_flow(kernel, kind, rel, (commands, read, written))


def _count_flow(kernel: SimulatedKernel, kind: str, rel: str, more: tuple[int, int, int]) -> None:
    before = kernel.tree.facts(rel).get("flow", [0, 0, 0])
    flow = [a + b for a, b in zip(before, more, strict=True)]
    kernel.tree.update(rel, flow=flow)
    folder, name = _FILES[kind]
    kernel.tree.put_all(
        f"{rel}/{folder}",
        {
            name: f"{flow[0]}\n",
            "read_mbytes": f"{flow[1] >> _SHIFT}\n",
            "write_mbytes": f"{flow[2] >> _SHIFT}\n",
        },
    )


def count_probe(kernel: SimulatedKernel, lun: str) -> None:
    """Count the commands with which the host itself probes a new disk of loopback."""
    count_commands(kernel, lun, _PROBE_COMMANDS)
    _count_flow(kernel, "device", _source(kernel, lun), (1, 0, 0))


def _source(kernel: SimulatedKernel, rel: str) -> str:
    found: str | None = kernel.tree.facts(rel).get("leads_to")
    if found is None:
        refuse(errno.ENOENT)
    return found


def _count_refusal(
    kernel: SimulatedKernel, target: str, initiator: str, address: str, reason: str
) -> None:
    """Count a refused login and record its initiator.

    If CHAP failed or there is no ACL, the kernel counts it twice, also as a failed negotiation;
    without an ACL it does not record the name.
    """
    folder = f"{target}/fabric_statistics"
    judged = reason in ("authenticate", "authorize")
    counted = [reason, "negotiate"] if judged else [reason]
    name = "Unknown" if reason == "authorize" else initiator
    for one in counted:
        _increase(kernel, f"{folder}/iscsi_login_stats/{one}_fails")
        _increase(kernel, f"{folder}/iscsi_tgt_attr/login_fails")
    kernel.tree.put_all(
        f"{folder}/iscsi_tgt_attr",
        {
            "last_fail_type": f"{FAILURES[counted[-1]]}\n",
            "fail_intr_name": f"{name}\n",
            "fail_intr_addr": f"{address}\n",
            "fail_intr_addr_type": "ipv6\n" if ":" in address else "ipv4\n",
        },
    )


def _increase(kernel: SimulatedKernel, rel: str) -> None:
    kernel.tree.put(rel, f"{int(kernel.tree.text(rel)) + 1}\n")
