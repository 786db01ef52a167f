# SPDX-License-Identifier: Apache-2.0
"""What only FireWire and Fibre Channel over Ethernet have: names written as bare digits."""

from __future__ import annotations

import errno
import re

from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.refusal import refuse

_DIRECTORY = re.compile(r"\+?(?:0[xX])?([0-9a-fA-F]+)\n?\Z")
_DIRECTORY_MAX = 0xFFFFFF
_FC_NAME_MAX = 30


def write_directory(kernel: Kernel, place: Place, text: str) -> None:
    """Set the directory that FireWire initiators look for; `implicit` leaves it to the kernel."""
    if kernel.tree.text(f"{place.owner}/enable") == "1\n":
        refuse(errno.EBUSY)
    shown = "implicit\n"
    if not text.startswith("implicit"):
        found = _DIRECTORY.match(text)
        value = int(found[1], 16) if found else -1
        if not 0 <= value <= _DIRECTORY_MAX:
            refuse(errno.EINVAL)
        shown = f"{value:06x}\n"
    kernel.tree.put(f"{place.owner}/{place.inner}", shown)


def write_fc_name(kernel: Kernel, place: Place, text: str) -> None:
    """Keep the last 16 digits of a name, of which the rest are zeros."""
    digits = text.removesuffix("\n")
    if len(digits) > _FC_NAME_MAX or not re.fullmatch(r"[0-9a-fA-F]*", digits):
        refuse(errno.EPERM)
    plain = digits.lower()[-16:].rjust(16, "0")
    shown = ":".join(re.findall("..", plain))
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{shown}\n")


RULES = Rules(
    writes={
        ("tpg", "directory_id"): write_directory,
        ("acl", "node_name"): write_fc_name,
        ("acl", "port_name"): write_fc_name,
    },
)
