# SPDX-License-Identifier: Apache-2.0
"""Which names the fabrics take for targets, TPGs and initiators; all but these are EINVAL."""

from __future__ import annotations

import errno
import re

from pyshell.simulator.hardware import of_fabric
from pyshell.simulator.kernel import Kernel
from pyshell.simulator.refusal import refuse

_IQN_MAX = 223
_TAG_MAX = 0xFFFF
_TAG_MAX_OF = {"loopback": 31, "vhost": 255}
# These stand for a port as a whole, and so have one TPG.
_ONE_TPG = ("fc", "qla2xxx")
# Fabrics that tell by a target's or initiator's name which transport they stand for.
_TRANSPORTS = ("naa.", "fc.", "iqn.")
_WWN_KINDS = {
    "loopback": _TRANSPORTS,
    "vhost": _TRANSPORTS,
    "xen-pvscsi": _TRANSPORTS,
    "usb_gadget": ("naa.",),
}
_COLONS = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){7}")
# A name of libfc's may have more digits, up to 30 characters in all.
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
# Where the driver itself looks for the port that a target is named after.
_NEED_A_PORT = ("qla2xxx", "efct", "srpt", "ibmvscsis")
# Fabrics whose folder in configfs has another name than rtslib gives them.
_FOLDERS = {"fc": "tcm_fc"}


def fabric_of(folder: str) -> str:
    """Return rtslib's name of the fabric in a folder of configfs."""
    return _FOLDERS.get(folder, folder)


def check_target(kernel: Kernel, fabric: str, name: str) -> None:
    """Refuse a name that is none for a target, or of a port that is not there."""
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
    """Return the kind of name by which a fabric tells what to emulate; None where it is none."""
    return next((kind for kind in _WWN_KINDS.get(fabric, ("",)) if kind in name), None)


def tags(fabric: str) -> range:
    """Return the tags that a TPG may have."""
    if fabric in _ONE_TPG:
        return range(1, 2)
    return range(_TAG_MAX_OF.get(fabric, _TAG_MAX) + 1)
