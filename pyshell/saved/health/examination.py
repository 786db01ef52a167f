# SPDX-License-Identifier: Apache-2.0
"""All checks of what runs, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

from pyshell.errors import PyshellError
from pyshell.saved.health import (
    access,
    boot,
    devices,
    disks,
    firewall,
    kernel,
    logins,
    network,
    saving,
    targets,
)
from pyshell.saved.health.findings import Finding, unseen
from pyshell.saved.state import is_below
from pyshell.target.attach import Lio

Check = Callable[[Lio], Iterator[Finding]]

# In the order of an initiator's way to its disk.
CHECKS: MappingProxyType[str, Check] = MappingProxyType(
    {
        "kernel": kernel.check,
        "boot": boot.check,
        "saving": saving.check,
        "network": network.check,
        "firewall": firewall.check,
        "targets": targets.check,
        "access": access.check,
        "logins": logins.check,
        "disks": disks.check,
        "devices": devices.check,
    }
)
_OF_THE_HOST = ("kernel",)


def examine(lio: Lio, path: str = "/") -> Iterator[tuple[str, Finding]]:
    """Yield each finding, with the name of its check; of a part of the tree only what is there."""
    for name, check in CHECKS.items():
        if name not in _OF_THE_HOST and not kernel.is_up(lio):
            return
        try:
            found = list(check(lio))
        except OSError as error:  # an object that went while it was looked at, a file of root's
            found = [unseen(name, f"{error.strerror}: {error.filename}")]
        except PyshellError as error:
            found = [unseen(name, str(error))]
        for one in found:
            if path == "/" or is_below(one.path, path):
                yield name, one
