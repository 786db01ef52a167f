# SPDX-License-Identifier: Apache-2.0
"""Parts of a document: one target or storage object, parts to carry over, parts in error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from typing import Any, cast

from pyshell.config.document import (
    LISTS,
    Document,
    LunEntry,
    StorageObjectEntry,
    TargetEntry,
    is_target,
    located,
    target_path,
)
from pyshell.config.positions import Place
from pyshell.lio import settings
from pyshell.lio.identifiers import normal_path, storage_object_path


def with_storage_object(saved: Document, running: Document, plugin: str, name: str) -> Document:
    """Return `saved` with a storage object, and the targets that export it, as running.

    LUNs of these targets whose storage objects the file lacks are omitted: they could not be
    restored. LUNs of the object that only the file has are removed.
    """
    found = deepcopy(saved)
    path = f"/backstores/{plugin}/{name}"
    found["storage_objects"] = [
        *(entry for entry in found.get("storage_objects", []) if _path(entry) != path),
        *(entry for entry in running.get("storage_objects", []) if _path(entry) == path),
    ]
    held = {_path(entry) for entry in found["storage_objects"]}
    exporting = [t for t in running.get("targets", []) if path in exported(t)]
    fresh = {target_path(t): _only(t, held.__contains__) for t in exporting}
    kept = [
        _only(target, lambda link: link != path)
        for target in found.get("targets", [])
        if target_path(target) not in fresh
    ]
    found["targets"] = [*kept, *fresh.values()]
    return found


def of_target(document: Document, wwn: str) -> Document:
    """Return a document with the targets of a WWN and the storage objects that they export."""
    targets = [target for target in document.get("targets", []) if is_target(target, wwn)]
    paths = {path for target in targets for path in exported(target)}
    every = document.get("storage_objects", [])
    return {
        "storage_objects": [entry for entry in every if _path(entry) in paths],
        "targets": targets,
        "fabric_modules": [],
    }


def without_targets(
    document: Document, targets: Collection[str], storage: Collection[str]
) -> Document:
    """Return a document without targets, the storage objects that only they export, and `storage`.

    All are named by their paths. Other targets are without their LUNs of `storage`.
    """
    every = document.get("targets", [])
    kept = [
        target if exported(target).isdisjoint(storage) else _only(target, _is_none_of(storage))
        for target in every
        if target_path(target) not in targets
    ]
    own = {path for target in every if target_path(target) in targets for path in exported(target)}
    gone = own.union(storage) - {path for target in kept for path in exported(target)}
    objects = document.get("storage_objects", [])
    return {
        **document,
        "storage_objects": [entry for entry in objects if _path(entry) not in gone],
        "targets": kept,
    }


def carried(document: Document, before: Document, paths: Collection[str]) -> Document:
    """Return a document with those objects of `before` that are at `paths` in the tree.

    An object is not added if its owner is in neither document, or if its number or address is
    used already.
    """
    found = deepcopy(document)
    present = {(one.kind, one.path): one.entry for one in located(found)}
    old = {one.place: one for one in located(before)}
    for one in old.values():
        key = one.kind, one.path
        if one.path not in paths or key in present or one.kind in ("fabric_modules", "alua_tpgs"):
            continue
        above = old.get(one.place[:-2])
        owner = present.get((above.kind, above.path)) if above else cast(dict[str, Any], found)
        if owner is None:
            continue
        if one.kind == "mapped_luns":
            tpg = old[one.place[:-4]]
            number = one.entry["tpg_lun"]
            if _lun_link(present[tpg.kind, tpg.path], number) != _lun_link(tpg.entry, number):
                continue
        # Their members are carried over one by one.
        lists = [name for name in LISTS.get(one.kind, ()) if name != "alua_tpgs"]
        present[key] = {**one.entry, **{name: [] for name in lists}}
        owner.setdefault(one.kind, []).append(present[key])
    return found


def _lun_link(tpg: Mapping[str, Any], index: int) -> str | None:
    links = (_link(lun) for lun in tpg.get("luns", ()) if lun["index"] == index)
    return next(links, None)


def _path(entry: StorageObjectEntry) -> str:
    return storage_object_path(entry["plugin"], entry["name"])


def _link(lun: LunEntry) -> str:
    return normal_path(lun["storage_object"])


def exported(target: TargetEntry) -> set[str]:
    """Return the paths of the storage objects that a target exports."""
    return {_link(lun) for tpg in target.get("tpgs", []) for lun in tpg.get("luns", [])}


def _is_none_of(storage: Collection[str]) -> Callable[[str], bool]:
    return lambda link: link not in storage


def _only(target: TargetEntry, wanted: Callable[[str], bool]) -> TargetEntry:
    """Return a target with only the LUNs of wanted storage objects, and their mapped LUNs."""
    found = deepcopy(target)
    for tpg in found.get("tpgs", []):
        gone = {lun["index"] for lun in tpg.get("luns", []) if not wanted(_link(lun))}
        if gone:
            tpg["luns"] = [lun for lun in tpg.get("luns", []) if lun["index"] not in gone]
        for acl in tpg.get("node_acls", []) if gone else []:
            mapped = acl.get("mapped_luns", [])
            acl["mapped_luns"] = [one for one in mapped if one["tpg_lun"] not in gone]
    return found


# Parts of a document that are in error

_LISTS = frozenset(key for keys in LISTS.values() for key in keys)
_GROUPS = frozenset({"attributes", "parameters"})
_OPTIONAL = frozenset({"alias", "alua_tg_pt_gp_name", "tcq_depth", *settings.ALUA_FILES})
"""Keys that can be omitted while their object stays; so can CHAP names and secrets."""


def unit_of(place: Place) -> Place:
    """Return the place of what is omitted because of an error: a setting, else the object."""
    for index, step in enumerate(place):
        if step in _GROUPS and index + 1 < len(place):
            return place[: index + 2]
    last = place[-1] if place else ""
    if last == "tag" and "node_acls" in place:  # the tag of an ACL; a TPG needs its own
        return place
    if isinstance(last, str) and (
        last in _LISTS | _OPTIONAL or last.startswith(("chap_", "discovery_"))
    ):
        return place
    return _object_place(place)


def _object_place(place: Place) -> Place:
    while place and not (isinstance(place[-1], int) and place[-2] in _LISTS):
        place = place[:-1]
    return place


class Owners:
    """The paths of a document's objects, by places."""

    def __init__(self, document: Document) -> None:
        self._paths = {one.place: one.path for one in located(document)}

    def path(self, place: Place) -> str:
        """Return the path in the tree of the object that a place belongs to, or ""."""
        return self._paths.get(_object_place(place), "")


def without(document: Document, units: Collection[Place]) -> Document:
    """Return a document without the parts at some places."""
    found = deepcopy(document)
    last_first: list[Any] = [*filter(None, units)]
    last_first.sort(reverse=True)  # a part before what it is in, the last of a list first
    for *way, last in last_first:
        above: Any = found
        for step in way:
            above = above[step]
        if isinstance(last, int) or last in above:
            del above[last]
    return found
