# SPDX-License-Identifier: Apache-2.0
"""iSCSI portals: which texts are addresses, and which addresses stand in each other's way."""

from __future__ import annotations

import errno
import ipaddress
import re
from dataclasses import dataclass

from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.recorded import template
from pyshell.simulator.refusal import refuse
from pyshell.simulator.values import number

_PORTALS = "portals"
_LEADING_ZEROS = re.compile(r"\b0+(?=[0-9])")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Endpoint:
    """What a portal listens on."""

    address: _Address
    port: int

    def __str__(self) -> str:
        return f"{self.address} {self.port}"

    def is_taken_for(self, open_now: Endpoint) -> bool:
        """Tell whether the kernel takes this one for a listener that is open already.

        It compares no families: the bytes of an IPv6 address with those that follow an IPv4 one,
        which are 0, and an IPv4 address with the flow label of an IPv6 one, which is 0, too. So
        `::` passes for any IPv4 listener, `0.0.0.0` for any IPv6 one.
        """
        if self.port != open_now.port:
            return False
        if self.address.version == open_now.address.version:
            return self.address == open_now.address
        return self.address.is_unspecified

    def cannot_be_bound_beside(self, open_now: Endpoint) -> bool:
        """Tell whether a socket here is refused while another is open (bindv6only is 0)."""
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

    The kernel takes zeros before an IPv4 octet, and the port in decimal, 0x or 0-octal.
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


def make_portal(kernel: Kernel, parent: Place, name: str) -> None:
    """Make TPG/np/ADDRESS:PORT, which listens at once; targets may share a listener.

    The common code tells every refusal as EINVAL.
    """
    if parent.variant != "iscsi":
        refuse(errno.ENOSYS)
    new = endpoint(name)
    if new.address.version == 6 and not kernel.machine.ipv6:
        refuse(errno.EINVAL)
    open_now = kernel.tree.facts(_PORTALS)
    taken_for = [key for key in open_now if new.is_taken_for(_parsed(key))]
    if any(_target_of(rel) == parent.parts[1] for key in taken_for for rel in open_now[key]):
        refuse(errno.EINVAL)
    if not taken_for and any(new.cannot_be_bound_beside(_parsed(key)) for key in open_now):
        refuse(errno.EINVAL)
    listener = taken_for[0] if taken_for else str(new)
    rel = f"{parent.owner}/np/{name}"
    kernel.tree.grow(rel, template("portal", parent.variant), {})
    kernel.tree.remember(_PORTALS, {**open_now, listener: [*open_now.get(listener, []), rel]})
    _count(kernel, rel, 1)


def drop_portal(kernel: Kernel, place: Place) -> None:
    """Stop listening, where no other target does so here."""
    open_now = kernel.tree.facts(_PORTALS)
    kept = {key: [rel for rel in rels if rel != place.owner] for key, rels in open_now.items()}
    kernel.tree.remember(_PORTALS, {key: rels for key, rels in kept.items() if rels})
    _count(kernel, place.owner, -1)


def _count(kernel: Kernel, rel: str, change: int) -> None:
    file = "/".join(rel.split("/")[:2]) + "/fabric_statistics/iscsi_instance/portals"
    kernel.tree.put(file, f"{int(kernel.tree.text(file)) + change}\n")


def _target_of(rel: str) -> str:
    return rel.split("/")[1]


def _parsed(key: str) -> Endpoint:
    address, port = key.split()
    return Endpoint(ipaddress.ip_address(address), int(port))


RULES = Rules(makes={"portal": make_portal}, drops={"portal": drop_portal})
