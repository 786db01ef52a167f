# SPDX-License-Identifier: Apache-2.0
"""The saved configuration, typed: the keys of rtslib's saveconfig.json.

A document is plain JSON data; the types serve type checkers, `check` and `load`, which validates a
file against them. Every key that rtslib can omit is optional, and unknown keys are kept. Sizes are
in bytes.

`packaging/schema.py` writes the types as a JSON Schema, which editors use to complete and check a
file: `saveconfig.schema.json` beside this file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

if sys.version_info >= (3, 11):
    from typing import NotRequired, Required, TypedDict
else:
    from typing_extensions import NotRequired, Required, TypedDict

from pyshell.config.positions import Place
from pyshell.files.reading import json_values
from pyshell.lio import identifiers, settings

Value = int | str
"""An attribute's value: rtslib writes a number if the text is one."""
_Unused = Annotated[Value | bool | None, "Written by old releases of targetcli; no effect."]
_Attributes = Annotated[
    dict[str, Value],
    "The kernel's attributes by name; omitted ones keep the kernel's default.",
]
IDENTITY = {f"../{file}": file for file in settings.IDENTITY}
"""The keys of a storage object's identity among its attributes, and the files that they name.

rtslib does not restore an object that has a key unknown to it, but takes an attribute's name as a
path below `attrib`: so targetcli restores these, too. It does not save them.
"""
COMPANY_KEY = f"../{settings.COMPANY}"
_StorageAttributes = Annotated[
    dict[str, Value],
    "The kernel's attributes by name; omitted ones keep the kernel's default. Also vendor,"
    f" product, revision and company id: {', '.join(IDENTITY)}.",
]
_Parameters = Annotated[
    dict[str, Value],
    "iSCSI negotiation parameters by name; omitted ones keep the kernel's default.",
]
_ChapUserid = Annotated[str, "CHAP name that the initiator sends."]
_ChapPassword = Annotated[str, "CHAP secret of the initiator; 12 bytes or more."]
_MutualUserid = Annotated[str, "CHAP name that the target sends."]
_MutualPassword = Annotated[str, "CHAP secret of the target; must differ from the initiator's."]
_SecretFile = Annotated[
    str,
    "Absolute path of a file with this secret, instead of the secret. Only pyshell reads it.",
]
_Alias = Annotated[str | None, "Name of the link in configfs; defaults to a generated name."]
_Supported = Annotated[int | None, "1 if the group supports that state."]
_Seconds = Annotated[
    int | None, "Time limit for a state change, in seconds, as reported to initiators."
]


class AluaGroupEntry(TypedDict):
    """An ALUA target port group of a storage object."""

    name: Required[Annotated[str, "Name of the group; the kernel creates default_tg_pt_gp."]]
    tg_pt_gp_id: NotRequired[
        Annotated[int, "Number from 1 to 65535; 0 only for the kernel's default_tg_pt_gp."]
    ]
    alua_access_state: NotRequired[
        Annotated[
            int | None,
            "0 active/optimized, 1 active/non-optimized, 2 standby, 3 unavailable, "
            "4 LBA dependent, 14 offline, 15 transitioning.",
        ]
    ]
    alua_access_status: NotRequired[
        Annotated[
            int | None,
            "What changed the state: 0 nothing, 1 an initiator (SET TARGET PORT GROUPS),"
            " 2 the target.",
        ]
    ]
    alua_access_type: NotRequired[Annotated[int | None, "0 none, 1 implicit, 2 explicit, 3 both."]]
    alua_write_metadata: NotRequired[
        Annotated[int | None, "1 keeps the state in a file below /var/target."]
    ]
    alua_support_active_nonoptimized: NotRequired[_Supported]
    alua_support_active_optimized: NotRequired[_Supported]
    alua_support_offline: NotRequired[_Supported]
    alua_support_standby: NotRequired[_Supported]
    alua_support_transitioning: NotRequired[_Supported]
    alua_support_unavailable: NotRequired[_Supported]
    implicit_trans_secs: NotRequired[_Seconds]
    nonop_delay_msecs: NotRequired[
        Annotated[int | None, "Milliseconds by which active/non-optimized delays a command."]
    ]
    preferred: NotRequired[Annotated[int | None, "1 if initiators should prefer the group."]]
    trans_delay_msecs: NotRequired[
        Annotated[int | None, "Milliseconds by which each change of state is delayed."]
    ]


class StorageObjectEntry(TypedDict):
    """A storage object; which of the keys it has depends on `plugin`."""

    name: Required[Annotated[str, "Name, unique in its backstore; no blanks, no slashes."]]
    plugin: Required[
        Annotated[
            str,
            "Backstore: block, fileio, pscsi, ramdisk or user (formerly iblock and rd_mcp).",
        ]
    ]
    wwn: NotRequired[Annotated[str | None, "Unit serial number; defaults to a generated one."]]
    dev: NotRequired[
        Annotated[str, "Path of the block device, image file or SCSI device (not ramdisk)."]
    ]
    size: NotRequired[Annotated[int | None, "Bytes; required for image files and ramdisks."]]
    write_back: NotRequired[
        Annotated[
            bool,
            "fileio: acknowledge writes before they are on disk; a crash loses those that the"
            " initiator has not flushed. Default: false.",
        ]
    ]
    readonly: NotRequired[Annotated[bool, "block: open the device read-only."]]
    exclusive: NotRequired[Annotated[bool, "block: open the device exclusively."]]
    aio: NotRequired[Annotated[bool, "fileio: asynchronous I/O."]]
    nullio: NotRequired[Annotated[bool, "ramdisk: store nothing, for benchmarks."]]
    config: NotRequired[
        Annotated[str | None, "user: handler and its configuration string (HANDLER/CONFIG)."]
    ]
    hw_max_sectors: NotRequired[
        Annotated[int | None, "user: maximum number of sectors per command."]
    ]
    control: NotRequired[Annotated[str | None, "user: further settings, NAME=VALUE,…"]]
    attributes: NotRequired[_StorageAttributes]
    alua_tpgs: NotRequired[Annotated[list[AluaGroupEntry], "ALUA groups."]]
    exists: NotRequired[_Unused]
    buffered_mode: NotRequired[_Unused]


class LunEntry(TypedDict):
    """A LUN; `storage_object` is a path like `/backstores/block/disk1`."""

    index: Required[Annotated[int, "LUN, 0 to 65535."]]
    storage_object: Required[Annotated[str, "Exported storage object: /backstores/PLUGIN/NAME."]]
    alias: NotRequired[_Alias]
    alua_tg_pt_gp_name: NotRequired[
        Annotated[str | None, "Name of an ALUA group of the storage object."]
    ]


class PortalEntry(TypedDict):
    """A network portal; an IPv6 `ip_address` is in brackets."""

    ip_address: Required[
        Annotated[
            str,
            "IP address of this host; 0.0.0.0 for all IPv4 addresses, [::0] for IPv6, too.",
        ]
    ]
    port: Required[Annotated[int, "TCP port, usually 3260."]]
    iser: NotRequired[Annotated[bool, "iSCSI over RDMA."]]
    offload: NotRequired[Annotated[bool, "Offload to a Chelsio adapter."]]


class MappedLunEntry(TypedDict):
    """A mapped LUN: the TPG's LUN number `tpg_lun`, which the initiator sees as number `index`."""

    index: Required[Annotated[int, "LUN number that the initiator sees, 0 to 65535."]]
    tpg_lun: Required[Annotated[int, "LUN of the TPG."]]
    write_protect: NotRequired[Annotated[bool | None, "The initiator can only read."]]
    alias: NotRequired[_Alias]


class _ChapKeys(TypedDict):
    chap_userid: NotRequired[_ChapUserid]
    chap_password: NotRequired[_ChapPassword]
    chap_mutual_userid: NotRequired[_MutualUserid]
    chap_mutual_password: NotRequired[_MutualPassword]
    chap_password_file: NotRequired[_SecretFile]
    chap_mutual_password_file: NotRequired[_SecretFile]


class NodeAclEntry(_ChapKeys):
    """A node ACL: an initiator that can log in."""

    node_wwn: Required[Annotated[str, "Name of the initiator."]]
    mapped_luns: NotRequired[Annotated[list[MappedLunEntry], "LUNs that the initiator sees."]]
    attributes: NotRequired[_Attributes]
    parameters: NotRequired[_Parameters]
    tag: NotRequired[Annotated[str | None, "Tag; ACLs with the same tag form a group."]]
    # rtslib restores it by this name, but does not save it.
    tcq_depth: NotRequired[
        Annotated[
            Value | None,
            "Queue depth (cmdsn_depth), if it is not the TPG's default.",
        ]
    ]


class TpgEntry(_ChapKeys):
    """A target portal group."""

    tag: NotRequired[Annotated[int, "Number from 1; defaults to 1."]]
    enable: NotRequired[Annotated[bool, "Whether initiators can log in; defaults to true."]]
    attributes: NotRequired[_Attributes]
    parameters: NotRequired[_Parameters]
    luns: NotRequired[Annotated[list[LunEntry], "Exported LUNs."]]
    portals: NotRequired[Annotated[list[PortalEntry], "Addresses and ports that it listens on."]]
    node_acls: NotRequired[Annotated[list[NodeAclEntry], "Initiators that can log in."]]


class TargetEntry(TypedDict):
    """A target of a fabric."""

    wwn: Required[Annotated[str, "Name of the target in the form of its fabric."]]
    fabric: Required[Annotated[str, "Fabric, for example iscsi, loopback or vhost."]]
    parameters: NotRequired[_Parameters]
    tpgs: NotRequired[Annotated[list[TpgEntry], "Target portal groups."]]


class FabricModuleEntry(TypedDict):
    """Settings of a fabric: who can discover its targets."""

    name: Required[Annotated[str, "Fabric; only iscsi has such settings."]]
    discovery_enable_auth: NotRequired[Annotated[bool, "Whether discovery requires CHAP."]]
    discovery_userid: NotRequired[_ChapUserid]
    discovery_password: NotRequired[_ChapPassword]
    discovery_mutual_userid: NotRequired[_MutualUserid]
    discovery_mutual_password: NotRequired[_MutualPassword]
    discovery_password_file: NotRequired[_SecretFile]
    discovery_mutual_password_file: NotRequired[_SecretFile]


class Document(TypedDict):
    """A whole saved configuration."""

    storage_objects: NotRequired[Annotated[list[StorageObjectEntry], "Storage objects."]]
    targets: NotRequired[Annotated[list[TargetEntry], "Targets of all fabrics."]]
    fabric_modules: NotRequired[Annotated[list[FabricModuleEntry], "Settings of fabrics."]]


def is_empty(document: Document) -> bool:
    """Return whether a configuration has no storage object and no target."""
    return not document.get("storage_objects") and not document.get("targets")


def counts(document: Document) -> dict[str, int]:
    """Return how many storage objects, targets, LUNs and ACLs a configuration has."""
    tpgs = [tpg for target in document.get("targets", ()) for tpg in target.get("tpgs", ())]
    return {
        "storage_objects": len(document.get("storage_objects", ())),
        "targets": len(document.get("targets", ())),
        "luns": sum(len(tpg.get("luns", ())) for tpg in tpgs),
        "acls": sum(len(tpg.get("node_acls", ())) for tpg in tpgs),
    }


def is_secret(key: str) -> bool:
    """Return whether the value of a key is a secret."""
    return key.endswith("password")


def holds_secrets(data: Any) -> bool:
    """Return whether a document, or a part of one, contains CHAP secrets."""
    return any(value and place and is_secret(str(place[-1])) for place, value in json_values(data))


def without_secrets(data: Any, mask: str) -> Any:
    """Return a document, or a part of one, with a mask for each secret."""
    if isinstance(data, dict):
        return {
            key: mask if is_secret(key) and value else without_secrets(value, mask)
            for key, value in data.items()
        }
    return [without_secrets(entry, mask) for entry in data] if isinstance(data, list) else data


@dataclass(frozen=True)
class Located:
    """An object of a document."""

    path: str
    """Its path in the tree, with normalised names."""
    place: Place
    """Its place in the document; the second to last part is the list that it is in."""
    entry: dict[str, Any]

    @property
    def kind(self) -> str:
        """Return the key of the list that holds objects of its kind, as `luns`."""
        return str(self.place[-2])


def located(document: Document) -> Iterator[Located]:
    """Yield all objects of a document, each before those below it."""
    yield from _located(document, "", (), "")


def _located(entry: Mapping[str, Any], kind: str, place: Place, path: str) -> Iterator[Located]:
    for key in LISTS.get(kind, ()):
        for index, found in enumerate(entry.get(key, ())):
            one = Located(_PATHS[key](path, found), (*place, key, index), found)
            yield one
            yield from _located(found, key, one.place, one.path)


LISTS: Mapping[str, tuple[str, ...]] = {
    "": ("fabric_modules", "storage_objects", "targets"),
    "storage_objects": ("alua_tpgs",),
    "targets": ("tpgs",),
    "tpgs": ("luns", "portals", "node_acls"),
    "node_acls": ("mapped_luns",),
}
"""The lists of a document, and those of the objects in each list."""


def _fabric_of(path: str) -> str:
    return path.split("/")[1]


_PATHS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "fabric_modules": lambda _, entry: f"/{entry['name']}",
    "storage_objects": lambda _, entry: identifiers.storage_object_path(
        entry["plugin"], entry["name"]
    ),
    "alua_tpgs": lambda above, entry: f"{above}/alua/{entry['name']}",
    "targets": lambda _, entry: target_path(entry),
    "tpgs": lambda above, entry: identifiers.tpg_path(
        _fabric_of(above), above, entry.get("tag", 1)
    ),
    "luns": lambda above, entry: f"{above}/luns/lun{entry['index']}",
    "portals": lambda above, entry: (
        f"{above}/portals/{identifiers.portal_name(entry['ip_address'], entry['port'])}"
    ),
    "node_acls": lambda above, entry: (
        f"{above}/acls/{identifiers.normal_wwn(_fabric_of(above), entry['node_wwn'])}"
    ),
    "mapped_luns": lambda above, entry: f"{above}/mapped_lun{entry['index']}",
}
"""The path of an object in each list, given the path of the object above it."""


def target_path(entry: Mapping[str, Any]) -> str:
    """Return the path of a target's entry."""
    return f"/{entry['fabric']}/{identifiers.normal_wwn(entry['fabric'], entry['wwn'])}"


def is_target(entry: Mapping[str, Any], wwn: str) -> bool:
    """Return whether an entry is the target of that WWN, in any spelling."""
    return target_path(entry) == target_path({**entry, "wwn": wwn})


def object_paths(document: Document) -> set[str]:
    """Return the paths of all storage objects and targets of a document, and of objects below.

    ALUA groups are not among them.
    """
    others = ("fabric_modules", "alua_tpgs")
    return {one.path for one in located(document) if one.kind not in others}
