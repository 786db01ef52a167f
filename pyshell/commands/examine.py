# SPDX-License-Identifier: Apache-2.0
"""The root's command `doctor`: find problems of the target and its host."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pyshell.commands.check import counts
from pyshell.doctor import Finding, access, boot, cluster, disks, network, protection, unseen
from pyshell.errors import PyshellError
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import is_below
from pyshell.tree.command import PATH, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result

_MOUNT = "/sys/kernel/config"


@command(examples=("doctor", "doctor /iscsi"), in_candidate="running")
def doctor(
    node: Node,
    path: Annotated[
        str | None,
        PATH,
        "Check only objects at or below this path. Default: all objects and the host.",
    ] = None,
) -> Result:
    """Diagnose problems and suggest fixes.

    Checks the kernel's target, restore at boot, unconfirmed and unfinished changes, saved file,
    targets under cluster control, addresses, ports, firewall, targets, CHAP, refused logins, disks,
    devices, persistent reservations and read-only access. Changes nothing.

    A suggested command can be run as it is; it deletes nothing. Commands that disturb initiators,
    grant access or contain a placeholder are listed below 'Decide for yourself', as is saveconfig
    while there are errors.

    Exit status: 0 no problems (lines that begin with 'info' are none), 1 warnings, 2 errors.
    """
    below = node.get_node(path).path if path else "/"
    found = list(examine(node.lio, below))
    data = [
        {
            "check": check,
            "level": one.level,
            "path": one.path,
            "code": one.code or None,
            "message": one.message,
            "commands": list(one.commands),
            "choices": list(one.choices),
        }
        for check, one in found
    ]
    findings = [one for _, one in found]
    return Lines(_lines(findings), data, _status(findings), form="sentences")


_ORDER = ("error", "warning", "info", "unseen")


def _lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings as text, the worst first."""
    lines = []
    for one in sorted(findings, key=lambda one: _ORDER.index(one.level)):
        word = {"unseen": "skipped"}.get(one.level, one.level)
        lines.append(f"{word}: {one.path}: {one.message}")
        lines += [f"    {command}" for command in one.commands]
        if one.choices:
            lines.append("    Decide for yourself:")
            lines += [f"        {command}" for command in one.choices]
    told = counts(one.level for one in findings)
    if not told:
        unseen = any(one.level == "unseen" for one in findings)
        return [*lines, f"No problems found{' by the checks that ran' * unseen}."]
    suggested = any(one.commands or one.choices for one in findings)
    fixes = "Suggested fixes are shown below each." if suggested else ""
    return [*lines, f"{told}. {fixes}".rstrip()]


def _status(findings: Sequence[Finding]) -> int:
    levels = {one.level for one in findings}
    return 2 if "error" in levels else int("warning" in levels)


@dataclass(frozen=True)
class Check:
    """One check of `doctor`."""

    name: str
    """Its name in the JSON output."""
    where: str
    """The part of the tree that is uncertain if the check fails; "" for the host alone."""
    run: Callable[[Lio], Iterator[Finding]]


def _check_kernel(lio: Lio) -> Iterator[Finding]:
    """Yield what is missing for the kernel to be a target."""
    if _is_up(lio):
        return
    if not os.path.ismount(_MOUNT):
        first = [] if os.path.isdir(_MOUNT) else ["modprobe configfs"]
        message = "configfs is not mounted: the kernel's target cannot be read or changed"
        commands = (*first, f"mount -t configfs none {_MOUNT}")
        yield Finding("error", _MOUNT, message, commands, ("/",))
    else:
        message = "the kernel's storage target is not loaded: nothing is exported"
        yield Finding("error", lio.kernel.root, message, ("modprobe target_core_mod",), ("/",))


CHECKS = (
    Check("kernel", "/", _check_kernel),
    Check("boot", "", boot.check_boot),
    Check("confirm", "", boot.check_unconfirmed),
    Check("unfinished", "", boot.check_unfinished),
    Check("cluster", "", cluster.check_cluster),
    Check("network", "/iscsi", network.check_portals),
    Check("firewall", "/iscsi", network.check_firewall),
    Check("targets", "/FABRIC", access.check_tpgs),
    Check("access", "/iscsi", access.check_access),
    Check("logins", "/iscsi", access.check_logins),
    Check("disks", "/backstores", disks.check_disks),
    Check("devices", "/backstores", disks.check_devices),
    Check("reservations", "/backstores", disks.check_reservations),
    Check("protection", "/backstores", protection.check_protection),
)
"""The first is always run, the others only if there is a target. /FABRIC is each one in use.

Unsaved changes are checked after these: errors of the running configuration are not to be saved.
"""


def _is_up(lio: Lio) -> bool:
    return os.path.isdir(lio.kernel.root)


def examine(lio: Lio, path: str = "/") -> Iterator[tuple[str, Finding]]:
    """Yield each finding at or below `path`, with the name of its check."""
    broken = False
    for check in CHECKS:
        if check is not CHECKS[0] and not _is_up(lio):
            return
        found = _found(lio, check)
        broken = broken or any(one.level == "error" for one in found)
        yield from ((check.name, one) for one in found if _concerns(one, path))
    saving = Check("saving", "", lambda lio: boot.check_saving(lio, broken=broken))
    yield from ((saving.name, one) for one in _found(lio, saving) if _concerns(one, path))


def _found(lio: Lio, check: Check) -> list[Finding]:
    """Return what a check finds, or why it failed."""
    try:
        return list(check.run(lio))
    except OSError as error:  # an object deleted in the meantime, a file of root's
        return [unseen(check.name, f"{error.strerror}: {error.filename}", *_paths(lio, check))]
    except PyshellError as error:
        return [unseen(check.name, str(error), *_paths(lio, check))]


def _paths(lio: Lio, check: Check) -> list[str]:
    if check.where == "/FABRIC":
        return [f"/{fabric.name}" for fabric in listing.fabrics_in_use(lio)]
    return [check.where] if check.where else []


def _concerns(one: Finding, path: str) -> bool:
    if path == "/" or is_below(one.path, path):
        return True
    return any(is_below(place, path) or is_below(path, place) for place in one.about)
