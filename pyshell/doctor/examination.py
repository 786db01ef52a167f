# SPDX-License-Identifier: Apache-2.0
"""All checks of the running target, in the order of an initiator's way to its disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pyshell.doctor import access, boot, disks, network
from pyshell.doctor.findings import Finding, unseen
from pyshell.errors import PyshellError
from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import is_below

_MOUNT = "/sys/kernel/config"


@dataclass(frozen=True)
class Check:
    """One check of `doctor`."""

    name: str
    """Its name in the JSON output."""
    where: str
    """The part of the tree that is uncertain if the check fails; "" for the host alone."""
    run: Callable[[Lio], Iterator[Finding]]


def check_kernel(lio: Lio) -> Iterator[Finding]:
    """Yield what is missing for the kernel to be a target."""
    if is_up(lio):
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
    Check("kernel", "/", check_kernel),
    Check("boot", "", boot.check_boot),
    Check("saving", "", boot.check_saving),
    Check("network", "/iscsi", network.check_portals),
    Check("firewall", "/iscsi", network.check_firewall),
    Check("targets", "/FABRIC", access.check_tpgs),
    Check("access", "/iscsi", access.check_access),
    Check("logins", "/iscsi", access.check_logins),
    Check("disks", "/backstores", disks.check_disks),
    Check("devices", "/backstores", disks.check_devices),
)
"""The first is always run, the others only if there is a target. /FABRIC is each one in use."""


def is_up(lio: Lio) -> bool:
    """Return whether the kernel's target is loaded."""
    return os.path.isdir(lio.kernel.root)


def examine(lio: Lio, path: str = "/") -> Iterator[tuple[str, Finding]]:
    """Yield each finding at or below `path`, with the name of its check."""
    for check in CHECKS:
        if check is not CHECKS[0] and not is_up(lio):
            return
        try:
            found = list(check.run(lio))
        except OSError as error:  # an object deleted in the meantime, a file of root's
            found = [unseen(check.name, f"{error.strerror}: {error.filename}", *_paths(lio, check))]
        except PyshellError as error:
            found = [unseen(check.name, str(error), *_paths(lio, check))]
        for one in found:
            if _concerns(one, path):
                yield check.name, one


def _paths(lio: Lio, check: Check) -> list[str]:
    if check.where == "/FABRIC":
        return [f"/{fabric.name}" for fabric in listing.fabrics_in_use(lio)]
    return [check.where] if check.where else []


def _concerns(one: Finding, path: str) -> bool:
    if path == "/" or is_below(one.path, path):
        return True
    return any(is_below(place, path) or is_below(path, place) for place in one.about)
