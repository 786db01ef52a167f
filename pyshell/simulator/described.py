# SPDX-License-Identifier: Apache-2.0
"""Fabrics that no test machine can bring up, as the kernel's source describes them.

Their targets want an adapter (qla2xxx, efct, ibmvscsis), a USB device controller (usb_gadget) or a
Xen domain (xen-pvscsi), so nobody could record them. All fabrics get LUNs, mapped LUNs and the
folders of targets and node ACLs from the same code of the kernel: those are taken from a fabric
that was recorded. What is a fabric's own, the files of its TPG and ACL, is listed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Raw = Mapping[str, Any]

_GROUPS = ("acls", "attrib", "auth", "lun", "np", "param")
_FLAG = {"parse": "number", "type": "u64", "accept": [[0, 1]]}
_PROTECTION = {"parse": "number", "type": "u64", "accept": [[0, 1], [3, 3]]}


def _file(text: str, rule: Raw | None = None, mode: str = "0644") -> Raw:
    return {"mode": mode, "text": text, **({"rule": rule} if rule else {})}


def _flags(**values: int) -> dict[str, Raw]:
    return {f"attrib/{name}": _file(f"{value}\n", _FLAG) for name, value in values.items()}


_ENABLE = {"enable": _file("0\n")}
_NEXUS: dict[str, Raw] = {"nexus": {"mode": "0644", "text": "", "errno": "ENODEV"}}
_DEMO_MODE = _flags(
    generate_node_acls=1,
    cache_dynamic_acls=1,
    demo_mode_write_protect=1,
    prod_mode_write_protect=0,
    demo_mode_login_only=1,
)
_DYNAMIC = {"dynamic_sessions": _file("", mode="0444")}
_TPG_FILES: Mapping[str, Mapping[str, Raw]] = {
    "qla2xxx": {
        **_ENABLE,
        **_DYNAMIC,
        **_DEMO_MODE,
        **_flags(jam_host=0),
        "attrib/fabric_prot_type": _file("0\n", _PROTECTION),
    },
    "efct": {**_ENABLE, **_DEMO_MODE, **_flags(session_deletion_wait=0)},
    "ibmvscsis": _ENABLE,
    "usb_gadget": {**_ENABLE, **_NEXUS},
    "xen-pvscsi": {**_NEXUS, "param/alias": _file("\n", {"parse": "text", "longest": 255})},
}
_VERSIONS = {
    "efct": "EFCT fabric module",
    "ibmvscsis": "IBM Virtual SCSI Target Driver v0.2",
    "qla2xxx": "TCM QLOGIC QLA2XXX NPIV capable fabric module",
    "usb_gadget": "usb-gadget fabric module v0.1",
    "xen-pvscsi": "xen-pvscsi fabric module v0.1",
}
# Which recorded fabric the rest is taken from: one whose LUNs and ACLs have no files of its own.
_LIKE = "vhost"


def group(kind: str, variant: str, recorded: Mapping[str, Raw]) -> Raw | None:
    """Return a described group in the form of the recording; None where there is none such."""
    if variant not in _TPG_FILES:
        return None
    if kind == "fabric":
        version = _file(f"{_VERSIONS[variant]}\n", mode="0444")
        return {"groups": ["discovery_auth"], "files": {"version": version}}
    if kind == "tpg":
        return {"groups": list(_GROUPS), "files": _TPG_FILES[variant]}
    like = recorded.get(f"{kind}/{_LIKE}")
    if like is None:
        return None
    text = json.dumps(like)
    for word in (f"scsiTransport{_LIKE}", f"{_LIKE}Port#"):
        text = text.replace(word, word.replace(_LIKE, variant))
    found: Raw = json.loads(text)
    return found
