# SPDX-License-Identifier: Apache-2.0
"""Backstore plugins: their control values, what enabling needs and finds, and their `info`."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyshell.expressions import expression
from pyshell.host import DISK
from pyshell.simulator.hardware import SimulatedDevice
from pyshell.simulator.recorded import template
from pyshell.simulator.rules import SimulatedKernel, cast, number, refuse
from pyshell.simulator.tree_files import Facts

PAGE_SIZE = 4096
_USER_BLOCK_SIZE = 512
_USER_MAX_SECTORS = 128
# What `info` and the attributes show if `control` does not set them.
_USER_DEFAULTS = {"max_data_area_mb": 1024, "data_pages_per_blk": 1, "cmd_ring_size_mb": 8}
_DECIMAL = expression(r"[+-]?\d+\Z")
# The names that a plugin's control file accepts, with their type: a text, a size in bytes, a
# number, a switch, which can only be set to 1, a limit above 0, or one that is fixed by enabling.
_CONTROLS: Mapping[str, Mapping[str, str]] = {
    "iblock": {"udev_path": "text", "readonly": "number", "force": "number"},
    "fileio": {
        "fd_dev_name": "text",
        "fd_dev_size": "size",
        "fd_buffered_io": "switch",
        "fd_async_io": "switch",
    },
    "rd_mcp": {"rd_pages": "number", "rd_nullio": "number", "rd_dummy": "number"},
    "pscsi": {
        "scsi_host_id": "number",
        "scsi_channel_id": "number",
        "scsi_target_id": "number",
        "scsi_lun_id": "number",
    },
    "user": {
        "dev_config": "text",
        "dev_size": "size",
        "hw_block_size": "limit",
        "hw_max_sectors": "limit",
        "nl_reply_supported": "number",
        **dict.fromkeys(_USER_DEFAULTS, "fixed"),
    },
}
PLUGINS = tuple(_CONTROLS)
# The file udev_path next to the control values: only pscsi reads it.
_SHOWN_PATH = "udev_path file"


def control(facts: Facts, text: str) -> None:
    """Set control values, written as "name=value,…"; the kernel ignores unknown names."""
    kinds = _CONTROLS[facts["plugin"]]
    values: Facts = facts.setdefault("control", {})
    for word in re.split("[,\n]", text):
        name, _, value = word.partition("=")
        kind = kinds.get(name)
        if name == "udev_path" and facts.get("device"):
            refuse(errno.EEXIST)
        if kind == "text" and value:
            values[name] = value
        elif kind == "size" and value:
            values[name] = number(value, "u64")
        elif kind is not None and _DECIMAL.match(value):
            if kind != "switch" and facts["plugin"] != "iblock" and not _is_int(int(value)):
                refuse(errno.ERANGE)
            if not _fits(kind, int(value), is_enabled=bool(facts.get("enabled"))):
                refuse(errno.EINVAL)
            values[name] = int(value)


def _is_int(value: int) -> bool:
    """Return whether match_int() of the kernel accepts a number."""
    return -(1 << 31) <= value < 1 << 31


def _fits(kind: str, value: int, *, is_enabled: bool) -> bool:
    if kind == "switch":
        return value == 1
    if kind == "fixed" and is_enabled:
        return False
    return kind not in ("limit", "fixed") or value > 0


@dataclass(frozen=True)
class Opened:
    """What enabling a storage object found: the device under it, and the texts to show."""

    texts: Mapping[str, str]
    device: SimulatedDevice | None = None
    exclusive: bool = False

    @property
    def facts(self) -> Facts:
        """What a storage object remembers of its device, even if that is removed."""
        kept = ("kernel_name", "number", "vendor", "model", "revision", "serial")
        return {name: getattr(self.device, name) for name in kept} if self.device else {}


def opened(kernel: SimulatedKernel, storage_object: str, facts: Facts) -> Opened:
    """Open what the storage object is made of; refuse if that is missing or in use."""
    udev_path = kernel.tree.text(f"{storage_object}/udev_path").strip()
    return _OPENERS[facts["plugin"]](kernel, {**facts.get("control", {}), _SHOWN_PATH: udev_path})


def _open_iblock(kernel: SimulatedKernel, control: Facts) -> Opened:
    if "udev_path" not in control:
        refuse(errno.EINVAL)
    device = _block_device(kernel, control["udev_path"])
    if device.holder or device.kernel_name in claims(kernel):
        refuse(errno.EBUSY)
    return Opened(_limits(device), device, exclusive=True)


def _open_fileio(kernel: SimulatedKernel, control: Facts) -> Opened:
    if "fd_dev_name" not in control:
        refuse(errno.EINVAL)
    path = control["fd_dev_name"]
    device = kernel.machine.device(path)
    if device and device.scsi_type == DISK:
        return Opened({**_limits(device), **_FILE_LIMITS}, device)
    if "fd_dev_size" not in control:
        refuse(errno.EINVAL)
    file = kernel.machine.file(path)
    if file.is_dir():
        refuse(errno.EISDIR)
    try:
        file.touch(0o600)
    except OSError as error:
        refuse(error.errno or errno.EIO)
    return Opened({})


def _open_rd_mcp(_kernel: SimulatedKernel, control: Facts) -> Opened:
    pages = control.get("rd_pages", 0)
    if pages <= 0:
        refuse(errno.ENOMEM if pages else errno.EINVAL)
    return Opened({})


def _open_pscsi(kernel: SimulatedKernel, control: Facts) -> Opened:
    keys = ("scsi_host_id", "scsi_channel_id", "scsi_target_id", "scsi_lun_id")
    if any(key not in control for key in keys) or not control[_SHOWN_PATH]:
        refuse(errno.EINVAL)
    device = kernel.machine.at(":".join(str(control[key]) for key in keys))
    if device is None:
        refuse(errno.ENODEV)
    if device.scsi_type == DISK:
        _block_device(kernel, control[_SHOWN_PATH])
    if device.holder or device.kernel_name in claims(kernel):
        refuse(errno.EBUSY)
    return Opened(_identity(device), device, exclusive=device.scsi_type == DISK)


_OPENERS: Mapping[str, Callable[[SimulatedKernel, Facts], Opened]] = {
    "iblock": _open_iblock,
    "fileio": _open_fileio,
    "rd_mcp": _open_rd_mcp,
    "pscsi": _open_pscsi,
    "user": lambda _kernel, control: Opened(_user_opened(control)),
}


def _block_device(kernel: SimulatedKernel, path: str) -> SimulatedDevice:
    device = kernel.machine.device(path)
    if device is None:
        refuse(errno.ENOTBLK if kernel.machine.file(path).exists() else errno.ENOENT)
    if device.scsi_type != DISK:
        refuse(errno.ENOTBLK)
    return device


def _limits(device: SimulatedDevice) -> dict[str, str]:
    """Return the attributes that show the queue of a block device."""
    numbers = {
        "block_size": device.sector_size,
        "hw_block_size": device.sector_size,
        "hw_max_sectors": device.max_sectors,
        "optimal_sectors": device.max_sectors,
        "hw_queue_depth": device.queue_depth,
        "queue_depth": device.queue_depth,
        "is_nonrot": int(not device.rotational),
    }
    texts = {f"attrib/{name}": f"{number}\n" for name, number in numbers.items()}
    return {**texts, **_discard_limits_of(device)}


def _discard_limits_of(device: SimulatedDevice) -> dict[str, str]:
    discards = device.discard_sectors > 0
    return {
        "attrib/max_unmap_lba_count": f"{device.discard_sectors}\n",
        "attrib/max_unmap_block_desc_count": f"{int(discards)}\n",
        "attrib/unmap_granularity": f"{device.discard_granularity if discards else 0}\n",
    }


def discard_limits(kernel: SimulatedKernel, facts: Facts) -> dict[str, str]:
    """Return the discard limits of an enabled storage object's device; {} without discard."""
    if facts["plugin"] not in ("iblock", "fileio"):
        return {}
    name = facts.get("device", {}).get("kernel_name")
    if name is not None:
        device = kernel.machine.named(name)
        return _discard_limits_of(device) if device and device.discard_sectors else {}
    made = template("device", "fileio").states["enabled"]
    return {inner: text for inner, text in made.items() if inner in _DISCARD_LIMITS}


_DISCARD_LIMITS = (
    "attrib/max_unmap_lba_count",
    "attrib/max_unmap_block_desc_count",
    "attrib/unmap_granularity",
)


def _identity(device: SimulatedDevice) -> dict[str, str]:
    """Return the texts that identify a passed-through SCSI device."""
    vendor, model = f"{device.vendor:<8}", f"{device.model:<16}"
    return {
        "attrib/hw_block_size": f"{device.sector_size}\n",
        "statistics/scsi_lu/dev_type": f"{device.scsi_type}\n",
        "statistics/scsi_lu/vend": f"{vendor}\n",
        "statistics/scsi_lu/prod": f"{model}\n",
        "statistics/scsi_lu/rev": f"{device.revision:<4}\n",
        "statistics/scsi_lu/lu_name": f"{device.serial}\n",
        "wwn/vendor_id": f"{vendor}\n",
        "wwn/product_id": f"{model}\n",
        "wwn/revision": f"{device.revision:<4}\n",
        "wwn/vpd_unit_serial": f"T10 VPD Unit Serial Number: {device.serial}\n",
    }


# The same for a file and for a device that fileio uses.
_FILE_LIMITS = {
    "attrib/hw_max_sectors": "16384\n",
    "attrib/optimal_sectors": "16384\n",
    "attrib/max_write_same_len": "65535\n",
}


# Exclusive use of devices

_CLAIMS = "claims"


def claims(kernel: SimulatedKernel) -> dict[str, str]:
    """Return which storage object holds which device exclusively, by kernel name."""
    held: dict[str, str] = kernel.tree.facts(_CLAIMS)
    return held


def claim(kernel: SimulatedKernel, device: str, storage_object: str) -> None:
    """Reserve a device, by its kernel name, for a storage object."""
    kernel.tree.remember(_CLAIMS, {**claims(kernel), device: storage_object})


def release(kernel: SimulatedKernel, storage_object: str) -> None:
    """Release the device that a storage object holds."""
    held = claims(kernel)
    if storage_object in held.values():
        kept = {name: holder for name, holder in held.items() if holder != storage_object}
        kernel.tree.remember(_CLAIMS, kept)


def user_settings(control: Facts) -> dict[str, str]:
    """Return the attributes that show control values of the plugin `user`."""
    texts = {
        "attrib/dev_config": f"{control.get('dev_config', '')}\n",
        "attrib/dev_size": f"{control.get('dev_size', 0)}\n",
    }
    return texts | {f"attrib/{n}": f"{control.get(n, d)}\n" for n, d in _USER_DEFAULTS.items()}


def user_limits(control: Facts) -> dict[str, str]:
    """Return the attributes that enabling fixes, as they are before it."""
    names = ("hw_block_size", "hw_max_sectors")
    return {f"attrib/{name}": f"{control.get(name, 0)}\n" for name in names}


def _user_opened(control: Facts) -> dict[str, str]:
    """Return what enabling shows; the kernel does not check the configuration string."""
    block = control.get("hw_block_size", _USER_BLOCK_SIZE)
    sectors = control.get("hw_max_sectors", _USER_MAX_SECTORS)
    step = max(1, PAGE_SIZE // block)
    limits = {
        "attrib/hw_block_size": f"{block}\n",
        "attrib/hw_max_sectors": f"{sectors // step * step}\n",
    }
    return user_settings(control) | limits


def _user(_facts: Facts, control: Facts) -> str:
    limits = {**_USER_DEFAULTS, **control}
    return (
        f"        Config: {control.get('dev_config') or 'NULL'} Size: {control.get('dev_size', 0)}"
        f" MaxDataAreaMB: {limits['max_data_area_mb']}"
        f" DataPagesPerBlk: {limits['data_pages_per_blk']}"
        f" CmdRingSizeMB: {limits['cmd_ring_size_mb']}\n"
    )


_PAGES_IN_TABLE = 2048  # scatterlist entries of 32 bytes in an allocation of 64 KiB


def info(kernel: SimulatedKernel, storage_object: str, facts: Facts) -> str:
    """Return the text of a storage object's `info`."""
    plugin: str = facts["plugin"]

    def limit(name: str) -> str:
        return kernel.tree.text(f"{storage_object}/attrib/{name}").strip()

    status = "ACTIVATED" if facts.get("links") else "DEACTIVATED"
    # The device or handler of these has a block size of its own.
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
    "user": _user,
}
