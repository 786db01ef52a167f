# SPDX-License-Identifier: Apache-2.0
"""Sessions of iSCSI initiators, which nobody logs in for real: how they come, show and go.

What a session shows was recorded with open-iscsi as the initiator. CHAP is not negotiated.
"""

from __future__ import annotations

import errno
import os
from typing import NoReturn

from pyshell.simulator import counting
from pyshell.simulator.kernel import Kernel
from pyshell.simulator.recorded import template
from pyshell.simulator.tree import Facts

_ISID = "00023d000001"  # as the recorded session's info has it


def login(kernel: Kernel, tpg: str, initiator: str, address: str) -> None:
    """Let an initiator in, by its node ACL or, where the TPG makes such itself, without.

    Raises FileNotFoundError where there is no such TPG, ConnectionRefusedError where it is not
    enabled, PermissionError where the initiator may not come in, FileExistsError where it is in.
    """
    if not kernel.tree.is_group(tpg):
        raise _error(FileNotFoundError, errno.ENOENT, kernel, tpg)
    if kernel.tree.text(f"{tpg}/enable") != "1\n":
        raise _error(ConnectionRefusedError, errno.ECONNREFUSED, kernel, tpg)
    known = _sessions(kernel, tpg)
    if initiator in known:
        raise _error(FileExistsError, errno.EEXIST, kernel, tpg)
    acl = f"{tpg}/acls/{initiator}"
    makes_acls = kernel.tree.text(f"{tpg}/attrib/generate_node_acls") == "1\n"
    if not kernel.tree.is_group(acl) and not makes_acls:
        refuse(kernel, tpg, initiator, address, "authorize")
    _remember(kernel, tpg, {**known, initiator: address})
    counting.count_login(kernel, _target(tpg))


def refuse(kernel: Kernel, tpg: str, initiator: str, address: str, reason: str) -> NoReturn:
    """Turn an initiator away, which the target counts. Raises PermissionError."""
    counting.count_refusal(kernel, _target(tpg), initiator, address, reason)
    if reason == "authorize":
        tag = tpg.rpartition("_")[2]
        kernel.machine.log(
            f"iSCSI Initiator Node: {initiator} is not authorized to access iSCSI target portal"
            f" group: {tag}."
        )
    raise _error(PermissionError, errno.EACCES, kernel, f"{tpg}/acls/{initiator}")


def logout(kernel: Kernel, tpg: str, initiator: str) -> None:
    """End a session, as its initiator asks for; FileNotFoundError where there is none."""
    _leave(kernel, tpg, initiator)
    counting.count_logout(kernel, _target(tpg))


def _leave(kernel: Kernel, tpg: str, initiator: str) -> None:
    known = _sessions(kernel, tpg)
    if initiator not in known:
        raise _error(FileNotFoundError, errno.ENOENT, kernel, f"{tpg}/acls/{initiator}")
    del known[initiator]
    _remember(kernel, tpg, known)
    _show_alone(kernel, f"{tpg}/acls/{initiator}", initiator)


def end(kernel: Kernel, tpg: str, initiator: str | None = None) -> None:
    """Throw out an initiator, or all, as removing its ACL or disabling the TPG does."""
    for name in _sessions(kernel, tpg):
        if initiator in (None, name):
            _leave(kernel, tpg, name)


def _sessions(kernel: Kernel, tpg: str) -> Facts:
    return dict(kernel.tree.facts(tpg).get("sessions", {}))


def _remember(kernel: Kernel, tpg: str, sessions: Facts) -> None:
    kernel.tree.remember(tpg, {**kernel.tree.facts(tpg), "sessions": sessions})
    fabric = tpg.partition("/")[0]
    _count(kernel, _target(tpg))
    dynamic = []
    for initiator, address in sessions.items():
        acl = f"{tpg}/acls/{initiator}"
        if kernel.tree.is_group(acl):
            alias = initiator.rpartition(":")[2]
            values = {"initiator": initiator, "address": address, "alias": alias}
            kernel.tree.put_all(acl, template("acl", fabric).state("session", values))
            _show_in_luns(kernel, acl, initiator)
        else:
            dynamic.append(initiator)
    shown = template("tpg", fabric).states["session"]["dynamic_sessions"]
    text = "".join(shown.format(initiator=initiator) for initiator in dynamic)
    kernel.tree.put(f"{tpg}/dynamic_sessions", text)


def _show_in_luns(kernel: Kernel, acl: str, initiator: str | None) -> None:
    """Show in an ACL's mapped LUNs whose session uses them, or that none does."""
    index = kernel.tree.text(f"{acl}/fabric_statistics/iscsi_sess_stats/indx")
    texts = {"indx": index, "port_ident": f"{initiator}+i+{_ISID}\n"}
    for name in kernel.tree.groups(acl):
        if name.startswith("lun_") and kernel.tree.facts(f"{acl}/{name}").get("leads_to"):
            shown = texts if initiator else dict.fromkeys(texts, "")
            kernel.tree.put_all(f"{acl}/{name}/statistics/scsi_att_intr_port", shown)


def _target(tpg: str) -> str:
    return tpg.rpartition("/")[0]


def _count(kernel: Kernel, target: str) -> None:
    tpgs = (f"{target}/{name}" for name in kernel.tree.groups(target) if name.startswith("tpgt_"))
    count = sum(len(_sessions(kernel, tpg)) for tpg in tpgs)
    kernel.tree.put(f"{target}/fabric_statistics/iscsi_instance/sessions", f"{count}\n")


def _show_alone(kernel: Kernel, acl: str, initiator: str) -> None:
    if kernel.tree.is_group(acl):
        made = template("acl", acl.partition("/")[0])
        texts = {inner: made.files[inner].text for inner in made.states["session"]}
        kernel.tree.put_all(acl, {**texts, "info": texts["info"].format(initiator=initiator)})
        _show_in_luns(kernel, acl, None)


def _error(kind: type[OSError], number: int, kernel: Kernel, rel: str) -> OSError:
    return kind(number, os.strerror(number), kernel.tree.path(rel))
