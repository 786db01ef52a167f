# SPDX-License-Identifier: Apache-2.0
"""What a storage object says of itself in its file `info`, as each backstore plugin writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyshell.simulator import handled
from pyshell.simulator.backstores import PAGE_SIZE
from pyshell.simulator.kernel import Kernel
from pyshell.simulator.tree import Facts
from pyshell.simulator.values import cast

_PAGES_IN_TABLE = 2048  # scatterlist entries of 32 bytes in an allocation of 64 KiB


def text(kernel: Kernel, storage_object: str, facts: Facts) -> str:
    """Return the text of a storage object's `info`."""
    plugin: str = facts["plugin"]

    def limit(name: str) -> str:
        return kernel.tree.text(f"{storage_object}/attrib/{name}").strip()

    status = "ACTIVATED" if facts.get("links") else "DEACTIVATED"
    # Whoever answers for these has a block size of its own.
    sector = limit("hw_block_size" if plugin in ("pscsi", "user") else "block_size")
    if plugin == "user" and not facts.get("enabled"):
        sector = "0"
    first = (
        f"Status: {status}  Max Queue Depth: {facts.get('queue_depth', 0)}  "
        f"SectorSize: {sector}  HwMaxSectors: {limit('hw_max_sectors')}\n"
    )
    return first + _TEXTS[plugin](facts, facts.get("control", {}))


def _iblock(facts: Facts, control: Facts) -> str:
    device = facts.get("device")
    text = f"        iBlock device: {device['kernel_name']}" if device else "        "
    if "udev_path" in control:
        text += f"  UDEV PATH: {control['udev_path']}"
    text += f"  readonly: {control.get('readonly', 0)}\n"
    major, minor = (device["number"] if device else "0:0").split(":")
    claimed = "  CLAIMED: IBLOCK" if device else ""
    return f"{text}        Major: {major} Minor: {minor}{claimed}\n"


def _fileio(facts: Facts, control: Facts) -> str:
    mode = "Buffered-WCE" if control.get("fd_buffered_io") else "O_DSYNC"
    return (
        f"        TCM FILEIO ID: 0        File: {control.get('fd_dev_name', '')}"
        f"  Size: {control.get('fd_dev_size', 0)}  Mode: {mode}"
        f" Async: {int(bool(control.get('fd_async_io')))}\n"
    )


def _rd_mcp(facts: Facts, control: Facts) -> str:
    pages = control.get("rd_pages", 0)
    is_backed = facts.get("enabled") and not control.get("rd_nullio")
    tables = pages // _PAGES_IN_TABLE + 1 if is_backed else 0
    return (
        f"        TCM RamDisk ID: 0  RamDisk Makeup: rd_mcp\n"
        f"        PAGES/PAGE_SIZE: {cast(pages, 'u32')}*{PAGE_SIZE}  SG_table_count: {tables}"
        f"  nullio: {int(bool(control.get('rd_nullio')))}"
        f" dummy: {int(bool(control.get('rd_dummy')))}\n"
    )


def _pscsi(facts: Facts, control: Facts) -> str:
    text = (
        f"        SCSI Device Bus Location: Channel ID: {control.get('scsi_channel_id', 0)}"
        f" Target ID: {control.get('scsi_target_id', 0)} LUN: {control.get('scsi_lun_id', 0)}"
        f" Host ID: {control.get('scsi_host_id', 0)}\n"
    )
    device = facts.get("device")
    if device:
        text += (
            f"        Vendor: {device['vendor']:<8} Model: {device['model']:<16}"
            f" Rev: {device['revision']:<4}\n"
        )
    return text


_TEXTS: Mapping[str, Callable[[Facts, Facts], str]] = {
    "iblock": _iblock,
    "fileio": _fileio,
    "rd_mcp": _rd_mcp,
    "pscsi": _pscsi,
    "user": lambda _facts, control: handled.info(control),
}
