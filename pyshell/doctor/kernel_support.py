# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel's target is there at all: configfs, the core's module."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyshell.doctor.findings import Finding
from pyshell.lio.attach import Lio

_MOUNT = "/sys/kernel/config"
_ALL = ("/",)


def is_up(lio: Lio) -> bool:
    """Tell whether there is a target to look at."""
    return os.path.isdir(lio.kernel.root)


def check(lio: Lio) -> Iterator[Finding]:
    """Yield what keeps the kernel from being a target."""
    if is_up(lio):
        return
    if not os.path.ismount(_MOUNT):
        made = [] if os.path.isdir(_MOUNT) else ["modprobe configfs"]
        told = "configfs is not mounted: nothing of the kernel's target can be seen or set"
        commands = (*made, f"mount -t configfs none {_MOUNT}")
        yield Finding("error", _MOUNT, told, commands, _ALL)
    else:
        told = "the kernel's storage target is not loaded: nothing is exported"
        yield Finding("error", lio.kernel.root, told, ("modprobe target_core_mod",), _ALL)
