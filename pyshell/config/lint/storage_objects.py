# SPDX-License-Identifier: Apache-2.0
"""Faults of storage objects that the file alone shows: names, sizes, contradictions, ALUA."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from pyshell import names
from pyshell.config.document import modern
from pyshell.config.lint.faults import UNFIT, Entry, Fault, Seen, error, refused, warning
from pyshell.config.model import ARGUMENTS, text_of
from pyshell.errors import UsageError
from pyshell.lio.attributes import boolean
from pyshell.lio.identifiers import DEFAULT_GROUP, HBA_PREFIX
from pyshell.lio.operations.backing import check_serial
from pyshell.lio.operations.storage import NEEDED_ARGUMENTS
from pyshell.lio.settings import ALUA_STATES
from pyshell.lio.storage import naa_digits

_OF_ONE_BACKSTORE = frozenset().union(*ARGUMENTS.values()) - {"wwn"}
_UNUSED_BUT_WRITTEN = {"block": {"write_back"}}
"""What rtslib saves though nothing is made of it."""
_BLOCK_SIZES = (512, 1024, 2048, 4096)
_ALUA_NUMBERS = range(1, 65536)


def plugin_of(entry: Entry) -> str | None:
    """Return a storage object's backstore by its name of today, None for an unknown one."""
    given = entry.text("plugin") or ""
    plugin = modern(given)
    return plugin if plugin in HBA_PREFIX else None


def groups_of_all(document: Entry) -> dict[str, set[str]]:
    """Return the names of the ALUA groups of each storage object, by its path in the tree."""
    found: dict[str, set[str]] = {}
    for entry in document.each("storage_objects"):
        path = f"/backstores/{plugin_of(entry)}/{entry.text('name')}"
        groups = {group.text("name") or "" for group in entry.each("alua_tpgs")}
        found.setdefault(path, {DEFAULT_GROUP}).update(groups)
    return found


def storage_faults(document: Entry, running: Collection[str] = ()) -> Iterator[Fault]:
    """Yield what is wrong with the storage objects of a file.

    Of objects that run, by their paths in `running`, a file may hold only what is to change.
    """
    names_seen, serials = Seen(), Seen()
    for entry in document.each("storage_objects"):
        yield from _name(entry, names_seen)
        plugin = plugin_of(entry)
        if plugin is None:
            yield from _unknown_plugin(entry)
            continue
        if plugin != "pscsi":  # the device tells its own
            yield from _serial(entry, serials)
        is_running = f"/backstores/{plugin}/{entry.text('name')}" in running
        yield from _arguments(entry, plugin, needed=not is_running)
        yield from _device(entry, plugin)
        yield from _size(entry, plugin)
        yield from _cache(entry, plugin)
        yield from _alua_groups(entry)


def _name(entry: Entry, seen: Seen) -> Iterator[Fault]:
    name = entry.text("name")
    if name is None:
        return
    try:
        names.storage_object_name(name)
    except UsageError as found:
        yield refused(entry.at("name"), found)
    else:
        yield from unusual_name(entry.at("name"), name)
    plugin = plugin_of(entry)
    before = seen.before((plugin, name), entry.at("name"))
    if plugin is not None and before:
        yield error(entry.at("name"), f"{plugin}/{name} is there twice, first at {before}")


def unusual_name(place: tuple[str | int, ...], name: str) -> Iterator[Fault]:
    """Yield a warning for a name that no new object gets: it may look like another."""
    try:
        names.plain(name, "new names")
    except UsageError as found:
        yield warning(place, found.message, found.hint)


def _unknown_plugin(entry: Entry) -> Iterator[Fault]:
    given = entry.text("plugin")
    if given is None:
        return
    near = difflib.get_close_matches(given, HBA_PREFIX, n=1)
    known = ", ".join(HBA_PREFIX)
    hint = f"Did you mean {near[0]}?" if near else f"There are {known}."
    yield error(entry.at("plugin"), f"there is no backstore '{given}'", hint)


def _serial(entry: Entry, seen: Seen) -> Iterator[Fault]:
    serial = entry.text("wwn")
    if serial and UNFIT.search(serial):
        return  # told by the checks of types
    try:
        check_serial(serial or "")
    except UsageError as found:
        yield refused(entry.at("wwn"), found)
    before = seen.before(naa_digits(serial), entry.at("wwn")) if serial else ""
    if before:
        yield warning(
            entry.at("wwn"),
            "the serial number, of which the first 25 hexadecimal digits count, is there twice,"
            f" first at {before}",
            "Initiators take both for paths to one disk.",
        )


def _arguments(entry: Entry, plugin: str, *, needed: bool) -> Iterator[Fault]:
    for key in NEEDED_ARGUMENTS[plugin] if needed else ():
        if entry.data.get(key) in (None, ""):
            yield error(entry.at(key), f"is missing: a {plugin} storage object needs it")
    used = {*ARGUMENTS[plugin], *_UNUSED_BUT_WRITTEN.get(plugin, ())}
    for key in sorted(_OF_ONE_BACKSTORE - used):
        if entry.data.get(key) is not None:
            message = f"has no effect on a {plugin} storage object"
            yield Fault("warning", entry.at(key), message, at_key=True)


def _device(entry: Entry, plugin: str) -> Iterator[Fault]:
    path = entry.text("dev")
    if not path or plugin not in ("block", "fileio"):
        return
    if not path.startswith("/"):
        yield warning(entry.at("dev"), f"{path} is no absolute path", "It must hold at boot too.")
    if "\0" in path or "," in path:
        # The kernel parses its control text at commas.
        yield error(entry.at("dev"), "a path with a comma or NUL cannot be given to the kernel")


def _size(entry: Entry, plugin: str) -> Iterator[Fault]:
    attributes = entry.below("attributes")
    block = attributes.number("block_size")
    if block is not None and block not in _BLOCK_SIZES:
        sizes = ", ".join(map(str, _BLOCK_SIZES))
        yield error(attributes.at("block_size"), f"{block} is no block size", f"There are {sizes}.")
    size = entry.number("size")
    if size is None or "size" not in ARGUMENTS[plugin]:
        return
    unit = block if block in _BLOCK_SIZES else _BLOCK_SIZES[0]
    if size <= 0:
        yield error(entry.at("size"), "must be greater than 0", "Sizes are in bytes.")
    elif size < unit and plugin in ("fileio", "user"):
        # The kernel counts the blocks of it below 0, and so exports a disk without end.
        yield error(entry.at("size"), f"must be at least a block of {unit} bytes")
    elif size > names.SIZE_MAX:
        yield error(entry.at("size"), "is more than the kernel can count")
    elif size % unit:
        yield warning(
            entry.at("size"), f"{size} bytes are not a multiple of the block of {unit} bytes"
        )


def _cache(entry: Entry, plugin: str) -> Iterator[Fault]:
    """Two keys speak of the write cache: rtslib saves both, and they agree (field failure 68)."""
    attributes = entry.below("attributes")
    wanted, given = entry.flag("write_back"), attributes.data.get("emulate_write_cache")
    try:
        emulated = None if given is None else boolean(text_of(given))
    except UsageError:
        return  # told by the checks of values
    if wanted is None or emulated is None or wanted == emulated:
        return
    place = attributes.at("emulate_write_cache")
    if plugin == "fileio" and wanted:
        yield error(
            place,
            "write_back is true, but initiators would not be told of the write cache",
            "Writes that were acknowledged would be lost in a crash: make both say the same.",
        )
    elif plugin in ("block", "fileio"):
        yield warning(place, f"contradicts write_back, which is {str(wanted).lower()}")


def _alua_groups(entry: Entry) -> Iterator[Fault]:
    seen_names, seen_numbers = Seen(), Seen()
    for group in entry.each("alua_tpgs"):
        name, number = group.text("name"), group.number("tg_pt_gp_id")
        if name is None:
            continue
        yield from _alua_name(group, name)
        before = seen_names.before(name, group.at("name"))
        if before:
            yield error(group.at("name"), f"ALUA group {name} is there twice, first at {before}")
        if name != DEFAULT_GROUP:
            yield from _alua_number(group, number, seen_numbers)
        state = group.number("alua_access_state")
        if state is not None and state not in ALUA_STATES:
            known = ", ".join(f"{number} ({text})" for number, text in ALUA_STATES.items())
            place = group.at("alua_access_state")
            yield error(place, f"{state} is no ALUA state", f"There are {known}.")


def _alua_name(group: Entry, name: str) -> Iterator[Fault]:
    """Yield an error for a name that no group can have, a warning for one that no new one gets."""
    within = name == name.strip()  # the kernel accepts blanks within a name
    try:
        names.alua_group_name(name.replace(" ", "_") if within else name)
    except UsageError as found:
        yield refused(group.at("name"), found)
    else:
        yield from unusual_name(group.at("name"), name)


def _alua_number(group: Entry, number: int | None, seen: Seen) -> Iterator[Fault]:
    place = group.at("tg_pt_gp_id")
    if "tg_pt_gp_id" not in group.data:
        yield error(place, "is missing: an ALUA group other than the default needs a number")
    elif number is None:
        return
    elif number not in _ALUA_NUMBERS:
        yield error(place, f"{number} is not the number of an ALUA group", "It is 1 to 65535.")
    elif before := seen.before(number, place):
        yield error(place, f"ALUA group number {number} is there twice, first at {before}")
