# SPDX-License-Identifier: Apache-2.0
"""Parts of a configuration: one target with its storage, one storage object brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import deepcopy

from pyshell import names
from pyshell.config.document import (
    Document,
    LunEntry,
    StorageObjectEntry,
    TargetEntry,
    TpgEntry,
    is_target,
    known_wwn,
    modern,
    tpg_path,
)
from pyshell.errors import NotFoundError, PyshellError
from pyshell.lio import fabrics


def with_storage_object(saved: Document, running: Document, plugin: str, name: str) -> Document:
    """Return `saved` with a storage object, and the targets that export it, as they run.

    Of those targets, LUNs of storage objects that the file lacks are left out: they could not be
    restored. LUNs of the object that only the file has are taken off.
    """
    found = deepcopy(saved)
    path = f"/backstores/{plugin}/{name}"
    found["storage_objects"] = [
        *(entry for entry in found.get("storage_objects", []) if _path(entry) != path),
        *(entry for entry in running.get("storage_objects", []) if _path(entry) == path),
    ]
    held = {_path(entry) for entry in found["storage_objects"]}
    exporting = [t for t in running.get("targets", []) if path in _exported(t)]
    fresh = {_key(t): _only(t, held.__contains__) for t in exporting}
    kept = [
        _only(target, lambda link: link != path)
        for target in found.get("targets", [])
        if _key(target) not in fresh
    ]
    found["targets"] = [*kept, *fresh.values()]
    return found


def of_target(document: Document, wwn: str) -> Document:
    """Return the part of a document that one target is, with the storage objects that it exports.

    Raises NotFoundError.
    """
    targets = [target for target in document.get("targets", []) if is_target(target, wwn)]
    if not targets:
        raise NotFoundError(f"No target {wwn} is running.", "'ls' shows the targets.")
    exported = {path for target in targets for path in _exported(target)}
    every = document.get("storage_objects", [])
    return {
        "storage_objects": [entry for entry in every if _path(entry) in exported],
        "targets": targets,
        "fabric_modules": [],
    }


def carried(document: Document, before: Document, paths: Collection[str]) -> Document:
    """Return a document with those objects of `before` that `paths` name in the tree.

    An object whose owner is in neither, or whose number or address is taken, is left out.
    """
    found = deepcopy(document)
    storage = found.setdefault("storage_objects", [])
    storage += [so for so in before.get("storage_objects", ()) if _path(so) in paths]
    for target in before.get("targets", ()):
        path = _target_path(target)
        there = [one for one in found.setdefault("targets", []) if _target_path(one) == path]
        if not there and path in paths:
            there = [{**target, "tpgs": []}]
            found["targets"] += there
        for one in there:
            _carry_tpgs(one, target, paths)
    return found


def _carry_tpgs(target: TargetEntry, before: TargetEntry, paths: Collection[str]) -> None:
    tpgs = target.setdefault("tpgs", [])
    tags = {tpg.get("tag", 1): tpg for tpg in tpgs}
    for old in before.get("tpgs", ()):
        tag = old.get("tag", 1)
        path = tpg_path(target["fabric"], _target_path(target), tag)
        if tag not in tags:
            if path not in paths:
                continue
            tags[tag] = {**old, "luns": [], "portals": [], "node_acls": []}
            tpgs.append(tags[tag])
        _carry_below(tags[tag], old, path, paths)


def _carry_below(tpg: TpgEntry, before: TpgEntry, path: str, paths: Collection[str]) -> None:
    luns = tpg.setdefault("luns", [])
    taken = {lun["index"] for lun in luns}
    luns += [
        lun
        for lun in before.get("luns", ())
        if f"{path}/luns/lun{lun['index']}" in paths and lun["index"] not in taken
    ]
    portals = tpg.setdefault("portals", [])
    portals += [
        one
        for one in before.get("portals", ())
        if f"{path}/portals/{names.bracketed(names.address(one['ip_address']))}:{one['port']}"
        in paths
    ]
    acls = tpg.setdefault("node_acls", [])
    known = {acl["node_wwn"].lower(): acl for acl in acls}
    own = {lun["index"]: lun["storage_object"] for lun in luns}
    for old in before.get("node_acls", ()):
        acl_path = f"{path}/acls/{old['node_wwn']}"
        if old["node_wwn"].lower() not in known:
            if acl_path not in paths:
                continue
            known[old["node_wwn"].lower()] = {**old, "mapped_luns": []}
            acls.append(known[old["node_wwn"].lower()])
        mapped = known[old["node_wwn"].lower()].setdefault("mapped_luns", [])
        taken = {one["index"] for one in mapped}
        was = {lun["index"]: lun["storage_object"] for lun in before.get("luns", ())}
        mapped += [
            one
            for one in old.get("mapped_luns", ())
            if f"{acl_path}/mapped_lun{one['index']}" in paths
            and one["index"] not in taken
            and own.get(one["tpg_lun"]) == was.get(one["tpg_lun"])
        ]


def _target_path(target: TargetEntry) -> str:
    try:
        wwn = fabrics.fabric(target["fabric"]).normalise(target["wwn"]).wwn
    except PyshellError:
        wwn = target["wwn"]
    return f"/{target['fabric']}/{wwn}"


def _key(target: TargetEntry) -> tuple[str, str]:
    return target["fabric"], known_wwn(target["fabric"], target["wwn"])


def _path(entry: StorageObjectEntry) -> str:
    return f"/backstores/{modern(entry['plugin'])}/{entry['name']}"


def _link(lun: LunEntry) -> str:
    plugin, _, name = lun["storage_object"].removeprefix("/backstores/").partition("/")
    return f"/backstores/{modern(plugin)}/{name}"


def _exported(target: TargetEntry) -> set[str]:
    return {_link(lun) for tpg in target.get("tpgs", []) for lun in tpg.get("luns", [])}


def _only(target: TargetEntry, wanted: Callable[[str], bool]) -> TargetEntry:
    """Return a target with the LUNs of wanted storage objects alone, and their mapped LUNs."""
    found = deepcopy(target)
    for tpg in found.get("tpgs", []):
        gone = {lun["index"] for lun in tpg.get("luns", []) if not wanted(_link(lun))}
        if gone:
            tpg["luns"] = [lun for lun in tpg.get("luns", []) if lun["index"] not in gone]
        for acl in tpg.get("node_acls", []) if gone else []:
            mapped = acl.get("mapped_luns", [])
            acl["mapped_luns"] = [one for one in mapped if one["tpg_lun"] not in gone]
    return found
