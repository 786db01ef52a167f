# SPDX-License-Identifier: Apache-2.0
"""One form for a document of one target: the same configuration gives the same bytes.

It depends neither on the order of creation nor on the host, so that hosts which take over a target
from each other can compare their documents. rtslib restores it. Compared with what `running` reads:

- Generated names of links (`alias`) are omitted: nobody sees them.
- Attributes with the value that the device gives are omitted: a disk of another host can refuse
  that value, as a queue depth. So are settings that the kernel keeps as they are, the size of a
  device, and what changed the state of an ALUA group.
- Names, addresses and values have their normal spelling, and lists are sorted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pyshell import names
from pyshell.config.document import Document
from pyshell.config.model import as_kernel
from pyshell.lio import Lio, settings, storage_info
from pyshell.lio.identifiers import (
    StorageObject,
    normal_path,
    normal_wwn,
    plugin_name,
    storage_object_path,
)
from pyshell.lio.listing import natural, storage_objects

_Entry = Mapping[str, Any]
_STAYS = frozenset({"block_size", "emulate_tpu"})
"""Attributes that must not depend on the host's device."""
_HISTORY = "alua_access_status"


def stable(lio: Lio, document: Document) -> Document:
    """Return a document of the running configuration, or a part of it, in the one form."""
    running = {place.path: place for place in storage_objects(lio)}
    objects = [
        _storage_object(
            lio, entry, running.get(storage_object_path(entry["plugin"], entry["name"]))
        )
        for entry in document.get("storage_objects", [])
    ]
    targets = [_target(entry) for entry in document.get("targets", [])]
    found = {
        "storage_objects": sorted(objects, key=lambda one: (one["plugin"], natural(one["name"]))),
        "targets": sorted(targets, key=lambda one: (one["fabric"], natural(one["wwn"]))),
        "fabric_modules": document.get("fabric_modules", []),
    }
    return cast(Document, found)


def _storage_object(lio: Lio, entry: _Entry, place: StorageObject | None) -> dict[str, Any]:
    plugin, device = plugin_name(entry["plugin"]), entry.get("dev", "")
    given = storage_info.device_attributes(lio, plugin, place, device)
    attributes = _values("storage_object", entry.get("attributes", {}))
    found = {
        **entry,
        "plugin": plugin,
        "attributes": {
            name: value
            for name, value in attributes.items()
            if name in _STAYS or given.get(name) != str(value)
        },
        "alua_tpgs": sorted(
            (_without(group, _HISTORY) for group in entry.get("alua_tpgs", [])),
            key=lambda one: natural(one["name"]),
        ),
    }
    is_device = plugin == "fileio" and storage_info.is_device_path(device)
    return _without(found, "size") if is_device else found


def _target(entry: _Entry) -> dict[str, Any]:
    fabric = entry["fabric"]
    tpgs = [_tpg(fabric, tpg) for tpg in entry.get("tpgs", [])]
    return {
        **_settled(entry, "target_parameter", "target_parameter"),
        "wwn": normal_wwn(fabric, entry["wwn"]),
        "tpgs": sorted(tpgs, key=lambda one: int(one.get("tag", 1))),
    }


def _tpg(fabric: str, entry: _Entry) -> dict[str, Any]:
    luns = [
        {**_without(lun, "alias"), "storage_object": normal_path(lun["storage_object"])}
        for lun in entry.get("luns", [])
    ]
    portals = [
        {**one, "ip_address": names.bracketed(names.known_address(one["ip_address"]))}
        for one in entry.get("portals", [])
    ]
    acls = [_node_acl(fabric, acl) for acl in entry.get("node_acls", [])]
    return {
        **_settled(entry, "tpg", "tpg_parameter"),
        "luns": sorted(luns, key=lambda one: int(one["index"])),
        "portals": sorted(portals, key=lambda one: (one["ip_address"], one["port"])),
        "node_acls": sorted(acls, key=lambda one: natural(one["node_wwn"])),
    }


def _node_acl(fabric: str, entry: _Entry) -> dict[str, Any]:
    mapped = [_without(one, "alias") for one in entry.get("mapped_luns", [])]
    return {
        **_settled(entry, "node_acl", "tpg_parameter"),
        "node_wwn": normal_wwn(fabric, entry["node_wwn"]),
        "mapped_luns": sorted(mapped, key=lambda one: int(one["index"])),
    }


def _settled(entry: _Entry, attributes: str, parameters: str) -> dict[str, Any]:
    """Return an entry with its values in their normal spelling; the arguments are kinds of rows."""
    found = dict(entry)
    for key, kind in (("attributes", attributes), ("parameters", parameters)):
        if key in found:
            found[key] = _values(kind, found[key])
    return found


def _values(kind: str, values: _Entry) -> dict[str, Any]:
    rows = settings.of_kind(kind)
    return {
        name: _spelled(kind, name, value)
        for name, value in values.items()
        if name not in rows or rows[name].can_be_set
    }


def _spelled(kind: str, name: str, value: Any) -> Any:
    text = as_kernel(kind, name, value)
    return text if text != str(value) else value


def _without(entry: _Entry, key: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != key}
