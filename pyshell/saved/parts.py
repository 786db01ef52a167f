# SPDX-License-Identifier: Apache-2.0
"""Parts of a configuration: one target with its storage, one storage object brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from pyshell.errors import NotFoundError
from pyshell.saved.document import Document, Lun, StorageObject, Target
from pyshell.saved.model import OLD_PLUGINS


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
    fresh = {(t["fabric"], t["wwn"]): _only(t, held.__contains__) for t in exporting}
    kept = [
        _only(target, lambda link: link != path)
        for target in found.get("targets", [])
        if (target["fabric"], target["wwn"]) not in fresh
    ]
    found["targets"] = [*kept, *fresh.values()]
    return found


def of_target(document: Document, wwn: str) -> Document:
    """Return the part of a document that one target is, with the storage objects that it exports.

    Raises NotFoundError.
    """
    targets = [target for target in document.get("targets", []) if target["wwn"] == wwn]
    if not targets:
        raise NotFoundError(f"No target {wwn} is running.", "'ls' shows the targets.")
    exported = {path for target in targets for path in _exported(target)}
    every = document.get("storage_objects", [])
    return {
        "storage_objects": [entry for entry in every if _path(entry) in exported],
        "targets": targets,
        "fabric_modules": [],
    }


def _path(entry: StorageObject) -> str:
    return f"/backstores/{OLD_PLUGINS.get(entry['plugin'], entry['plugin'])}/{entry['name']}"


def _link(lun: Lun) -> str:
    plugin, _, name = lun["storage_object"].removeprefix("/backstores/").partition("/")
    return f"/backstores/{OLD_PLUGINS.get(plugin, plugin)}/{name}"


def _exported(target: Target) -> set[str]:
    return {_link(lun) for tpg in target.get("tpgs", []) for lun in tpg.get("luns", [])}


def _only(target: Target, wanted: Callable[[str], bool]) -> Target:
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
