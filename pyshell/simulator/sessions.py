# SPDX-License-Identifier: Apache-2.0
"""Sessions of iSCSI initiators, which nobody logs in for real: how they come, show and go.

What a session shows was recorded with open-iscsi as the initiator. CHAP is not negotiated.
"""

from __future__ import annotations

import errno
import os

from pyshell.simulator.kernel import Kernel
from pyshell.simulator.recorded import template
from pyshell.simulator.tree import Facts


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
        _refused(kernel, tpg, initiator, address)
        raise _error(PermissionError, errno.EACCES, kernel, acl)
    _remember(kernel, tpg, {**known, initiator: address})


def _refused(kernel: Kernel, tpg: str, initiator: str, address: str) -> None:
    """Show who came last in vain, as the kernel does."""
    folder = f"{tpg.rpartition('/')[0]}/fabric_statistics/iscsi_tgt_attr"
    host = address.rpartition(":")[0] or address
    kernel.tree.put_all(folder, {"fail_intr_name": f"{initiator}\n", "fail_intr_addr": f"{host}\n"})


def logout(kernel: Kernel, tpg: str, initiator: str) -> None:
    """End a session; FileNotFoundError where there is none."""
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
            logout(kernel, tpg, name)


def _sessions(kernel: Kernel, tpg: str) -> Facts:
    return dict(kernel.tree.facts(tpg).get("sessions", {}))


def _remember(kernel: Kernel, tpg: str, sessions: Facts) -> None:
    kernel.tree.remember(tpg, {**kernel.tree.facts(tpg), "sessions": sessions})
    fabric, target, _ = tpg.split("/")
    _count(kernel, f"{fabric}/{target}")
    dynamic = []
    for initiator, address in sessions.items():
        acl = f"{tpg}/acls/{initiator}"
        if kernel.tree.is_group(acl):
            alias = initiator.rpartition(":")[2]
            values = {"initiator": initiator, "address": address, "alias": alias}
            kernel.tree.put_all(acl, template("acl", fabric).state("session", values))
        else:
            dynamic.append(initiator)
    shown = template("tpg", fabric).states["session"]["dynamic_sessions"]
    text = "".join(shown.format(initiator=initiator) for initiator in dynamic)
    kernel.tree.put(f"{tpg}/dynamic_sessions", text)


def _count(kernel: Kernel, target: str) -> None:
    tpgs = (f"{target}/{name}" for name in kernel.tree.groups(target) if name.startswith("tpgt_"))
    count = sum(len(_sessions(kernel, tpg)) for tpg in tpgs)
    kernel.tree.put(f"{target}/fabric_statistics/iscsi_instance/sessions", f"{count}\n")


def _show_alone(kernel: Kernel, acl: str, initiator: str) -> None:
    if kernel.tree.is_group(acl):
        made = template("acl", acl.partition("/")[0])
        texts = {inner: made.files[inner].text for inner in made.states["session"]}
        kernel.tree.put_all(acl, {**texts, "info": texts["info"].format(initiator=initiator)})


def _error(kind: type[OSError], number: int, kernel: Kernel, rel: str) -> OSError:
    return kind(number, os.strerror(number), kernel.tree.path(rel))
