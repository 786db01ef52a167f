# SPDX-License-Identifier: Apache-2.0
"""rtslib objects for places: creating goes through rtslib's constructors, the rest is looked up.

rtslib's own look-ups read far more than they are asked for, and some refuse or change what they
find. Each class here replaces one constructor or one walk, for the reason that it names; the work
itself (mkdir, links, attribute writes, deletion order) stays rtslib's.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rtslib_fb
from rtslib_fb import tcm
from rtslib_fb.node import CFSNode

from pyshell.lio import rtslib_path
from pyshell.lio.identifiers import (
    HBA_PREFIX,
    AluaGroup,
    Lun,
    MappedLun,
    NodeAcl,
    Portal,
    StorageObject,
    Target,
    Tpg,
)

_STORAGE_CLASSES: dict[str, Any] = {
    "block": rtslib_fb.BlockStorageObject,
    "fileio": rtslib_fb.FileIOStorageObject,
    "pscsi": rtslib_fb.PSCSIStorageObject,
    "ramdisk": rtslib_fb.RDMCPStorageObject,
    "user": rtslib_fb.UserBackedStorageObject,
}

# rtslib asks of every object some ten times whether it is there, each time through pathlib, which
# makes the question five times as dear as the answer.
CFSNode.exists = property(lambda self: os.path.isdir(self._path), doc=CFSNode.exists.__doc__)
# It asks before each file that it opens, too. The opening itself tells, with errno and path.
CFSNode._check_self = lambda self: None
rtslib_path.lend()


def _config_pr_aptpl(created: Any) -> None:
    """Bring a storage object's persistent reservations back, where the kernel has kept some.

    rtslib makes its root object to learn where they lie, once for each storage object: that looks
    for mounts, and tries to set dbroot.
    """
    try:
        dbroot = rtslib_fb.utils.fread(f"{created.configfs_dir}/dbroot")
    except OSError:
        dbroot = "/var/target"  # where it was before the kernel could be told
    kept = rtslib_fb.utils.Path(dbroot) / "pr"
    try:
        if not any(path.name.startswith("aptpl_") for path in kept.iterdir()):
            return
        unit = rtslib_fb.utils.fread(f"{created.path}/wwn/vpd_unit_serial")
    except OSError:
        return  # rtslib, too, takes what tells no serial number to have no reservations
    serial = unit.partition(":")[2].strip()
    if (kept / f"aptpl_{serial}").is_file():
        _rtslibs_config_pr_aptpl(created)


_rtslibs_config_pr_aptpl = tcm.StorageObject._config_pr_aptpl
tcm.StorageObject._config_pr_aptpl = _config_pr_aptpl


class _Exported(CFSNode):  # type: ignore[misc]
    """A storage object of which a LUN is made: rtslib looks at no more than where it is."""

    def __init__(self, place: StorageObject) -> None:
        CFSNode.__init__(self)
        self._path = place.folder


class _FoundTarget(rtslib_fb.Target):  # type: ignore[misc]
    """A target that is in configfs: rtslib's look-up refuses names that break its rules."""

    def __init__(self, place: Target) -> None:
        CFSNode.__init__(self)
        self.fabric_module = place.fabric.module
        self.wwn = place.wwn
        self.wwn_type = place.wwn.partition(".")[0]
        self._path = place.folder

    tpgs = property(lambda self: iter(()))


class _FoundTpg(rtslib_fb.TPG):  # type: ignore[misc]
    """A TPG that is in configfs: rtslib's look-up sets a nexus where there is none.

    `known_luns` are all the LUNs that rtslib needs to see: without them it builds every LUN of the
    TPG to find the one that is being mapped.
    """

    def __init__(self, place: Tpg) -> None:
        CFSNode.__init__(self)
        self._tag = place.tag
        self._parent_target = _FoundTarget(place.target)
        self._path = place.folder
        self.known_luns: list[Any] = []

    luns = property(lambda self: iter(self.known_luns))
    # What is left below a TPG is not deleted with it: the kernel refuses that.
    node_acls = property(lambda self: iter(()))
    network_portals = property(lambda self: iter(()))


class _FoundLun(rtslib_fb.LUN):  # type: ignore[misc]
    """A LUN that is in configfs, whose mappings are gone: rtslib walks every ACL to find them."""

    def __init__(self, place: Lun) -> None:
        CFSNode.__init__(self)
        self._parent_tpg = _FoundTpg(place.tpg)
        self._lun = place.index
        self._path = place.folder

    mapped_luns = property(lambda self: iter(()))


class _FoundNodeAcl(rtslib_fb.NodeACL):  # type: ignore[misc]
    """A node ACL that is in configfs: rtslib's look-up refuses names that break its rules."""

    def __init__(self, place: NodeAcl) -> None:
        CFSNode.__init__(self)
        self._parent_tpg = _FoundTpg(place.tpg)
        self._node_wwn = place.wwn
        self._path = place.folder

    mapped_luns = property(lambda self: iter(()))


class _FoundMappedLun(rtslib_fb.MappedLUN):  # type: ignore[misc]
    """A mapped LUN that is in configfs."""

    def __init__(self, place: MappedLun) -> None:
        CFSNode.__init__(self)
        self._parent_nodeacl = _FoundNodeAcl(place.acl)
        self._mapped_lun = place.index
        self._path = place.folder


class _FoundPortal(rtslib_fb.NetworkPortal):  # type: ignore[misc]
    """A portal that is in configfs, however its address is spelt there."""

    def __init__(self, place: Portal) -> None:
        CFSNode.__init__(self)
        self._parent_tpg = _FoundTpg(place.tpg)
        self._ip_address = place.name.rpartition(":")[0]
        self._port = place.port
        self._path = place.folder


def target(place: Target) -> Any:
    """Return rtslib's object for a target that is there."""
    return _FoundTarget(place)


def tpg(place: Tpg) -> Any:
    """Return rtslib's object for a TPG that is there."""
    return _FoundTpg(place)


def lun(place: Lun) -> Any:
    """Return rtslib's object for a LUN that is there and has no mappings (more)."""
    return _FoundLun(place)


def node_acl(place: NodeAcl) -> Any:
    """Return rtslib's object for a node ACL that is there."""
    return _FoundNodeAcl(place)


def mapped_lun(place: MappedLun) -> Any:
    """Return rtslib's object for a mapped LUN that is there."""
    return _FoundMappedLun(place)


def portal(place: Portal) -> Any:
    """Return rtslib's object for a portal that is there."""
    return _FoundPortal(place)


class _FoundBackstore(tcm._Backstore):  # type: ignore[misc]
    """The HBA of a storage object that is in configfs."""

    def __init__(self, place: StorageObject) -> None:
        CFSNode.__init__(self)
        self._so_cls = _STORAGE_CLASSES[place.plugin]
        self._plugin = place.plugin
        self._index = place.hba
        self._lookup_key = f"{HBA_PREFIX[place.plugin]}/{place.name}"
        self._path = place.hba_folder


def storage_object(place: StorageObject) -> Any:
    """Return rtslib's object for a storage object that is there and that no LUN uses (any more).

    rtslib's constructor is left out: its look-up deletes the HBA of an object that it does not
    find, which another program may have made just now. So is its walk over all LUNs, as every
    caller has deleted them, and over the ALUA groups, which are deleted before, one by one.
    """
    kind = _STORAGE_CLASSES[place.plugin]
    found = kind.__new__(kind)
    CFSNode.__init__(found)
    found._name = place.name
    found._backstore = _FoundBackstore(place)
    found._path = place.folder
    found.plugin = place.plugin
    found._gen_attached_luns = lambda: iter(())
    found._list_alua_tpgs = lambda: iter(())
    return found


class _FoundAluaGroup(rtslib_fb.ALUATargetPortGroup):  # type: ignore[misc]
    """An ALUA group that is in configfs."""

    def __init__(self, place: AluaGroup) -> None:
        CFSNode.__init__(self)
        self.name = place.name
        self._path = place.folder


def alua_group(place: AluaGroup) -> Any:
    """Return rtslib's object for an ALUA group that is there."""
    return _FoundAluaGroup(place)


def create_storage_object(place: StorageObject, arguments: dict[str, Any]) -> Any:
    """Create a storage object through rtslib with its constructor's own `arguments`."""
    with quiet():
        found = _STORAGE_CLASSES[place.plugin](name=place.name, index=place.hba, **arguments)
    found._gen_attached_luns = lambda: iter(())
    return found


def create_target(place: Target) -> Any:
    """Create a target through rtslib, which loads the fabric's module where needed.

    Its constructor has rules of its own for names: it refuses `iqn.2020-01.local:disk` and makes
    another name of one that begins with `naa.6`. The name was checked before it became a place.
    """
    place.fabric.load()
    found = _FoundTarget(place)
    found._create_in_cfs_ine("create")
    return found


def create_tpg(place: Tpg) -> Any:
    """Create a TPG through rtslib."""
    return rtslib_fb.TPG(target(place.target), place.tag, mode="create")


def create_lun(place: Lun, exported: StorageObject, alias: str | None) -> Any:
    """Create a LUN through rtslib, with a link name that needs no random numbers."""
    name = alias or link_name(place.folder, exported.folder)
    parent = tpg(place.tpg)
    return rtslib_fb.LUN(parent, place.index, storage_object=_Exported(exported), alias=name)


def link_lun(place: Lun, exported: StorageObject, alias: str | None) -> None:
    """Give a LUN that has lost its link the link through rtslib."""
    name = alias or link_name(place.folder, exported.folder)
    _FoundLun(place)._configure(_Exported(exported), name)


def create_node_acl(place: NodeAcl) -> Any:
    """Create a node ACL through rtslib, without its constructor's own rules for names."""
    found = _FoundNodeAcl(place)
    found._create_in_cfs_ine("create")
    return found


def create_mapped_lun(
    place: MappedLun, exported: Lun, alias: str | None, *, write_protect: bool
) -> Any:
    """Map a LUN through rtslib, showing it only that LUN."""
    parent = node_acl(place.acl)
    found = lun(exported)
    parent.parent_tpg.known_luns = [found]
    name = alias or link_name(place.folder, exported.folder)
    return rtslib_fb.MappedLUN(parent, place.index, found, write_protect, name)


def link_mapped_lun(
    place: MappedLun, exported: Lun, alias: str | None, *, write_protect: bool
) -> None:
    """Give a mapped LUN that has lost its link the link through rtslib."""
    found = _FoundMappedLun(place)
    lun_found = lun(exported)
    found.parent_nodeacl.parent_tpg.known_luns = [lun_found]
    found._configure(lun_found, write_protect, alias or link_name(place.folder, exported.folder))


def create_portal(place: Portal) -> Any:
    """Create a portal through rtslib."""
    address = place.name.rpartition(":")[0]
    return rtslib_fb.NetworkPortal(tpg(place.tpg), address, place.port, mode="create")


def create_alua_group(place: AluaGroup, tag: int) -> Any:
    """Create an ALUA group through rtslib."""
    return rtslib_fb.ALUATargetPortGroup(storage_object(place.storage_object), place.name, tag)


def link_name(*of: str) -> str:
    """Return ten hexadecimal digits for a link: rtslib draws them at random (field failure 52)."""
    import hashlib  # it brings OpenSSL along, which only this needs

    return hashlib.blake2b(os.fsencode("\0".join(of)), digest_size=5).hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out rtslib's warning that the kernel's dbroot is fixed while devices exist.

    rtslib makes its root object, and so tries to set dbroot, where a storage object that is made
    has reservations; it also keeps a cache of HBAs that would go stale between two commands.
    """
    tcm.bs_cache.clear()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Cannot set dbroot")
        yield


def supports_alua(place: StorageObject) -> bool:
    """Tell whether the backend takes ALUA settings: writing them elsewhere hung kernels (row 9)."""
    own = _STORAGE_CLASSES[place.plugin]._get_alua_supported
    if own is tcm.StorageObject._get_alua_supported:
        return True  # rtslib's answer for all that ask no kernel
    try:
        return str(rtslib_fb.utils.fread(f"{place.folder}/attrib/alua_support")) == "1"
    except OSError:
        return False  # older kernels, which do not have it, hang


def is_exported(place: StorageObject) -> bool:
    """Tell whether a LUN exports a storage object: the kernel counts them. Unknown counts as so."""
    try:
        return "Status: DEACTIVATED" not in str(rtslib_fb.utils.fread(f"{place.folder}/info"))
    except OSError:
        return True
