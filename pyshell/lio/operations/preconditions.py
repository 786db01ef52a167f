# SPDX-License-Identifier: Apache-2.0
"""Preconditions of a storage object: its device or file exists, is suitable and free.

rtslib and the kernel refuse some of this with a bare errno, and take the rest: a file shorter than
a block, a path with a comma, of which they open what stands before it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Any

from pyshell.errors import BusyError, NotFoundError, PyshellError, UsageError
from pyshell.host import DISK, ZONED_DISK, BlockDevice
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Foreseen
from pyshell.lio.storage_info import SECTOR
from pyshell.names import size_text
from pyshell.quoting import shell_word

_INT_MAX = 2**31 - 1
_SERIAL_MAX = 252
"""Bytes: the kernel accepts 253, one of which is the line feed that rtslib writes."""
# The bytes of a text written to `control` that the kernel keeps; it silently cuts off the rest.
_TEXT_MAX = {"block": 511, "fileio": 255, "user": 255}


def check(lio: Lio, foreseen: Foreseen, plugin: str, arguments: Mapping[str, Any]) -> None:
    """Raise if a storage object with rtslib's `arguments` for `plugin` cannot be created."""
    for name, known in storage_info.ARGUMENTS[plugin].items():
        if known.needed and arguments.get(name) in (None, ""):
            raise UsageError(f"A {plugin} storage object needs its {name}")
    if arguments.get("wwn"):
        check_serial(str(arguments["wwn"]))
    device = str(arguments.get("dev", arguments.get("config", "")))
    check_text(plugin, device)
    if plugin == "block":
        check_block(lio, foreseen, device, exclusive=bool(arguments.get("exclusive", True)))
    elif plugin == "fileio":
        _check_fileio(lio, foreseen, device, arguments.get("size"))
    elif plugin == "pscsi":
        _check_pscsi(lio, foreseen, device)
    elif plugin == "ramdisk":
        _check_memory(lio, int(arguments["size"]), nullio=bool(arguments.get("nullio")))
    elif plugin == "user":
        _check_user(device, str(arguments.get("control") or ""), arguments.get("hw_max_sectors"))


def check_serial(text: str) -> None:
    """Raise UsageError if `text` cannot be a unit serial number."""
    if len(text.encode(errors="surrogatepass")) > _SERIAL_MAX or not text.isprintable():
        raise UsageError(
            f"'{text}' is not a valid serial number", f"It has at most {_SERIAL_MAX} bytes."
        )
    if "/" in text:  # the kernel names the files of reservations and ALUA states by it
        raise UsageError(f"'{text}' is not a valid serial number", "It cannot hold a slash.")


def refuse_exported(lio: Lio, foreseen: Foreseen | None, place: StorageObject, what: str) -> None:
    """Raise BusyError, which names the LUNs, if a storage object will be exported."""
    if foreseen is not None and foreseen.makes(place.folder):
        return
    luns = listing.luns_of(lio, place)
    paths = [lun.path for lun in luns if foreseen is None or foreseen.exists(lun.folder)]
    if paths:
        raise BusyError(
            f"{what} of {place} cannot change while a LUN exports it ({', '.join(paths)}).",
            "Delete the LUN, set it, and create the LUN again.",
        )


def check_text(plugin: str, text: str) -> None:
    """Raise UsageError if the kernel would cut off a device, file or handler's configuration."""
    longest = _TEXT_MAX.get(plugin)
    if longest is None:
        return
    if any(character in text for character in ",\n"):
        raise UsageError(f"'{text}' holds a comma", "The kernel would end the name there.")
    if len(text.encode(errors="surrogateescape")) > longest:
        raise UsageError(f"'{text}' is longer than {longest} bytes", "The kernel truncates it.")


def check_block(lio: Lio, foreseen: Foreseen, path: str, *, exclusive: bool) -> None:
    """Raise if `path` is not a disk, or is in use although exclusive use is requested."""
    device = lio.machine.block_device(path)
    if device is None:
        if lio.machine.scsi_device(path) is not None or _exists(lio, path):
            raise UsageError(
                f"{path} is not a block device",
                "For a file use fileio, for a tape pscsi.",
                targetcli=_no_disk(path),
            )
        raise NotFoundError(
            f"There is no block device {path}",
            # 'lsblk' would list the devices of the real host.
            "'lsblk' lists them." if lio.simulated is None else storage_info.free_devices(lio),
            path=path,
            targetcli=f"Could not open {path}",
        )
    _must_be_disk(device)
    if exclusive:
        _must_be_free(lio, foreseen, device)
    elif not storage_info.can_share_devices(lio):
        raise UsageError(
            "This kernel opens a block device for one storage object only",
            "Omit exclusive=false.",
            targetcli="Cannot configure StorageObject. exclusive=false not supported.",
        )


def _must_be_disk(device: BlockDevice) -> None:
    if device.scsi_type not in (None, DISK):
        raise UsageError(
            f"{device.path} is not a disk",
            "For other SCSI devices use pscsi.",
            targetcli=_no_disk(device.path),
        )


def _no_disk(path: str) -> str:
    return f"Device {path} is not a TYPE_DISK block device"


def _must_be_free(lio: Lio, foreseen: Foreseen, device: BlockDevice) -> None:
    """Raise BusyError, which names the user, if a device is in use."""
    holder = device.holder
    if not holder and lio.machine.in_use(device.path):
        user = _user_among_storage_objects(lio, device.name)
        if user is not None and not foreseen.exists(user.folder):
            return  # it will have been deleted by then
        holder = str(user) if user is not None else "another program holds it"
    if holder:
        raise _busy(device.path, holder)


def _busy(path: str, holder: object) -> BusyError:
    told = f"Cannot configure StorageObject because device {path} is already in use"
    return BusyError(f"{path} is in use: {holder}", path=path, targetcli=told)


def _user_among_storage_objects(lio: Lio, name: str) -> StorageObject | None:
    """Return the storage object that has claimed the device `name`, None if none has."""
    for place in listing.storage_objects(lio):
        device = lio.machine.block_device(storage_info.describe(lio, place).device)
        if device is not None and device.name == name:
            return place
    return None


def claim(lio: Lio, foreseen: Foreseen, place: StorageObject, arguments: Mapping[str, Any]) -> None:
    """Raise BusyError if another storage object uses the same device or file, by any name of it.

    The kernel lets two fileio, pscsi or user-space objects write to one disk. Only a block object
    made with exclusive=false asks for that.
    """
    path = str(arguments.get("dev", arguments.get("config", "")))
    wanted = identity(lio, place.plugin, path)
    if wanted is None or arguments.get("exclusive", True) is False:
        return
    if foreseen.claims is None:
        foreseen.claims = users(lio)
    for other in foreseen.claims.get(wanted, ()):
        if other.folder != place.folder and foreseen.exists(other.folder):
            raise _busy(path, other)
    foreseen.claims.setdefault(wanted, []).append(place)


def must_be_free(lio: Lio, plugin: str, path: str) -> None:
    """Raise BusyError if anything uses a device or image file. One that does not exist is free."""
    used = identity(lio, plugin, path)
    others = [] if used is None else users(lio).get(used, [])
    if others:
        raise _busy(path, others[0])
    device = lio.machine.block_device(path)
    if device is not None:
        _must_be_free(lio, Foreseen(lio), device)


def users(lio: Lio) -> dict[object, list[StorageObject]]:
    """Return the storage objects that use each device or file; incomplete ones use none."""
    found: dict[object, list[StorageObject]] = {}
    for place in listing.storage_objects(lio):
        described = storage_info.describe(lio, place)
        if not described.configured:
            continue
        used = identity(lio, place.plugin, described.config or described.device)
        if used is not None:
            found.setdefault(used, []).append(place)
    return found


def identity(lio: Lio, plugin: str, path: str) -> object | None:
    """Return what identifies a device or file, whatever its path; None for a ramdisk.

    If it does not exist here, its path identifies it, or its configuration for a handler.
    """
    if plugin == "ramdisk" or not path:
        return None
    unknown = (plugin, path if plugin == "user" else os.path.normpath(path))
    if plugin == "user":
        path = path[path.find("/") + 1 :]  # behind the handler's name
    if plugin == "pscsi":
        scsi = lio.machine.scsi_device(path)
        if scsi is None:
            return unknown
        device = lio.machine.block_device(scsi.path)
        return ("scsi", scsi.hctl) if device is None else device.name
    if not path.startswith("/"):
        return unknown
    device = lio.machine.block_device(path)
    if device is not None:
        return device.name
    try:
        status = os.stat(lio.machine.host_file(path))
    except OSError:
        return unknown
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else unknown


def _exists(lio: Lio, path: str) -> bool:
    return os.path.exists(lio.machine.host_file(path))


def _check_fileio(lio: Lio, foreseen: Foreseen, path: str, size: Any) -> None:
    """Raise if there is no such file: the kernel would make an empty one and export that."""
    device = lio.machine.block_device(path)
    if device is not None:
        _must_be_disk(device)
        _must_be_free(lio, foreseen, device)
        return
    if lio.machine.scsi_device(path) is not None:
        raise UsageError(f"{path} is a SCSI device, not a file", "Use pscsi for it.")
    is_new = foreseen.makes(path)
    if not is_new and not _exists(lio, path):
        raise NotFoundError(
            f"There is no image file {path}", "Is its file system mounted?", path=path
        )
    if not is_new and not os.path.isfile(lio.machine.host_file(path)):
        raise UsageError(f"{path} is neither a file nor a block device")
    if size is not None and int(size) < SECTOR:
        enlarge = f"Enlarge the file ('truncate -s 10G {shell_word(path)}')"
        raise UsageError(
            f"{path}: {size} bytes are less than a block of {SECTOR} bytes",
            "Give a larger size." if is_new else f"{enlarge}, or delete it to have it created.",
        )


def _check_user(config: str, control: str, sectors: Any) -> None:
    """Raise if rtslib would refuse it half-way, or a kernel has crashed on it."""
    if ":" in config:
        raise UsageError(f"'{config}' holds a colon", "rtslib does not take one there.")
    for word in filter(None, control.split(",")):
        name, _, value = word.partition("=")
        if name in ("dev_config", "dev_size"):
            raise UsageError(f"{name} has its own parameter: omit it from control")
        # 6.1 divides by data_pages_per_blk, and panics.
        if re.fullmatch(r"-?[0-9]+", value) is None or int(value) == 0:
            raise UsageError(f"control: '{word}' is not NAME=NUMBER with a number other than 0")
        if name == "hw_max_sectors":
            check_max_sectors(int(value), control)
    if sectors is not None:
        check_max_sectors(int(sectors), control)


def check_max_sectors(sectors: int, control: str) -> None:
    """Raise UsageError if the kernel refuses a limit, or rounds it down to none."""
    given = dict(word.partition("=")[::2] for word in control.split(","))
    block = given.get("hw_block_size", "")
    size = int(block) if re.fullmatch("[0-9]+", block) and int(block) else SECTOR
    if not 0 < sectors <= _INT_MAX or not storage_info.aligned_sectors(sectors, size):
        raise UsageError(
            f"hw_max_sectors cannot be {sectors}",
            f"It is at most {_INT_MAX}."
            if sectors > _INT_MAX
            else f"It is at least one memory page, for example 8 sectors of {SECTOR} bytes.",
        )


def resolved(lio: Lio, plugin: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with a SCSI device given by H:C:T:L named by its device node.

    rtslib finds that node only for block devices.
    """
    found = lio.machine.scsi_device(str(arguments["dev"])) if plugin == "pscsi" else None
    return {**arguments, "dev": found.path} if found is not None else dict(arguments)


def _check_pscsi(lio: Lio, foreseen: Foreseen, name: str) -> None:
    found = lio.machine.scsi_device(name)
    if found is None:
        if lio.machine.block_device(name) is not None or _exists(lio, name):
            raise UsageError(f"{name} is not a SCSI device", "For another block device use block.")
        message = f"There is no SCSI device {name}"
        raise NotFoundError(
            message,
            "'lsscsi -g' lists them."
            if lio.simulated is None
            else f"{lio.simulated}/machine.json lists those of the simulated host.",
            path=name,
            targetcli=f"{message}. 'lsscsi -g' lists them.",
        )
    if found.problem:
        raise UsageError(f"{name} {found.problem}")
    device = lio.machine.block_device(found.path)
    if device is not None and found.scsi_type in (DISK, ZONED_DISK):
        _must_be_free(lio, foreseen, device)
    elif lio.machine.in_use(found.path):
        raise BusyError(f"{name} is in use: another program has that {found.type_name} open")


def _check_memory(lio: Lio, size: int, *, nullio: bool) -> None:
    """Raise if a ramdisk would not fit: the kernel takes page by page, and then kills programs.

    One that keeps nothing takes no memory.
    """
    memory = lio.machine.memory()
    if not nullio and memory and size > memory:
        raise PyshellError(
            f"A ramdisk of {size_text(size)} does not fit: this host has"
            f" {size_text(memory)} of memory",
            "nullio=true creates one that stores no data.",
        )
