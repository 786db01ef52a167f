# SPDX-License-Identifier: Apache-2.0
"""rtslib's objects for identifiers: `found` for existing ones, `create_…` for new ones.

rtslib's constructors look an object up and its walks read everything around it: creating one LUN
reads every ACL of the TPG, deleting a storage object every LUN of every fabric. Some constructors
also refuse names that the kernel accepts, or change what they find. Each class here replaces one
constructor and the walks of one class of rtslib, for the reason in its docstring. The work itself
(folders, links, attribute writes, order of deletion) stays rtslib's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rtslib_fb import alua, node, target, tcm

from pyshell.lio import rtslib_older
from pyshell.lio.identifiers import (
    HBA_PREFIX,
    AluaGroup,
    Identifier,
    Lun,
    MappedLun,
    NodeAcl,
    Portal,
    StorageObject,
    Target,
    Tpg,
    link_name,
)

_STORAGE_CLASSES: dict[str, Any] = {
    "block": tcm.BlockStorageObject,
    "fileio": tcm.FileIOStorageObject,
    "pscsi": tcm.PSCSIStorageObject,
    "ramdisk": tcm.RDMCPStorageObject,
    "user": tcm.UserBackedStorageObject,
}


def _nothing(_: object) -> Iterator[Any]:
    return iter(())


class _ExportedObject(node.CFSNode):  # type: ignore[misc]
    """A storage object that a new LUN exports: rtslib uses only its path."""

    def __init__(self, place: StorageObject) -> None:
        node.CFSNode.__init__(self)
        self._path = place.folder


class _FoundTarget(target.Target):  # type: ignore[misc]
    """rtslib refuses names that break its rules, also of existing targets."""

    def __init__(self, place: Target) -> None:
        node.CFSNode.__init__(self)
        self.fabric_module = place.fabric.module
        self.wwn = place.wwn
        self.wwn_type = place.wwn.partition(".")[0]
        self._path = place.folder

    tpgs = property(_nothing)


class _FoundTpg(target.TPG):  # type: ignore[misc]
    """rtslib sets a missing nexus, and builds every LUN to find the one to map.

    `known_luns` are the LUNs that rtslib sees. It sees no ACLs and portals: the kernel refuses to
    delete a TPG that has any, rtslib would delete them with it.
    """

    def __init__(self, place: Tpg) -> None:
        node.CFSNode.__init__(self)
        self._tag = place.tag
        self._parent_target = _FoundTarget(place.target)
        self._path = place.folder
        self.known_luns: list[Any] = []

    luns = property(lambda self: iter(self.known_luns))
    node_acls = property(_nothing)
    network_portals = property(_nothing)


class _FoundLun(target.LUN):  # type: ignore[misc]
    """rtslib reads every ACL of the TPG to find the mappings, which are deleted before."""

    def __init__(self, place: Lun) -> None:
        node.CFSNode.__init__(self)
        self._parent_tpg = _FoundTpg(place.tpg)
        self._lun = place.index
        self._path = place.folder

    mapped_luns = property(_nothing)


class _FoundNodeAcl(target.NodeACL):  # type: ignore[misc]
    """rtslib refuses names that break its rules, also of existing ACLs."""

    def __init__(self, place: NodeAcl) -> None:
        node.CFSNode.__init__(self)
        self._parent_tpg = _FoundTpg(place.tpg)
        self._node_wwn = place.wwn
        self._path = place.folder

    mapped_luns = property(_nothing)


class _FoundMappedLun(target.MappedLUN):  # type: ignore[misc]
    """rtslib needs the ACL's and the TPG's own objects for it."""

    def __init__(self, place: MappedLun) -> None:
        node.CFSNode.__init__(self)
        self._parent_nodeacl = _FoundNodeAcl(place.acl)
        self._mapped_lun = place.index
        self._path = place.folder


class _FoundPortal(target.NetworkPortal):  # type: ignore[misc]
    """rtslib spells some addresses differently from configfs and then does not find the portal."""

    def __init__(self, place: Portal) -> None:
        node.CFSNode.__init__(self)
        self._parent_tpg = _FoundTpg(place.tpg)
        self._ip_address = place.name.rpartition(":")[0]
        self._port = place.port
        self._path = place.folder


class _FoundBackstore(tcm._Backstore):  # type: ignore[misc]
    """The HBA of an existing storage object."""

    def __init__(self, place: StorageObject) -> None:
        node.CFSNode.__init__(self)
        self._so_cls = _STORAGE_CLASSES[place.plugin]
        self._plugin = place.plugin
        self._index = place.hba
        self._lookup_key = f"{HBA_PREFIX[place.plugin]}/{place.name}"
        self._path = place.hba_folder


def _storage_object(place: StorageObject) -> Any:
    """Return rtslib's object for a storage object that no LUN uses.

    If rtslib's constructor does not find the object it deletes the HBA, which another program may
    have created at this moment. rtslib also reads all LUNs and ALUA groups, which are deleted
    before.
    """
    kind = _STORAGE_CLASSES[place.plugin]
    made = kind.__new__(kind)
    node.CFSNode.__init__(made)
    made._name = place.name
    made._backstore = _FoundBackstore(place)
    made._path = place.folder
    made.plugin = place.plugin
    made._gen_attached_luns = lambda: iter(())
    made._list_alua_tpgs = lambda: iter(())
    return made


class _FoundAluaGroup(alua.ALUATargetPortGroup):  # type: ignore[misc]
    """rtslib refuses it if the storage object does not support ALUA."""

    def __init__(self, place: AluaGroup) -> None:
        node.CFSNode.__init__(self)
        self.name = place.name
        self._path = place.folder


_FOUND: dict[type, Any] = {
    Target: _FoundTarget,
    Tpg: _FoundTpg,
    Lun: _FoundLun,
    NodeAcl: _FoundNodeAcl,
    MappedLun: _FoundMappedLun,
    Portal: _FoundPortal,
    StorageObject: _storage_object,
    AluaGroup: _FoundAluaGroup,
}


def found(place: Identifier) -> Any:
    """Return rtslib's object for an existing object on which no other depends."""
    return _FOUND[type(place)](place)


def create_storage_object(place: StorageObject, arguments: dict[str, Any]) -> None:
    """Create a storage object with the `arguments` of the constructor of rtslib 2.2.4."""
    tcm.bs_cache.clear()  # of HBAs, which other programs may have changed
    made = {**_STORAGE_CLASSES, "block": rtslib_older.create_block}[place.plugin]
    made(name=place.name, index=place.hba, **arguments)


def create(place: Identifier) -> None:
    """Create a target, TPG, node ACL or portal."""
    _CREATE[type(place)](place)


def _create_target(place: Target) -> None:
    """Create a target and load the module of its fabric if needed.

    rtslib's constructor refuses `iqn.2020-01.local:disk`, and changes a name that begins with
    `naa.6`. The name was checked before it became part of the identifier.
    """
    place.fabric.load()
    _FoundTarget(place)._create_in_cfs_ine("create")


def _create_portal(place: Portal) -> None:
    address = place.name.rpartition(":")[0]
    target.NetworkPortal(_FoundTpg(place.tpg), address, place.port, mode="create")


_CREATE: dict[type, Callable[[Any], object]] = {
    Target: _create_target,
    # It also sets the nexus that some fabrics need.
    Tpg: lambda place: target.TPG(_FoundTarget(place.target), place.tag, mode="create"),
    # rtslib's constructor has rules for names.
    NodeAcl: lambda place: _FoundNodeAcl(place)._create_in_cfs_ine("create"),
    Portal: _create_portal,
}


def create_lun(place: Lun, exported: StorageObject, alias: str | None) -> None:
    """Create a LUN; `alias` is the name of its link."""
    name = alias or link_name(place.folder, exported.folder)
    parent = _FoundTpg(place.tpg)
    target.LUN(parent, place.index, storage_object=_ExportedObject(exported), alias=name)


def link_lun(place: Lun, exported: StorageObject, alias: str | None) -> None:
    """Create the missing link of an existing LUN."""
    name = alias or link_name(place.folder, exported.folder)
    _FoundLun(place)._configure(_ExportedObject(exported), name)


def create_mapped_lun(
    place: MappedLun, exported: Lun, alias: str | None, *, write_protect: bool
) -> Any:
    """Create a mapped LUN and return rtslib's object; `alias` is the name of its link."""
    parent, lun = _seeing_only(_FoundNodeAcl(place.acl), exported)
    name = alias or link_name(place.folder, exported.folder)
    return target.MappedLUN(parent, place.index, lun, write_protect, name)


def link_mapped_lun(
    place: MappedLun, exported: Lun, alias: str | None, *, write_protect: bool
) -> None:
    """Create the missing link of an existing mapped LUN."""
    mapped = _FoundMappedLun(place)
    _, lun = _seeing_only(mapped.parent_nodeacl, exported)
    mapped._configure(lun, write_protect, alias or link_name(place.folder, exported.folder))


def _seeing_only(acl: Any, exported: Lun) -> tuple[Any, Any]:
    """Return rtslib's objects of an ACL, whose TPG has only that LUN, and of the LUN."""
    lun = _FoundLun(exported)
    acl.parent_tpg.known_luns = [lun]
    return acl, lun


def create_alua_group(place: AluaGroup, tag: int) -> None:
    """Create an ALUA group with its number."""
    alua.ALUATargetPortGroup(_storage_object(place.storage_object), place.name, tag)
