# SPDX-License-Identifier: Apache-2.0
"""Read the running configuration into a document: what rtslib's dump() returns, and a little more.

rtslib builds an object for every name and stops at the first missing device; this reads each file
once. In addition to rtslib's keys it keeps discovery credentials that are set but not enforced, and
the queue depth of an ACL.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from pyshell.config.document import (
    IDENTITY,
    AluaGroupEntry,
    Document,
    FabricModuleEntry,
    LunEntry,
    MappedLunEntry,
    NodeAclEntry,
    PortalEntry,
    StorageObjectEntry,
    TargetEntry,
    TpgEntry,
    Value,
)
from pyshell.lio import Lio, identifiers, listing, settings, storage_info
from pyshell.lio.configfs import Kernel, is_on, text_or_none
from pyshell.lio.fabrics import Fabric

# Their order does not matter: documents are written with sorted keys.
ALUA_KEYS = tuple(sorted(settings.ALUA_FILES))
NO_LUN = -1
_Entry = TypeVar("_Entry")


def read_running(lio: Lio, note: Callable[[str], None] | None = None) -> Document:
    """Return the running configuration, without half-made storage objects.

    Settings that exist but cannot be read are reported to `note`.
    """
    if note is not None:
        lio = replace(lio, kernel=_ReportingKernel(lio.kernel, note))
    names = SettingNames()
    fabrics = listing.fabrics_in_use(lio)
    return {
        "storage_objects": _there(
            read_storage_object(lio, place, names) for place in listing.storage_objects(lio)
        ),
        "targets": [read_target(lio, target, names) for target in listing.all_targets(lio)],
        "fabric_modules": _there(read_fabric(lio, fabric) for fabric in fabrics),
    }


def _there(entries: Iterable[_Entry | None]) -> list[_Entry]:
    return [entry for entry in entries if entry is not None]


class SettingNames:
    """Names of settings, listed once for each kind of object: the kernel's tables are fixed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[str]] = {}

    def of(self, kind: str, folder: str, group: str) -> list[str]:
        """Return the names of a group's settings that are saved, for an object of a kind."""
        known = self._known.get((kind, group))
        if known is None:
            known = self._known[kind, group] = settings.names_in(folder, group)[1]
        return known


class _ReportingKernel:
    """The kernel; failing reads are reported."""

    def __init__(self, kernel: Kernel, note: Callable[[str], None]) -> None:
        self.root = kernel.root
        self.write, self.mkdir = kernel.write, kernel.mkdir
        self.rmdir, self.unlink = kernel.rmdir, kernel.unlink
        self._kernel = kernel
        self._note = note

    def read(self, path: str) -> str:
        """Return the text of an attribute file."""
        return self._reported(path, self._kernel.read, path)

    @contextlib.contextmanager
    def within(self, folder: str) -> Iterator[Callable[[str], str]]:
        """Return a context with a reader of the files in one folder."""
        with self._kernel.within(folder) as read:
            yield lambda name: self._reported(f"{folder}/{name}", read, name)

    def _reported(self, path: str, read: Callable[[str], str], name: str) -> str:
        try:
            return read(name)
        except FileNotFoundError:
            raise  # one of the settings that only some kernels or fabrics have
        except OSError as error:
            shown = path.removeprefix(f"{self.root}/")
            reason = os.strerror(error.errno) if error.errno else str(error)
            self._note(f"{shown} cannot be read ({reason}): it is not saved.")
            raise


def read_storage_object(
    lio: Lio, place: identifiers.StorageObject, names: SettingNames | None = None
) -> StorageObjectEntry | None:
    """Return a storage object's entry, None if it is not configured."""
    described = storage_info.describe(lio, place)
    arguments = storage_info.creation_arguments(lio, place, described)
    if arguments is None:
        return None
    entry: dict[str, Any] = {"name": place.name, "plugin": place.plugin, **arguments}
    if place.plugin == "block":
        entry["write_back"] = bool(described.write_back)
    attributes = _attributes(lio, place.folder, place.plugin, names or SettingNames())
    alias = attributes.get("emulate_model_alias")
    identity = storage_info.own_identity(
        lio.kernel, place, str(alias) if alias is not None else None
    )
    if settings.PRODUCT in identity:  # whatever emulate_model_alias was before
        attributes.pop("emulate_model_alias", None)
    entry["attributes"] = attributes | {
        key: identity[file] for key, file in IDENTITY.items() if file in identity
    }
    supported = storage_info.supports_alua(lio, place)
    groups = listing.alua_groups(place) if supported else []
    groups = [group for group in groups if not listing.half_made(lio, group)]
    entry["alua_tpgs"] = [read_alua_group(lio, group) for group in groups]
    return cast(StorageObjectEntry, entry)


def read_target(
    lio: Lio, place: identifiers.Target, names: SettingNames | None = None
) -> TargetEntry:
    """Return a target's entry with all below it."""
    names = names or SettingNames()
    entry: TargetEntry = {"wwn": place.wwn, "fabric": place.fabric_name, "tpgs": []}
    parameters = _texts(lio, place.folder, "param", f"{place.fabric_name} target", names)
    if parameters:
        entry["parameters"] = {**parameters}
    entry["tpgs"] = [_tpg(lio, tpg, names) for tpg in listing.tpgs(place)]
    return entry


def read_fabric(lio: Lio, fabric: Fabric) -> FabricModuleEntry | None:
    """Return a fabric's entry, None if it has no settings."""
    if not fabric.has("discovery_auth"):
        return None
    entry: dict[str, Any] = {"name": fabric.name}
    entry |= _chap(lio, fabric.folder, "discovery_auth", "discovery_")
    enforced = text_or_none(lio.kernel, f"{fabric.folder}/discovery_auth/enforce_discovery_auth")
    entry["discovery_enable_auth"] = enforced not in (None, "0")
    made = len(entry) > 2 or entry["discovery_enable_auth"]
    return cast(FabricModuleEntry, entry) if made else None


def _tpg(lio: Lio, place: identifiers.Tpg, names: SettingNames) -> TpgEntry:
    entry = tpg_facts(lio, place)
    _add_groups(lio, place.folder, entry, f"{place.target.fabric_name} tpg", names)
    luns = [read_lun(lio, lun) for lun in listing.luns(place)]
    entry["luns"] = [lun for lun in luns if lun.get("alias") is not None]
    entry["portals"] = entry["node_acls"] = []
    if place.target.fabric.has("nps"):
        entry["portals"] = [read_portal(lio, portal) for portal in listing.portals(place)]
    if place.target.fabric.has("acls"):
        entry["node_acls"] = [read_node_acl(lio, acl, names) for acl in listing.node_acls(place)]
    return cast(TpgEntry, entry)


def tpg_facts(lio: Lio, place: identifiers.Tpg) -> dict[str, Any]:
    """Return a TPG's entry without attributes, parameters and objects below it."""
    enabled = text_or_none(lio.kernel, f"{place.folder}/enable")
    # TPGs of a fabric without that file are always enabled.
    entry: dict[str, Any] = {"tag": place.tag, "enable": enabled != "0"}
    if place.target.fabric.has("auth"):
        entry |= _chap(lio, place.folder, "auth", "chap_")
    return entry


def read_lun(lio: Lio, place: identifiers.Lun) -> LunEntry:
    """Return a LUN's entry; `alias` is None if its link is missing."""
    alias, target = listing.link_of(place.folder) or (None, None)
    exported = listing.exported_by(place, target)
    return {
        "index": place.index,
        "storage_object": exported.path if exported else "",
        "alias": alias,
        "alua_tg_pt_gp_name": listing.alua_group_of(lio, place) if target else None,
    }


def read_portal(lio: Lio, place: identifiers.Portal) -> PortalEntry:
    """Return a portal's entry."""
    return {
        "ip_address": place.name.rpartition(":")[0],
        "port": place.port,
        "iser": is_on(lio.kernel, f"{place.folder}/iser"),
        "offload": is_on(lio.kernel, f"{place.folder}/cxgbit"),
    }


def read_node_acl(
    lio: Lio, place: identifiers.NodeAcl, names: SettingNames | None = None
) -> NodeAclEntry:
    """Return a node ACL's entry with its mapped LUNs.

    It has no queue depth if that is the TPG's default.
    """
    names = names or SettingNames()
    entry = node_acl_facts(lio, place)
    depth = text_or_none(lio.kernel, f"{place.folder}/cmdsn_depth")
    default = text_or_none(lio.kernel, f"{place.tpg.folder}/attrib/default_cmdsn_depth")
    if depth and default and depth != default:
        entry["tcq_depth"] = _number_or_text(depth)
    _add_groups(lio, place.folder, entry, f"{place.tpg.target.fabric_name} acl", names)
    mapped = [read_mapped_lun(lio, one) for one in listing.mapped_luns(place)]
    entry["mapped_luns"] = [one for one in mapped if one["tpg_lun"] != NO_LUN]
    return cast(NodeAclEntry, entry)


def node_acl_facts(lio: Lio, place: identifiers.NodeAcl) -> dict[str, Any]:
    """Return a node ACL's entry without its attributes, parameters and mapped LUNs."""
    entry: dict[str, Any] = {"node_wwn": place.wwn}
    tag = text_or_none(lio.kernel, f"{place.folder}/tag")
    if tag:
        entry["tag"] = tag
    if place.tpg.target.fabric.has("auth"):
        entry |= _chap(lio, place.folder, "auth", "chap_")
    return entry


def read_mapped_lun(lio: Lio, place: identifiers.MappedLun) -> MappedLunEntry:
    """Return a mapped LUN's entry."""
    alias, target = listing.link_of(place.folder) or (None, None)
    lun = listing.mapped_by(place, target)
    return {
        "index": place.index,
        "tpg_lun": lun.index if lun else NO_LUN,
        "write_protect": is_on(lio.kernel, f"{place.folder}/write_protect"),
        "alias": alias,
    }


def read_alua_group(lio: Lio, place: identifiers.AluaGroup) -> AluaGroupEntry:
    """Return an ALUA group as it is saved."""
    entry: dict[str, Any] = {"name": place.name}
    with lio.kernel.within(place.folder) as text_of:
        for name in ("tg_pt_gp_id", *ALUA_KEYS):
            with contextlib.suppress(OSError):
                text = settings.as_written(name, text_of(name))
                entry[name] = int(text) if text.isdigit() else None
    return cast(AluaGroupEntry, entry)


_FACTS: dict[type, Callable[[Lio, Any], Mapping[str, Any]]] = {
    identifiers.Tpg: tpg_facts,
    identifiers.Lun: read_lun,
    identifiers.Portal: read_portal,
    identifiers.NodeAcl: node_acl_facts,
    identifiers.MappedLun: read_mapped_lun,
    identifiers.AluaGroup: read_alua_group,
}


def facts(lio: Lio, place: identifiers.Identifier) -> dict[str, Any]:
    """Return an object's entry without attributes, parameters and objects below it."""
    return {**_FACTS[type(place)](lio, place)}


def _add_groups(
    lio: Lio, folder: str, entry: dict[str, Any], kind: str, names: SettingNames
) -> None:
    attributes = _attributes(lio, folder, kind, names)
    if attributes:
        entry["attributes"] = attributes
    parameters = _texts(lio, folder, "param", kind, names)
    if parameters:
        entry["parameters"] = parameters


def _attributes(lio: Lio, folder: str, kind: str, names: SettingNames) -> dict[str, Value]:
    found = _texts(lio, folder, "attrib", kind, names)
    return {name: _number_or_text(text) for name, text in found.items()}


def _texts(lio: Lio, folder: str, group: str, kind: str, names: SettingNames) -> Mapping[str, str]:
    found: dict[str, str] = {}
    wanted = names.of(kind, folder, group)
    if not wanted:
        return found
    with lio.kernel.within(f"{folder}/{group}") as text_of:
        for name in wanted:
            with contextlib.suppress(OSError):
                found[name] = text_of(name).strip()
    return found


def _number_or_text(text: str) -> Value:
    try:
        return int(text)
    except ValueError:
        return text


def _chap(lio: Lio, folder: str, group: str, prefix: str) -> dict[str, str]:
    found = {}
    for name, file in settings.AUTH_FILES.items():
        with contextlib.suppress(OSError):
            value = settings.read(lio.kernel, folder, f"{group}/{file}")
            if value:
                found[prefix + name] = value
    return found
