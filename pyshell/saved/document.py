# SPDX-License-Identifier: Apache-2.0
"""The saved configuration, typed: what rtslib's saveconfig.json holds, key by key.

A document is plain data, as JSON gives it; the types are for the reader, for the checker and for
`load`, which holds a file against them. Every key that rtslib leaves out may be missing, and keys
that nobody here knows are kept. Sizes are in bytes.
"""

from __future__ import annotations

from typing_extensions import NotRequired, Required, TypedDict

from pyshell.target import fabrics

Value = int | str
"""An attribute's value: rtslib writes a number where the text is one."""


class AluaGroup(TypedDict, total=False):
    """An ALUA target port group of a storage object."""

    name: Required[str]
    tg_pt_gp_id: int
    alua_access_state: int | None
    alua_access_status: int | None
    alua_access_type: int | None
    alua_write_metadata: int | None
    alua_support_active_nonoptimized: int | None
    alua_support_active_optimized: int | None
    alua_support_offline: int | None
    alua_support_standby: int | None
    alua_support_transitioning: int | None
    alua_support_unavailable: int | None
    implicit_trans_secs: int | None
    nonop_delay_msecs: int | None
    preferred: int | None
    trans_delay_msecs: int | None


class StorageObject(TypedDict):
    """A storage object; which of the keys it has depends on `plugin`."""

    name: Required[str]
    plugin: Required[str]
    wwn: NotRequired[str | None]
    dev: NotRequired[str]
    size: NotRequired[int | None]
    write_back: NotRequired[bool]
    readonly: NotRequired[bool]
    exclusive: NotRequired[bool]
    aio: NotRequired[bool]
    nullio: NotRequired[bool]
    config: NotRequired[str | None]
    hw_max_sectors: NotRequired[int | None]
    control: NotRequired[str | None]
    attributes: NotRequired[dict[str, Value]]
    alua_tpgs: NotRequired[list[AluaGroup]]


class Lun(TypedDict):
    """A LUN; `storage_object` is a path, as `/backstores/block/disk1`."""

    index: Required[int]
    storage_object: Required[str]
    alias: NotRequired[str | None]
    alua_tg_pt_gp_name: NotRequired[str | None]


class Portal(TypedDict):
    """A network portal; an IPv6 `ip_address` stands in brackets."""

    ip_address: Required[str]
    port: Required[int]
    iser: NotRequired[bool]
    offload: NotRequired[bool]


class MappedLun(TypedDict):
    """A mapped LUN: LUN `tpg_lun` of the TPG seen as LUN `index`."""

    index: Required[int]
    tpg_lun: Required[int]
    write_protect: NotRequired[bool | None]
    alias: NotRequired[str | None]


class NodeAcl(TypedDict):
    """A node ACL."""

    node_wwn: Required[str]
    mapped_luns: NotRequired[list[MappedLun]]
    attributes: NotRequired[dict[str, Value]]
    parameters: NotRequired[dict[str, Value]]
    tag: NotRequired[str | None]
    tcq_depth: NotRequired[Value | None]
    """Commands under way (`cmdsn_depth`), where that is not the TPG's default: by this name rtslib
    does not save it, but restores it."""
    chap_userid: NotRequired[str]
    chap_password: NotRequired[str]
    chap_mutual_userid: NotRequired[str]
    chap_mutual_password: NotRequired[str]


class Tpg(TypedDict):
    """A target portal group."""

    tag: NotRequired[int]
    enable: NotRequired[bool]
    attributes: NotRequired[dict[str, Value]]
    parameters: NotRequired[dict[str, Value]]
    luns: NotRequired[list[Lun]]
    portals: NotRequired[list[Portal]]
    node_acls: NotRequired[list[NodeAcl]]
    chap_userid: NotRequired[str]
    chap_password: NotRequired[str]
    chap_mutual_userid: NotRequired[str]
    chap_mutual_password: NotRequired[str]


class Target(TypedDict):
    """A target of a fabric."""

    wwn: Required[str]
    fabric: Required[str]
    parameters: NotRequired[dict[str, Value]]
    tpgs: NotRequired[list[Tpg]]


class FabricModule(TypedDict):
    """Settings of a fabric as a whole: who may discover its targets."""

    name: Required[str]
    discovery_enable_auth: NotRequired[bool]
    discovery_userid: NotRequired[str]
    discovery_password: NotRequired[str]
    discovery_mutual_userid: NotRequired[str]
    discovery_mutual_password: NotRequired[str]


class Document(TypedDict):
    """A whole saved configuration."""

    storage_objects: NotRequired[list[StorageObject]]
    targets: NotRequired[list[Target]]
    fabric_modules: NotRequired[list[FabricModule]]


def is_empty(document: Document) -> bool:
    """Tell whether a configuration holds no storage object and no target."""
    return not document.get("storage_objects") and not document.get("targets")


def object_paths(document: Document) -> set[str]:
    """Return the paths, in pyshell's tree, of every object that a document holds."""
    found = {
        f"/backstores/{so['plugin']}/{so['name']}" for so in document.get("storage_objects", ())
    }
    for target in document.get("targets", ()):
        base = f"/{target['fabric']}/{target['wwn']}"
        found.add(base)
        for tpg in target.get("tpgs", ()):
            found |= _tpg_paths(_tpg_path(target, base, tpg.get("tag", 1)), tpg)
    return found


def _tpg_path(target: Target, base: str, tag: int) -> str:
    """Return a TPG's path: in a fabric without TPG tags it is its target's."""
    name = target["fabric"]
    tagless = name in fabrics.known() and not fabrics.fabric(name).has("tpgts")
    return base if tagless else f"{base}/tpg{tag}"


def _tpg_paths(base: str, tpg: Tpg) -> set[str]:
    found = {base}
    found |= {f"{base}/luns/lun{lun['index']}" for lun in tpg.get("luns", ())}
    found |= {f"{base}/portals/{p['ip_address']}:{p['port']}" for p in tpg.get("portals", ())}
    for acl in tpg.get("node_acls", ()):
        path = f"{base}/acls/{acl['node_wwn']}"
        found.add(path)
        found |= {f"{path}/mapped_lun{mapped['index']}" for mapped in acl.get("mapped_luns", ())}
    return found
