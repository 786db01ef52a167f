# SPDX-License-Identifier: Apache-2.0
"""Portals that are none, that are there twice, or that stand in each other's way."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyshell.errors import UsageError
from pyshell.saved.checks.faults import Entry, Fault, error, refused
from pyshell.saved.positions import Place, json_path
from pyshell.target import names

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class Listening:
    """Where the portals of a file stood first: those of all targets, those of each."""

    first: dict[int, dict[_Address, Place]] = field(default_factory=dict)
    of_target: dict[tuple[Place, int, _Address], Place] = field(default_factory=dict)


def portal_faults(tpg: Entry, target: Place, listening: Listening) -> Iterator[Fault]:
    """Yield what is wrong with a TPG's portals, also beside those of the TPGs before it."""
    for portal in tpg.each("portals"):
        given, port = portal.text("ip_address"), portal.number("port")
        address: _Address | None = None
        if given is not None:
            try:
                address = ipaddress.ip_address(names.address(given))
            except UsageError as found:
                yield refused(portal.at("ip_address"), found)
        if port is not None and not 1 <= port <= 65535:
            yield error(portal.at("port"), f"{port} is not a TCP port", "It is 1 to 65535.")
        elif port is not None and address is not None:
            yield from _taken(portal, target, address, port, listening)


def _taken(
    portal: Entry, target: Place, address: _Address, port: int, listening: Listening
) -> Iterator[Fault]:
    name = _shown(address)
    before = listening.of_target.setdefault((target, port, address), portal.place)
    if before != portal.place:
        yield error(
            portal.place,
            f"portal {name}:{port} is there twice, first at {json_path(before)}",
            "The TPGs of a target cannot share one.",
        )
        return
    others = listening.first.setdefault(port, {})
    for other, place in others.items():
        if address not in others and _overlap(address, other):
            yield error(
                portal.place,
                f"portals {name}:{port} and {_shown(other)}:{port} at {json_path(place)} overlap",
                "A wildcard listens on all addresses.",
            )
            break
    others.setdefault(address, portal.place)


def _shown(address: _Address) -> str:
    return names.bracketed(names.address(str(address)))


def _overlap(one: _Address, other: _Address) -> bool:
    """Tell whether the kernel cannot listen on both; targets may share one and the same."""
    wildcards = [address for address in (one, other) if address.is_unspecified]
    # The IPv6 wildcard listens for IPv4 as well.
    return bool(wildcards) and (
        one.version == other.version or any(address.version == 6 for address in wildcards)
    )
