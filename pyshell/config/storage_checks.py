# SPDX-License-Identifier: Apache-2.0
"""Problems of storage objects: in the file alone, and with the devices of this host."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial

from pyshell import names
from pyshell.config.document import COMPANY_KEY
from pyshell.config.model import text_of
from pyshell.config.positions import (
    DocumentEntry,
    FirstSeen,
    Place,
    Problem,
    error,
    refused,
    violations,
    warning,
)
from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.host import block_devices
from pyshell.lio import Lio, fabrics, listing, settings, storage_info
from pyshell.lio.identifiers import (
    DEFAULT_GROUP,
    HBA_PREFIX,
    StorageObject,
    plugin_name,
    storage_object_path,
)
from pyshell.lio.operations import reservations
from pyshell.lio.operations.base import Foreseen
from pyshell.lio.operations.preconditions import (
    check,
    check_block,
    check_max_sectors,
    check_serial,
    check_text,
    identity,
)
from pyshell.lio.settings import boolean
from pyshell.lio.storage_info import ARGUMENTS, naa_of
from pyshell.text import did_you_mean

_OF_ONE_BACKSTORE = frozenset().union(*ARGUMENTS.values()) - {"wwn"}
_UNUSED_BUT_WRITTEN = {"block": {"write_back"}}
"""Keys that rtslib saves although they have no effect."""
_BLOCK = 512
"""Bytes of a block by default."""


def plugin_of(entry: DocumentEntry) -> str | None:
    """Return the current name of a storage object's backstore, None for an unknown one."""
    given = entry.text("plugin") or ""
    plugin = plugin_name(given)
    return plugin if plugin in HBA_PREFIX else None


def groups_of_all(document: DocumentEntry) -> dict[str, set[str]]:
    """Return the names of the ALUA groups of each storage object, by its path in the tree."""
    found: dict[str, set[str]] = {}
    for entry in document.each("storage_objects"):
        path = storage_object_path(plugin_of(entry) or "", entry.text("name") or "")
        groups = {group.text("name") or "" for group in entry.each("alua_tpgs")}
        found.setdefault(path, {DEFAULT_GROUP}).update(groups)
    return found


def storage_problems(
    document: DocumentEntry, running: Collection[str] = (), *, moving: bool = False
) -> Iterator[Problem]:
    """Yield problems of the storage objects of a file.

    Of objects whose paths are in `running`, a file can contain only what is to be changed. With
    `moving`, a serial number that is used twice is an error.
    """
    names_seen, serials = FirstSeen(), FirstSeen()
    for entry in document.each("storage_objects"):
        yield from _name(entry, names_seen)
        plugin = plugin_of(entry)
        if plugin is None:
            yield from _unknown_plugin(entry)
            continue
        if plugin != "pscsi":  # the device has its own
            yield from _serial(entry, serials, error if moving else warning)
        is_running = storage_object_path(plugin, entry.text("name") or "") in running
        yield from _arguments(entry, plugin, needed=not is_running)
        yield from _device(entry, plugin)
        yield from _size(entry, plugin)
        if plugin == "user":
            limit, control = entry.number("hw_max_sectors"), entry.fit_text("control") or ""
            rule = partial(check_max_sectors, control=control)
            yield from violations(rule, limit, entry.at("hw_max_sectors"))
        yield from _cache(entry, plugin)
        yield from _alua_groups(entry)


def _name(entry: DocumentEntry, seen: FirstSeen) -> Iterator[Problem]:
    name = entry.text("name")
    if name is None:
        return
    yield from _wrong_name(names.storage_object_name, name, entry.at("name"))
    if plugin := plugin_of(entry):
        yield from seen.twice((plugin, name), entry.at("name"), f"{plugin}/{name}")


def _wrong_name(rule: Callable[[str], object], name: str, place: Place) -> Iterator[Problem]:
    """Yield an error for a name that is not valid, a warning for one refused for new objects."""
    wrong = [*violations(rule, name, place)]
    yield from wrong
    if not wrong:
        try:
            names.plain(name, "new names")
        except UsageError as found:
            yield warning(place, found.message, found.hint)


def _unknown_plugin(entry: DocumentEntry) -> Iterator[Problem]:
    given = entry.text("plugin")
    if given is None:
        return
    known = ", ".join(HBA_PREFIX)
    hint = did_you_mean(given, HBA_PREFIX) or f"There are {known}."
    yield error(entry.at("plugin"), f"no such backstore: {given}", hint)


def _serial(
    entry: DocumentEntry, seen: FirstSeen, problem: Callable[[Place, str, str], Problem]
) -> Iterator[Problem]:
    serial = entry.fit_text("wwn")
    yield from violations(check_serial, serial, entry.at("wwn"))
    company = entry.below("attributes").data.get(COMPANY_KEY)
    naa = naa_of(serial, text_of(company))
    before = seen.before(naa, entry.at("wwn")) if serial else ""
    if before:
        yield problem(
            entry.at("wwn"),
            f"the serial number (its first 25 hexadecimal digits) is used twice, first at {before}",
            "Initiators take both disks for one.",
        )


def _arguments(entry: DocumentEntry, plugin: str, *, needed: bool) -> Iterator[Problem]:
    for key, known in ARGUMENTS[plugin].items():
        if needed and known.needed and entry.data.get(key) in (None, ""):
            yield error(entry.at(key), f"is missing: a {plugin} storage object needs it")
    used = {*ARGUMENTS[plugin], *_UNUSED_BUT_WRITTEN.get(plugin, ())}
    for key in sorted(_OF_ONE_BACKSTORE - used):
        if entry.data.get(key) is not None:
            message = f"has no effect on a {plugin} storage object"
            yield Problem("warning", entry.at(key), message, at_key=True)


def _device(entry: DocumentEntry, plugin: str) -> Iterator[Problem]:
    path = entry.fit_text("dev")
    if not path or plugin not in ("block", "fileio"):
        return
    if not path.startswith("/"):
        yield warning(
            entry.at("dev"), f"{path} is not an absolute path", "It must be valid at boot too."
        )
    yield from violations(partial(check_text, plugin), path, entry.at("dev"))


def _size(entry: DocumentEntry, plugin: str) -> Iterator[Problem]:
    size = entry.number("size")
    if size is None or "size" not in ARGUMENTS[plugin]:
        return
    block = entry.below("attributes").number("block_size")
    sizes = settings.row("storage_object", "block_size").values
    unit = block if block is not None and str(block) in sizes else _BLOCK
    if size <= 0:
        yield error(entry.at("size"), "must be greater than 0", "Sizes are in bytes.")
    elif size < unit and plugin in ("fileio", "user"):
        # The kernel would compute a negative number of blocks and export an endless disk.
        yield error(entry.at("size"), f"must be at least one block of {unit} bytes")
    elif size > names.SIZE_MAX:
        yield error(entry.at("size"), "is larger than the kernel supports")
    elif size % unit:
        yield warning(
            entry.at("size"), f"{size} bytes are not a multiple of the block size of {unit} bytes"
        )


def _cache(entry: DocumentEntry, plugin: str) -> Iterator[Problem]:
    """Yield a contradiction of the two keys of the write cache (field failure 68).

    With aio, no write_back is right with either: writes stay in the device's cache at most.
    """
    attributes = entry.below("attributes")
    wanted, given = entry.flag("write_back"), attributes.data.get("emulate_write_cache")
    try:
        emulated = None if given is None else boolean(text_of(given))
    except UsageError:
        return  # reported by `value_problems`
    if wanted is None or emulated is None or wanted == emulated:
        return
    place = attributes.at("emulate_write_cache")
    if plugin == "fileio" and wanted:
        yield error(
            place,
            "write_back is true, but initiators would not see a write cache",
            "A crash would lose acknowledged writes: set both to the same value.",
        )
    elif plugin == "block" or (plugin == "fileio" and not entry.flag("aio")):
        yield warning(place, f"contradicts write_back, which is {str(wanted).lower()}")


def _alua_groups(entry: DocumentEntry) -> Iterator[Problem]:
    seen_names, seen_numbers = FirstSeen(), FirstSeen()
    for group in entry.each("alua_tpgs"):
        name, number = group.text("name"), group.number("tg_pt_gp_id")
        if name is None:
            continue
        yield from _wrong_name(_check_group_name, name, group.at("name"))
        yield from seen_names.twice(name, group.at("name"), f"ALUA group {name}")
        if name != DEFAULT_GROUP:
            yield from _alua_number(group, number, seen_numbers)


def _check_group_name(name: str) -> None:
    within = name == name.strip()  # the kernel accepts blanks within a name
    names.alua_group_name(name.replace(" ", "_") if within else name)


def _alua_number(group: DocumentEntry, number: int | None, seen: FirstSeen) -> Iterator[Problem]:
    place = group.at("tg_pt_gp_id")
    if "tg_pt_gp_id" not in group.data:
        yield error(place, "is missing: an ALUA group other than the default needs a number")
        return
    yield from violations(names.alua_group_number, number, place)
    if number is not None:
        yield from seen.twice(number, place, f"ALUA group number {number}")


def device_problems(
    lio: Lio,
    document: DocumentEntry,
    *,
    at_boot: bool = False,
    moving: bool = False,
    deleted: Iterable[StorageObject] = (),
) -> Iterator[Problem]:
    """Yield what prevents the creation of a file's objects on this host.

    A running object counts as created, but not `at_boot`, when it is created again. With `moving`,
    devices and image files can be at another node of a cluster: missing ones are no problem.
    Storage objects that are `deleted` before use no devices.
    """
    foreseen = Foreseen(lio)
    for storage_object in deleted:
        foreseen.remove(storage_object.folder)
    for entry in document.each("storage_objects"):
        yield from _registrations(lio, foreseen, entry, at_boot=at_boot)
        device = entry.fit_text("dev")
        if not device:
            continue  # reported by other checks
        plugin = plugin_of(entry)
        if not moving:  # else names are judged by stricter rules
            yield from _moving(lio, entry, device)
        if plugin == "block":
            yield from _block(lio, foreseen, entry, device, at_boot=at_boot, moving=moving)
        elif plugin == "fileio":
            yield from _fileio(lio, foreseen, entry, device, at_boot=at_boot, moving=moving)
        elif plugin == "pscsi":
            yield from _pscsi(lio, foreseen, entry, device, moving=moving)
    yield from _used_twice(lio, document)
    yield from _fabrics(lio, document)
    for target in document.each("targets"):
        place = target.below("parameters").at("cmd_completion_affinity")
        number = target.below("parameters").number("cmd_completion_affinity")
        if number is not None and number >= lio.machine.cpus():
            yield error(place, f"this host has no processor {number}", "-1 means any processor.")


def _registrations(
    lio: Lio, foreseen: Foreseen, entry: DocumentEntry, *, at_boot: bool
) -> Iterator[Problem]:
    """Yield an error if the object cannot be created with its persistent reservations."""
    serial, plugin, name = entry.fit_text("wwn"), plugin_of(entry), entry.text("name")
    file = reservations.file_of(lio, serial) if serial else None
    if file is None or plugin is None or name is None:
        return
    if not at_boot and foreseen.storage_object(plugin, name) is not None:
        return
    try:
        with contextlib.suppress(PyshellError):  # most have none
            reservations.stored_in(file)
    except ValueError as found:
        message = f"its persistent reservations in {file} cannot be restored: {found}"
        yield error(entry.at("wwn"), message, "Move that file away to restore it without them.")


def _moving(lio: Lio, entry: DocumentEntry, device: str) -> Iterator[Problem]:
    """Yield a warning for a device name that can change at boot, if a stable one exists."""
    lasting = (
        lio.machine.lasting_name(device) if block_devices.moves_between_boots(device) else None
    )
    if lasting is not None:
        message = f"{device} can be another device after the next boot"
        yield warning(entry.at("dev"), message, f"Use {lasting}.")


def _used_twice(lio: Lio, document: DocumentEntry) -> Iterator[Problem]:
    """Yield an error for each storage object that uses the device or file of one before it."""
    seen = FirstSeen()
    for entry in document.each("storage_objects"):
        plugin = plugin_of(entry) or ""
        key = "config" if plugin == "user" else "dev"
        path = entry.fit_text(key)
        if not path or entry.flag("exclusive") is False:
            continue
        used = identity(lio, plugin, path)
        if used is not None and (before := seen.before(used, entry.at(key))):
            message = f"{path} is used twice, first at {before}"
            yield error(entry.at(key), message, "Two exports of one disk overwrite each other.")


def _block(
    lio: Lio,
    foreseen: Foreseen,
    entry: DocumentEntry,
    device: str,
    *,
    at_boot: bool,
    moving: bool,
) -> Iterator[Problem]:
    place = _running(lio, foreseen, entry, device)
    if place is not None:
        missing = storage_info.describe(lio, place).missing
        if missing:
            message = f"{missing}: the running object lost its device"
            hint = "It cannot be restored at boot. 'doctor' shows how to move it."
            yield (error if at_boot else warning)(entry.at("dev"), message, hint)
        return
    exclusive = plugin_of(entry) != "block" or entry.flag("exclusive") is not False
    try:
        check_block(lio, foreseen, device, exclusive=exclusive)
    except PyshellError as found:
        yield from _refused_here(entry, found, moving=moving)
        return
    there = lio.machine.block_device(device)
    if moving:
        return  # DRBD's device is read-only, or has no size, where it is secondary
    if there is not None and there.size == 0:
        yield error(entry.at("dev"), f"{device} has size 0", "Is there a medium in it?")
    if there is not None and there.read_only and entry.flag("readonly") is False:
        yield warning(entry.at("dev"), f"{device} is read-only, but readonly is false")


def _refused_here(entry: DocumentEntry, found: PyshellError, *, moving: bool) -> Iterator[Problem]:
    """Yield the error of a device, unless it is `moving` and can be at another node."""
    if not (moving and isinstance(found, NotFoundError)):
        yield refused(entry.at("dev"), found)


def _running(
    lio: Lio, foreseen: Foreseen, entry: DocumentEntry, device: str
) -> StorageObject | None:
    """Return the storage object of that name if it is running on this device."""
    plugin, name = plugin_of(entry), entry.text("name")
    if plugin is None or name is None:
        return None
    place = foreseen.storage_object(plugin, name)
    if place is None:
        return None
    running = storage_info.describe(lio, place).device
    if running == device:
        return place
    one, other = lio.machine.block_device(running), lio.machine.block_device(device)
    same = one is not None and other is not None and one.name == other.name
    return place if same else None


def _fileio(
    lio: Lio,
    foreseen: Foreseen,
    entry: DocumentEntry,
    device: str,
    *,
    at_boot: bool,
    moving: bool,
) -> Iterator[Problem]:
    if lio.machine.block_device(device) is not None:
        yield from _block(lio, foreseen, entry, device, at_boot=at_boot, moving=moving)
        return
    size = entry.number("size")
    if entry.data.get("size") is None and not (moving and storage_info.is_device_path(device)):
        yield error(entry.at("size"), "is missing: an image file needs a size")
    try:
        check(lio, foreseen, "fileio", {"dev": device})
        there = lio.machine.host_file(device).stat().st_size
    except PyshellError as found:
        yield from _refused_here(entry, found, moving=moving)
    except OSError as found:
        yield warning(entry.at("dev"), f"cannot read {device}: {found.strerror}")
    else:
        if size is not None and 0 < size != there:
            yield _other_size(entry, size, there)


def _other_size(entry: DocumentEntry, size: int, there: int) -> Problem:
    message = f"{size} bytes ({names.size_text(size)}), the image file has {there}"
    if there < size:
        return warning(entry.at("size"), message, "The file grows as it is written.")
    return warning(entry.at("size"), message, "Initiators see only the first part.")


def _pscsi(
    lio: Lio, foreseen: Foreseen, entry: DocumentEntry, device: str, *, moving: bool
) -> Iterator[Problem]:
    if lio.machine.scsi_device(device) is not None:
        return
    try:
        check(lio, foreseen, "pscsi", {"dev": device})
    except PyshellError as found:
        yield from _refused_here(entry, found, moving=moving)


def _fabrics(lio: Lio, document: DocumentEntry) -> Iterator[Problem]:
    there = fabrics.loadable(lio.machine) | {found.name for found in listing.fabrics_in_use(lio)}
    for entry in document.each("targets"):
        name = entry.text("fabric")
        if name in fabrics.known() and name not in there:
            yield warning(entry.at("fabric"), f"this kernel has no fabric {name}")
