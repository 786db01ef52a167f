# SPDX-License-Identifier: Apache-2.0
"""Apply the changes between two configurations to a third one, which others may have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pyshell.config.model import Item, Items
from pyshell.lio import identifiers

_Value = TypeVar("_Value")


def merged(base: Items, changed: Items, running: Items) -> Items:
    """Return `running` with what differs between `base` and `changed`.

    What only `running` has changed since `base` is kept. If both changed something, `changed`
    counts.
    """
    found = dict(running)
    for path, item in changed.items():
        before = base.get(path)
        if before is not None and _is_same(before, item):
            continue
        if before is None or path not in running:
            found[path] = item
        else:
            found[path] = _with_changes(before, item, running[path])
    for path in base.keys() - changed.keys():
        found.pop(path, None)
    _add_needed(found, changed)
    return _without_loose(found)


def _is_same(one: Item, other: Item) -> bool:
    return (one.facts, one.settings, one.links) == (other.facts, other.settings, other.links)


def _with_changes(before: Item, item: Item, running: Item) -> Item:
    """Return a running object with what differs between two others."""
    return replace(
        running,
        facts=_changed(before.facts, item.facts, running.facts),
        settings=_changed(before.settings, item.settings, running.settings),
        links=item.links if item.links != before.links else running.links,
        omitted=item.omitted,
    )


def _changed(
    before: Mapping[str, _Value], after: Mapping[str, _Value], running: Mapping[str, _Value]
) -> dict[str, _Value]:
    """Return the running values with those that differ, in the order of `after`."""
    new = {name: value for name, value in after.items() if before.get(name) != value}
    gone = before.keys() - after.keys()
    kept = {name: value for name, value in running.items() if name not in gone}
    order = [*after, *(name for name in kept if name not in after)]
    return {name: new.get(name, kept.get(name)) for name in order if name in new or name in kept}  # type: ignore[misc]


def _add_needed(found: Items, changed: Items) -> None:
    """Add what changed objects belong to or export, if others deleted it meanwhile."""
    left = [item for path, item in changed.items() if found.get(path) is item]
    while left:
        item = left.pop()
        for path in _needs(item):
            if path not in found and path in changed:
                found[path] = changed[path]
                left.append(changed[path])


def _without_loose(found: Items) -> Items:
    """Return objects without those whose owner, or what they export, is missing."""
    kept = dict(found)
    while loose := [p for p, item in kept.items() if any(one not in kept for one in _needs(item))]:
        for path in loose:
            del kept[path]
    return kept


def _needs(item: Item) -> Iterator[str]:
    """Yield the paths of the object that another belongs to, and of those that it exports."""
    yield from item.links
    place: Any = item.place
    for kind, name in _OWNERS.items():
        if isinstance(place, kind):
            yield Item(getattr(place, name)).path


_OWNERS: Mapping[type, str] = {
    identifiers.AluaGroup: "storage_object",
    identifiers.Tpg: "target",
    identifiers.Lun: "tpg",
    identifiers.Portal: "tpg",
    identifiers.NodeAcl: "tpg",
    identifiers.MappedLun: "acl",
}
"""The field of an identifier that names its owner."""
