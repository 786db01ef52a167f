# SPDX-License-Identifier: Apache-2.0
"""Block and SCSI devices of the real host, read from /dev, sysfs and procfs."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat

from pyshell.expressions import expression
from pyshell.host import (
    BY_ID,
    DISK,
    ZONED_DISK,
    BlockDevice,
    Queue,
    ScsiDevice,
    file_text,
    is_hctl,
    names_in,
)

_FOLDERS = ("/dev/", "/dev/mapper/")
_DEFAULT_DEPTH = 128  # the kernel's BLKDEV_DEFAULT_RQ
_CACHES = {"write back": True, "write through": False}
_SECTOR = 512  # sysfs counts sizes in sectors of 512 bytes, whatever the device's own are
# Names that identify the disk itself, best first; others may name the path to it or its content.
_BEST = ("dm-name-", "wwn-", "nvme-eui.", "nvme-", "scsi-", "ata-", "virtio-", "md-name-")
_MOVING = expression(
    r"/dev/((sd|vd|xvd|hd)[a-z]+\d*|nvme\d+n\d+(p\d+)?|md\d+(p\d+)?|dm-\d+|loop\d+(p\d+)?"
    r"|sr\d+|s?r?g\d+|n?st\d+|mmcblk\d+(p\d+)?|z?r(am|bd)\d+(p\d+)?|nbd\d+(p\d+)?)",
    re.ASCII,
)
# Where a SCSI device's nodes are listed below its folder in sysfs, the best to name it by first.
_NODES = ("block", "scsi_tape", "scsi_changer", "scsi_generic")


def _number(path: str) -> int:
    found = file_text(path)
    return int(found) if found.isdigit() else 0


def paths(folder: str) -> list[str]:
    """Return all paths in /dev, /dev/mapper and, if it is below /dev, `folder`; sorted."""
    found = set()
    for one in {*_FOLDERS, folder}:
        if one.startswith("/dev/"):
            found |= {f"{one}{name}" for name in names_in(one)}
    return sorted(found)


def block_device(path: str) -> BlockDevice | None:
    """Return the block device at `path`, None if that is something else or missing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISBLK(status.st_mode):
        return None
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    folder = os.path.realpath(f"/sys/dev/block/{number}")
    return BlockDevice(
        path=path,
        name=os.path.basename(folder).replace("!", "/"),
        size=_number(f"{folder}/size") * _SECTOR,
        read_only=_number(f"{folder}/ro") != 0,
        # A disk that is not SCSI has no type file; SAM's type 0 is a direct-access device.
        scsi_type=_number(f"{folder}/device/type"),
        holder=_holder(number, folder),
        model=_model(folder),
    )


def _model(folder: str) -> str:
    """Return what a block device is, by its folder in sysfs."""
    backing = file_text(f"{folder}/loop/backing_file")
    if backing:
        return f"loop device on {backing}"
    kind = file_text(f"{folder}/dm/uuid").partition("-")[0]
    if kind:
        return {"LVM": "logical volume", "mpath": "multipath", "CRYPT": "encrypted"}.get(kind, kind)
    whole = os.path.dirname(folder) if os.path.exists(f"{folder}/partition") else folder
    words = [file_text(f"{whole}/device/vendor"), file_text(f"{whole}/device/model")]
    made = " ".join(word for word in words if word and not word.startswith("0x"))
    return f"partition of {made or os.path.basename(whole)}" if whole != folder else made


def _holder(number: str, folder: str) -> str:
    """Return what uses a block device: a mount, swap, or another block device (LVM, md, dm)."""
    numbers = {number}
    for entry in names_in(folder):
        partition = file_text(f"{folder}/{entry}/dev") if entry != "device" else ""
        if partition:
            numbers.add(partition)
    for line in file_text("/proc/self/mountinfo").split("\n"):
        fields = line.split(" ")
        if len(fields) > 4 and fields[2] in numbers:
            return f"mounted on {fields[4]}"
    for line in file_text("/proc/swaps").splitlines()[1:]:
        if os.path.basename(os.path.realpath(line.split()[0])) == os.path.basename(folder):
            return "used as swap"
    holders = names_in(f"{folder}/holders")
    return f"held by {', '.join(holders)}" if holders else ""


def in_use(path: str) -> bool:
    """Return whether the block device at `path` cannot be opened exclusively."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return error.errno == errno.EBUSY
    with contextlib.suppress(OSError):  # a tape without a medium cannot be rewound
        os.close(descriptor)
    return False


def size(name: str) -> int | None:
    """Return the bytes of the device that the kernel calls `name`, None if it is gone."""
    sectors = file_text(f"{_folder(name)}/size")
    return int(sectors) * _SECTOR if sectors.isdigit() else None


def queue(name: str) -> Queue | None:
    """Return the limits of the device that the kernel calls `name`, None if unknown."""
    folder = os.path.realpath(_folder(name))
    if os.path.exists(f"{folder}/partition"):
        folder = os.path.dirname(folder)
    block_size = _number(f"{folder}/queue/logical_block_size")
    if not block_size:
        return None

    def number(limit: str) -> int:
        return _number(f"{folder}/queue/{limit}")

    return Queue(
        block_size=block_size,
        discard_sectors=number("discard_max_bytes") // _SECTOR,
        discard_granularity=number("discard_granularity"),
        write_zeroes_sectors=number("write_zeroes_max_bytes") // _SECTOR,
        rotational=number("rotational") != 0,
        # Newer kernels (6.12) hide it for a device without requests of its own, as LVM's; it has
        # the kernel's default there (blk_alloc_queue).
        depth=number("nr_requests") or _DEFAULT_DEPTH,
        max_sectors=number("max_hw_sectors_kb") * 1024 // block_size,
        write_cache=_CACHES.get(file_text(f"{folder}/queue/write_cache")),
    )


def _folder(name: str) -> str:
    return f"/sys/class/block/{name.replace('/', '!')}"


def is_present(path: str) -> bool:
    """Return whether there is a device of any kind at `path`."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISBLK(mode) or stat.S_ISCHR(mode)


# Names


def moves_between_boots(path: str) -> bool:
    """Return whether a device's name depends on the order of detection, as /dev/sda does."""
    return _MOVING.fullmatch(path) is not None


def lasting_name(path: str, folder: str = BY_ID) -> str | None:
    """Return the best name in a folder of links that leads to the device at `path`."""
    device = os.path.realpath(path)
    found = [name for name in names_in(folder) if os.path.realpath(folder + name) == device]
    found.sort(key=lambda name: (*(not name.startswith(best) for best in _BEST), name))
    return folder + found[0] if found else None


# SCSI devices, which the pscsi backstore can pass through


def scsi_device(name: str) -> ScsiDevice | None:
    """Return the SCSI device at a path or H:C:T:L, None if there is none."""
    if is_hctl(name):
        return scsi_device_at(f"/sys/class/scsi_device/{name}/device", "")
    try:
        status = os.stat(name)
    except OSError:
        return None
    kind = {stat.S_IFBLK: "block", stat.S_IFCHR: "char"}.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return scsi_device_at(f"/sys/dev/{kind}/{number}", name)


def scsi_device_at(folder: str, path: str) -> ScsiDevice | None:
    """Return the SCSI device of a folder in sysfs or of one above it.

    With "" as `path`, the device is named by its best node.
    """
    node = os.path.realpath(folder)
    device = node
    while not is_hctl(os.path.basename(device)):
        device = os.path.dirname(device)
        if device in ("", "/"):
            return None
    try:
        kind = int(file_text(f"{device}/type"))
    except ValueError:
        return None
    best = _best_node(device)
    problem = ""
    if not (path or best):
        problem = "has no device node: 'modprobe sg' creates one"
    elif os.path.exists(f"{node}/partition"):
        problem = f"is a partition, and only whole devices can be passed through: {best}"
    elif path and kind in (DISK, ZONED_DISK) and "/block/" not in node:
        # The kernel opens a disk by its block device, whatever name it was given.
        problem = f"is a disk by its generic name: use {best}"
    return ScsiDevice(path or best, os.path.basename(device), kind, problem)


def _best_node(device: str) -> str:
    for kind in _NODES:
        # A tape has a node for each mode: st0 is the plain one, nst0 does not rewind.
        plain = sorted(
            names_in(f"{device}/{kind}"), key=lambda name: (name.startswith("n"), len(name), name)
        )
        if plain:
            return f"/dev/{plain[0].replace('!', '/')}"
    return ""
