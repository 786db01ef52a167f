# SPDX-License-Identifier: Apache-2.0
"""The cluster resources that move a target between nodes: what Pacemaker is to start, and where.

The timeouts and intervals are those that each agent advertises.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyshell import names
from pyshell.commands.cluster import storage
from pyshell.commands.cluster.model import (
    LOCKS,
    Cluster,
    Colocation,
    Operation,
    Order,
    Resource,
)
from pyshell.config import cluster_devices
from pyshell.config.cluster_addresses import why_not_moved
from pyshell.errors import ConflictError, UsageError
from pyshell.expressions import expression
from pyshell.quoting import shell_word
from pyshell.text import unsafe_in

if TYPE_CHECKING:
    from pyshell.config.document import StorageObjectEntry, TargetEntry

CHECKSUM = "CHECKSUM"
STATE_DEVICE = "/dev/STATE_DEVICE"
"""Placeholders of what is not known."""
_WWN = expression(r"[a-z0-9.:-]+")
_NOT_IN_PATH = expression(r"""['"\\]""")
_NOT_IN_ID = expression(r"[^A-Za-z0-9_.-]+")


_PORTBLOCK = (
    "portblock of resource-agents before 4.17 never opens the port again with iptables 1.8.9",
    "(Debian 12): omit portblock=true there.",
)
_ONCE = "Omit this resource if the cluster has it for another target."


@dataclass(frozen=True)
class Request:
    """A target, its document, and what the user chooses."""

    wwn: str
    name: str
    """The part of the resources' names that is the target's."""
    document: str
    checksum: str | None
    """The SHA-256 of the document, None if there is none yet."""
    state_dir: str | None = None
    state_device: str | None = None
    lvm: str = cluster_devices.SYSTEM_ID
    portblock: bool = False


def name_of(text: str) -> str:
    """Return the part of a WWN or of a file's name that can be part of an XML identifier."""
    return _NOT_IN_ID.sub("-", text.partition(":")[2] or text).strip("-.") or "target"


def checked_path(text: str, what: str) -> str:
    """Return an absolute path that both shells can be given. Raises UsageError."""
    if not text.startswith("/"):
        raise UsageError(f"{what} {text} is not an absolute path.", "It must be that of each node.")
    if _NOT_IN_PATH.search(text) or unsafe_in(text):
        raise UsageError(f"{what} {text} contains a quote, backslash or control character.")
    path = os.path.normpath(f"/{text.lstrip('/')}")
    if path == "/":
        raise UsageError(f"{what} {text} is the root folder.", "Give one below it.")
    return path


def cluster_of(
    request: Request,
    target: TargetEntry,
    storage_objects: Sequence[StorageObjectEntry],
    kind_of: Callable[[str], str],
) -> Cluster:
    """Return the resources of a target. Raises PyshellError if it cannot be moved.

    `kind_of` returns what a device is, "" if this host does not know.
    """
    if not _WWN.fullmatch(request.wwn):
        raise ConflictError(
            f"The resource agent does not accept the name {request.wwn}.",
            "Only ASCII letters, digits, '.', ':' and '-' are allowed in it.",
        )
    found = storage.Devices(request.lvm, kind_of)
    for one in storage_objects:
        found.add_object(one, request.state_dir)
    if request.state_device is not None:
        found.add(request.state_device)
    stored = [_storage(each) for each in found.sources]
    zfs = any(each.kind == cluster_devices.ZFS for each in found.sources)
    members = [*_state(request, zfs=zfs), *_served(request, target)]
    locks = list(_locks()) if any(each.lock for each in found.sources) else []
    _refuse_equal_names([*locks, *stored, *members])
    group = f"export-{request.name}"
    colocations, orders = _constraints(group, stored, locks)
    return Cluster(
        name=request.name,
        target=request.wwn,
        document=request.document,
        checksum=request.checksum,
        locks=locks,
        storage=stored,
        group=group,
        members=members,
        colocations=colocations,
        orders=orders,
        unknown=found.unknown,
        visible=found.visible,
        about=list(_about(request, zfs=zfs)),
    )


def _about(request: Request, *, zfs: bool) -> Iterator[str]:
    if request.portblock:
        yield from _PORTBLOCK
    if zfs and request.state_dir is not None and request.state_device is None:
        yield f"state_dir: {shell_word(request.state_dir)} must be the mountpoint of a file system"
        yield "of the pool, with sync=always. It is mounted when the pool is imported."


def _refuse_equal_names(every: Sequence[Resource]) -> None:
    seen: set[str] = set()
    for one in every:
        if one.id in seen:
            raise ConflictError(
                f"Two resources would be named {one.id}.",
                "Their names differ only in characters that a cluster's names cannot have.",
            )
        seen.add(one.id)


def _once(name: str, timeout: str) -> Operation:
    return Operation(name, {"interval": "0s", "timeout": timeout})


def _monitor(interval: str, timeout: str, **more: str) -> Operation:
    return Operation("monitor", {"interval": interval, "timeout": timeout, **more})


def _storage(source: cluster_devices.Source) -> Resource:
    identifier = _NOT_IN_ID.sub("-", f"{source.kind}-{'-'.join(source.names)}")
    make = {cluster_devices.DRBD: _drbd, cluster_devices.ZFS: _pool, cluster_devices.LVM: _volumes}[
        source.kind
    ]
    return make(identifier, source)


def _drbd(identifier: str, source: cluster_devices.Source) -> Resource:
    operations = [
        *(_once(name, "90s") for name in ("demote", "notify", "promote")),
        _once("start", "240s"),
        _once("stop", "100s"),
        _monitor("29s", "20s", role="Promoted"),
        _monitor("31s", "20s", role="Unpromoted"),
    ]
    about = (
        "DRBD needs 'fencing resource-and-stonith' and the handler crm-fence-peer, and must not be",
        f"started at boot. {_ONCE}",
    )
    parameters = {"drbd_resource": source.names[0]}
    return Resource(identifier, "ocf:linbit:drbd", parameters, operations, about, promotable=True)


def _pool(identifier: str, source: cluster_devices.Source) -> Resource:
    operations = [_once("start", "60s"), _once("stop", "60s"), _monitor("5s", "30s")]
    about = (f"The pool moves as a whole, with all targets on it. {_ONCE}",)
    return Resource(identifier, "ocf:heartbeat:ZFS", {"pool": source.names[0]}, operations, about)


def _volumes(identifier: str, source: cluster_devices.Source) -> Resource:
    operations = [_once("start", "90s"), _once("stop", "90s"), _monitor("30s", "90s")]
    about: tuple[str, ...] = (
        f"The volume group moves as a whole, with all targets on it. {_ONCE}",
        "It needs a system ID: lvm.conf has system_id_source=uname.",
    )
    if source.lock:
        about = ("Create the volume group with 'vgcreate --shared'.",)
    parameters = {
        **dict(zip(("vgname", "lvname"), source.names, strict=False)),
        "vg_access_mode": cluster_devices.LVMLOCKD if source.lock else cluster_devices.SYSTEM_ID,
        "activation_mode": "exclusive",
    }
    return Resource(identifier, "ocf:heartbeat:LVM-activate", parameters, operations, about)


def _locks() -> Iterator[Resource]:
    monitor = _monitor("30s", "20s", **{"on-fail": "fence"})
    operations = [_once("start", "90s"), _once("stop", "100s"), monitor]
    about = ("Once per cluster: omit these two if it has them.",)
    yield Resource("dlm", "ocf:pacemaker:controld", {}, operations, about)
    yield Resource("lvmlockd", "ocf:heartbeat:lvmlockd", {}, operations)


def _state(request: Request, *, zfs: bool) -> Iterator[Resource]:
    """Yield the file system for persistent reservations, unless a pool mounts it."""
    if request.state_dir is None or (zfs and request.state_device is None):
        return
    device = request.state_device or STATE_DEVICE
    parameters = {
        "device": device,
        "directory": request.state_dir,
        "fstype": "ext4",
        "options": "sync",  # the kernel writes reservations without a flush
    }
    operations = [_once("start", "60s"), _once("stop", "60s"), _monitor("20s", "40s")]
    edit = (
        f"replace {STATE_DEVICE} by the device of the file system that is mounted there, such as"
        " another volume of the DRBD resource"
    )
    yield Resource(
        f"state-{request.name}",
        "ocf:heartbeat:Filesystem",
        parameters,
        operations,
        ("Change fstype if the file system is another.",),
        "" if request.state_device else edit,
    )


def _served(request: Request, target: TargetEntry) -> Iterator[Resource]:
    """Yield the target and its addresses, in the order in which they start."""
    ports = _ports(target, request.wwn)
    name = request.name
    named = {
        address: name if number == 1 else f"{name}-{number}"
        for number, address in enumerate(ports, 1)
    }
    addresses = [_address(named[address], address) for address in ports]
    if not request.portblock:
        # The kernel lets a portal listen on an address that the node does not have yet.
        yield _target(request)
        yield from addresses
        return
    v6 = [address for address in ports if ":" in address]
    if v6:
        raise ConflictError(
            f"{request.wwn} has the IPv6 address {v6[0]}: portblock of resource-agents before 4.18"
            " blocks IPv4 only.",
            "Omit portblock=true.",
        )
    yield from (_portblock("block", named[one], one, ports[one]) for one in ports)
    yield from addresses
    yield _target(request)
    yield from (_portblock("unblock", named[one], one, ports[one]) for one in ports)


def _ports(target: TargetEntry, wwn: str) -> dict[str, list[int]]:
    """Return the ports of each address. Raises ConflictError for what a cluster cannot move."""
    found: dict[str, list[int]] = {}
    for portal in (one for tpg in target.get("tpgs", ()) for one in tpg.get("portals", ())):
        address, port = names.address(portal["ip_address"]), names.port_number(str(portal["port"]))
        shown = f"{wwn} listens on {names.bracketed(address)}:{port}"
        if portal.get("iser") or portal.get("offload"):
            raise ConflictError(
                f"{shown} by iSER or offload: such a portal cannot be created before its address,"
                " and portblock does not block it."
            )
        why = why_not_moved(address)
        if why:
            raise ConflictError(
                f"{shown}: {why}.", "Give the target a portal with an address of the cluster."
            )
        found.setdefault(address, [])
        if port not in found[address]:
            found[address].append(port)
    if not found:
        raise ConflictError(
            f"{wwn} has no portal.", "Give the target a portal with an address of the cluster."
        )
    return found


def _address(name: str, address: str) -> Resource:
    operations = [_once("start", "20s"), _once("stop", "20s"), _monitor("10s", "20s")]
    about = ("Without nic and cidr_netmask: the interface that has an address of this network.",)
    parameters = {"ip": address}
    if ipaddress.ip_address(address).version == 4:
        # A frozen node that wakes up before its reset announces the address as its own.
        parameters["arp_count_refresh"] = "1"
    return Resource(f"ip-{name}", "ocf:heartbeat:IPaddr2", parameters, operations, about)


def _portblock(action: str, name: str, address: str, ports: Sequence[int]) -> Resource:
    parameters = {
        "action": action,
        "ip": address,
        "portno": ",".join(map(str, ports)),
        "protocol": "tcp",
    }
    operations = [_once("start", "20s"), _once("stop", "20s"), _monitor("10s", "10s")]
    return Resource(f"{action}-{name}", "ocf:heartbeat:portblock", parameters, operations)


def _target(request: Request) -> Resource:
    checksum = request.checksum or CHECKSUM
    parameters = {"target": request.wwn, "document": request.document, "checksum": checksum}
    about: tuple[str, ...] = ()
    if request.state_dir is not None:
        parameters["state_dir"] = request.state_dir
    else:
        about = ("Without state_dir, persistent reservations do not reach the other node.",)
    operations = [
        *(_once(action, "90s") for action in ("reload-agent", "start", "stop")),
        _monitor("10s", "20s"),
        _monitor("300s", "60s", OCF_CHECK_LEVEL="10"),
    ]
    edit = f"replace {CHECKSUM} by what 'sha256sum' prints for the document on every node"
    return Resource(
        f"target-{request.name}",
        "ocf:pyshell:Target",
        parameters,
        operations,
        about,
        "" if request.checksum else edit,
    )


def _constraints(
    group: str, stored: Sequence[Resource], locks: Sequence[Resource]
) -> tuple[list[Colocation], list[Order]]:
    """Return what keeps all storage on one node, and the group on it, started last."""
    colocations: list[Colocation] = []
    orders: list[Order] = []

    def together(resource: str, role: str, other: str, other_role: str) -> None:
        identifier = f"{resource}-with-{other}"
        colocations.append(Colocation(identifier, resource, role, other, other_role))

    def after(first: str, action: str, then: str) -> None:
        orders.append(Order(f"{first}-before-{then}", first, action, then, "start"))

    for each in stored if locks else ():
        if each.parameters.get("vg_access_mode") == cluster_devices.LVMLOCKD:
            together(each.whole, each.role, f"{LOCKS}-clone", "")
            after(f"{LOCKS}-clone", "start", each.whole)
    for each in stored[1:]:
        together(each.whole, each.role, stored[0].whole, stored[0].role)
    for each in stored:
        together(group, "", each.whole, each.role)
        after(each.whole, "promote" if each.promotable else "start", group)
    return colocations, orders
