# SPDX-License-Identifier: Apache-2.0
"""The backstore plugin `user`: storage objects that a program answers for, of which none runs here.

So a kernel without such a program was recorded: what has to be told to one is refused with ESRCH.
"""

from __future__ import annotations

import errno

from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.refusal import refuse
from pyshell.simulator.tree import Facts
from pyshell.simulator.values import number

_CONFIG_MAX = 255
_PAGE_SIZE = 4096
_BLOCK_SIZE = 512
_MAX_SECTORS = 128
# What `info` and the attributes show where `control` was not told otherwise.
DEFAULTS = {"max_data_area_mb": 1024, "data_pages_per_blk": 1, "cmd_ring_size_mb": 8}


def shown(control: Facts) -> dict[str, str]:
    """Return the attributes that follow what was written to `control`."""
    texts = {
        "attrib/dev_config": f"{control.get('dev_config', '')}\n",
        "attrib/dev_size": f"{control.get('dev_size', 0)}\n",
    }
    return texts | {f"attrib/{n}": f"{control.get(n, d)}\n" for n, d in DEFAULTS.items()}


def opened(control: Facts) -> dict[str, str]:
    """Return what enabling shows; the kernel asks nothing of the configuration."""
    block = control.get("hw_block_size", _BLOCK_SIZE)
    sectors = control.get("hw_max_sectors", _MAX_SECTORS)
    step = max(1, _PAGE_SIZE // block)
    limits = {
        "attrib/hw_block_size": f"{block}\n",
        "attrib/hw_max_sectors": f"{sectors // step * step}\n",
    }
    return shown(control) | limits


def info(control: Facts) -> str:
    """Return the second line of a storage object's `info`."""
    limits = {name: control.get(name, default) for name, default in DEFAULTS.items()}
    return (
        f"        Config: {control.get('dev_config') or 'NULL'} Size: {control.get('dev_size', 0)}"
        f" MaxDataAreaMB: {limits['max_data_area_mb']}"
        f" DataPagesPerBlk: {limits['data_pages_per_blk']}"
        f" CmdRingSizeMB: {limits['cmd_ring_size_mb']}\n"
    )


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


RULES = Rules(
    writes={
        ("device/user", "attrib/dev_config"): _write_config,
        ("device/user", "attrib/dev_size"): _write_size,
        ("device/user", "attrib/emulate_write_cache"): _write_cache,
    }
)
