# SPDX-License-Identifier: Apache-2.0
"""The fabrics that rtslib knows: their features, WWN forms and whether this kernel offers them."""

from __future__ import annotations

import functools
import os
from typing import Any

import rtslib_fb
from rtslib_fb.fabric import fabric_modules as rtslib_fabrics

from pyshell.errors import NotFoundError, UsageError
from pyshell.target import names

# Where the module that provides a fabric has another name today than rtslib loads it by.
_MODULE_FILES = {"vhost": "vhost_scsi", "xen-pvscsi": "xen_scsiback", "ibmvscsis": "ibmvscsis"}
# Entries of a fabric's folder that are no targets (rtslib's list, and whatever is no folder).
NOT_TARGETS = frozenset(rtslib_fb.fabric.target_names_excludes)


class Fabric:
    """One fabric: `iscsi`, `loopback`, `vhost` …"""

    def __init__(self, name: str) -> None:
        self.name = name
        # A plain description until something is created: making one loads no module.
        self.module: Any = rtslib_fb.FabricModule(name)
        self.wwn_kinds: tuple[str, ...] = tuple(self.module.wwn_types)

    @property
    def folder(self) -> str:
        """Return the configfs folder, which exists once the fabric is in use."""
        return str(self.module.path)

    def has(self, feature: str) -> bool:
        """Tell whether the fabric has `acls`, `auth`, `nps`, `tpgts`, `nexus` …"""
        return bool(self.module.has_feature(feature))

    def hardware_wwns(self) -> list[str] | None:
        """Return the WWNs of the hardware there is; None where the fabric needs none."""
        found = self.module.wwns
        return None if found is None else list(found)

    def normalise(self, wwn: str) -> names.Normalised:
        """Check a WWN of this fabric. Raises UsageError."""
        return names.wwn(wwn, self.wwn_kinds)

    def new_wwn(self) -> str:
        """Return a WWN drawn by rtslib; where the host's name spoils it, one with a plain name."""
        kind = self.wwn_kinds[0]
        drawn = str(rtslib_fb.utils.generate_wwn(kind))
        try:
            return self.normalise(drawn).wwn
        except UsageError:
            return f"iqn.2003-01.org.linux-iscsi.localhost:{drawn.rpartition(':')[2]}"

    def to_folder(self, wwn: str) -> str:
        """Return the name by which configfs knows a (normalised) WWN."""
        return str(self.module.to_fabric_wwn(wwn))

    def from_folder(self, name: str) -> str:
        """Return the WWN that a folder's name stands for."""
        return str(self.module.from_fabric_wwn(name))


@functools.cache
def _fabric(name: str, root: str) -> Fabric:
    return Fabric(name)


def fabric(name: str) -> Fabric:
    """Return the fabric called `name`. Raises NotFoundError."""
    if name not in rtslib_fabrics:
        raise NotFoundError(f"There is no fabric '{name}'.", "Known: " + ", ".join(known()) + ".")
    # rtslib fixes the folder when the object is made, so each configfs has its own.
    return _fabric(name, str(rtslib_fb.node.CFSNode.configfs_dir))


def known() -> list[str]:
    """Return the names of all fabrics that rtslib knows, sorted."""
    return sorted(rtslib_fabrics)


def loadable(release: str | None = None, modules: str = "/lib/modules") -> frozenset[str]:
    """Return the names of fabrics whose module the running kernel has, built in or to be loaded.

    Reads `modules.dep` and `modules.builtin` once; loads nothing.
    """
    folder = f"{modules}/{release or os.uname().release}"
    present = ""
    for index in ("modules.dep", "modules.builtin"):
        try:
            with open(f"{folder}/{index}", encoding="utf-8") as file:
                present += file.read()
        except OSError:
            continue
    present = present.replace("-", "_")
    found = set()
    for name, maker in rtslib_fabrics.items():
        module = _MODULE_FILES.get(name) or str(maker().kernel_module)
        if f"/{module.replace('-', '_')}.ko" in present:
            found.add(name)
    return frozenset(found)
