# SPDX-License-Identifier: Apache-2.0
"""Portals that are none, that are there twice, or that stand in each other's way."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyshell import names
from pyshell.config.lint.faults import Entry, Fault, error, refused, warning
from pyshell.config.positions import Place, json_path
from pyshell.errors import UsageError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class Listening:
    """Where the portals of a file stood first: by port, address and target."""

    first: dict[int, dict[_Address, dict[Place, Place]]] = field(default_factory=dict)
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
    for other, places in others.items():
        place = _in_the_way(address, other, target, places, known=address in others)
        if place is not None:
            yield error(
                portal.place,
                f"portals {name}:{port} and {_shown(other)}:{port} at {json_path(place)} overlap",
                "A wildcard listens on all addresses.",
            )
            break
    else:
        for other, places in others.items():
            if target not in places:
                yield from _in_place_of(portal, address, other, next(iter(places.values())))
    others.setdefault(address, {}).setdefault(target, portal.place)


def _in_the_way(
    address: _Address, other: _Address, target: Place, places: dict[Place, Place], *, known: bool
) -> Place | None:
    """Return where an address stands that cannot be listened on beside another, None if it can.

    `known` tells whether a target before this one listens on `address`: they share that.
    """
    if target in places and names.portals_exclude(str(address), str(other), same_target=True):
        return places[target]
    if not known and names.portals_exclude(str(address), str(other), same_target=False):
        return next(iter(places.values()))
    return None


def _in_place_of(
    portal: Entry, address: _Address, other: _Address, before: Place
) -> Iterator[Fault]:
    """Warn where the kernel would serve one of two targets' portals at the other's address only."""
    first, second = sorted((str(other), str(address)), key=names.portal_order)
    if names.portal_in_place_of(second, [first]) is not None:
        yield warning(
            portal.place,
            f"the kernel takes portals {_shown(address)} and {_shown(other)} at"
            f" {json_path(before)} for one: both targets are reached only at {first}",
            "Give each target the same portals.",
        )


def _shown(address: _Address) -> str:
    return names.bracketed(names.address(str(address)))
