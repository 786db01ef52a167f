# SPDX-License-Identifier: Apache-2.0
"""Which object of the target tree a path lies in, judged by its names alone."""

from __future__ import annotations

from dataclasses import dataclass

from pyshell.simulator.recorded import Template, template

# Which kind of group a mkdir makes, by the kind of object and the default group it happens in.
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
class Place:
    """A path below the target tree: `owner` is the object it lies in, `inner` where in it.

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
        """What the recorded kernel makes for such an object."""
        return template(self.kind, self.variant)

    @property
    def makes(self) -> str | None:
        """Which kind of object a mkdir at this place makes; None where it makes none."""
        return _MADE_IN.get((self.kind, self.inner))

    @property
    def slots(self) -> tuple[str, ...]:
        """The default groups of the object in which other objects are made."""
        return tuple(inner for kind, inner in _MADE_IN if kind == self.kind)


def locate(rel: str) -> Place:
    """Find the place of `rel`, a path relative to the tree's root; it need not exist."""
    parts = rel.split("/") if rel else []
    kind, depth = _core(parts) if parts[:1] == ["core"] else _fabric(parts)
    variant = ""
    if kind in ("hba", "device", "tg_pt_gp"):
        variant = parts[1].rpartition("_")[0]
    elif kind not in ("root", "lu_gp"):
        variant = parts[0]
    return Place(kind, variant, "/".join(parts[:depth]), "/".join(parts[depth:]))


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
