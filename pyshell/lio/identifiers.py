# SPDX-License-Identifier: Apache-2.0
"""Every kind of object of LIO by its name, with its folder in configfs.

A place is a value: it says where an object is or would be, and does not look whether it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyshell import names
from pyshell.errors import PyshellError
from pyshell.lio.fabrics import Fabric, fabric, known
from pyshell.lio.rtslib import configfs_root

# rtslib's name of each kind of backstore and the kernel's name of its HBA folders.
HBA_PREFIX = {
    "block": "iblock",
    "fileio": "fileio",
    "pscsi": "pscsi",
    "ramdisk": "rd_mcp",
    "user": "user",
}
PLUGIN_OF_HBA = {prefix: plugin for plugin, prefix in HBA_PREFIX.items()}
DEFAULT_GROUP = "default_tg_pt_gp"


# Names as they are written in documents, paths and commands, in their one normal form. These
# functions return a name that is not valid unchanged; `names` and `Fabric.normalise` refuse it.


def plugin_name(name: str) -> str:
    """Return the name of a backstore: older files and scripts have iblock and rd_mcp."""
    return PLUGIN_OF_HBA.get(name, name)


def storage_object_path(plugin: str, name: str) -> str:
    """Return the path of a storage object."""
    return f"/backstores/{plugin_name(plugin)}/{name}"


def normal_wwn(fabric_name: str, wwn: str) -> str:
    """Return the WWN of a target or initiator."""
    try:
        return fabric(fabric_name).known_wwn(wwn)
    except PyshellError:
        return wwn


def portal_name(address: str, port: int | str) -> str:
    """Return the name of a portal, as `[::0]:3260`."""
    try:
        return f"{names.bracketed(names.address(address))}:{port}"
    except PyshellError:
        return f"{address}:{port}"


def tpg_path(fabric_name: str, target: str, tag: int) -> str:
    """Return the path of a TPG, given its target's: without TPG tags the two are the same."""
    tagless = fabric_name in known() and not fabric(fabric_name).has("tpgts")
    return target if tagless else f"{target}/tpg{tag}"


def normal_path(path: str) -> str:
    """Return an absolute path of the tree with the names in it normalised."""
    parts = ["", *path.strip("/").split("/")]
    if len(parts) > 2 and parts[1] == "backstores":
        parts[2] = plugin_name(parts[2])
    elif parts[1:2] and parts[1] in known():
        for number in range(2, len(parts)):
            if number == 2 or parts[number - 1] == "acls":
                parts[number] = normal_wwn(parts[1], parts[number])
            elif parts[number - 1] == "portals":
                address, _, port = parts[number].rpartition(":")
                parts[number] = portal_name(address, port)
    return "/".join(parts)


class _kept:  # noqa: N801 - used as a decorator, as `property` is
    """A property that is worked out once for each configfs: a plan asks thousands of times."""

    def __init__(self, function: Callable[[Any], str]) -> None:
        self._function = function
        self._name = f"_{function.__name__}"
        self.__doc__ = function.__doc__

    def __get__(self, place: Any, owner: type[Any]) -> str:
        root = configfs_root()
        kept: tuple[Any, str] | None = place.__dict__.get(self._name)
        if kept is None or kept[0] != root:
            kept = place.__dict__[self._name] = (root, self._function(place))
        return kept[1]


def core_folder() -> str:
    """Return the folder that holds the HBAs."""
    return f"{configfs_root()}/core"


def _below(folder: str, *parts: str) -> str:
    """Return a path below a folder. Raises UsageError for a part that would lead elsewhere."""
    return "/".join((folder, *map(names.path_part, parts)))


@dataclass(frozen=True)
class StorageObject:
    """A storage object. `hba` is its HBA's number, which only configfs knows."""

    plugin: str
    name: str
    hba: int

    @property
    def hba_folder(self) -> str:
        """Return the folder of the HBA, which holds this one storage object."""
        return _below(core_folder(), f"{HBA_PREFIX[self.plugin]}_{self.hba}")

    @_kept
    def folder(self) -> str:
        """Return the object's folder in configfs."""
        return _below(self.hba_folder, self.name)

    @_kept
    def path(self) -> str:
        """Return the path in pyshell's tree, which is also how a saved file names it."""
        return f"/backstores/{self.plugin}/{self.name}"

    def __str__(self) -> str:
        return f"storage object {self.plugin}/{self.name}"


@dataclass(frozen=True)
class AluaGroup:
    """An ALUA target port group of a storage object."""

    storage_object: StorageObject
    name: str

    @_kept
    def folder(self) -> str:
        """Return the group's folder in configfs."""
        return _below(self.storage_object.folder, "alua", self.name)

    @_kept
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        return f"{self.storage_object.path}/alua/{self.name}"

    def __str__(self) -> str:
        return f"ALUA group {self.name} of {self.storage_object}"


@dataclass(frozen=True)
class FabricPlace:
    """A fabric as an object with settings (discovery authentication, CPUs)."""

    fabric: Fabric

    @property
    def folder(self) -> str:
        """Return the fabric's folder in configfs."""
        return self.fabric.folder

    @property
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        return f"/{self.fabric.name}"

    def __str__(self) -> str:
        return f"fabric {self.fabric.name}"


@dataclass(frozen=True)
class Target:
    """A target of a fabric, by its normalised WWN."""

    fabric_name: str
    wwn: str

    @property
    def fabric(self) -> Fabric:
        """Return the fabric."""
        return fabric(self.fabric_name)

    @_kept
    def folder(self) -> str:
        """Return the target's folder in configfs."""
        return _below(self.fabric.folder, self.fabric.to_folder(self.wwn))

    @_kept
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        return f"/{self.fabric_name}/{self.wwn}"

    def __str__(self) -> str:
        return f"target {self.wwn}"


@dataclass(frozen=True)
class Tpg:
    """A target portal group, by its tag."""

    target: Target
    tag: int

    @_kept
    def folder(self) -> str:
        """Return the TPG's folder in configfs."""
        return _below(self.target.folder, f"tpgt_{self.tag}")

    @_kept
    def path(self) -> str:
        """Return the path in the tree: a fabric without tags shows target and TPG as one."""
        if not self.target.fabric.has("tpgts"):
            return self.target.path
        return f"{self.target.path}/tpg{self.tag}"

    def __str__(self) -> str:
        return f"TPG {self.tag} of {self.target}"


@dataclass(frozen=True)
class Lun:
    """A LUN of a TPG, by its number."""

    tpg: Tpg
    index: int

    @_kept
    def folder(self) -> str:
        """Return the LUN's folder in configfs."""
        return _below(self.tpg.folder, "lun", f"lun_{self.index}")

    @_kept
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        return f"{self.tpg.path}/luns/lun{self.index}"

    def __str__(self) -> str:
        return f"LUN {self.index} of {self.tpg}"


@dataclass(frozen=True)
class Portal:
    """A network portal: `address` is plain (IPv6 without brackets), as `names.address` gives it."""

    tpg: Tpg
    address: str
    port: int

    @property
    def name(self) -> str:
        """Return the name in the tree and in configfs, as `[::0]:3260`."""
        return f"{names.bracketed(self.address)}:{self.port}"

    @_kept
    def folder(self) -> str:
        """Return the portal's folder in configfs."""
        return _below(self.tpg.folder, "np", self.name)

    @_kept
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        return f"{self.tpg.path}/portals/{self.name}"

    def __str__(self) -> str:
        return f"portal {self.name} of {self.tpg}"


@dataclass(frozen=True)
class NodeAcl:
    """A node ACL: the initiator of that WWN may log in."""

    tpg: Tpg
    wwn: str

    @_kept
    def folder(self) -> str:
        """Return the ACL's folder in configfs."""
        return _below(self.tpg.folder, "acls", self.tpg.target.fabric.to_folder(self.wwn))

    @_kept
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        return f"{self.tpg.path}/acls/{self.wwn}"

    def __str__(self) -> str:
        return f"node ACL {self.wwn} of {self.tpg}"


@dataclass(frozen=True)
class MappedLun:
    """A mapped LUN: the number by which one initiator sees a LUN of the TPG."""

    acl: NodeAcl
    index: int

    @_kept
    def folder(self) -> str:
        """Return the mapped LUN's folder in configfs."""
        return _below(self.acl.folder, f"lun_{self.index}")

    @_kept
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        return f"{self.acl.path}/mapped_lun{self.index}"

    def __str__(self) -> str:
        return f"mapped LUN {self.index} of {self.acl}"


Place = FabricPlace | StorageObject | AluaGroup | Target | Tpg | Lun | Portal | NodeAcl | MappedLun
