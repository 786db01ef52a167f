# SPDX-License-Identifier: Apache-2.0
"""The host's IP addresses, routes and TCP sockets, from the tables in /proc/net.

Addresses are spelt as `names.address` does.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyshell import names
from pyshell.expressions import expression
from pyshell.host import Machine

_LISTENING, _ESTABLISHED = "0A", "01"
_LOCAL = expression(r"\|-- (\S+)\n\s+/32 host LOCAL")
_IPV6_FIELDS = 6  # address, index, prefix length, scope, flags, interface
_REJECTS = 0x200  # RTF_REJECT: a route of type unreachable, prohibit or blackhole


def addresses(machine: Machine) -> dict[str, str] | None:
    """Return the host's addresses, None if they cannot be read.

    IPv6 addresses come with their interface, IPv4 addresses with "".
    """
    four = machine.text("/proc/net/fib_trie")
    if not four:
        return None
    found = dict.fromkeys(_LOCAL.findall(four), "")
    for line in machine.text("/proc/net/if_inet6").splitlines():
        fields = line.split()
        if len(fields) == _IPV6_FIELDS:
            address = ipaddress.IPv6Address(bytes.fromhex(fields[0]))
            found[names.address(str(address))] = fields[5]
    return found


def for_portals(found: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses that a portal can have, those of the loopback interface last.

    Link-local addresses are left out: a portal cannot name the interface that they need.
    """
    parsed = {address: ipaddress.ip_address(address) for address in found}
    usable = (
        address for address, one in parsed.items() if not (one.is_link_local and one.version == 6)
    )
    return {
        address: found[address]
        for address in sorted(usable, key=lambda one: (parsed[one].is_loopback, one, found[one]))
    }


def spelt(address: str) -> str:
    """Return a portal's address as `addresses` and `listening` spell it, without an IPv6 zone."""
    return names.known_address(address.partition("%")[0])


@dataclass(frozen=True)
class Route:
    """How the host sends packets to an address: `interface` is "" if it cannot."""

    interface: str
    gateway: str = ""
    """The next router, "" if there is none."""


def route(machine: Machine, address: str) -> Route | None:
    """Return the route to an address, None if that is unknown.

    `ip` applies all rules of the kernel. Without it, the main tables decide.
    """
    mine = addresses(machine)
    if mine is not None and spelt(address) in mine:
        return Route("lo")
    told = machine.ask("ip", "-json", "route", "get", address)
    try:
        if told is not None:
            first: Any = json.loads(told)[0]
            return Route(str(first["dev"]), str(first.get("gateway", "")))
        return _by_tables(machine, ipaddress.ip_address(address.partition("%")[0]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


_Row = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, int, Route]
"""A network, its metric, and the route to it."""


def _by_tables(
    machine: Machine, wanted: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> Route | None:
    """Return the route to an address by the main table. Raises ValueError if it is not readable."""
    table = machine.text("/proc/net/route" if wanted.version == 4 else "/proc/net/ipv6_route")
    if not table:
        return None
    rows = _routes_v4(table) if wanted.version == 4 else _routes_v6(table)
    # Of routes to the same network, the kernel uses that with the lowest metric.
    fitting = sorted(
        (row for row in rows if wanted in row[0]), key=lambda row: (-row[0].prefixlen, row[1])
    )
    return fitting[0][2] if fitting else Route("")


def _routes_v4(table: str) -> Iterator[_Row]:
    for line in table.splitlines()[1:]:
        interface, to, gateway, flags, _, _, metric, mask = line.split()[:8]
        network = ipaddress.IPv4Network((_address(to), _address(mask)))
        by = _address(gateway) if int(gateway, 16) else ""
        usable = not int(flags, 16) & _REJECTS
        yield network, int(metric), Route(interface, by) if usable else Route("")


def _routes_v6(table: str) -> Iterator[_Row]:
    for line in table.splitlines():
        to, length, _, _, gateway, metric, _, _, flags, interface = line.split()
        network = ipaddress.IPv6Network((bytes.fromhex(to), int(length, 16)))
        by = str(ipaddress.IPv6Address(bytes.fromhex(gateway))) if int(gateway, 16) else ""
        usable = not int(flags, 16) & _REJECTS
        yield network, int(metric, 16), Route(interface, by) if usable else Route("")


def listening(machine: Machine) -> frozenset[tuple[str, int]] | None:
    """Return the addresses and TCP ports that the host listens at, None if unknown."""
    table = _sockets(machine)
    if table is None:
        return None
    return frozenset(_endpoint(local) for local, _, state in table if state == _LISTENING)


def connections(machine: Machine) -> list[tuple[int, str]]:
    """Return the host's TCP connections: its own port, and the address at the other end."""
    return [
        (_endpoint(local)[1], _endpoint(remote)[0])
        for local, remote, state in _sockets(machine) or ()
        if state == _ESTABLISHED
    ]


def _sockets(machine: Machine) -> list[tuple[str, str, str]] | None:
    """Return the host's TCP sockets: both ends and the state, as the kernel writes them."""
    four = machine.text("/proc/net/tcp")
    if not four:
        return None
    six = machine.text("/proc/net/tcp6")
    rows = [line.split() for line in (*four.splitlines()[1:], *six.splitlines()[1:])]
    return [(row[1], row[2], row[3]) for row in rows if len(row) > 3]


def _endpoint(text: str) -> tuple[str, int]:
    digits, port = text.split(":")
    return _address(digits), int(port, 16)


def _address(digits: str) -> str:
    """Read an address as the kernel prints it: words of the machine's own byte order."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return names.address(str(ipaddress.ip_address(packed)))
