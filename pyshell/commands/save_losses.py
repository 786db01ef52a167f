# SPDX-License-Identifier: Apache-2.0
"""What is removed beside the objects that a command names, as questions and dry runs name it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pyshell.lio import listing
from pyshell.lio.identifiers import (
    AluaGroup,
    Lun,
    MappedLun,
    NodeAcl,
    Place,
    Portal,
    StorageObject,
    Target,
    Tpg,
)
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.removal import DELETIONS

_NAMED = 3
"""How many storage objects a question names."""
_NOUNS: dict[type[Place], str] = {
    Target: "target",
    Tpg: "TPG",
    StorageObject: "storage object",
    AluaGroup: "ALUA group",
    Lun: "LUN",
    NodeAcl: "ACL",
    MappedLun: "mapped LUN",
    Portal: "portal",
}


def beside(operations: Sequence[Operation], named: Sequence[str] | None) -> str:
    """Return what operations remove beside the objects with the paths `named`, "" for nothing.

    None for `named` means that all of it is named.
    """
    if named is None:
        return ""
    gone = [operation.place for operation in operations if isinstance(operation, DELETIONS)]
    tops = {place.path for place in gone if isinstance(place, Target | Tpg | StorageObject)}
    along = [p for p in gone if p.path not in named and not _is_part(p, tops)]
    return _joined(list(_counts(along, named)))


def _is_part(place: Place, tops: Collection[str]) -> bool:
    """Whether an object is made with another that is removed, and is nothing without it."""
    if isinstance(place, Tpg):
        return place.target.path in tops
    if isinstance(place, Portal):
        return place.tpg.path in tops
    return isinstance(place, AluaGroup) and place.storage_object.path in tops


def _counts(along: Sequence[Place], named: Sequence[str]) -> Iterator[str]:
    for kind, noun in _NOUNS.items():
        found = [place for place in along if type(place) is kind]
        if found:
            words = f"{len(found)} {noun}{'' if len(found) == 1 else 's'}"
            yield f"{words}{_exported(found, named)}"


def _exported(places: Sequence[Place], named: Sequence[str]) -> str:
    """Return the storage objects of LUNs, unless the command names them."""
    luns = [place for place in places[:_NAMED] if isinstance(place, Lun)]
    exported = [found for lun in luns if (found := listing.storage_object_of(lun))]
    told = [f"{one.plugin}/{one.name}" for one in exported if one.path not in named]
    more = ["…"] if len(places) > _NAMED else []
    return f" ({', '.join([*told, *more])})" if told else ""


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
