# SPDX-License-Identifier: Apache-2.0
"""The configurations that are measured: so many targets with so many LUNs and ACLs each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SIZE = 1 << 20
PORT = 3260


@dataclass(frozen=True)
class Shape:
    """`targets` targets of one TPG each, with `luns` ramdisk LUNs, each mapped in `acls` ACLs."""

    luns: int
    targets: int = 1
    acls: int = 2

    @property
    def name(self) -> str:
        """Return its name in the tables."""
        return f"N={self.luns}" if self.targets == 1 else f"{self.targets} x {self.luns}"

    def wwn(self, target: int) -> str:
        """Return the name of a target."""
        return f"iqn.2020-07.com.example:t{target}"

    def initiator(self, acl: int) -> str:
        """Return the name of an initiator."""
        return f"iqn.2020-07.com.example:i{acl}"

    def disk(self, target: int, lun: int) -> str:
        """Return the name of a storage object."""
        return f"disk{target * self.luns + lun}"

    def port(self, target: int) -> int:
        """Return the port on which a target listens: its own, as one can serve one TPG only."""
        return PORT + target

    def document(self) -> dict[str, Any]:
        """Return the shape as rtslib saves it; what it leaves out has the kernel's defaults."""
        return {
            "fabric_modules": [],
            "storage_objects": [
                {
                    "name": self.disk(t, n),
                    "plugin": "ramdisk",
                    "size": SIZE,
                    "nullio": True,
                    "wwn": serial(t * self.luns + n),
                }
                for t in range(self.targets)
                for n in range(self.luns)
            ],
            "targets": [self._target(t) for t in range(self.targets)],
        }

    def _target(self, target: int) -> dict[str, Any]:
        luns = [
            {
                "index": n,
                "storage_object": f"/backstores/ramdisk/{self.disk(target, n)}",
                "alias": alias("lun", n),
            }
            for n in range(self.luns)
        ]
        mapped = [
            {"index": n, "tpg_lun": n, "write_protect": False, "alias": alias("map", n)}
            for n in range(self.luns)
        ]
        acls = [
            {"node_wwn": self.initiator(acl), "mapped_luns": mapped} for acl in range(self.acls)
        ]
        portals = [{"ip_address": "127.0.0.1", "port": self.port(target), "iser": False}]
        tpg = {"tag": 1, "enable": True, "luns": luns, "portals": portals, "node_acls": acls}
        return {"fabric": "iscsi", "wwn": self.wwn(target), "tpgs": [tpg]}


def serial(number: int) -> str:
    """Return a unit serial number, the same whoever builds the shape."""
    return f"00000000-0000-4000-8000-{number:012x}"


def alias(kind: str, number: int) -> str:
    """Return the name of a link."""
    return f"{kind}{number:07x}"


def shape_of(text: str) -> Shape:
    """Read a shape: LUNS or TARGETSxLUNS."""
    targets, by, luns = text.rpartition("x")
    return Shape(int(luns), int(targets) if by else 1)
