# SPDX-License-Identifier: Apache-2.0
"""Addresses of portals that a cluster can move between nodes, and who else uses each."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from pyshell import names
from pyshell.config import document_file
from pyshell.config.document import Document, target_path
from pyshell.config.store import clustered
from pyshell.errors import PyshellError
from pyshell.lio import Lio, listing
from pyshell.lio.fabrics import fabric


def why_not_moved(address: str) -> str:
    """Return why a cluster cannot move an address in plain form, "" if it can."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        mapped = str(parsed.ipv4_mapped)
        return why_not_moved(mapped) or f"this is the IPv4 address {mapped} in the form of IPv6"
    if parsed.is_unspecified:
        return "these are all addresses of a node, and a cluster moves single ones"
    if parsed.is_loopback:
        return "this address never leaves a node"
    if parsed.is_link_local or "%" in address:
        return "a link-local address belongs to one interface of one node"
    if parsed.is_multicast or address == "255.255.255.255":
        return "this is not the address of one host"
    return ""


def other_users(lio: Lio, path: str, address: str) -> Iterator[str]:
    """Yield which other targets use an address: running ones, and those of a cluster's documents.

    `path` is that of the target itself. Documents that cannot be read are passed over.
    """
    for target in listing.all_targets(lio, "iscsi"):
        every = (portal for tpg in listing.tpgs(target) for portal in listing.portals(tpg))
        if target.path != path and any(listing.same_address(p.address, address) for p in every):
            yield f"the running {target.path}"
    try:
        files = clustered.files(lio.config_dir)
    except PyshellError:
        return
    for file in files:
        try:
            document = document_file.load(file)
        except PyshellError:
            continue
        for found in _targets_at(document, address):
            if found != path:
                yield f"{found} in {file}"


def obstacle(lio: Lio, path: str, address: str, port: int) -> str:
    """Return the portal of another running target that keeps the kernel from adding one, or ""."""
    found = {
        portal.address: portal.path
        for portal in listing.portals_at(fabric("iscsi", lio.root), port)
        if portal.tpg.target.path != path
    }
    taken = names.portal_obstacle(address, [], found)
    return found[taken] if taken is not None else ""


def _targets_at(document: Document, address: str) -> Iterator[str]:
    for target in document.get("targets", ()):
        every = (portal for tpg in target.get("tpgs", ()) for portal in tpg.get("portals", ()))
        if any(listing.same_address(one["ip_address"], address) for one in every):
            yield target_path(target)
