# SPDX-License-Identifier: Apache-2.0
"""Read what runs by names alone: which objects there are and what they are made of, no settings.

It costs a small part of `read_running`, where only being there is of interest.
"""

from __future__ import annotations

from typing import Any, cast

from pyshell.config.document import Document
from pyshell.config.running import read_fabric
from pyshell.lio import identifiers, listing, rtslib
from pyshell.lio.attach import Lio


def read_outline(lio: Lio) -> Document:
    """Return the running configuration without its settings, else as `read_running` does."""
    fabrics = listing.fabrics_in_use()
    found = {
        "storage_objects": [
            _storage_object(place)
            for place in listing.storage_objects()
            if not listing.half_made(place)
        ],
        "targets": [_target(t) for fabric in fabrics for t in listing.targets(fabric)],
        "fabric_modules": [entry for f in fabrics if (entry := read_fabric(lio, f)) is not None],
    }
    return cast(Document, found)


def _storage_object(place: identifiers.StorageObject) -> dict[str, Any]:
    groups = listing.alua_groups(place) if rtslib.supports_alua(place) else []
    return {
        "name": place.name,
        "plugin": place.plugin,
        "alua_tpgs": [{"name": group.name} for group in groups],
    }


def _target(place: identifiers.Target) -> dict[str, Any]:
    return {
        "wwn": place.wwn,
        "fabric": place.fabric_name,
        "tpgs": [_tpg(tpg) for tpg in listing.tpgs(place)],
    }


def _tpg(place: identifiers.Tpg) -> dict[str, Any]:
    luns = [(lun.index, listing.storage_object_of(lun)) for lun in listing.luns(place)]
    fabric = place.target.fabric
    portals = listing.portals(place) if fabric.has("nps") else []
    acls = listing.node_acls(place) if fabric.has("acls") else []
    return {
        "tag": place.tag,
        "luns": [{"index": n, "storage_object": made.path} for n, made in luns if made is not None],
        "portals": [{"ip_address": one.address, "port": one.port} for one in portals],
        "node_acls": [{"node_wwn": acl.wwn, "mapped_luns": _mapped(acl)} for acl in acls],
    }


def _mapped(acl: identifiers.NodeAcl) -> list[dict[str, int]]:
    mapped = [(one.index, listing.lun_of(one)) for one in listing.mapped_luns(acl)]
    return [{"index": n, "tpg_lun": lun.index} for n, lun in mapped if lun is not None]
