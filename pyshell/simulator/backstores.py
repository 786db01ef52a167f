# SPDX-License-Identifier: Apache-2.0
"""The backstore plugins: their control values, and what enabling needs and finds."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyshell.simulator import handled
from pyshell.simulator.kernel import Kernel
from pyshell.simulator.machine import DISK, SimulatedDevice
from pyshell.simulator.recorded import template
from pyshell.simulator.refusal import refuse
from pyshell.simulator.tree import Facts
from pyshell.simulator.values import number

PAGE_SIZE = 4096
_DECIMAL = re.compile(r"[+-]?\d+\Z")
# Which names a plugin's control file takes, and what for: a text, a size in bytes, a number, a
# switch, which can only be put to 1, a limit above 0, or a fixed one, which enabling settles.
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
        **dict.fromkeys(handled.DEFAULTS, "fixed"),
    },
}
PLUGINS = tuple(_CONTROLS)
# The file udev_path beside the control values: only pscsi looks at it.
_SHOWN_PATH = "udev_path file"


def control(facts: Facts, text: str) -> None:
    """Take what is written to a control file; the kernel ignores what it does not know."""
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
            if not _fits(kind, int(value), is_enabled=bool(facts.get("enabled"))):
                refuse(errno.EINVAL)
            values[name] = int(value)


def _fits(kind: str, value: int, *, is_enabled: bool) -> bool:
    if kind == "switch":
        return value == 1
    if kind == "fixed" and is_enabled:
        return False
    return kind not in ("limit", "fixed") or value > 0


@dataclass(frozen=True)
class Opened:
    """What a storage object found when it was enabled: the device under it, and its texts."""

    texts: Mapping[str, str]
    device: SimulatedDevice | None = None
    exclusive: bool = False

    @property
    def facts(self) -> Facts:
        """What a storage object goes on knowing of its device, pulled out or not."""
        kept = ("kernel_name", "number", "vendor", "model", "revision", "serial")
        return {name: getattr(self.device, name) for name in kept} if self.device else {}


def opened(kernel: Kernel, storage_object: str, facts: Facts) -> Opened:
    """Do what enabling does; refuse where the device cannot be had."""
    udev_path = kernel.tree.text(f"{storage_object}/udev_path").strip()
    return _OPENERS[facts["plugin"]](kernel, {**facts.get("control", {}), _SHOWN_PATH: udev_path})


def _open_iblock(kernel: Kernel, control: Facts) -> Opened:
    if "udev_path" not in control:
        refuse(errno.EINVAL)
    device = _block_device(kernel, control["udev_path"])
    if device.holder or device.kernel_name in claims(kernel):
        refuse(errno.EBUSY)
    return Opened(_limits(device), device, exclusive=True)


def _open_fileio(kernel: Kernel, control: Facts) -> Opened:
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


def _open_rd_mcp(_kernel: Kernel, control: Facts) -> Opened:
    pages = control.get("rd_pages", 0)
    if pages <= 0:
        refuse(errno.ENOMEM if pages else errno.EINVAL)
    return Opened({})


def _open_pscsi(kernel: Kernel, control: Facts) -> Opened:
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


def _open_user(_kernel: Kernel, control: Facts) -> Opened:
    return Opened(handled.opened(control))


_OPENERS: Mapping[str, Callable[[Kernel, Facts], Opened]] = {
    "iblock": _open_iblock,
    "fileio": _open_fileio,
    "rd_mcp": _open_rd_mcp,
    "pscsi": _open_pscsi,
    "user": _open_user,
}


def _block_device(kernel: Kernel, path: str) -> SimulatedDevice:
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


def discard_limits(kernel: Kernel, facts: Facts) -> dict[str, str]:
    """Return the discard limits of what an enabled storage object lies on; {} without discard."""
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
    """Return the texts by which a passed-through SCSI device makes itself known."""
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


# The same for a file and for a device that is written like one.
_FILE_LIMITS = {
    "attrib/hw_max_sectors": "16384\n",
    "attrib/optimal_sectors": "16384\n",
    "attrib/max_write_same_len": "65535\n",
}


# Who has a device to itself

_CLAIMS = "claims"


def claims(kernel: Kernel) -> dict[str, str]:
    """Return which storage object holds which device exclusively, by kernel name."""
    held: dict[str, str] = kernel.tree.facts(_CLAIMS)
    return held


def claim(kernel: Kernel, device: str, storage_object: str) -> None:
    """Give a device to a storage object alone."""
    kernel.tree.remember(_CLAIMS, {**claims(kernel), device: storage_object})


def release(kernel: Kernel, storage_object: str) -> None:
    """Give back whatever a storage object held."""
    held = claims(kernel)
    if storage_object in held.values():
        kept = {name: holder for name, holder in held.items() if holder != storage_object}
        kernel.tree.remember(_CLAIMS, kept)
