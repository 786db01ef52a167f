# SPDX-License-Identifier: Apache-2.0
"""Rules of single fabrics: names of targets and initiators, nexus, FireWire and FCoE."""

from __future__ import annotations

import errno
import re

from pyshell.simulator.adapters import of_fabric
from pyshell.simulator.rules import Rules, SimulatedKernel, TreePath
from pyshell.simulator.value_rules import refuse

_IQN_MAX = 223
_TAG_MAX = 0xFFFF
_TAG_MAX_OF = {"loopback": 31, "vhost": 255}
# A target is a port as a whole, so it has one TPG.
_ONE_TPG = ("fc", "qla2xxx")
# Fabrics that emulate the transport that a target's or initiator's name begins with.
_TRANSPORTS = ("naa.", "fc.", "iqn.")
_WWN_KINDS = {
    "loopback": _TRANSPORTS,
    "vhost": _TRANSPORTS,
    "xen-pvscsi": _TRANSPORTS,
    "usb_gadget": ("naa.",),
}
_COLONS = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){7}")
# libfc accepts more digits, up to 30 characters in all.
_MORE_DIGITS = re.compile(rf"{_COLONS.pattern}[0-9a-f]{{,7}}")
_TARGETS = {
    "fc": _MORE_DIGITS,
    "qla2xxx": _COLONS,
    "efct": _COLONS,
    "sbp": re.compile(r"[0-9a-fA-F]{16}"),
    "srpt": re.compile(r"0x[0-9a-f]{32}"),
    "usb_gadget": re.compile(r"naa\.[0-9a-f]{16}"),
}
_INITIATORS = {**_TARGETS, "srpt": re.compile(r"(0x)?([0-9a-fA-F]{2}){1,16}")}
# Fabrics whose driver checks that the port exists that a target is named after.
_NEED_A_PORT = ("qla2xxx", "efct", "srpt", "ibmvscsis")
# Fabrics that rtslib names differently from their folder in configfs.
_FOLDERS = {"fc": "tcm_fc"}


def fabric_of(folder: str) -> str:
    """Return rtslib's name of the fabric in a folder of configfs."""
    return _FOLDERS.get(folder, folder)


def check_target(kernel: SimulatedKernel, fabric: str, name: str) -> None:
    """Refuse a name that is not valid for a target, or of a port that does not exist."""
    if wwn_kind(fabric, name) is None:
        refuse(errno.EINVAL)
    if fabric == "iscsi" and len(name.encode()) > _IQN_MAX:
        refuse(errno.EINVAL)
    if fabric in _TARGETS and not _TARGETS[fabric].fullmatch(name):
        refuse(errno.EINVAL)
    if fabric in _NEED_A_PORT:
        bare = name.removeprefix("0x").replace(":", "")
        ports = of_fabric(kernel.machine.ports, fabric)
        if not any(port.plain == bare and not port.initiator for port in ports):
            refuse(errno.EINVAL)


def check_initiator(fabric: str, name: str) -> None:
    """Refuse a name that the fabric cannot read."""
    form = _INITIATORS.get(fabric)
    if form is not None and not form.fullmatch(name):
        refuse(errno.EINVAL)


def wwn_kind(fabric: str, name: str) -> str | None:
    """Return the part of a name that selects the emulated transport; None if it has none."""
    return next((kind for kind in _WWN_KINDS.get(fabric, ("",)) if kind in name), None)


def tags(fabric: str) -> range:
    """Return the valid tags of TPGs."""
    if fabric in _ONE_TPG:
        return range(1, 2)
    return range(_TAG_MAX_OF.get(fabric, _TAG_MAX) + 1)


_NAME_MAX = 255
_IN_USE = {"loopback": errno.EPERM}


def _write_nexus(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the initiator, once; NULL removes it if no LUN uses it."""
    path = f"{where.owner}/nexus"
    if text.startswith("NULL"):
        if not kernel.tree.text(path):
            refuse(errno.ENODEV)
        if kernel.tree.facts(where.owner).get("ports"):
            refuse(_IN_USE.get(where.variant, errno.EBUSY))
        kernel.tree.put(path, "")
        return
    kind = wwn_kind(where.variant, text)
    if len(text) > _NAME_MAX or kind is None:
        refuse(errno.EINVAL)
    if kind != wwn_kind(where.variant, where.parts[1]):
        refuse(errno.EINVAL)
    if kernel.tree.text(path):
        refuse(errno.EEXIST)
    kernel.tree.put(path, text.removesuffix("\n") + "\n")
    kernel.tree.count("acl_index")  # the nexus has an ACL that is not shown


def _write_transport_status(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set whether the initiator sees its disks: online or offline."""
    status = next((word for word in ("online", "offline") if text.startswith(word)), None)
    if status is None:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{where.owner}/{where.inner}", f"{status}\n")


_DIRECTORY = re.compile(r"\+?(?:0[xX])?([0-9a-fA-F]+)\n?\Z")
_DIRECTORY_MAX = 0xFFFFFF
_FC_NAME_MAX = 30


def _write_directory(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the directory that FireWire initiators search for; with `implicit` the kernel does."""
    if kernel.tree.text(f"{where.owner}/enable") == "1\n":
        refuse(errno.EBUSY)
    shown = "implicit\n"
    if not text.startswith("implicit"):
        found = _DIRECTORY.match(text)
        value = int(found[1], 16) if found else -1
        if not 0 <= value <= _DIRECTORY_MAX:
            refuse(errno.EINVAL)
        shown = f"{value:06x}\n"
    kernel.tree.put(f"{where.owner}/{where.inner}", shown)


def _write_fc_name(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set a name: its last 16 digits are kept."""
    digits = text.removesuffix("\n")
    if len(digits) > _FC_NAME_MAX or not re.fullmatch(r"[0-9a-fA-F]*", digits):
        refuse(errno.EPERM)
    plain = digits.lower()[-16:].rjust(16, "0")
    shown = ":".join(re.findall("..", plain))
    kernel.tree.put(f"{where.owner}/{where.inner}", f"{shown}\n")


RULES = Rules(
    writes={
        ("tpg", "nexus"): _write_nexus,
        ("tpg", "transport_status"): _write_transport_status,
        ("tpg", "directory_id"): _write_directory,
        ("acl", "node_name"): _write_fc_name,
        ("acl", "port_name"): _write_fc_name,
    },
)
