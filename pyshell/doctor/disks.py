# SPDX-License-Identifier: Apache-2.0
"""Whether disks are safe: serial numbers, caches, devices, and persistent reservations.

A device that something else on this host also writes to will be corrupted.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pyshell.doctor import Code, Finding, error, info, new_path, pyshell, unseen, warning
from pyshell.files import paths
from pyshell.host import block_devices, file_text
from pyshell.lio import CONFIG_DIR, DBROOT_FOLDERS, Lio, listing, sessions, storage_info
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations import preconditions, reservations
from pyshell.lio.operations.reservations import SPC2, Reservations
from pyshell.lio.storage_info import StorageInfo
from pyshell.names import size_text
from pyshell.quoting import shell_word

Users = Mapping[StorageObject, set[str]]
"""The logged in initiators that see each storage object."""


def check_disks(lio: Lio) -> Iterator[Finding]:
    """Yield unused and duplicate disks, caches that can lose writes, and discard in vain."""
    ids: dict[str, StorageObject] = {}
    users = _users(lio)
    for place in listing.storage_objects(lio):
        found = storage_info.describe(lio, place)
        if not found.configured:
            continue
        naa = storage_info.naa(lio.kernel, place)
        if naa and ids.setdefault(naa, place) != place:
            yield _doubled(lio, place, ids[naa], naa, users)
        if not found.exported:
            message = "no LUN exports it: it holds its device, and no initiator can use it"
            choices = [pyshell(lio, "share", place.path, to="INITIATOR")]
            yield warning(place.path, message, choices=choices, code="lun.missing")
        yield from _cache(lio, place, found, users)
        yield from _discard(lio, place, found)
    yield from _shared_devices(lio)


def _shared_devices(lio: Lio) -> Iterator[Finding]:
    """Yield storage objects that use the device or file of another one."""
    for places in preconditions.users(lio).values():
        for place in places[1:]:
            if storage_info.describe(lio, place).exclusive:
                yield error(
                    place.path,
                    f"it uses the same device or file as {places[0].path}: their initiators"
                    " overwrite each other's data",
                )


def _cache(
    lio: Lio, place: StorageObject, found: storage_info.StorageInfo, users: Users
) -> Iterator[Finding]:
    """Yield fileio objects whose writes can be lost in a crash.

    Caches that need no finding: a block object reports its device's cache (iblock_get_write_cache),
    and SYNCHRONIZE CACHE flushes it (iblock_execute_sync_cache). A fileio object without write_back
    opens its file with O_DSYNC (fd_configure_device), so that each write flushes the device's
    cache: seen on Linux 6.1. Device mapper, md and loop devices pass flushes on. With aio, writes
    are direct, and not kept in this host's memory.
    """
    if place.plugin != "fileio" or not storage_info.is_volatile(lio, found):
        return
    if found.aio and not found.write_back:
        yield error(
            place.path,
            "asynchronous writes (aio) are reported to initiators as written to the disk, but the"
            " kernel does not flush the disk's cache or the file system: a power failure corrupts"
            " file systems. The command lets initiators flush; they notice when they log in again",
            pyshell(lio, place.path, "set", "attribute", emulate_write_cache=1),
        )
    elif not found.write_back:
        yield error(
            place.path,
            "writes are buffered in this host's memory, but reported to initiators as written to"
            " the disk: a crash of this host corrupts file systems",
            pyshell(lio, place.path, "set", "attribute", emulate_write_cache=1),
        )
    elif not found.aio and not _has_battery(lio):
        # Initiators know of this cache, and it is the default of create.
        yield info(
            place.path,
            "writes are buffered in this host's memory, and it has no battery: a crash loses what"
            f" initiators have not flushed, about the last {_seconds_kept(lio)} seconds. Recreated"
            " with write_back=false, the disk is slower and"
            f" loses nothing. It is gone for a moment then{_cut(place, users)}",
            choices=[applied(lio, place, write_back=False, attributes={"emulate_write_cache": 0})],
        )


def _discard(lio: Lio, place: StorageObject, found: StorageInfo) -> Iterator[Finding]:
    """Yield objects that offer discard on a device without it."""
    enabled = storage_info.discard_attributes(lio, place)
    if enabled and storage_info.discards_in_vain(lio, place, found):
        yield warning(
            place.path,
            f"discard is enabled, but {found.device} cannot discard: UNMAP of initiators fails",
            pyshell(lio, place.path, "set", "attribute", **dict.fromkeys(enabled, 0)),
        )


def _seconds_kept(lio: Lio) -> int:
    """Return after how many seconds the kernel begins to write back what nobody flushes."""
    ages = {"dirty_expire_centisecs": 3000, "dirty_writeback_centisecs": 500}  # its defaults
    told = {name: lio.machine.text(f"/proc/sys/vm/{name}") for name in ages}
    return sum(int(told[n]) if told[n].isdigit() else age for n, age in ages.items()) // 100


def _has_battery(lio: Lio) -> bool:
    """Return whether the kernel reports a battery or a UPS."""
    kinds = lio.machine.host_file("/sys/class/power_supply").glob("*/type")
    return any(file_text(kind) in ("Battery", "UPS") for kind in kinds)


def applied(lio: Lio, place: StorageObject, **wanted: object) -> str:
    """Return a command that recreates a storage object with other arguments, or not at all.

    `apply` keeps LUNs and mappings, unlike commands that delete and create it.
    """
    made = storage_info.creation_arguments(lio, place) or {}
    # An omitted argument means its default: a read-only disk would become writable.
    kept = {key: value for key, value in made.items() if key != "wwn" and value is not None}
    entry = {"plugin": place.plugin, "name": place.name, **kept, **wanted}
    document = shell_word(json.dumps({"storage_objects": [entry]}))
    return f"printf %s {document} | {pyshell(lio, 'apply', '/dev/stdin')}"


def _doubled(
    lio: Lio, place: StorageObject, other: StorageObject, naa: str, users: Users
) -> Finding:
    """Return the finding of an id that two disks have; the disk with fewer users changes."""

    import uuid  # it asks for the platform

    def weight(of: StorageObject) -> tuple[int, bool]:
        return len(users.get(of, ())), listing.is_exported(lio, of)

    if weight(place) > weight(other):
        place, other = other, place
    return error(
        place.path,
        f"the id {naa}, which the kernel derives from the first 25 hexadecimal digits of the serial"
        f" number, is also that of {other.path}: initiators take both for one disk with two paths"
        f" and corrupt them{_cut(place, users)}",
        choices=[applied(lio, place, wwn=str(uuid.uuid4()))],
    )


def _users(lio: Lio) -> Users:
    found: dict[StorageObject, set[str]] = {}
    for session in sessions.sessions(lio):
        for seen in sessions.luns_of(lio, session):
            if seen.storage_object is not None:
                found.setdefault(seen.storage_object, set()).add(session.initiator)
    return found


def _cut(place: StorageObject, users: Users) -> str:
    """Return what to do on initiators before and after, as the end of a message."""
    if place not in users:
        return ""
    return (
        f". It disconnects {', '.join(sorted(users[place]))}: unmount the disk and log out there"
        " first, then log in again"
    )


def check_devices(lio: Lio) -> Iterator[Finding]:
    """Yield missing, busy, renamed and resized devices and image files."""
    for place in listing.storage_objects(lio):
        found = storage_info.describe(lio, place)
        broken = unconfigured(lio, place, found) or gone(lio, place, found)
        if broken is not None:
            yield broken
        else:
            yield from _held(lio, place, found)
            yield from _renamed(lio, place, found)
            if place.plugin == "fileio":
                yield from _resized(lio, place, found)


def unconfigured(lio: Lio, place: StorageObject, found: StorageInfo) -> Finding | None:
    """Return the finding of a storage object whose creation was interrupted."""
    if found.configured:
        return None
    return error(
        place.path,
        "it was never configured: its creation was interrupted. Apply a configuration that has"
        " it, or delete it",
        choices=[pyshell(lio, f"/backstores/{place.plugin}", "delete", place.name)],
        code="storage_object.unconfigured",
    )


def gone(lio: Lio, place: StorageObject, found: StorageInfo) -> Finding | None:
    """Return the finding of a missing device, with the command that uses another one."""
    if not found.missing:
        return None
    code: Code = "device.missing"
    message = f"{found.missing}: initiators get errors"
    if storage_info.is_back(lio, place, found):
        there = f"{message}. A device is at that path again: the command recreates the object on it"
        return error(place.path, there, _replaced(lio, place, found.device), code=code)
    if place.plugin not in ("block", "fileio", "pscsi"):
        return error(place.path, message, code=code)
    return error(
        place.path,
        f"{message}. To move the object to another device with its data, put the new path into the"
        " command; LUNs and mappings are kept. Then save",
        choices=[_replaced(lio, place, new_path(place.plugin)), pyshell(lio, "saveconfig")],
        code=code,
    )


def _replaced(lio: Lio, place: StorageObject, path: str) -> str:
    """Return a command that recreates a storage object on a device."""
    if place.plugin == "pscsi":
        return applied(lio, place, dev=path)
    return pyshell(lio, place.path, "replace", dev=path)


def _held(lio: Lio, place: StorageObject, found: StorageInfo) -> Iterator[Finding]:
    device = lio.machine.block_device(found.device) if found.device else None
    if device is None or not device.holder:
        return
    mounted = re.fullmatch(r"mounted on (.+)", device.holder)
    held = re.fullmatch(r"held by (.+)", device.holder)
    commands: list[str] = []
    if mounted:
        commands = [f"umount {shell_word(mounted.group(1))}"]
    elif device.holder == "used as swap":
        commands = [f"swapoff {shell_word(device.path)}"]
    elif held:
        commands = [_release(lio, name) for name in held.group(1).split(", ")]
    yield error(
        place.path,
        f"this host itself uses {found.device} ({device.holder}): writes by an initiator corrupt"
        " it",
        choices=commands,
    )


def _release(lio: Lio, name: str) -> str:
    """Return the command that releases a device below the device-mapper or md device `name`."""
    if name.startswith("md"):
        return f"mdadm --stop /dev/{name}"
    mapped = lio.machine.text(f"/sys/class/block/{name}/dm/name")
    uuid = lio.machine.text(f"/sys/class/block/{name}/dm/uuid")
    if not mapped:
        return f"dmsetup remove /dev/{name}"
    if uuid.startswith("LVM-"):
        return f"lvchange -an /dev/mapper/{shell_word(mapped)}"
    return f"dmsetup remove {shell_word(mapped)}"


def _renamed(lio: Lio, place: StorageObject, found: StorageInfo) -> Iterator[Finding]:
    """Yield a device whose name can change at boot, if it has a stable name."""
    if not block_devices.moves_between_boots(found.device):
        return
    lasting = lio.machine.lasting_name(found.device)
    if lasting is None:
        return
    if place.plugin != "block":
        message = (
            f"{found.device} can be another disk after the next boot; {lasting} stays the same"
        )
        yield warning(place.path, message)
        return
    yield warning(
        place.path,
        f"{found.device} can be another disk after the next boot; {lasting} stays the same. Save"
        " afterwards",
        f"printf %s {shell_word(lasting)} > {shell_word(f'{place.folder}/udev_path')}",
    )


def _resized(lio: Lio, place: StorageObject, found: StorageInfo) -> Iterator[Finding]:
    """Yield an image file that has another size than initiators see."""
    if lio.machine.block_device(found.device) is not None or found.size is None:
        return
    image = lio.machine.host_file(found.device)
    try:
        there = image.stat().st_size
    except OSError as failure:
        yield unseen(place.path, f"cannot read {found.device}: {failure.strerror}")
        return
    message = f"{found.device} has {size_text(there)}, but initiators see {size_text(found.size)}"
    if there < found.size:
        yield error(
            place.path,
            f"{message}: the data beyond its end is lost, and reads as zeros or fails",
            f"truncate -s {found.size} {shell_word(str(image))}",
        )
    elif there > found.size:
        yield warning(
            place.path,
            f"{message}: the rest is not used",
            pyshell(lio, place.path, "resize", size=there),
        )


def check_reservations(lio: Lio) -> Iterator[Finding]:
    """Yield folders in which the kernel cannot store anything, and holders that are gone."""
    places = listing.storage_objects(lio)
    if not places:
        return  # the first change creates the folders
    for name, effect in DBROOT_FOLDERS.items():
        folder = lio.dbroot_folder(name)
        problem, command = _folder_problem(lio, folder, effect)
        if problem:
            yield error(str(folder), problem, *([command] if command else []))
    read = [(place, reservations.read(lio, place)) for place in places]
    if any(found is not None and found.aptpl for _, found in read):
        yield from _stored_elsewhere(lio)
    held = [(place, found) for place, found in read if found is not None and found.holder]
    every = (*sessions.sessions(lio), *sessions.nexuses(lio)) if held else ()
    for place, found in held:
        if not any(found.is_holder(session) for session in every):
            yield _abandoned(lio, place, found)


def _stored_elsewhere(lio: Lio) -> Iterator[Finding]:
    """Yield a folder of registrations that the kernel does not read after a restart.

    Its dbroot is /etc/target then, as that exists (Linux 6.1 and 6.12, target_init_dbroot).
    """
    root = lio.dbroot
    if root == str(CONFIG_DIR):
        return
    folder = lio.dbroot_folder("pr")
    used = lio.machine.host_file(f"{CONFIG_DIR}/pr")
    yield warning(
        str(folder),
        f"the registrations of initiators are stored here, and restored from {used} after a"
        " restart of this host: they are lost unless you copy them before",
        f"install -d -m 0700 {shell_word(str(used))}"
        f" && cp -p {shell_word(str(folder))}/aptpl_* {shell_word(str(used))}",
    )


def _abandoned(lio: Lio, place: StorageObject, found: Reservations) -> Finding:
    """Return the finding of a reservation whose holder is not logged in."""
    open_to = "only registered initiators" if found.admits_registered else "no other initiator"
    return warning(
        place.path,
        f"it is reserved ({found.type}) by {found.names_text}, whose session has ended: {open_to}"
        " can write to it",
        # One by RESERVE cannot be cleared: it ends with its session, or a reset of the LUN.
        choices=[] if found.type == SPC2 else [pyshell(lio, place.path, "clear_reservation")],
    )


def _folder_problem(lio: Lio, folder: Path, effect: str) -> tuple[str, str]:
    """Return what is wrong with a folder, "" if nothing, and the command that fixes it, if any."""
    word = shell_word(str(folder))
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return f"it is missing: {effect}", f"install -d -m 0700 {word}"
    if not stat.S_ISDIR(found.st_mode):
        return f"it is not a folder: {effect}", ""
    if not paths.is_own(found.st_uid):
        owner = paths.user_name(found.st_uid)
        return f"it belongs to {owner}, who can change reservations", f"chown root: {word}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "other users can change the files in it", f"chmod 0700 {word}"
    if lio.may_change and not os.access(folder, os.W_OK):
        return f"nothing can be written to it: {effect}", ""
    return "", ""
