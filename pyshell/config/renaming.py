# SPDX-License-Identifier: Apache-2.0
"""The operations that give an object another name or number, or a storage object another device.

The kernel can do neither in place. So the object and what depends on it are read into a document,
the name is replaced there, and `plan` deletes and creates what differs: settings, secrets,
serial numbers and mappings are those that a saved configuration holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast

from pyshell.config import running
from pyshell.config.document import IDENTITY, Document
from pyshell.config.model import Items, items
from pyshell.config.plan import plan
from pyshell.errors import PyshellError
from pyshell.lio import Lio, listing, settings, storage_info
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.identifiers import (
    Lun,
    MappedLun,
    NodeAcl,
    StorageObject,
    Target,
    Tpg,
    storage_object_path,
)
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.targets import CreateTpg, SetNexus

_Entry = dict[str, Any]
_PRODUCT_KEY = next(key for key, file in IDENTITY.items() if file == settings.PRODUCT)


def rename_storage_object(lio: Lio, place: StorageObject, name: str) -> list[Operation]:
    """Return operations that give a storage object another name.

    It keeps its product, also one that is the name (emulate_model_alias): initiators see no change.
    """
    before = _with_storage_object(lio, place)

    def edit(after: _Entry) -> None:
        entry = after["storage_objects"][0]
        entry["name"] = name
        product = product_like_name(lio, place)
        if product:
            entry["attributes"][_PRODUCT_KEY] = product
        for tpg in _tpgs(after):
            for lun in tpg["luns"]:
                if lun["storage_object"] == place.path:
                    lun["storage_object"] = storage_object_path(place.plugin, name)

    return _operations(lio, before, edit)


def product_like_name(lio: Lio, place: StorageObject) -> str:
    """Return the product of a storage object that is its name (emulate_model_alias), else ""."""
    if not is_on(lio.kernel, f"{place.folder}/{storage_info.MODEL_ALIAS}"):
        return ""
    with suppress(OSError):
        return settings.read(lio.kernel, place.folder, settings.PRODUCT)
    return ""


def rename_target(lio: Lio, place: Target, wwn: str) -> list[Operation]:
    """Return operations that give a target another WWN. Its nexus WWNs are kept."""
    new = replace(place, wwn=wwn)
    tpgs = {replace(tpg, target=new): tpg for tpg in listing.tpgs(place)}

    def edit(after: _Entry) -> None:
        after["targets"][0]["wwn"] = wwn

    return _with_nexus(lio, _operations(lio, _with_target(lio, place), edit), tpgs)


def rename_tpg(lio: Lio, place: Tpg, tag: int) -> list[Operation]:
    """Return operations that give a TPG another tag. Its nexus WWN is kept."""

    def edit(after: _Entry) -> None:
        for tpg in _tpgs(after):
            if tpg["tag"] == place.tag:
                tpg["tag"] = tag

    made = _operations(lio, _with_target(lio, place.target), edit)
    return _with_nexus(lio, made, {replace(place, tag=tag): place})


def rename_node_acl(lio: Lio, place: NodeAcl, wwn: str) -> list[Operation]:
    """Return operations that give the node ACL of an initiator to another name."""
    acl: _Entry = {**running.read_node_acl(lio, place)}
    depth = text_or_none(lio.kernel, f"{place.folder}/cmdsn_depth")
    if depth:  # the TPG's default, which an entry omits, is not read here
        acl["tcq_depth"] = depth
    luns = {found for one in listing.mapped_luns(place) if (found := listing.lun_of(one))}
    before = _document({place.tpg: _tpg_entry(lio, place.tpg, luns, [acl])})

    def edit(after: _Entry) -> None:
        for tpg in _tpgs(after):
            tpg["node_acls"][0]["node_wwn"] = wwn

    return _operations(lio, before, edit)


def renumber_lun(lio: Lio, place: Lun, index: int) -> list[Operation]:
    """Return operations that give a LUN another number. Its mappings keep theirs."""

    def edit(after: _Entry) -> None:
        for tpg in _tpgs(after):
            for lun in tpg["luns"]:
                lun["index"] = index
            for acl in tpg["node_acls"]:
                for mapped in acl["mapped_luns"]:
                    mapped["tpg_lun"] = index

    if listing.storage_object_of(place) is None:
        raise PyshellError(f"{place} exports nothing.", "Delete it.")
    return _operations(lio, _document(_exporting(lio, [place])), edit)


def renumber_mapped_luns(lio: Lio, places: Iterable[MappedLun], index: int) -> list[Operation]:
    """Return operations that give mapped LUNs of one TPG's node ACLs another number."""
    places = list(places)
    luns = {found for one in places if (found := listing.lun_of(one))}
    if not all(map(listing.lun_of, places)):
        raise PyshellError(f"{places[0]} shows no LUN.", "Delete it.")
    acls = [_acl_entry(lio, one.acl, [one]) for one in places]
    tpg = places[0].acl.tpg
    before = _document({tpg: _tpg_entry(lio, tpg, luns, acls)})

    def edit(after: _Entry) -> None:
        for found in _tpgs(after):
            for acl in found["node_acls"]:
                acl["mapped_luns"][0]["index"] = index

    return _operations(lio, before, edit)


def replace_device(
    lio: Lio, place: StorageObject, device: str, size: int | None
) -> list[Operation]:
    """Return operations that recreate a storage object on another device or image file.

    Settings that depend on the device are those of the new one. `size` is that of an image file.
    """
    before = _with_storage_object(lio, place)

    def edit(after: _Entry) -> None:
        entry = after["storage_objects"][0]
        attributes = entry.pop("attributes", {})  # the plan keeps those that fit the device
        if place.plugin == "fileio" and size is not None and "block_size" in attributes:
            entry["attributes"] = {"block_size": attributes["block_size"]}
        entry |= {"dev": device, **({} if size is None else {"size": size})}

    back = storage_info.is_back(lio, place, storage_info.describe(lio, place))
    return _operations(lio, before, edit, keep=True, stale=place.path if back else "")


def _operations(
    lio: Lio,
    before: Document,
    edit: Callable[[_Entry], None],
    *,
    keep: bool = False,
    stale: str = "",
) -> list[Operation]:
    """Return operations that change a part of the running configuration to its edited copy.

    `keep` is that of `plan`. `stale` is the path of an object whose device was lost and is back.
    """
    after = deepcopy(before)
    edit(cast(_Entry, after))
    present: Items = items(before, lio.root)
    if stale:
        present[stale] = replace(present[stale], facts={**present[stale].facts, "dev": ""})
    return plan(lio, present, items(after, lio.root), prune=True, keep=keep).operations


def _with_nexus(
    lio: Lio, operations: Iterable[Operation], tpgs: Mapping[Tpg, Tpg]
) -> list[Operation]:
    """Return operations that also give new TPGs, by the old ones, the nexus of those."""
    found: list[Operation] = []
    for operation in operations:
        found.append(operation)
        if isinstance(operation, CreateTpg):
            nexus = text_or_none(lio.kernel, f"{tpgs[operation.place].folder}/nexus")
            found += [SetNexus(operation.place, nexus)] if nexus else []
    return found


def _with_storage_object(lio: Lio, place: StorageObject) -> Document:
    """Return a document with a storage object, the LUNs that export it and their mappings."""
    entry = running.read_storage_object(lio, place)
    if entry is None:
        raise PyshellError(f"{place} was never configured.", "Delete it and create it again.")
    found = _document(_exporting(lio, listing.luns_of(lio, place)))
    found["storage_objects"] = [entry]
    return found


def _with_target(lio: Lio, place: Target) -> Document:
    entry: Any = running.read_target(lio, place)
    luns = [lun for tpg in entry["tpgs"] for lun in tpg["luns"]]
    return cast(Document, {"storage_objects": _named(luns), "targets": [entry]})


def _exporting(lio: Lio, luns: Iterable[Lun]) -> dict[Tpg, _Entry]:
    """Return the entries of TPGs with only some of their LUNs, and the mappings of these."""
    found: dict[Tpg, _Entry] = {}
    for lun in luns:
        by_acl: dict[NodeAcl, list[MappedLun]] = {}
        for mapped in listing.mappings_of(lun):
            by_acl.setdefault(mapped.acl, []).append(mapped)
        acls = [_acl_entry(lio, acl, mapped) for acl, mapped in by_acl.items()]
        if lun.tpg not in found:
            found[lun.tpg] = _tpg_entry(lio, lun.tpg, [lun], acls)
            continue
        entry = found[lun.tpg]
        entry["luns"].append({**running.read_lun(lio, lun)})
        known = {acl["node_wwn"]: acl for acl in entry["node_acls"]}
        for acl in acls:
            if acl["node_wwn"] in known:
                known[acl["node_wwn"]]["mapped_luns"] += acl["mapped_luns"]
            else:
                entry["node_acls"].append(acl)
    return found


def _document(tpgs: Mapping[Tpg, _Entry]) -> Document:
    """Return a document with the entries of TPGs; what they export is only named in it."""
    targets: dict[Target, _Entry] = {}
    for tpg, entry in tpgs.items():
        target = tpg.target
        empty = {"wwn": target.wwn, "fabric": target.fabric_name, "tpgs": []}
        targets.setdefault(target, empty)["tpgs"].append(entry)
    luns = [lun for entry in tpgs.values() for lun in entry["luns"]]
    return cast(Document, {"storage_objects": _named(luns), "targets": [*targets.values()]})


def _named(luns: Iterable[Mapping[str, Any]]) -> list[_Entry]:
    """Return entries that only name what LUNs export."""
    paths = dict.fromkeys(lun["storage_object"] for lun in luns)
    parts = (path.split("/")[2:] for path in paths)
    return [{"plugin": plugin, "name": name} for plugin, name in parts]


def _tpg_entry(lio: Lio, tpg: Tpg, luns: Iterable[Lun], acls: Iterable[_Entry]) -> _Entry:
    made = [{**running.read_lun(lio, lun)} for lun in luns]
    return {"tag": tpg.tag, "luns": made, "node_acls": [*acls]}


def _acl_entry(lio: Lio, acl: NodeAcl, mapped: Iterable[MappedLun]) -> _Entry:
    """Return the entry of an ACL without settings."""
    return {
        "node_wwn": acl.wwn,
        "mapped_luns": [{**running.read_mapped_lun(lio, one)} for one in mapped],
    }


def _tpgs(document: _Entry) -> Iterator[_Entry]:
    for target in document["targets"]:
        yield from target["tpgs"]
