# SPDX-License-Identifier: Apache-2.0
"""Sessions as targetcli's lines and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyshell.target import listing
from pyshell.target.attach import Lio
from pyshell.target.kernel import text_or_none
from pyshell.target.sessions import Session

_INDENT = "    "


def session_lines(lio: Lio, session: Session, *, detail: bool) -> Iterator[str]:
    """Yield a session's lines, as targetcli writes them; a dynamic one is marked as such."""
    if session.dynamic:
        yield (
            f"alias: -\tsid: - type: Normal session-state: LOGGED_IN (dynamic: {session.initiator})"
        )
        if detail:
            yield f"{_INDENT}name: {session.initiator} (no node ACL: the kernel tells no more)"
        return
    yield (
        f"alias: {session.alias}\tsid: {session.sid} type: {session.kind}"
        f" session-state: {session.state}"
    )
    if not detail:
        return
    proven = "authenticated" if session.authenticated else "NOT AUTHENTICATED"
    yield f"{_INDENT}name: {session.initiator} ({proven})"
    for mapped in _mapped(lio, session):
        yield (
            f"{_INDENT}mapped-lun: {mapped['index']} backstore: {mapped['storage_object']}"
            f" mode: {mapped['mode']}"
        )
    for connection in session.connections:
        yield (
            f"{_INDENT}address: {connection.address} ({connection.transport})"
            f"  cid: {connection.cid} connection-state: {connection.state}"
        )


def session_data(lio: Lio, session: Session) -> dict[str, Any]:
    """Return a session as data."""
    return {
        "target": session.tpg.target.wwn,
        "tpg": session.tpg.tag,
        "initiator": session.initiator,
        "dynamic": session.dynamic,
        "alias": session.alias,
        "sid": session.sid,
        "type": session.kind,
        "state": session.state,
        "authenticated": session.authenticated,
        "mapped_luns": list(_mapped(lio, session)),
        "connections": [
            {"cid": c.cid, "state": c.state, "address": c.address, "transport": c.transport}
            for c in session.connections
        ],
    }


def _mapped(lio: Lio, session: Session) -> Iterator[dict[str, Any]]:
    if session.acl is None:
        return
    for mapped in listing.mapped_luns(session.acl):
        lun = listing.lun_of(mapped)
        exported = listing.storage_object_of(lun) if lun else None
        protected = text_or_none(lio.kernel, f"{mapped.folder}/write_protect") == "1"
        yield {
            "index": mapped.index,
            "storage_object": f"{exported.plugin}/{exported.name}" if exported else "?",
            "mode": "r" if protected else "rw",
        }
