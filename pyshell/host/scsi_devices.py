# SPDX-License-Identifier: Apache-2.0
"""SCSI devices of this host, as sysfs shows them: what the pscsi backstore can pass through."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

_HCTL = re.compile(r"\d+:\d+:\d+:\d+")
# SCSI's peripheral device types, as administrators call them.
DISK, TAPE, ZONED_DISK = 0, 1, 0x14
_TYPE_NAMES = {0: "disk", 1: "tape", 5: "CD-ROM", 7: "optical disk", 8: "changer", 0x14: "disk"}
# Where a SCSI device's nodes are listed below its folder in sysfs, the best to name it by first.
_NODES = ("block", "scsi_tape", "scsi_changer", "scsi_generic")


@dataclass(frozen=True)
class ScsiDevice:
    """A SCSI device of this host: `path` is the node it was named by, or its best.

    `problem` says why it cannot be passed through by that name, "" where it can.
    """

    path: str
    hctl: str
    scsi_type: int
    problem: str = ""

    @property
    def type_name(self) -> str:
        """Return the device's type in words."""
        return _TYPE_NAMES.get(self.scsi_type, f"SCSI device of type {self.scsi_type}")


def is_address(name: str) -> bool:
    """Tell whether a device is named by its H:C:T:L."""
    return _HCTL.fullmatch(name) is not None


def named(name: str) -> ScsiDevice | None:
    """Return the SCSI device at a path or H:C:T:L, None where there is none."""
    if is_address(name):
        return found_at(f"/sys/class/scsi_device/{name}/device", "")
    try:
        status = os.stat(name)
    except OSError:
        return None
    kind = {stat.S_IFBLK: "block", stat.S_IFCHR: "char"}.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return found_at(f"/sys/dev/{kind}/{number}", name)


def found_at(folder: str, path: str) -> ScsiDevice | None:
    """Return the SCSI device that a folder in sysfs is, or lies in; "" as path for its best."""
    node = os.path.realpath(folder)
    device = node
    while not _HCTL.fullmatch(os.path.basename(device)):
        device = os.path.dirname(device)
        if device in ("", "/"):
            return None
    try:
        kind = int(Path(device, "type").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    best = _best_node(device)
    problem = ""
    if not (path or best):
        problem = "has no device node: 'modprobe sg' makes one"
    elif os.path.exists(f"{node}/partition"):
        problem = f"is a partition, and only whole devices can be passed through: {best}"
    elif path and kind in (DISK, ZONED_DISK) and "/block/" not in node:
        # The kernel opens a disk by its block device, whatever name it was given.
        problem = f"is a disk by its generic name: use {best}"
    return ScsiDevice(path or best, os.path.basename(device), kind, problem)


def _best_node(device: str) -> str:
    for kind in _NODES:
        try:
            names = os.listdir(f"{device}/{kind}")
        except OSError:
            continue
        # A tape has a node for each mode: st0 is the plain one, nst0 does not rewind.
        plain = sorted(names, key=lambda name: (name.startswith("n"), len(name), name))
        if plain:
            return f"/dev/{plain[0].replace('!', '/')}"
    return ""
