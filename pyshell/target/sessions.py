# SPDX-License-Identifier: Apache-2.0
"""Who is logged in: sessions through node ACLs and, in demo mode, without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyshell.target import handles, listing
from pyshell.target.attach import Lio
from pyshell.target.kernel import text_or_none
from pyshell.target.places import NodeAcl, Tpg


@dataclass(frozen=True)
class Connection:
    """One connection of a session."""

    cid: int
    state: str
    address: str
    transport: str


@dataclass(frozen=True)
class Session:
    """A session of an initiator with a TPG.

    A dynamic session (demo mode, no ACL) has only its initiator's name: the kernel tells no more.
    """

    tpg: Tpg
    initiator: str
    acl: NodeAcl | None = None
    alias: str = ""
    sid: int | None = None
    kind: str = ""
    state: str = ""
    authenticated: bool | None = None
    connections: tuple[Connection, ...] = ()

    @property
    def dynamic(self) -> bool:
        """Tell whether the initiator came in without an ACL of its own."""
        return self.acl is None


def sessions(lio: Lio) -> Iterator[Session]:
    """Yield every open session of every fabric that tells of them."""
    for fabric in listing.fabrics_in_use():
        for target in listing.targets(fabric):
            for tpg in listing.tpgs(target):
                yield from of_tpg(lio, tpg)


def of_tpg(lio: Lio, tpg: Tpg) -> Iterator[Session]:
    """Yield the open sessions of one TPG."""
    explicit = set()
    for acl in listing.node_acls(tpg):
        found = of_acl(lio, acl)
        if found is not None:
            explicit.add(found.initiator)
            yield found
    listed = text_or_none(lio.kernel, f"{tpg.folder}/dynamic_sessions") or ""
    for name in listed.replace("\0", "\n").split():
        if name not in explicit:
            yield Session(tpg, name)


def of_acl(lio: Lio, acl: NodeAcl) -> Session | None:
    """Return the session of a node ACL's initiator, None where it is not logged in."""
    found = handles.node_acl(acl).session
    if not found:
        return None
    mutual = text_or_none(lio.kernel, f"{acl.folder}/auth/authenticate_target")
    return Session(
        acl.tpg,
        acl.wwn,
        acl,
        str(found.get("alias", "")),
        int(found["id"]),
        str(found.get("type", "")),
        str(found.get("state", "")),
        None if mutual is None else mutual == "1",
        tuple(
            Connection(
                int(connection["cid"]),
                str(connection["cstate"]),
                str(connection.get("address", "")),
                str(connection.get("transport", "")),
            )
            for connection in found.get("connections", ())
        ),
    )
