# SPDX-License-Identifier: Apache-2.0
"""What rules of the simulated kernel are and work on: paths, states of objects, the tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pyshell.simulator.hardware import Hardware
from pyshell.simulator.recorded import Template, template
from pyshell.simulator.tree_files import TreeFiles

# The kind of group that mkdir creates, by kind of object and default group in it.
_MADE_IN = {
    ("root", ""): "fabric",
    ("root", "core"): "hba",
    ("root", "core/alua/lu_gps"): "lu_gp",
    ("hba", ""): "device",
    ("device", "alua"): "tg_pt_gp",
    ("fabric", ""): "target",
    ("target", ""): "tpg",
    ("tpg", "lun"): "lun",
    ("tpg", "np"): "portal",
    ("tpg", "acls"): "acl",
    ("acl", ""): "mapped",
}
_IN_TPG = {"lun": "lun", "np": "portal", "acls": "acl"}
_HBA_FILES = ("hba_info", "hba_mode")
_FABRIC_NAMES = ("version", "lio_version", "discovery_auth", "cpus_allowed_list")


@dataclass(frozen=True)
class TreePath:
    """A path below the target tree: `owner` is the path of its object, `inner` the rest.

    `kind` is root, lu_gp, hba, device, tg_pt_gp, fabric, target, tpg, lun, portal, acl or mapped;
    `variant` the backstore plugin ("iblock") or the fabric ("iscsi") that the object belongs to.
    """

    kind: str
    variant: str
    owner: str
    inner: str

    @property
    def name(self) -> str:
        """The object's own folder name."""
        return self.owner.rpartition("/")[2]

    @property
    def parts(self) -> tuple[str, ...]:
        """The names from the tree's root to the object."""
        return tuple(self.owner.split("/")) if self.owner else ()

    @property
    def template(self) -> Template:
        """What the recorded kernel creates for such an object."""
        return template(self.kind, self.variant)

    @property
    def makes(self) -> str | None:
        """The kind of object that mkdir creates here; None if it is refused."""
        return _MADE_IN.get((self.kind, self.inner))

    @property
    def slots(self) -> tuple[str, ...]:
        """The default groups of the object in which other objects are created."""
        return tuple(inner for kind, inner in _MADE_IN if kind == self.kind)


def locate(rel: str) -> TreePath:
    """Return the object of `rel`, a path relative to the tree's root, by its names alone."""
    parts = rel.split("/") if rel else []
    kind, depth = _core(parts) if parts[:1] == ["core"] else _fabric(parts)
    variant = ""
    if kind in ("hba", "device", "tg_pt_gp"):
        variant = parts[1].rpartition("_")[0]
    elif kind not in ("root", "lu_gp"):
        variant = parts[0]
    return TreePath(kind, variant, "/".join(parts[:depth]), "/".join(parts[depth:]))


def _core(parts: list[str]) -> tuple[str, int]:
    if len(parts) == 1 or parts[1] == "alua":
        return ("lu_gp", 4) if len(parts) >= 4 and parts[2] == "lu_gps" else ("root", 0)
    if len(parts) == 2 or parts[2] in _HBA_FILES:
        return "hba", 2
    return ("tg_pt_gp", 5) if len(parts) >= 5 and parts[3] == "alua" else ("device", 3)


def _fabric(parts: list[str]) -> tuple[str, int]:
    if not parts or parts[0] in ("version", "dbroot"):
        return "root", 0
    if len(parts) == 1 or parts[1] in _FABRIC_NAMES:
        return "fabric", 1
    if len(parts) == 2 or not parts[2].startswith("tpgt_"):
        return "target", 2
    if len(parts) < 5 or parts[3] not in _IN_TPG:
        return "tpg", 3
    kind = _IN_TPG[parts[3]]
    if kind == "acl" and len(parts) >= 6 and parts[5].startswith("lun_"):
        return "mapped", 6
    return kind, 5


@dataclass(frozen=True)
class SimulatedKernel:
    """The tree and the hardware of a simulated kernel."""

    tree: TreeFiles
    machine: Hardware


# mkdir: the folder, which has no such name yet, and the name.
Make = Callable[[SimulatedKernel, TreePath, str], None]
# What happens before an object is removed.
Drop = Callable[[SimulatedKernel, TreePath], None]
# A write to a file; the text is as written.
Write = Callable[[SimulatedKernel, TreePath, str], None]
# A link: the object in which it is created, its path, and the object it leads to.
Link = Callable[[SimulatedKernel, TreePath, str, TreePath], None]
# A removed link: its object and its path.
Unlink = Callable[[SimulatedKernel, TreePath, str], None]


@dataclass(frozen=True)
class Rules:
    """The rules of one part of the kernel, by kind of object; `writes` by kind and file.

    A kind of `writes` can be that of one variant ("device/user"), which takes precedence.
    """

    makes: Mapping[str, Make] = field(default_factory=dict)
    drops: Mapping[str, Drop] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    unlinks: Mapping[str, Unlink] = field(default_factory=dict)
    writes: Mapping[tuple[str, str], Write] = field(default_factory=dict)


NEW = "new"


def state_of(kernel: SimulatedKernel, where: TreePath) -> str:
    """Return the object's state, by its name in `recorded.json`."""
    facts = kernel.tree.facts(where.owner)
    if where.kind == "device":
        if facts.get("links"):
            return "exported"
        return "enabled" if facts.get("enabled") else NEW
    if where.kind in ("lun", "mapped"):
        return "linked" if facts.get("leads_to") and not facts.get("is_cut") else NEW
    if where.kind in ("tg_pt_gp", "lu_gp"):
        file = f"{where.owner}/{where.kind}_id"
        return "numbered" if kernel.tree.text(file) else NEW
    return NEW
