# SPDX-License-Identifier: Apache-2.0
"""The host's IP addresses and TCP sockets, from the tables in /proc/net.

Addresses are spelt as `names.address` does.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping

from pyshell import names
from pyshell.host import Machine

_LISTENING, _ESTABLISHED = "0A", "01"
_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")
_IPV6_FIELDS = 6  # address, index, prefix length, scope, flags, interface


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
