# SPDX-License-Identifier: Apache-2.0
"""Identifiers of LIO's objects: each names one object of one target and its folder in configfs.

An identifier is a value. It does not say whether the object exists. `root` is the configfs folder
of the target that the object belongs to (`Lio.root`): the kernel's or a simulator's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from pyshell import names
from pyshell.errors import PyshellError
from pyshell.lio.fabrics import Fabric, fabric, known

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


def parents(path: str) -> Iterator[str]:
    """Yield the paths above a path, the nearest first, without `/`."""
    while path := path.rpartition("/")[0]:
        yield path


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
    return f"{names.bracketed(names.known_address(address))}:{port}"


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


@dataclass(frozen=True)
class Kind:
    """What pyshell knows about a kind of object.

    In its texts, `{place}` is the object's identifier.
    """

    noun: str
    """How messages call one."""
    rtslib_name: str
    """The name of rtslib's class, which its error messages contain."""
    parent: str = ""
    """The field of its identifier that holds the object above, "" if there is none."""
    label: str = ""
    """What distinguishes it, in messages, from others of its kind and parent."""
    folder: tuple[str, ...] = ()
    """Its folder in configfs, below the parent's."""
    path: str = ""
    """Its path in the tree, below the parent's."""
    groups: tuple[str, ...] = ()
    """Folders of settings below the object's folder, in the order in which to write them."""
    files: tuple[str, ...] = ()
    """Settings in the object's folder itself, in the order in which to write them."""
    rows: Mapping[str, str] = field(default_factory=dict)
    """The kind of rows in `attributes.json` that describe the settings, by folder."""
    missing: str = "No such {kind} in configfs: {place.folder}"
    """targetcli's error if the object does not exist."""
    exists: str = "This {kind} already exists in configFS"
    """targetcli's error if the object already exists."""


def core_folder(root: str) -> str:
    """Return the folder that holds the HBAs."""
    return f"{root}/core"


def _below(folder: str, *parts: str) -> str:
    """Return a path below a folder. Raises UsageError for a part that would lead elsewhere."""
    return "/".join((folder, *map(names.path_part, parts)))


class Identifier:
    """Names one object; `str` is what messages call it."""

    kind: ClassVar[Kind]

    @property
    def parent(self) -> Identifier | None:
        """Return the object that this one is created in; None for storage objects and targets."""
        return getattr(self, self.kind.parent) if self.kind.parent else None

    @property
    def _above(self) -> Identifier:
        assert self.parent is not None
        return self.parent

    @property
    def owner(self) -> str:
        """Return the backstore or fabric, on which defaults of settings depend."""
        return self._above.owner

    @cached_property
    def folder(self) -> str:
        """Return the object's folder in configfs."""
        parts = (part.format(place=self) for part in self.kind.folder)
        return _below(self._above.folder, *parts)

    @cached_property
    def path(self) -> str:
        """Return the path in pyshell's tree, which is also how a saved file names it."""
        return f"{self._above.path}/{self.kind.path.format(place=self)}"

    def __str__(self) -> str:
        text = f"{self.kind.noun} {self.kind.label.format(place=self)}"
        return f"{text} of {self.parent}" if self.parent else text


@dataclass(frozen=True)
class StorageObject(Identifier):
    """A storage object. `hba` is the number of its HBA, which only configfs knows."""

    kind = Kind(
        "storage object",
        "StorageObject",
        label="{place.plugin}/{place.name}",
        groups=("attrib", "wwn"),
        rows={"attrib": "storage_object", "wwn": "storage_object_wwn"},
        missing="No storage object named {place.name}.",
        exists="Storage object {place.plugin}/{place.name} exists",
    )
    plugin: str
    name: str
    hba: int
    root: str

    @property
    def owner(self) -> str:
        return self.plugin

    @property
    def hba_folder(self) -> str:
        """Return the folder of the HBA, which holds this one storage object."""
        return _below(core_folder(self.root), f"{HBA_PREFIX[self.plugin]}_{self.hba}")

    @cached_property
    def folder(self) -> str:
        return _below(self.hba_folder, self.name)

    @cached_property
    def path(self) -> str:
        return f"/backstores/{self.plugin}/{self.name}"


@dataclass(frozen=True)
class AluaGroup(Identifier):
    """An ALUA target port group of a storage object."""

    kind = Kind(
        "ALUA group",
        "ALUATargetPortGroup",
        parent="storage_object",
        label="{place.name}",
        folder=("alua", "{place.name}"),
        path="alua/{place.name}",
        # The state first: the kernel refuses it once the others do not support it, and waits for
        # the delays when it changes.
        files=(
            "alua_access_state",
            "alua_access_status",
            "alua_support_offline",
            "alua_support_standby",
            "alua_support_transitioning",
            "alua_support_active_nonoptimized",
            "alua_support_unavailable",
            "alua_support_active_optimized",
            "alua_access_type",
            "alua_write_metadata",
            "preferred",
            "nonop_delay_msecs",
            "trans_delay_msecs",
            "implicit_trans_secs",
        ),
        rows={"": "alua_group"},
        missing="Invalid ALUA group name",
    )
    storage_object: StorageObject
    name: str


@dataclass(frozen=True)
class FabricPlace(Identifier):
    """A fabric as an object with settings (discovery authentication, CPUs)."""

    kind = Kind("fabric", "FabricPlace", label="{place.fabric.name}")
    fabric: Fabric

    @property
    def owner(self) -> str:
        return self.fabric.name

    @cached_property
    def folder(self) -> str:
        return self.fabric.folder

    @cached_property
    def path(self) -> str:
        return f"/{self.fabric.name}"


@dataclass(frozen=True)
class Target(Identifier):
    """A target of a fabric, by its normalised WWN."""

    kind = Kind(
        "target",
        "Target",
        label="{place.wwn}",
        groups=("param",),
        rows={"param": "target_parameter"},
    )
    fabric_name: str
    wwn: str
    root: str

    @property
    def fabric(self) -> Fabric:
        """Return the fabric."""
        return fabric(self.fabric_name, self.root)

    @property
    def owner(self) -> str:
        return self.fabric_name

    @cached_property
    def folder(self) -> str:
        return _below(self.fabric.folder, self.fabric.to_folder(self.wwn))

    @cached_property
    def path(self) -> str:
        return f"/{self.fabric_name}/{self.wwn}"

    def is_named(self, wwn: str) -> bool:
        """Return whether a WWN, in any spelling, is that of the target."""
        return self.wwn == normal_wwn(self.fabric_name, wwn)


@dataclass(frozen=True)
class Tpg(Identifier):
    """A target portal group, by its tag."""

    kind = Kind(
        "TPG",
        "TPG",
        parent="target",
        label="{place.tag}",
        folder=("tpgt_{place.tag}",),
        groups=("attrib", "param", "auth"),
        rows={"attrib": "tpg", "param": "tpg_parameter"},
    )
    target: Target
    tag: int

    @cached_property
    def path(self) -> str:
        return tpg_path(self.target.fabric_name, self.target.path, self.tag)


@dataclass(frozen=True)
class Lun(Identifier):
    """A LUN of a TPG, by its number."""

    kind = Kind(
        "LUN",
        "LUN",
        parent="tpg",
        label="{place.index}",
        folder=("lun", "lun_{place.index}"),
        path="luns/lun{place.index}",
        missing="Invalid LUN",
    )
    tpg: Tpg
    index: int


@dataclass(frozen=True)
class Portal(Identifier):
    """A network portal: `address` is plain (IPv6 without brackets), as `names.address` gives it."""

    kind = Kind(
        "portal",
        "NetworkPortal",
        parent="tpg",
        label="{place.name}",
        folder=("np", "{place.name}"),
        path="portals/{place.name}",
        files=("iser", "cxgbit"),
    )
    tpg: Tpg
    address: str
    port: int

    @property
    def name(self) -> str:
        """Return the name in the tree and in configfs, as `[::0]:3260`."""
        return f"{names.bracketed(self.address)}:{self.port}"


@dataclass(frozen=True)
class NodeAcl(Identifier):
    """A node ACL: the initiator of that WWN may log in."""

    kind = Kind(
        "ACL",
        "NodeACL",
        parent="tpg",
        folder=("acls", "{place.configfs_name}"),
        path="acls/{place.wwn}",
        groups=("attrib", "param", "auth"),
        files=("cmdsn_depth", "tag"),
        rows={"": "node_acl_queue", "attrib": "node_acl"},
    )
    tpg: Tpg
    wwn: str

    @property
    def configfs_name(self) -> str:
        """Return the name of its folder."""
        return self.tpg.target.fabric.to_folder(self.wwn)

    def __str__(self) -> str:
        return f"node ACL {self.wwn} of {self.tpg}"


@dataclass(frozen=True)
class MappedLun(Identifier):
    """A mapped LUN: the number by which one initiator sees a LUN of the TPG."""

    kind = Kind(
        "mapped LUN",
        "MappedLUN",
        parent="acl",
        label="{place.index}",
        folder=("lun_{place.index}",),
        path="mapped_lun{place.index}",
        rows={"": "mapped_lun"},
    )
    acl: NodeAcl
    index: int


def link_name(*of: str) -> str:
    """Return ten hexadecimal digits for a link. rtslib's are random (field failure 52)."""
    import hashlib  # loads OpenSSL, which nothing else needs

    return hashlib.blake2b(os.fsencode("\0".join(of)), digest_size=5).hexdigest()
