# SPDX-License-Identifier: Apache-2.0
"""The backstore plugin `user`: what storage objects show for which a program answers."""

from __future__ import annotations

from pyshell.simulator.tree import Facts

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


def limits(control: Facts) -> dict[str, str]:
    """Return the attributes that enabling settles, as they are before it."""
    names = ("hw_block_size", "hw_max_sectors")
    return {f"attrib/{name}": f"{control.get(name, 0)}\n" for name in names}


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
