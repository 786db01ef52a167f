# SPDX-License-Identifier: Apache-2.0
"""Values of attributes and parameters that the kernel would refuse, or read as something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pyshell import names
from pyshell.config.lint.faults import UNFIT, Entry, Fault, error, refused, whole
from pyshell.config.lint.storage_objects import plugin_of
from pyshell.config.model import text_of
from pyshell.errors import UsageError
from pyshell.lio import attributes
from pyshell.lio.attach import Lio
from pyshell.lio.attributes import Attribute

_JUDGED_ELSEWHERE = frozenset({"block_size", "alua_access_state"})
"""Settings of which the checks of storage objects tell more."""
_MADE_WITH = ("dev", "config", "control")
"""Texts that a storage object is made with, and that no other check reads as a whole."""
_DISCARDING = frozenset({"emulate_tpu", "emulate_tpws", "unmap_zeroes_data"})
_NO_LIMITS: Mapping[str, str] = {}


def value_faults(lio: Lio, document: Entry) -> Iterator[Fault]:
    """Yield each setting of a file whose value no such setting can have."""
    for entry in document.each("storage_objects"):
        plugin, device = plugin_of(entry) or "", entry.text("dev") or ""
        limits = _limits(lio, plugin, device) if device else {}
        yield from _wrong(entry.below("attributes"), "storage_object", plugin, limits)
        yield from _of_handler(entry, plugin)
        for key in _MADE_WITH:
            yield from _fits(entry, key, entry.text(key) or "")
        for group in entry.each("alua_tpgs"):
            typed = {key: value for key, value in group.data.items() if whole(value) is not None}
            yield from _wrong(Entry(typed, group.place), "alua_group")
    for target in document.each("targets"):
        yield from _wrong(target.below("parameters"), "target_parameter")
        for tpg in target.each("tpgs"):
            yield from _wrong(tpg.below("attributes"), "tpg")
            yield from _wrong(tpg.below("parameters"), "tpg_parameter")
            for acl in tpg.each("node_acls"):
                yield from _wrong(acl.below("attributes"), "node_acl")
                yield from _wrong(acl.below("parameters"), "tpg_parameter")


def _limits(lio: Lio, plugin: str, path: str) -> Mapping[str, str]:
    """Return what a storage object takes over from its device, by the names of attributes.

    `discard` is 0 where the device cannot discard.
    """
    device = lio.machine.block_device(path) if plugin in ("block", "fileio") else None
    queue = lio.machine.queue(device.name) if device is not None else None
    if queue is None:
        return _NO_LIMITS
    found = {"discard": str(int(queue.discard_sectors > 0))}
    if plugin == "block":
        found |= {"hw_queue_depth": str(queue.depth), "hw_max_sectors": str(queue.max_sectors)}
    return found


def _must_discard(attributes: Entry, key: str, discard: str | None) -> None:
    """Raise UsageError where the kernel would ask the device for discard in vain.

    It asks only if no limit is set.
    """
    if discard == "0" and not attributes.number("max_unmap_block_desc_count"):
        raise UsageError(f"{key} can only be 0: the device cannot discard.")


def _of_handler(entry: Entry, plugin: str) -> Iterator[Fault]:
    """Yield attributes of a user-backed object that say otherwise than what it is made with."""
    own = entry.below("attributes")
    for key, name in (("config", "dev_config"), ("size", "dev_size")):
        given, told = entry.data.get(key), own.data.get(name)
        if plugin == "user" and None not in (given, told) and text_of(given) != text_of(told):
            yield error(own.at(name), f"contradicts {key}, which is {text_of(given)}")


def _fits(entry: Entry, key: str, text: str) -> Iterator[Fault]:
    if UNFIT.search(text):
        return  # told by the checks of types
    try:
        names.value(text, key)
    except UsageError as found:
        yield refused(entry.at(key), found)


def _wrong(
    entry: Entry, kind: str, owner: str = "", limits: Mapping[str, str] = _NO_LIMITS
) -> Iterator[Fault]:
    rows = attributes.of_kind(kind)
    for key, value in entry.data.items():
        if UNFIT.search(key):
            continue  # told by the checks of types
        try:
            names.setting_file(key)
        except UsageError as found:
            yield refused(entry.at(key), found, at_key=True)
            continue
        if value is None or isinstance(value, dict | list) or UNFIT.search(text_of(value)):
            continue
        row = rows.get(key)
        if row is None:
            yield from _fits(entry, key, text_of(value))
            continue
        if (key in _JUDGED_ELSEWHERE and whole(value) is not None) or not row.can_be_set:
            continue
        try:
            taken = row.check(text_of(value), _beside(entry.data, rows, owner, limits))
            row.check_for(owner, taken)
            if key in _DISCARDING and taken == "1":
                _must_discard(entry, key, "0" if owner == "ramdisk" else limits.get("discard"))
        except UsageError as found:
            yield refused(entry.at(key), found)


def _beside(
    values: Mapping[str, object],
    rows: Mapping[str, Attribute],
    owner: str,
    limits: Mapping[str, str],
) -> Callable[[str], str]:
    """Return a reader of another setting: what the device says, else the file, else the default."""

    def read(name: str) -> str:
        if name in limits:
            return limits[name]
        if name in values:
            return text_of(values[name])
        return (rows[name].default_of(owner) if name in rows else None) or ""

    return read
