# SPDX-License-Identifier: Apache-2.0
"""Changes of user-space storage objects, of which the program that answers for them is told.

None runs here, and so a kernel without one was recorded: it refuses such changes with ESRCH.
"""

from __future__ import annotations

import errno

from pyshell.simulator import core
from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.refusal import refuse
from pyshell.simulator.values import number

_CONFIG_MAX = 255


def _write_config(kernel: Kernel, place: Place, text: str) -> None:
    if len(text.encode()) > _CONFIG_MAX:
        refuse(errno.EINVAL)
    _tell(kernel, place)
    _remember(kernel, place, "dev_config", text)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{text}\n")


def _write_size(kernel: Kernel, place: Place, text: str) -> None:
    size = number(text, "u64")
    _tell(kernel, place)
    _remember(kernel, place, "dev_size", size)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{size}\n")


def _write_cache(kernel: Kernel, place: Place, text: str) -> None:
    is_cached = number(text, "u8")
    _tell(kernel, place)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{int(bool(is_cached))}\n")


def _tell(kernel: Kernel, place: Place) -> None:
    """Tell the program that answers for an enabled object of a change."""
    if kernel.tree.facts(place.owner).get("enabled"):
        refuse(errno.ESRCH)


def _remember(kernel: Kernel, place: Place, name: str, value: object) -> None:
    facts = kernel.tree.facts(place.owner)
    facts["control"] = {**facts.get("control", {}), name: value}
    kernel.tree.remember(place.owner, facts)
    core.refresh(kernel, place.owner)


RULES = Rules(
    writes={
        ("device/user", "attrib/dev_config"): _write_config,
        ("device/user", "attrib/dev_size"): _write_size,
        ("device/user", "attrib/emulate_write_cache"): _write_cache,
    }
)
