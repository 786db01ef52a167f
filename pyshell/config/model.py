# SPDX-License-Identifier: Apache-2.0
"""A document as a flat list of objects, for comparing, planning and exporting.

Each object is an `Item` under its path in pyshell's tree, with WWNs and addresses in their normal
form, so that two documents with different spellings have the same items.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pyshell import names
from pyshell.config.document import IDENTITY, Document, located
from pyshell.config.positions import Place
from pyshell.errors import PyshellError, UsageError
from pyshell.lio import fabrics, identifiers, listing, settings, storage_info
from pyshell.lio.identifiers import (
    DEFAULT_GROUP,
    HBA_PREFIX,
    FabricPlace,
    Identifier,
    normal_path,
    plugin_name,
)

NO_HBA = -1
"""Number of the HBA of a storage object that a document names: only configfs has numbers."""
LUN_GROUP = "alua_tg_pt_gp"
ENABLED = "enable"
QUEUE_DEPTH = "cmdsn_depth"
_CMDSN_DEPTH = "64"
"""The kernel's default of default_cmdsn_depth."""
DEMO_MODE = "attrib/generate_node_acls"


@dataclass(frozen=True)
class Item:
    """One object of a configuration.

    `facts` are the arguments of its creation, which cannot be changed in place. `settings` are the
    texts of files below its folder, in the order in which to write them; an omitted setting can
    have any value, unless `settled` has a default for it. `links` are the paths of the objects
    that it exports or maps.
    """

    place: Identifier
    facts: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    alias: str | None = None
    """Name of a LUN's link in configfs; only used to create the link."""
    omitted: frozenset[str] = frozenset()
    """Files of CHAP settings that the document omits: they are unset in `settings`."""
    unread: frozenset[str] = frozenset()
    """Files of CHAP secrets that the document refers to and that are not in `settings`."""

    @functools.cached_property
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        if isinstance(self.place, identifiers.Tpg):
            # Without tags, a target and its TPG share a path in the tree, but are two objects.
            return f"{self.place.target.path}/tpg{self.place.tag}"
        if isinstance(self.place, identifiers.Portal):
            # The kernel keeps the spelling of an address, which does not matter for the portal.
            plain = replace(self.place, address=names.address(self.place.address))
            return plain.path
        return self.place.path

    @property
    def bare(self) -> bool:
        """Return whether it is a fabric without settings, which counts as none."""
        empty = all(value in ("", "0") for value in self.settings.values())
        return isinstance(self.place, FabricPlace) and empty

    @property
    def implied(self) -> bool:
        """Return whether it is created and deleted with another object, and is not reported."""
        return isinstance(self.place, identifiers.AluaGroup) and self.place.name == DEFAULT_GROUP

    @property
    def rank(self) -> tuple[int, int]:
        """Return a sort key for the order of creation: by kind, portals by `portal_order`."""
        kind = _RANK[type(self.place)]
        if not isinstance(self.place, identifiers.Portal):
            return kind, 0
        return kind, names.portal_order(
            self.place.address, v6only=listing.ipv6_only(self.place.tpg.target.root)
        )


RANKS: tuple[type[Identifier], ...] = (
    FabricPlace,
    identifiers.StorageObject,
    identifiers.AluaGroup,
    identifiers.Target,
    identifiers.Tpg,
    identifiers.Lun,
    identifiers.Portal,
    identifiers.NodeAcl,
    identifiers.MappedLun,
)
_RANK = {kind: rank for rank, kind in enumerate(RANKS)}
Items = dict[str, Item]


def tree_path(item: Item) -> str:
    """Return the path that a user sees: a TPG of a fabric without tags is its target."""
    return item.place.path if isinstance(item.place, identifiers.Tpg) else item.path


NAMES_ONLY = ""
"""The `root` of items whose objects are only named, never looked up or changed."""


def items(document: Document, root: str, refused: dict[str, str] | None = None) -> Items:
    """Return the objects of a document by path, in the order of creation.

    An entry that is not valid or a duplicate is skipped with all below it, and its path is added to
    `refused` with the reason. Without `refused`, PyshellError is raised.
    """
    made: dict[Place, Item] = {}
    for one in located(document):
        above = made.get(one.place[:-2])
        if one.place[2:] and above is None:
            continue
        try:
            item = _READ[one.kind](above or root, one.entry)
        except PyshellError as error:
            refuse(refused, one.path, error.message, error.hint)
        else:
            if item is not None:
                made[one.place] = item
    found: Items = {}
    for item in sorted(made.values(), key=lambda item: item.rank):
        if item.path in found:
            refuse(refused, item.path, "duplicate in the document")
        else:
            found[item.path] = item
    return found


def refuse(refused: dict[str, str] | None, path: str, reason: str, hint: str = "") -> None:
    """Add the reason why an object cannot be created, or raise it if nobody collects them."""
    if refused is None:
        raise PyshellError(f"{path}: {reason.rstrip('.')}", hint)
    refused[path] = reason.rstrip(".")


def in_order(found: Items) -> Items:
    """Return items in the order of creation, which merging does not keep."""
    return dict(sorted(found.items(), key=lambda entry: entry[1].rank))


class _Chap(NamedTuple):
    """The CHAP settings of an entry, by file."""

    settings: dict[str, str]
    """Omitted ones are unset, as rtslib omits those. A secret in a file can have any value."""
    omitted: frozenset[str]
    unread: frozenset[str]

    @classmethod
    def of(cls, entry: Any, prefix: str, group: str) -> _Chap:
        """Read the keys with a prefix."""
        files = {f"{prefix}{name}": f"{group}/{f}" for name, f in settings.AUTH_FILES.items()}
        return cls(
            {f: text_of(entry.get(key)) for key, f in files.items() if f"{key}_file" not in entry},
            frozenset(file for key, file in files.items() if entry.get(key) is None),
            frozenset(file for key, file in files.items() if entry.get(f"{key}_file")),
        )


def _fabric(root: str, entry: Mapping[str, Any]) -> Item:
    chap = _Chap.of(entry, "discovery_", "discovery_auth")
    enforce = "1" if entry.get("discovery_enable_auth") else "0"
    own = chap.settings | {"discovery_auth/enforce_discovery_auth": enforce}
    place = FabricPlace(fabrics.fabric(entry["name"], root))
    return Item(place, settings=own, omitted=chap.omitted, unread=chap.unread)


def _target(root: str, entry: Mapping[str, Any]) -> Item:
    fabric = fabrics.fabric(entry["fabric"])
    place = identifiers.Target(fabric.name, fabric.known_wwn(entry["wwn"]), root)
    return Item(place, settings=_group(entry.get("parameters", {}), "param", "target_parameter"))


def _tpg(above: Any, entry: Mapping[str, Any]) -> Item:
    fabric = above.place.fabric
    place = identifiers.Tpg(above.place, names.tpg_tag(entry.get("tag", 1), fabric.tags))
    chap = _Chap.of(entry, "chap_", "auth")
    own = _groups(entry, "tpg") | (chap.settings if fabric.has("auth") else {})
    if DEMO_MODE in own:  # first: the kernel ignores cache_dynamic_acls until it is off
        own = {DEMO_MODE: own[DEMO_MODE], **own}
    enabled = not fabric.can_be_enabled or entry.get("enable", True)
    own[ENABLED] = "1" if enabled else "0"
    return Item(place, settings=own, omitted=chap.omitted, unread=chap.unread)


def _node_acl(above: Any, entry: Mapping[str, Any]) -> Item:
    fabric = above.place.target.fabric
    place = identifiers.NodeAcl(above.place, fabric.known_wwn(entry["node_wwn"]))
    chap = _Chap.of(entry, "chap_", "auth")
    own = _groups(entry, "node_acl") | (chap.settings if fabric.has("auth") else {})
    if "tag" in entry or fabric.has("auth"):
        own["tag"] = text_of(entry.get("tag")).strip()  # as the kernel keeps it
    if fabric.has("auth"):
        own[QUEUE_DEPTH] = text_of(entry.get("tcq_depth")) or default_queue_depth(above)
    return Item(place, settings=own, omitted=chap.omitted, unread=chap.unread)


def default_queue_depth(tpg: Item) -> str:
    """Return the queue depth of a TPG's new ACLs."""
    return tpg.settings.get("attrib/default_cmdsn_depth", _CMDSN_DEPTH)


def _storage_object(root: str, entry: Mapping[str, Any]) -> Item:
    plugin = plugin_name(entry["plugin"])
    if plugin not in HBA_PREFIX:
        raise UsageError(f"No such backstore: {entry['plugin']}")
    place = identifiers.StorageObject(plugin, names.path_part(entry["name"]), NO_HBA, root)
    known = storage_info.ARGUMENTS[plugin]
    facts = {key: entry[key] for key in known if entry.get(key) is not None}
    serial = facts.pop("wwn", "").strip()  # as the kernel keeps it
    if serial:
        facts["wwn"] = serial
    if plugin == "ramdisk" and "size" in facts:
        facts["size"] = storage_info.ramdisk_size(facts["size"])
    elif plugin == "fileio" and storage_info.is_device_path(str(facts.get("dev", ""))):
        facts.pop("size", None)  # the device's own size counts
    values = entry.get("attributes", {})
    attributes = {key: value for key, value in values.items() if key not in IDENTITY}
    own = settings.discard_limit_in_order(_group(attributes, "attrib", "storage_object"))
    if plugin in storage_info.IDENTIFIED:
        own |= _identity(values)
    if settings.PRODUCT in own:
        own.pop(storage_info.MODEL_ALIAS, None)  # the kernel would replace the product
    return Item(place, facts, own)


def _identity(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        file: as_kernel("storage_object_wwn", file.rpartition("/")[2], values[key])
        for key, file in IDENTITY.items()
        if text_of(values.get(key)).strip()
    }


def _alua_group(above: Any, entry: Mapping[str, Any]) -> Item | None:
    if above.place.plugin == "pscsi":
        return None  # the device has its own ALUA groups
    number = None if entry["name"] == DEFAULT_GROUP else entry.get("tg_pt_gp_id")
    return Item(
        identifiers.AluaGroup(above.place, names.path_part(entry["name"])),
        {} if number is None else {"tg_pt_gp_id": number},
        {f: text_of(entry[f]) for f in settings.ALUA_FILES if entry.get(f) is not None},
    )


def _lun(above: Any, entry: Mapping[str, Any]) -> Item:
    group = entry.get("alua_tg_pt_gp_name")
    exported = normal_path(entry["storage_object"])
    return Item(
        identifiers.Lun(above.place, entry["index"]),
        {"storage_object": exported},
        {LUN_GROUP: group} if group else {},
        (exported,),
        _alias(entry),
    )


def _alias(entry: Mapping[str, Any]) -> str | None:
    alias = entry.get("alias")
    return names.path_part(alias) if alias else None


def _portal(above: Any, entry: Mapping[str, Any]) -> Item:
    names.address(entry["ip_address"])  # raises UsageError
    address = entry["ip_address"].strip().strip("[]")
    transports = {
        file: "1" if entry[key] else "0"
        for file, key in (("iser", "iser"), ("cxgbit", "offload"))
        if key in entry
    }
    return Item(identifiers.Portal(above.place, address, entry["port"]), settings=transports)


def _mapped_lun(above: Any, entry: Mapping[str, Any]) -> Item:
    lun = identifiers.Lun(above.place.tpg, entry["tpg_lun"])
    return Item(
        identifiers.MappedLun(above.place, entry["index"]),
        {"tpg_lun": entry["tpg_lun"]},
        {"write_protect": "1" if entry.get("write_protect") else "0"},
        (lun.path,),
        _alias(entry),
    )


_READ: Mapping[str, Callable[[Any, Mapping[str, Any]], Item | None]] = {
    "fabric_modules": _fabric,
    "storage_objects": _storage_object,
    "alua_tpgs": _alua_group,
    "targets": _target,
    "tpgs": _tpg,
    "luns": _lun,
    "portals": _portal,
    "node_acls": _node_acl,
    "mapped_luns": _mapped_lun,
}
"""Readers of an entry in each list: the first argument is the item above it, else the root."""


def _groups(entry: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {
        **_group(entry.get("attributes", {}), "attrib", kind),
        **_group(entry.get("parameters", {}), "param", "tpg_parameter"),
    }


def _group(values: Mapping[str, Any], folder: str, kind: str) -> dict[str, str]:
    rows = settings.of_kind(kind)
    unprotected = text_of(values.get("pi_prot_type")) in ("", "0")
    return {
        names.setting_file(f"{folder}/{name}"): as_kernel(kind, name, value)
        for name, value in values.items()
        if (name not in rows or rows[name].can_be_set)
        and not (unprotected and name == "pi_prot_verify")  # the kernel ignores it then
    }


def as_kernel(kind: str, name: str, value: Any) -> str:
    """Return a value as it is read from the kernel: `yes` is 1, without outer blanks.

    Values that are not valid stay.
    """
    text = text_of(value).strip()
    # A company id has none: its digits are hexadecimal.
    plain = kind != "storage_object_wwn"
    if plain and text.isascii() and text.isdigit() and (text[0] != "0" or text == "0"):
        return text  # nearly all values are such numbers, which have one spelling
    row = settings.of_kind(kind).get(name)
    if row is None:
        return text
    try:
        return row.check(text, lambda other: "")  # the other settings do not matter here
    except UsageError:
        return text


def secrets_of(item: Item) -> dict[str, str]:
    """Return the settings of the CHAP secrets that an object can have, by `secret_path`."""
    group = "discovery_auth" if isinstance(item.place, FabricPlace) else "auth"
    every = (f"{group}/{file}" for file in settings.AUTH_FILES.values())
    return {path: file for file in every if (path := settings.secret_path(tree_path(item), file))}


def secret_paths(found: Items, *, only_unread: bool = False) -> set[str]:
    """Return the CHAP secrets of objects: those that are set, and those that were not read."""
    return {
        path
        for item in found.values()
        for path, file in secrets_of(item).items()
        if file in item.unread or (not only_unread and item.settings.get(file))
    }


def text_of(value: Any) -> str:
    """Return a value of a document as a text for the kernel."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return str(value)
