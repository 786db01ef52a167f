# SPDX-License-Identifier: Apache-2.0
"""What differs between two configurations, object by object and setting by setting.

A setting that one side omits may have any value there: it is no difference. Where omitting
it means the kernel's default (see `model.settled`), that default is compared. Secrets are known to
differ; their values never stand in a difference's text. A secret in a file that was not read
differs only from none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyshell import names
from pyshell.config.model import Item, Items, settled, tree_path
from pyshell.lio.identifiers import AluaGroup

_UNREAD = "unread"
"""Stands for a secret that was not read; no secret is shown."""


@dataclass(frozen=True)
class Changed:
    """A fact or setting that differs. `before` and `after` are as the kernel has them."""

    name: str
    """`attrib/emulate_tpu`, `dev` …"""
    before: Any
    after: Any

    @property
    def secret(self) -> bool:
        """Tell whether the values are secrets."""
        return self.name.rpartition("/")[2] in names.SECRET_NAMES

    def shown(self, value: Any) -> str:
        """Return a value as it may be shown."""
        if self.secret and value:
            return names.MASK
        return "none" if value in (None, "") else str(value)

    @property
    def text(self) -> str:
        """Return the change in words: `emulate_tpu: 0 -> 1`."""
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
    """What cannot be changed in place: the object would have to be made anew."""
    settings: tuple[Changed, ...] = ()

    @property
    def implied(self) -> bool:
        """Tell whether it follows from the difference of another object."""
        item = self.after or self.before
        return self.sign != "~" and item is not None and item.implied

    @property
    def changes(self) -> tuple[Changed, ...]:
        """Return all that differs in an object that both have."""
        return self.facts + self.settings


def compare(before: Items, after: Items, *, unread: bool = True) -> list[Difference]:
    """Return what differs, in the order of the second, then what only the first has.

    Without `unread`, secrets that were not read are no difference: a plan cannot write them.
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

    The tree has a target of a fabric without tags and its TPG as one.
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
    """Tell whether the other side has an item, unmentioned, as it has that to which it belongs."""
    place = item.place
    return item.implied and isinstance(place, AluaGroup) and place.storage_object.path in other


def _unread(one: Item, other: Item) -> Iterator[Changed]:
    yield from (Changed(n, _UNREAD, "") for n in one.unread if other.settings.get(n) == "")
    yield from (Changed(n, "", _UNREAD) for n in other.unread if one.settings.get(n) == "")


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Changed]:
    for name, value in after.items():
        if name in before and before[name] != value:
            yield Changed(name, before[name], value)
