# SPDX-License-Identifier: Apache-2.0
"""Differences between two configurations, by object and setting, and what omitted values mean.

A setting that one side omits can have any value there: it is not a difference. If omitting it means
the kernel's default (see `settled`), that default is compared. Secrets are compared, but
their values never appear in the text of a difference. A secret in a file that was not read differs
only from none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyshell import names
from pyshell.config.model import DEMO_MODE, LUN_GROUP, Item, Items, tree_path
from pyshell.lio import Lio, identifiers, listing, settings, storage_info
from pyshell.lio.identifiers import DEFAULT_GROUP
from pyshell.lio.storage_info import ARGUMENTS

_SECTORS, _BLOCK_SIZE = "hw_max_sectors", "control/hw_block_size"
_FACT_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    plugin: {n: known.default for n, known in arguments.items() if known.default is not None}
    for plugin, arguments in ARGUMENTS.items()
} | {
    # The defaults of the other numbers depend on the kernel: omitted ones equal any value.
    "user": {_BLOCK_SIZE: "512", "control/data_pages_per_blk": "1"}
}
"""Defaults of arguments, by backstore."""
_SETTING_DEFAULTS: Mapping[type, Mapping[str, str]] = {
    identifiers.Lun: {LUN_GROUP: DEFAULT_GROUP},
    identifiers.Portal: {"iser": "0", "cxgbit": "0"},
}
_CONTROL = "control"
_CACHE = "attrib/cache_dynamic_acls"
_UNREAD = "unread"
"""Placeholder for a secret that was not read."""


@dataclass(frozen=True)
class Changed:
    """A fact or setting that differs. `before` and `after` are as the kernel has them."""

    name: str
    """`attrib/emulate_tpu`, `dev` …"""
    before: Any
    after: Any

    @property
    def secret(self) -> bool:
        """Return whether the values are secrets."""
        return self.name.rpartition("/")[2] in names.SECRET_NAMES

    def shown(self, value: Any) -> str:
        """Return a value as text, masked if it is secret."""
        if self.secret and value:
            return names.MASK
        return "none" if value in (None, "") else str(value)

    @property
    def text(self) -> str:
        """Return the change as text: `emulate_tpu: 0 -> 1`."""
        name = self.name.rpartition("/")[2]
        if self.secret and self.before and self.after:
            return f"{name}: differs"
        return f"{name}: {self.shown(self.before)} -> {self.shown(self.after)}"


@dataclass(frozen=True)
class Difference:
    """One object that differs: `+` only in the second, `-` only in the first, `~` in both."""

    path: str
    sign: str
    before: Item | None
    after: Item | None
    facts: tuple[Changed, ...] = ()
    """Changes that need the object to be recreated."""
    settings: tuple[Changed, ...] = ()

    @property
    def implied(self) -> bool:
        """Return whether it follows from the difference of another object."""
        item = self.after or self.before
        return self.sign != "~" and item is not None and item.implied

    @property
    def changes(self) -> tuple[Changed, ...]:
        """Return all changes of an object that both sides have."""
        return self.facts + self.settings


def compare(before: Items, after: Items, *, unread: bool = True) -> list[Difference]:
    """Return the differences in the order of `after`, then what only `before` has.

    Without `unread`, secrets that were not read are no differences: a plan cannot write them.
    """
    found = []
    for path, item in after.items():
        if path not in before:
            if item.bare or _comes_with_its_owner(item, before):
                continue
            found.append(Difference(path, "+", None, item))
            continue
        one, other = settled(before[path], item), settled(item, before[path])
        facts = tuple(_changed(one.facts, other.facts))
        own = tuple(_changed(one.settings, other.settings))
        own += tuple(_unread(one, other)) if unread else ()
        if facts or own:
            found.append(Difference(path, "~", before[path], item, facts, own))
    found += [
        Difference(path, "-", item, None)
        for path, item in before.items()
        if path not in after and not item.bare and not _comes_with_its_owner(item, after)
    ]
    return found


def shown(differences: Iterable[Difference]) -> Iterator[Difference]:
    """Yield differences by the paths of the tree, without those that follow from others.

    In a fabric without tags, a target and its TPG have one path in the tree.
    """
    reported = [difference for difference in differences if not difference.implied]
    paths = {difference.path for difference in reported}
    for one in reported:
        item = one.after or one.before
        path = tree_path(item) if item is not None else one.path
        if path == one.path:
            yield one
        elif one.sign == "~" or path not in paths:
            yield replace(one, path=path)


def _comes_with_its_owner(item: Item, other: Items) -> bool:
    """Return whether the other side has an item implicitly, as it has its owner."""
    place = item.place
    return (
        item.implied
        and isinstance(place, identifiers.AluaGroup)
        and place.storage_object.path in other
    )


def _unread(one: Item, other: Item) -> Iterator[Changed]:
    yield from (Changed(n, _UNREAD, "") for n in one.unread if other.settings.get(n) == "")
    yield from (Changed(n, "", _UNREAD) for n in other.unread if one.settings.get(n) == "")


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Changed]:
    for name, value in after.items():
        if name in before and before[name] != value:
            yield Changed(name, before[name], value)


def settled(item: Item, other: Item | None = None) -> Item:
    """Return an item with the kernel's defaults for what a document can omit.

    The words of `control` become facts of their own. `other` is the same object of the
    configuration to compare with, which has the values that this one omits.
    """
    if isinstance(item.place, identifiers.StorageObject):
        facts = {**_FACT_DEFAULTS[item.place.plugin], **item.facts}
        for word in filter(None, str(facts.pop(_CONTROL, None) or "").split(",")):
            name, _, value = word.partition("=")
            facts[f"{_CONTROL}/{name}"] = value.lstrip("0") or value
        block = str(facts.get(_BLOCK_SIZE, ""))
        if _SECTORS in facts and block.isdigit() and int(block):
            facts[_SECTORS] = storage_info.aligned_sectors(facts[_SECTORS], int(block))
        return replace(item, facts=facts, settings=_identified(item, other))
    if isinstance(item.place, identifiers.Tpg) and _CACHE in item.settings:
        every = {**(other.settings if other else {}), **item.settings}
        if item.place.target.fabric.name == "iscsi" and every.get(DEMO_MODE) == "1":
            # The kernel enables it with demo mode and ignores 0 until demo mode is off.
            return replace(item, settings={**item.settings, _CACHE: "1"})
    defaults = _SETTING_DEFAULTS.get(type(item.place))
    return replace(item, settings={**defaults, **item.settings}) if defaults else item


def _identified(item: Item, other: Item | None) -> Mapping[str, str]:
    """Return the settings of a storage object, with the default of what only `other` sets.

    A saved configuration has each part of the identity that is not the default.
    """
    assert isinstance(item.place, identifiers.StorageObject)
    alias = item.settings.get(storage_info.MODEL_ALIAS)
    omitted = {
        file: storage_info.identity_default(item.place, file, alias)
        for file in identity_omitted(item, other)
    }
    return {**item.settings, **omitted} if omitted else item.settings


def identity_omitted(item: Item, other: Item | None) -> list[str]:
    """Return the parts of a storage object's identity that only the other side sets."""
    if other is None or not isinstance(item.place, identifiers.StorageObject):
        return []
    return [f for f in settings.IDENTITY if f in other.settings and f not in item.settings]


def settable(lio: Lio, wanted: Items, running: Items) -> tuple[Items, dict[str, list[str]]]:
    """Return `wanted` without the parts of running objects' identity that this kernel lacks.

    The second result has the names of those parts, as `company_id`, by path.
    """
    found, lacking = dict(wanted), {}
    parts = {
        path: [file for file in settings.IDENTITY if file in item.settings]
        for path, item in wanted.items()
        if path in running
    }
    every = listing.storage_objects(lio) if any(parts.values()) else []
    places = {place.path: place for place in every}
    for path, identity in parts.items():
        place, item = places.get(path), wanted[path]
        if not identity or place is None:
            continue
        gone = [f for f in identity if not os.path.exists(f"{place.folder}/{f}")]
        if gone:
            own = {file: value for file, value in item.settings.items() if file not in gone}
            found[path] = replace(item, settings=own)
            lacking[path] = [file.rpartition("/")[2] for file in gone]
    return found, lacking


def merged(lio: Lio, running: Item, wanted: Item) -> Item:
    """Return a wanted item, with the running values of what it omits.

    A storage object on another device does not keep settings that depend on the device, nor discard
    if that device cannot.
    """
    device = str(wanted.facts.get("dev", ""))
    another = device not in ("", running.facts.get("dev"))
    lost: frozenset[str] = frozenset()
    if another and not storage_info.frees_space(lio, running.place.owner, device):
        lost = settings.DISCARDING
    kept = {
        file: value
        for file, value in running.settings.items()
        if not (another and settings.depends_on_device(running.place, file))
        and file.rpartition("/")[2] not in lost
    }
    there = {n: v for n, v in settled(wanted, running).settings.items() if n in running.settings}
    return replace(
        wanted,
        place=running.place,
        facts=_merged_facts(running, wanted),
        settings={**kept, **there, **wanted.settings},
        alias=wanted.alias or running.alias,
    )


def _merged_facts(running: Item, wanted: Item) -> dict[str, Any]:
    if not isinstance(wanted.place, identifiers.StorageObject):
        return {**running.facts, **wanted.facts}
    defaults = _FACT_DEFAULTS[wanted.place.plugin]
    facts = {n: v for n, v in running.facts.items() if n not in defaults} | dict(wanted.facts)
    if _CONTROL in running.facts:
        prefix = f"{_CONTROL}/"
        words = {
            name.removeprefix(prefix): value
            for one in (settled(running), settled(wanted))
            for name, value in one.facts.items()
            if name.startswith(prefix)
        }
        facts[_CONTROL] = ",".join(f"{name}={value}" for name, value in words.items())
    return facts


def keeping_identity(wanted: Items, running: Items) -> tuple[Items, list[str]]:
    """Return `wanted` with the running vendor, product … that its document omits.

    The second result has the paths of the objects that keep some.
    """
    found, kept = dict(wanted), []
    for path, item in wanted.items():
        omitted = identity_omitted(item, running.get(path))
        if omitted:
            stays = {file: running[path].settings[file] for file in omitted}
            found[path] = replace(item, settings={**item.settings, **stays})
            kept.append(path)
    return found, kept


def keeping_chap(wanted: Items, running: Items) -> tuple[Items, list[str]]:
    """Return `wanted` without unsetting the running CHAP settings that its document omits.

    The second result has the paths of the objects that keep some.
    """
    found, kept = dict(wanted), []
    for path, item in wanted.items():
        if path not in running or not item.omitted:
            continue
        stays = {file for file in item.omitted if running[path].settings.get(file)}
        if stays:
            own = {file: value for file, value in item.settings.items() if file not in stays}
            found[path] = replace(item, settings=own)
            kept.append(path)
    return found, kept
