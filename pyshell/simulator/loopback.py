# SPDX-License-Identifier: Apache-2.0
"""The fabrics whose TPG has a nexus, the initiator it stands for: loopback and its kin."""

from __future__ import annotations

import errno

from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.refusal import refuse

_NAME_MAX = 255


def write_nexus(kernel: Kernel, place: Place, text: str) -> None:
    """Name the initiator, once; NULL takes it away again."""
    path = f"{place.owner}/nexus"
    name = text.removesuffix("\n")
    if name.startswith("NULL"):
        if not kernel.tree.text(path):
            refuse(errno.ENODEV)
        kernel.tree.put(path, "")
        return
    if len(text) > _NAME_MAX or not name.startswith("naa."):
        refuse(errno.EINVAL)
    if kernel.tree.text(path):
        refuse(errno.EEXIST)
    kernel.tree.put(path, f"{name}\n")


RULES = Rules(writes={("tpg", "nexus"): write_nexus})
