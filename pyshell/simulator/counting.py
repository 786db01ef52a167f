# SPDX-License-Identifier: Apache-2.0
"""What a kernel counts while initiators work: commands, bytes in whole MiB, logins and refusals.

Nobody works here for real: who wants to see numbers move says what went through.
"""

from __future__ import annotations

import errno
import os

from pyshell.simulator.kernel import Kernel

_SHIFT = 20  # the kernel shows whole MiB
# Of each kind of object: the folder of its numbers, and what commands are called there.
_FILES = {
    "device": ("statistics/scsi_lu", "num_cmds"),
    "lun": ("statistics/scsi_tgt_port", "in_cmds"),
    "mapped": ("statistics/scsi_auth_intr", "num_cmds"),
}
# A host that finds a disk asks for its name, size, caches and so on. As seen of a ramdisk, with the
# driver of disks there; one more, which LIO does not know, is counted at the device alone.
_LOOK = 17
# The numbers by which the kernel tells why the last login failed.
FAILURES = {"other": 2, "authorize": 4, "authenticate": 5, "negotiate": 6}


def count_commands(
    kernel: Kernel, mapped: str, commands: int, *, read: int = 0, written: int = 0
) -> None:
    """Count what an initiator did to its mapped LUN, or somebody without an ACL to a LUN.

    Raises FileNotFoundError where the object is not there or leads nowhere.
    """
    kinds = {"mapped": mapped} if "/acls/" in mapped else {}
    lun = _source(kernel, mapped) if kinds else mapped
    for kind, rel in {**kinds, "lun": lun, "device": _source(kernel, lun)}.items():
        _count(kernel, kind, rel, (commands, read, written))


def _count(kernel: Kernel, kind: str, rel: str, more: tuple[int, int, int]) -> None:
    facts = kernel.tree.facts(rel)
    flow = [a + b for a, b in zip(facts.get("flow", [0, 0, 0]), more, strict=True)]
    kernel.tree.remember(rel, {**facts, "flow": flow})
    folder, name = _FILES[kind]
    kernel.tree.put_all(
        f"{rel}/{folder}",
        {
            name: f"{flow[0]}\n",
            "read_mbytes": f"{flow[1] >> _SHIFT}\n",
            "write_mbytes": f"{flow[2] >> _SHIFT}\n",
        },
    )


def count_look(kernel: Kernel, lun: str) -> None:
    """Count what the host asks a disk that is put before its own SCSI layer, as often as it is."""
    count_commands(kernel, lun, _LOOK)
    _count(kernel, "device", _source(kernel, lun), (1, 0, 0))


def _source(kernel: Kernel, rel: str) -> str:
    found: str | None = kernel.tree.facts(rel).get("leads_to")
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), kernel.tree.path(rel))
    return found


def count_login(kernel: Kernel, target: str) -> None:
    """Count a login that a target accepted."""
    _increase(kernel, f"{target}/fabric_statistics/iscsi_login_stats/accepts")


def count_logout(kernel: Kernel, target: str) -> None:
    """Count a logout that an initiator asked for."""
    _increase(kernel, f"{target}/fabric_statistics/iscsi_logout_stats/normal_logouts")


def count_refusal(kernel: Kernel, target: str, initiator: str, address: str, reason: str) -> None:
    """Count a login that a target refused, and keep whose it was.

    One that CHAP refuses, or that has no ACL, is counted a second time, as a negotiation that
    failed; the name of the latter is not kept.
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


def _increase(kernel: Kernel, rel: str) -> None:
    kernel.tree.put(rel, f"{int(kernel.tree.text(rel)) + 1}\n")
