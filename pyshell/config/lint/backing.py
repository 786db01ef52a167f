# SPDX-License-Identifier: Apache-2.0
"""What only this host can tell: devices and image files that are absent, busy, of another size."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from pyshell import names
from pyshell.config.lint.faults import Entry, Fault, Seen, error, refused, warning
from pyshell.config.lint.storage_objects import plugin_of
from pyshell.errors import PyshellError, UsageError
from pyshell.host import inquiry
from pyshell.lio import fabrics, listing, storage
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.backing import check_block, identity
from pyshell.lio.operations.base import Foreseen

_HCTL = re.compile(r"\d+:\d+:\d+:\d+", re.ASCII)


def device_faults(lio: Lio, document: Entry, *, at_boot: bool = False) -> Iterator[Fault]:
    """Yield what keeps the objects of a file from being made on this host as it is now.

    That an object runs on already is no help `at_boot`, when it is created again.
    """
    for entry in document.each("storage_objects"):
        device = entry.text("dev")
        if not device or not _can_be_path(device):
            continue  # told by the checks of the file
        plugin = plugin_of(entry)
        yield from _moving(lio, entry, device)
        if plugin == "block":
            exclusive = entry.flag("exclusive") is not False
            yield from _block(lio, entry, device, exclusive=exclusive, at_boot=at_boot)
        elif plugin == "fileio":
            yield from _fileio(lio, entry, device, at_boot=at_boot)
        elif plugin == "pscsi":
            yield from _pscsi(lio, entry, device)
    yield from _used_twice(lio, document)
    yield from _fabrics(lio, document)
    for target in document.each("targets"):
        place = target.below("parameters").at("cmd_completion_affinity")
        number = target.below("parameters").number("cmd_completion_affinity")
        if number is not None and number >= lio.machine.cpus():
            yield error(place, f"this host has no processor {number}", "-1 means any.")


def _moving(lio: Lio, entry: Entry, device: str) -> Iterator[Fault]:
    """Yield that a device's name is given anew at each boot, if it has a lasting one."""
    lasting = lio.machine.lasting_name(device) if inquiry.moves_between_boots(device) else None
    if lasting is not None:
        told = f"{device} may name another device after the next boot"
        yield warning(entry.at("dev"), told, f"Use {lasting}.")


def _used_twice(lio: Lio, document: Entry) -> Iterator[Fault]:
    """Yield an error for each storage object on the device or file of one before it."""
    seen = Seen()
    for entry in document.each("storage_objects"):
        plugin = plugin_of(entry) or ""
        key = "config" if plugin == "user" else "dev"
        path = entry.text(key)
        if not path or not _can_be_path(path) or entry.flag("exclusive") is False:
            continue
        before = seen.before(identity(lio, plugin, path) or (plugin, path), entry.at(key))
        if before and plugin != "ramdisk":
            told = f"{path} is used twice, first at {before}"
            yield error(entry.at(key), told, "Two exports of one disk overwrite each other.")


def _can_be_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _block(
    lio: Lio, entry: Entry, device: str, *, exclusive: bool, at_boot: bool
) -> Iterator[Fault]:
    place = _running(lio, entry, device)
    if place is not None:
        missing = storage.describe(lio, place).missing
        if missing:
            told = f"{missing}; the running object has lost it"
            hint = "It cannot be restored at boot. 'doctor' shows how to move it."
            yield (error if at_boot else warning)(entry.at("dev"), told, hint)
        return
    try:
        check_block(lio, Foreseen(), device, exclusive=exclusive)
    except PyshellError as found:
        yield refused(entry.at("dev"), found)
        return
    there = lio.machine.block_device(device)
    if there is not None and there.size == 0:
        yield error(entry.at("dev"), f"{device} has no size", "Is there a medium in it?")
    if there is not None and there.read_only and entry.flag("readonly") is False:
        yield warning(entry.at("dev"), f"{device} is read-only, and readonly is false")


def _running(lio: Lio, entry: Entry, device: str) -> StorageObject | None:
    """Return the storage object of that name if it runs already, on this very device."""
    plugin, name = plugin_of(entry), entry.text("name")
    if plugin is None or name is None:
        return None
    try:
        place = listing.storage_object(plugin, name)
    except UsageError:  # a name that nothing can have
        return None
    if place is None:
        return None
    running = storage.describe(lio, place).device
    if running == device:
        return place
    one, other = lio.machine.block_device(running), lio.machine.block_device(device)
    same = one is not None and other is not None and one.name == other.name
    return place if same else None


def _fileio(lio: Lio, entry: Entry, device: str, *, at_boot: bool) -> Iterator[Fault]:
    if lio.machine.block_device(device) is not None:
        yield from _block(lio, entry, device, exclusive=True, at_boot=at_boot)
        return
    size = entry.number("size")
    if entry.data.get("size") is None:
        yield error(entry.at("size"), "is missing: the size of an image file must be said")
    image = lio.machine.image_file(device)
    try:
        if not image.exists():
            yield error(
                entry.at("dev"), f"there is no image file {device}", "Is its file system mounted?"
            )
        elif not image.is_file():
            yield error(entry.at("dev"), f"{device} is neither a file nor a block device")
        elif size is not None and 0 < size != (there := image.stat().st_size):
            yield _other_size(entry, size, there)
    except OSError as found:
        yield warning(entry.at("dev"), f"cannot look at {device}: {found.strerror}")


def _other_size(entry: Entry, size: int, there: int) -> Fault:
    told = f"{size} bytes ({names.size_text(size)}), the image file has {there}"
    if there < size:
        return warning(entry.at("size"), told, "The file would grow as it is written.")
    return warning(entry.at("size"), told, "Initiators see the first part only.")


def _pscsi(lio: Lio, entry: Entry, device: str) -> Iterator[Fault]:
    if _HCTL.fullmatch(device):
        return
    if not device.startswith("/"):
        message = f"'{device}' is neither a device's path nor HOST:CHANNEL:TARGET:LUN"
        yield error(entry.at("dev"), message)
    elif not lio.machine.present(device):
        yield error(entry.at("dev"), f"there is no device {device}", "'lsscsi' lists them.")


def _fabrics(lio: Lio, document: Entry) -> Iterator[Fault]:
    there = lio.machine.loadable_fabrics() | {found.name for found in listing.fabrics_in_use()}
    for entry in document.each("targets"):
        name = entry.text("fabric")
        if name in fabrics.known() and name not in there:
            yield warning(entry.at("fabric"), f"this kernel has no fabric {name}")
