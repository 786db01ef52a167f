# SPDX-License-Identifier: Apache-2.0
"""Bring a document back: a list of steps, each told where it fails, the rest still done.

The order is the one that the kernel needs: fabrics, storage objects, then for each target its TPGs
with settings, LUNs, portals, ACLs and mappings; a TPG is enabled last, when it is complete.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pyshell.errors import ExistsError, NotFoundError, PyshellError, UsageError
from pyshell.saved.document import Document, NodeAcl, StorageObject, Target, Tpg
from pyshell.target import fabrics, handles, listing, names, places, settings
from pyshell.target.attach import Lio
from pyshell.target.operations import removal
from pyshell.target.operations.base import Operation, carry_out
from pyshell.target.operations.luns import (
    CreateLun,
    CreateNodeAcl,
    MapLun,
    SetLunAluaGroup,
)
from pyshell.target.operations.settings import FabricPlace, Set, SetEnabled, UseFabric
from pyshell.target.operations.storage import CreateAluaGroup, CreateStorageObject
from pyshell.target.operations.targets import CreatePortal, CreateTarget, CreateTpg
from pyshell.target.places import DEFAULT_GROUP, HBA_PREFIX

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "block": ("dev", "wwn", "readonly", "exclusive"),
    "fileio": ("dev", "size", "wwn", "write_back", "aio"),
    "pscsi": ("dev",),
    "ramdisk": ("size", "wwn", "nullio"),
    "user": ("config", "size", "wwn", "hw_max_sectors", "control"),
}
_OLD_PLUGINS = {"iblock": "block", "rd_mcp": "ramdisk"}


@dataclass
class Restored:
    """What a restore came to."""

    faults: list[str] = field(default_factory=list)
    """One line for each object or setting that could not be brought back."""
    notes: list[str] = field(default_factory=list)
    """Settings that this kernel does not have: nothing to mend."""
    objects: int = 0
    """How many objects were created."""


def refuse_clashes(document: Document) -> None:
    """Raise ExistsError where a storage object or target of the document is there already."""
    for entry in document.get("storage_objects", ()):
        plugin = _OLD_PLUGINS.get(entry["plugin"], entry["plugin"])
        if _existing(plugin, entry["name"]) is not None:
            raise ExistsError(
                f"Storage object {plugin}/{entry['name']} exists already, nothing was restored",
                "clear_existing=true clears the running configuration first.",
            )
    for target in document.get("targets", ()):
        place = _target_place(target)
        if place is not None and listing.existing(place):
            raise ExistsError(
                f"Target {place.wwn} exists already, nothing was restored",
                "clear_existing=true clears the running configuration first.",
            )


def chosen(document: Document, target: str | None, storage_object: str | None) -> Document:
    """Return the part of a document that belongs to one target or one storage object.

    Raises NotFoundError where the document has no such thing (field failure 13).
    """
    if target is None and storage_object is None:
        return document
    part: Document = {"storage_objects": [], "targets": [], "fabric_modules": []}
    if target is not None:
        part["targets"] = [t for t in document.get("targets", ()) if t["wwn"] == target]
        if not part["targets"]:
            raise NotFoundError(f"The file holds no target {target}, nothing was restored")
    if storage_object is not None:
        part["storage_objects"] = [
            so for so in document.get("storage_objects", ()) if so["name"] == storage_object
        ]
        if not part["storage_objects"]:
            raise NotFoundError(
                f"The file holds no storage object {storage_object}, nothing was restored"
            )
    return part


def clear(lio: Lio, removed: Callable[[Sequence[Operation]], None] | None = None) -> None:
    """Remove all targets, storage objects and discovery settings. Raises at the first failure.

    `removed` is told of the operations of each object that is gone.
    """

    def remove(operations: Sequence[Operation]) -> None:
        carry_out(lio, operations)
        if removed is not None:
            removed(operations)

    for fabric in listing.fabrics_in_use():
        for target in listing.targets(fabric):
            remove(removal.of_target(target))
        if fabric.has("discovery_auth"):
            carry_out(lio, _discovery(fabric, {}))
    for place in listing.storage_objects():
        remove(removal.of_storage_object(place))
    for plugin, number in list(listing.hbas()):
        # HBAs that hold nothing: what a killed tool leaves (field failure 35).
        lio.kernel.rmdir(places.StorageObject(plugin, "", number).hba_folder)


def restore(
    lio: Lio, document: Document, progress: Callable[[int, int], None] | None = None
) -> Restored:
    """Bring back all that a document holds, over a configuration that does not clash with it."""
    result = Restored()
    # The steps are generators: nothing of an object is looked at before those before it are done.
    works: list[tuple[str, Iterator[Operation]]] = []
    for fabric in document.get("fabric_modules", ()):
        works.append((f"/{fabric['name']}", _fabric_steps(cast(Mapping[str, Any], fabric))))
    for so in document.get("storage_objects", ()):
        works.append((f"/backstores/{so['plugin']}/{so['name']}", _storage_steps(so)))
    for target in document.get("targets", ()):
        works.append((f"/{target['fabric']}/{target['wwn']}", _target_steps(target, result)))
    for number, (where, steps) in enumerate(works, 1):
        _run(lio, where, steps, result)
        if progress is not None:
            progress(number, len(works))
    return result


def _run(lio: Lio, where: str, steps: Iterator[Operation], result: Restored) -> None:
    """Do the steps of the object at `where`; where one fails, what hangs on it is left out."""
    missing: list[str] = []
    while True:
        try:
            step = next(steps)
        except StopIteration:
            return
        except PyshellError as error:
            _note_name(error, result, where)
            return
        place = getattr(step, "place", None)
        folder = place.folder if place is not None else ""
        if any(folder == gone or folder.startswith(gone + "/") for gone in missing):
            continue
        _try(lio, step, result, missing)


def _try(lio: Lio, step: Operation, result: Restored, missing: list[str]) -> None:
    try:
        carry_out(lio, [step])
    except NotFoundError as error:
        if isinstance(step, Set):
            result.notes.append(f"{error.message.rstrip('.')}, left out")
            return
        _note_fault(step, error, result, missing)
    except PyshellError as error:
        _note_fault(step, error, result, missing)
    else:
        result.objects += not isinstance(step, Set | SetEnabled | UseFabric | SetLunAluaGroup)


def _note_fault(step: Operation, error: PyshellError, result: Restored, missing: list[str]) -> None:
    what = step.step() if step.step() not in error.message else ""
    result.faults.append(f"{what}: {error.message}".removeprefix(": ").rstrip(".") + ", skipped")
    place = getattr(step, "place", None)
    if place is not None and not isinstance(step, Set) and not os.path.isdir(place.folder):
        missing.append(place.folder)


def _note_name(error: PyshellError, result: Restored, where: str) -> None:
    """Note an entry of `where` whose own name is at fault, so that it has no place."""
    result.faults.append(f"{where}: {error.message.rstrip('.')}, skipped")


def _fabric_steps(entry: Mapping[str, Any]) -> Iterator[Operation]:
    fabric = fabrics.fabric(entry["name"])
    yield UseFabric(fabric)
    yield from _discovery(fabric, entry)


def _discovery(fabric: fabrics.Fabric, entry: Mapping[str, Any]) -> list[Operation]:
    place = FabricPlace(fabric)
    made: list[Operation] = [
        Set(place, f"discovery_auth/{file}", str(entry.get(f"discovery_{name}") or ""))
        for name, file in settings.AUTH_FILES.items()
    ]
    enforce = "1" if entry.get("discovery_enable_auth") else "0"
    return [*made, Set(place, "discovery_auth/enforce_discovery_auth", enforce)]


def _storage_steps(entry: StorageObject) -> Iterator[Operation]:
    plugin = _OLD_PLUGINS.get(entry["plugin"], entry["plugin"])
    if plugin not in HBA_PREFIX:
        raise PyshellError(f"There is no backstore '{entry['plugin']}'")
    place = places.StorageObject(
        plugin, names.storage_object_name(entry["name"]), listing.free_hba()
    )
    given = cast(Mapping[str, Any], entry)
    arguments = {key: given[key] for key in _ARGUMENTS[plugin] if given.get(key) is not None}
    yield CreateStorageObject(place, arguments)
    for name, value in entry.get("attributes", {}).items():
        yield Set(place, f"attrib/{name}", str(value))
    if (
        not entry.get("alua_tpgs")
        or not listing_is_there(place)
        or not handles.supports_alua(place)
    ):
        return
    for group in entry["alua_tpgs"]:
        yield from _alua_steps(
            places.AluaGroup(place, group["name"]), cast(Mapping[str, Any], group)
        )


def listing_is_there(place: places.StorageObject) -> bool:
    """Tell whether a storage object came to be."""
    return os.path.isdir(place.folder)


def _alua_steps(place: places.AluaGroup, entry: Mapping[str, Any]) -> Iterator[Operation]:
    if place.name != DEFAULT_GROUP:
        yield CreateAluaGroup(place, int(entry.get("tg_pt_gp_id", 0)))
    for file in settings.ALUA_FILES:
        if entry.get(file) is not None:
            yield Set(place, file, str(entry[file]))


def _target_place(entry: Target) -> places.Target | None:
    try:
        fabric = fabrics.fabric(entry["fabric"])
        return places.Target(fabric.name, fabric.normalise(entry["wwn"]).wwn)
    except PyshellError:
        return None


def _target_steps(entry: Target, result: Restored) -> Iterator[Operation]:
    fabric = fabrics.fabric(entry["fabric"])
    place = places.Target(fabric.name, fabric.normalise(entry["wwn"]).wwn)
    yield CreateTarget(place)
    for name, value in entry.get("parameters", {}).items():
        yield Set(place, f"param/{name}", str(value))
    for tpg in entry.get("tpgs", ()):
        yield from _tpg_steps(places.Tpg(place, tpg.get("tag", 1)), tpg, result)


def _tpg_steps(place: places.Tpg, entry: Tpg, result: Restored) -> Iterator[Operation]:
    yield CreateTpg(place)
    yield from _group_steps(place, cast(Mapping[str, Any], entry))
    luns = {}
    for lun in entry.get("luns", ()):
        lun_place = places.Lun(place, lun["index"])
        exported = _exported(lun["storage_object"])
        if exported is None:
            result.faults.append(f"{lun_place}: there is no {lun['storage_object']}, skipped")
            continue
        luns[lun["index"]] = lun_place
        yield CreateLun(lun_place, exported, lun.get("alias"))
        group = lun.get("alua_tg_pt_gp_name")
        if group:
            yield SetLunAluaGroup(lun_place, group)
    for portal in entry.get("portals", ()):
        try:
            address = _portal_address(portal["ip_address"])
        except PyshellError as error:
            _note_name(error, result, f"{place.path}/portals")
            continue
        portal_place = places.Portal(place, address, portal["port"])
        yield CreatePortal(portal_place)
        for file, key in (("iser", "iser"), ("cxgbit", "offload")):
            if cast(Mapping[str, Any], portal).get(key):
                yield Set(portal_place, file, "1")
    for acl in entry.get("node_acls", ()):
        yield from _acl_steps(place, acl, result)
    yield from _chap_steps(place, cast(Mapping[str, Any], entry))
    if entry.get("enable", True) != _enabled_from_the_start(place):
        yield SetEnabled(place, entry.get("enable", True))


def _enabled_from_the_start(place: places.Tpg) -> bool:
    """Tell whether a fabric has no way to disable a TPG: rtslib says that such a one is enabled."""
    return not os.path.exists(f"{place.folder}/enable")


def _portal_address(text: str) -> str:
    """Return an address as the file spells it: the kernel's tree is then the one saved."""
    names.address(text)
    return text.strip().strip("[]")


def _acl_steps(tpg: places.Tpg, entry: NodeAcl, result: Restored) -> Iterator[Operation]:
    try:
        place = places.NodeAcl(tpg, tpg.target.fabric.normalise(entry["node_wwn"]).wwn)
    except PyshellError as error:
        _note_name(error, result, f"{tpg.path}/acls")
        return
    yield CreateNodeAcl(place)
    yield from _group_steps(place, cast(Mapping[str, Any], entry))
    for mapped in entry.get("mapped_luns", ()):
        lun = places.Lun(tpg, mapped["tpg_lun"])
        mapped_place = places.MappedLun(place, mapped["index"])
        yield MapLun(mapped_place, lun, bool(mapped.get("write_protect")), mapped.get("alias"))
    yield from _chap_steps(place, cast(Mapping[str, Any], entry))
    if entry.get("tag"):
        yield Set(place, "tag", str(entry["tag"]))


def _group_steps(
    place: places.Tpg | places.NodeAcl, entry: Mapping[str, Any]
) -> Iterator[Operation]:
    for group, key in (("attrib", "attributes"), ("param", "parameters")):
        for name, value in entry.get(key, {}).items():
            yield Set(place, f"{group}/{name}", str(value))


def _chap_steps(
    place: places.Tpg | places.NodeAcl, entry: Mapping[str, Any]
) -> Iterator[Operation]:
    for name, file in settings.AUTH_FILES.items():
        value = entry.get(f"chap_{name}")
        if value:
            yield Set(place, f"auth/{file}", str(value))


def _exported(path: str) -> places.StorageObject | None:
    parts = path.strip("/").split("/")
    if len(parts) != 3:
        return None
    return _existing(_OLD_PLUGINS.get(parts[1], parts[1]), parts[2])


def _existing(plugin: str, name: str) -> places.StorageObject | None:
    """Return the storage object of that name, None where there is none, or can be none."""
    if plugin not in HBA_PREFIX:
        return None
    try:
        return listing.storage_object(plugin, name)
    except UsageError:
        return None
