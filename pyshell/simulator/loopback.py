# SPDX-License-Identifier: Apache-2.0
"""The fabrics whose TPG has a nexus, the initiator that it stands for: loopback, vhost and kin."""

from __future__ import annotations

import errno

from pyshell.simulator import names
from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.refusal import refuse

_NAME_MAX = 255
_IN_USE = {"loopback": errno.EPERM}


def write_nexus(kernel: Kernel, place: Place, text: str) -> None:
    """Name the initiator, once; NULL takes it away again, where no LUN holds it."""
    path = f"{place.owner}/nexus"
    if text.startswith("NULL"):
        if not kernel.tree.text(path):
            refuse(errno.ENODEV)
        if kernel.tree.facts(place.owner).get("ports"):
            refuse(_IN_USE.get(place.variant, errno.EBUSY))
        kernel.tree.put(path, "")
        return
    kind = names.wwn_kind(place.variant, text)
    if len(text) > _NAME_MAX or kind is None:
        refuse(errno.EINVAL)
    if kind != names.wwn_kind(place.variant, place.parts[1]):
        refuse(errno.EINVAL)
    if kernel.tree.text(path):
        refuse(errno.EEXIST)
    kernel.tree.put(path, text.removesuffix("\n") + "\n")
    kernel.tree.count("acl_index")  # the nexus is let in by an ACL that nobody sees


def write_transport_status(kernel: Kernel, place: Place, text: str) -> None:
    """Let the initiator see its disks, or not."""
    status = next((word for word in ("online", "offline") if text.startswith(word)), None)
    if status is None:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{status}\n")


RULES = Rules(
    writes={
        ("tpg", "nexus"): write_nexus,
        ("tpg", "transport_status"): write_transport_status,
    },
)
