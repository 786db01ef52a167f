# SPDX-License-Identifier: Apache-2.0
"""All checks of what runs, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

from pyshell.config.store.state import is_below
from pyshell.doctor import (
    access,
    backing_devices,
    boot,
    disks,
    firewall,
    kernel_support,
    logins,
    network,
    saved_file,
    target_state,
)
from pyshell.doctor.findings import Finding, unseen
from pyshell.errors import PyshellError
from pyshell.lio import listing
from pyshell.lio.attach import Lio

Check = Callable[[Lio], Iterator[Finding]]

# In the order of an initiator's way to its disk.
CHECKS: MappingProxyType[str, Check] = MappingProxyType(
    {
        "kernel": kernel_support.check,
        "boot": boot.check,
        "saving": saved_file.check,
        "network": network.check,
        "firewall": firewall.check,
        "targets": target_state.check,
        "access": access.check,
        "logins": logins.check,
        "disks": disks.check,
        "devices": backing_devices.check,
    }
)
_OF_THE_HOST = ("kernel",)
# What a check that comes to nothing leaves in doubt; of the others the whole alone.
_ABOUT = {
    "kernel": "/",
    "network": "/iscsi",
    "firewall": "/iscsi",
    "access": "/iscsi",
    "logins": "/iscsi",
    "disks": "/backstores",
    "devices": "/backstores",
}


def examine(lio: Lio, path: str = "/") -> Iterator[tuple[str, Finding]]:
    """Yield each finding, with the name of its check; of a part of the tree only what is there."""
    for name, check in CHECKS.items():
        if name not in _OF_THE_HOST and not kernel_support.is_up(lio):
            return
        try:
            found = list(check(lio))
        except OSError as error:  # an object that went while it was looked at, a file of root's
            found = [unseen(name, f"{error.strerror}: {error.filename}", *_about(name))]
        except PyshellError as error:
            found = [unseen(name, str(error), *_about(name))]
        for one in found:
            if _fits(one, path):
                yield name, one


def _about(check: str) -> list[str]:
    if check == "targets":
        return [f"/{fabric.name}" for fabric in listing.fabrics_in_use()]
    return [_ABOUT[check]] if check in _ABOUT else []


def _fits(one: Finding, path: str) -> bool:
    """Tell whether a finding is of a part of the tree, or matters there."""
    if path == "/" or is_below(one.path, path):
        return True
    return any(is_below(place, path) or is_below(path, place) for place in one.about)
