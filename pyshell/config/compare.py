# SPDX-License-Identifier: Apache-2.0
"""Differences between two configurations, by object and setting.

A setting that one side omits can have any value there: it is not a difference. If omitting it means
the kernel's default (see `model.settled`), that default is compared. Secrets are compared, but
their values never appear in the text of a difference. A secret in a file that was not read differs
only from none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyshell import names
from pyshell.config.model import Item, Items, settled, tree_path
from pyshell.lio.identifiers import AluaGroup

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
    told = [difference for difference in differences if not difference.implied]
    paths = {difference.path for difference in told}
    for one in told:
        item = one.after or one.before
        path = tree_path(item) if item is not None else one.path
        if path == one.path:
            yield one
        elif one.sign == "~" or path not in paths:
            yield replace(one, path=path)


def _comes_with_its_owner(item: Item, other: Items) -> bool:
    """Return whether the other side has an item implicitly, as it has its owner."""
    place = item.place
    return item.implied and isinstance(place, AluaGroup) and place.storage_object.path in other


def _unread(one: Item, other: Item) -> Iterator[Changed]:
    yield from (Changed(n, _UNREAD, "") for n in one.unread if other.settings.get(n) == "")
    yield from (Changed(n, "", _UNREAD) for n in other.unread if one.settings.get(n) == "")


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Changed]:
    for name, value in after.items():
        if name in before and before[name] != value:
            yield Changed(name, before[name], value)
