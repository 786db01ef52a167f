# SPDX-License-Identifier: Apache-2.0
"""Whether initiators reach the portals: the host has the address, and listens there."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.doctor.findings import Finding, error, pyshell, tpgs, unseen
from pyshell.host import inquiry
from pyshell.lio import listing
from pyshell.lio.attach import Lio


def check(lio: Lio) -> Iterator[Finding]:
    """Yield portals that cannot be reached."""
    portals = [portal for tpg in tpgs(of="iscsi") for portal in listing.portals(tpg)]
    if not portals:
        return
    present, open_at = inquiry.addresses(lio.machine), inquiry.listening(lio.machine)
    about = [portal.path for portal in portals]
    if present is None:
        yield unseen("addresses", "the host's addresses cannot be read from /proc/net", *about)
    if open_at is None:
        yield unseen("listening", "where the host listens cannot be read from /proc/net", *about)
    for portal in portals:
        address = inquiry.spelt(portal.address)
        folder = f"{portal.tpg.path}/portals"
        words = (portal.address, str(portal.port))
        if present is not None and not listing.is_wildcard(address) and address not in present:
            yield error(
                portal.path,
                f"this host has no address {portal.address}: nobody reaches the portal. Give the"
                " host that address again, or listen on another one",
                choices=[pyshell(lio, folder, "create", "ADDRESS", str(portal.port))],
            )
        elif open_at is not None and (address, portal.port) not in open_at:
            yield error(
                portal.path,
                f"nothing listens at TCP port {portal.port} of it: nobody can log in there",
                choices=[
                    f"{pyshell(lio, folder, 'delete', *words)}"
                    f" && {pyshell(lio, folder, 'create', *words)}"
                ],
            )
