# SPDX-License-Identifier: Apache-2.0
"""Rules of single fabrics: names, nexus, FireWire, FCoE; CHAP, ACLs and portals of iSCSI."""

from __future__ import annotations

import errno
import ipaddress
import re
from dataclasses import dataclass

from pyshell.expressions import expression
from pyshell.simulator import login_sessions
from pyshell.simulator.hardware import of_fabric
from pyshell.simulator.recorded import template
from pyshell.simulator.rules import (
    Rules,
    SimulatedKernel,
    TreePath,
    Write,
    number,
    recorded_value,
    refuse,
)

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
_COLONS = expression(r"[0-9a-f]{2}(:[0-9a-f]{2}){7}")
# libfc accepts more digits, up to 30 characters in all.
_MORE_DIGITS = expression(rf"{_COLONS.pattern}[0-9a-f]{{,7}}")
_TARGETS = {
    "fc": _MORE_DIGITS,
    "qla2xxx": _COLONS,
    "efct": _COLONS,
    "sbp": expression(r"[0-9a-fA-F]{16}"),
    "srpt": expression(r"0x[0-9a-f]{32}"),
    "usb_gadget": expression(r"naa\.[0-9a-f]{16}"),
}
_INITIATORS = {**_TARGETS, "srpt": expression(r"(0x)?([0-9a-fA-F]{2}){1,16}")}
# Fabrics whose driver checks that the port exists that a target is named after.
_NEED_A_PORT = ("qla2xxx", "efct", "srpt", "ibmvscsis")
# Fabrics that rtslib names differently from their folder in configfs.
FABRIC_OF_FOLDER = {"fc": "tcm_fc"}


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
        ports = of_fabric(kernel.machine.table().ports, fabric)
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
    kernel.tree.put(where.path, f"{status}\n")


_DIRECTORY = expression(r"\+?(?:0[xX])?([0-9a-fA-F]+)\n?\Z")
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
    kernel.tree.put(where.path, shown)


def _write_fc_name(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set a name: its last 16 digits are kept."""
    digits = text.removesuffix("\n")
    if len(digits) > _FC_NAME_MAX or not re.fullmatch(r"[0-9a-fA-F]*", digits):
        refuse(errno.EPERM)
    plain = digits.lower()[-16:].rjust(16, "0")
    shown = ":".join(re.findall("..", plain))
    kernel.tree.put(where.path, f"{shown}\n")


_SECRET_MAX = 255
_ACL_TAG_MAX = 63
_SECRETS = ("userid", "password", "userid_mutual", "password_mutual")
_MUTUAL = ("userid_mutual", "password_mutual")
_DEMO_MODE = "attrib/generate_node_acls"
_CACHE = "attrib/cache_dynamic_acls"
# What a new node ACL inherits from its TPG.
_INHERITED = {"cmdsn_depth": "default_cmdsn_depth", "attrib/default_erl": "default_erl"}


def _make_acl(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    """Create TPG/acls/INITIATOR; most fabrics accept any name and truncate it."""
    rel = f"{parent.owner}/acls/{name}"
    index = kernel.tree.count("acl_index")
    check_initiator(parent.variant, name)
    target = kernel.tree.facts("/".join(parent.parts[:2])).get("index", 0)
    values = {"initiator": name[:_IQN_MAX], "acl_index": index, "target_index": target}
    kernel.tree.grow(rel, template("acl", parent.variant), values)
    kernel.tree.remember(rel, {"index": index})
    if parent.variant == "iscsi":
        for inner, attribute in _INHERITED.items():
            text = kernel.tree.text(f"{parent.owner}/attrib/{attribute}")
            kernel.tree.put(f"{rel}/{inner}", text)
        login_sessions.take_over(kernel, parent.owner, name)


def _drop_acl(kernel: SimulatedKernel, where: TreePath) -> None:
    """End the session of the initiator whose ACL is removed.

    The kernel waits forever for one that is the TPG's own nexus; the simulator refuses.
    """
    nexus = f"{where.tpg}/nexus"
    if kernel.tree.exists(nexus) and kernel.tree.text(nexus).strip() == where.name:
        refuse(errno.EDEADLK)
    login_sessions.end(kernel, where.tpg, where.name)


def _write_depth(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set an ACL's queue depth; if it changes, the session ends and the initiator reconnects."""
    shown = recorded_value(kernel, where, text)
    if shown is not None and shown != kernel.tree.text(where.path):
        kernel.tree.put(where.path, shown)
        login_sessions.end(kernel, where.tpg, where.name)


def _write_iser(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Listen for iSER as well; the recorded kernel does so without hardware for it."""
    value = number(text)
    if value > 1:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{where.owner}/iser", f"{value}\n")


def _write_secret(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set a CHAP name or secret; a text that begins with NULL unsets it, and is shown.

    An initiator with both mutual ones authenticates the target as well.
    """
    kept = text.encode()[:_SECRET_MAX].decode(errors="surrogateescape")
    if kept != text and where.kind != "tpg":
        refuse(errno.EINVAL)
    kernel.tree.put(where.path, f"{kept}\n")
    folder, _, word = where.inner.rpartition("/")
    known = set(kernel.tree.facts(where.owner).get("secrets", [])) - {word}
    if not kept.startswith("NULL"):
        known.add(word)
    kernel.tree.update(where.owner, secrets=sorted(known))
    mutual = int(known.issuperset(_MUTUAL))
    kernel.tree.put(f"{where.owner}/{folder}/authenticate_target", f"{mutual}\n")


def _write_authentication(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set whether CHAP is required; the parameter AuthMethod changes with it."""
    shown = recorded_value(kernel, where, text) or ""
    kernel.tree.put(where.path, shown)
    methods = kernel.tree.text(f"{where.owner}/param/AuthMethod").strip().split(",")
    if shown == "1\n":
        methods = [method for method in methods if method != "None"] or ["CHAP"]
    elif "None" not in methods:
        methods.append("None")
    kernel.tree.put(f"{where.owner}/param/AuthMethod", ",".join(methods) + "\n")


def _write_demo_mode(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set demo mode, in which generated ACLs are cached."""
    shown = recorded_value(kernel, where, text) or ""
    kernel.tree.put(where.path, shown)
    if shown == "1\n":
        kernel.tree.put(f"{where.owner}/{_CACHE}", "1\n")


def _write_cache(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set whether generated ACLs are kept after logout; they always are in demo mode."""
    shown = recorded_value(kernel, where, text) or ""
    if shown == "1\n" or kernel.tree.text(f"{where.owner}/{_DEMO_MODE}") != "1\n":
        kernel.tree.put(where.path, shown)


def _write_tag(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the group that an ACL belongs to; a text that begins with NULL unsets it."""
    if len(text.encode()) > _ACL_TAG_MAX:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{where.owner}/tag", "" if text.startswith("NULL") else text)


def _write_cpus(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the processors that serve connections, as "0-2,5"."""
    chosen: set[int] = set()
    for part in text.strip().split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if part == "N":
            chosen.add(kernel.machine.table().cpus - 1)
        elif found:
            chosen.update(_cpu_range(kernel, int(found[1]), int(found[2] or found[1])))
        elif part:
            refuse(errno.EINVAL)
    kernel.tree.put(where.path, f"{_cpu_list(sorted(chosen))}\n")


def _cpu_range(kernel: SimulatedKernel, first: int, last: int) -> range:
    if last > 0xFFFFFFFF:
        refuse(errno.EOVERFLOW)
    if first > last or last == 0xFFFFFFFF:
        refuse(errno.EINVAL)
    if last >= kernel.machine.table().cpus:
        refuse(errno.ERANGE)
    return range(first, last + 1)


def _cpu_list(cpus: list[int]) -> str:
    runs: list[list[int]] = []
    for cpu in cpus:
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _write_affinity(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the processor that completes commands: its number, -1 for any, -2 for the current one."""
    value = number(text, "s32", errno.EINVAL)
    if not -2 <= value < kernel.machine.table().cpus:
        refuse(errno.EINVAL)
    kernel.tree.put(where.path, f"{value}\n")


_SECRET_FILES: dict[tuple[str, str], Write] = {
    (kind, f"{folder}/{word}"): _write_secret
    for kind, folder in (("tpg", "auth"), ("acl", "auth"), ("fabric", "discovery_auth"))
    for word in _SECRETS
}


_PORTALS = "portals"
_LEADING_ZEROS = expression(r"\b0+(?=[0-9])")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Endpoint:
    """The address and TCP port of a portal."""

    address: _Address
    port: int

    def __str__(self) -> str:
        return f"{self.address} {self.port}"

    def is_taken_for(self, open_now: Endpoint) -> bool:
        """Return whether the kernel takes this endpoint for a listener that is already open.

        It does not compare families: it compares an IPv6 address with the bytes after an IPv4 one,
        which are 0, and an IPv4 address with the flow label of an IPv6 one, which is 0, too. So
        `::` matches any IPv4 listener, `0.0.0.0` any IPv6 one.
        """
        if self.port != open_now.port:
            return False
        if self.address.version == open_now.address.version:
            return self.address == open_now.address
        return self.address.is_unspecified

    def cannot_be_bound_beside(self, open_now: Endpoint) -> bool:
        """Return whether a socket here is refused while another is open (bindv6only is 0)."""
        if self.port != open_now.port:
            return False
        one, other = _as_bound(self.address), _as_bound(open_now.address)
        if one.version == other.version:
            return one == other or one.is_unspecified or other.is_unspecified
        # The IPv6 wildcard listens for IPv4 as well.
        return any(a.version == 6 and a.is_unspecified for a in (one, other))


def _as_bound(address: _Address) -> _Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped if mapped is not None else address


def endpoint(name: str) -> Endpoint:
    """Read "ADDRESS:PORT", an IPv6 address in brackets; EINVAL for anything else.

    The kernel accepts zeros before an IPv4 octet, and the port in decimal, 0x or 0-octal.
    """
    _, bracket, inside = name.partition("[")
    if bracket:
        host, _, rest = inside.partition("]")
        port = rest.partition(":")[2]
    else:
        host, _, port = name.partition(":")
    try:
        address = ipaddress.ip_address(_LEADING_ZEROS.sub("", host) if not bracket else host)
    except ValueError:
        refuse(errno.EINVAL)
    if address.is_link_local and address.version == 6:
        refuse(errno.EINVAL)  # no interface is named
    return Endpoint(address, number(port, "u16", errno.EINVAL))


def _make_portal(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    """Create TPG/np/ADDRESS:PORT, which listens at once; targets may share a listener.

    The kernel's common code turns every error into EINVAL.
    """
    if parent.variant != "iscsi":
        refuse(errno.ENOSYS)
    new = endpoint(name)
    if new.address.version == 6 and not kernel.machine.table().ipv6:
        refuse(errno.EINVAL)
    open_now = kernel.tree.facts(_PORTALS)
    taken_for = [key for key in open_now if new.is_taken_for(_parsed(key))]
    if any(rel.split("/")[1] == parent.parts[1] for key in taken_for for rel in open_now[key]):
        refuse(errno.EINVAL)
    if not taken_for and any(new.cannot_be_bound_beside(_parsed(key)) for key in open_now):
        refuse(errno.EINVAL)
    listener = taken_for[0] if taken_for else str(new)
    rel = f"{parent.owner}/np/{name}"
    kernel.tree.grow(rel, template("portal", parent.variant), {})
    kernel.tree.remember(_PORTALS, {**open_now, listener: [*open_now.get(listener, []), rel]})
    _count_portals(kernel, rel, 1)


def _drop_portal(kernel: SimulatedKernel, where: TreePath) -> None:
    """Stop listening if no other target listens here."""
    open_now = kernel.tree.facts(_PORTALS)
    kept = {key: [rel for rel in rels if rel != where.owner] for key, rels in open_now.items()}
    kernel.tree.remember(_PORTALS, {key: rels for key, rels in kept.items() if rels})
    _count_portals(kernel, where.owner, -1)


def _count_portals(kernel: SimulatedKernel, rel: str, change: int) -> None:
    file = "/".join(rel.split("/")[:2]) + "/fabric_statistics/iscsi_instance/portals"
    kernel.tree.put(file, f"{int(kernel.tree.text(file)) + change}\n")


def _parsed(key: str) -> Endpoint:
    address, port = key.split()
    return Endpoint(ipaddress.ip_address(address), int(port))


RULES = Rules(
    makes={"acl": _make_acl, "portal": _make_portal},
    drops={"acl": _drop_acl, "portal": _drop_portal},
    writes={
        ("tpg", "nexus"): _write_nexus,
        ("tpg", "transport_status"): _write_transport_status,
        ("tpg", "directory_id"): _write_directory,
        ("acl", "node_name"): _write_fc_name,
        ("acl", "port_name"): _write_fc_name,
        **_SECRET_FILES,
        ("portal", "iser"): _write_iser,
        ("tpg", "attrib/authentication"): _write_authentication,
        ("tpg/iscsi", _DEMO_MODE): _write_demo_mode,
        ("tpg/iscsi", _CACHE): _write_cache,
        ("acl", "tag"): _write_tag,
        ("acl/iscsi", "cmdsn_depth"): _write_depth,
        ("fabric", "cpus_allowed_list"): _write_cpus,
        ("target", "param/cmd_completion_affinity"): _write_affinity,
    },
)
