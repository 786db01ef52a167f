# SPDX-License-Identifier: Apache-2.0
"""Sessions as targetcli's lines and as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from pyshell.config.store.state import local, utc
from pyshell.lio.attach import Lio
from pyshell.lio.sessions import NEXUS, SeenLun, Session, luns_of
from pyshell.tree.results import Table

_INDENT = "    "


def session_lines(lio: Lio, session: Session, *, detail: bool, compat: bool) -> Iterator[str]:
    """Yield a session's lines as targetcli writes them, and unless in `compat`, who it is."""
    yield _head(session) + _who(session, compat)
    if not detail:
        return
    yield f"{_INDENT}name: {session.initiator} ({_proof(session, compat)})"
    for seen in luns_of(lio, session):
        yield (
            f"{_INDENT}mapped-lun: {seen.index} backstore: {_backstore(seen)} mode: {_mode(seen)}"
        )
    for connection in session.connections:
        yield (
            f"{_INDENT}address: {connection.address} ({connection.transport})"
            f"  cid: {connection.cid} connection-state: {connection.state}"
        )
    if not compat and not session.connections and session.origin:
        yield f"{_INDENT}address: {session.origin} (TCP)"
    if not compat and session.since is not None:
        yield f"{_INDENT}since: {local(_since(session) or '')}"


def session_table(lio: Lio, sessions: Sequence[Session]) -> Table:
    """Return sessions as a table for a terminal."""
    rows = []
    for one in sessions:
        addresses = dict.fromkeys(c.address for c in one.connections if c.address)
        rows.append(
            (
                one.initiator,
                f"{one.tpg.target.wwn}/tpg{one.tpg.tag}",
                _state(one),
                ", ".join(addresses) or one.origin,
                local(_since(one) or ""),
                "" if one.sid is None else str(one.sid),
                str(len(list(luns_of(lio, one)))),
            )
        )
    return Table(("Initiator", "Target", "State", "Address", "Since", "SID", "LUNs"), rows)


def _state(session: Session) -> str:
    state = session.state or "LOGGED_IN"
    if session.dynamic:
        return f"{state} (no ACL)"
    return f"{session.tpg.target.fabric_name}: {state}" if session.kind == NEXUS else state


def _head(session: Session) -> str:
    if session.dynamic:
        return "alias: -\tsid: - type: Normal session-state: LOGGED_IN"
    if session.kind == NEXUS:
        return f"alias: -\tsid: - type: {NEXUS} session-state: {session.state}"
    alias = session.alias or ("" if session.connections else "-")
    sid = "-" if session.sid is None else session.sid
    kind, state = session.kind or "-", session.state or "-"
    return f"alias: {alias}\tsid: {sid} type: {kind} session-state: {state}"


def _who(session: Session, compat: bool) -> str:
    """Return what follows targetcli's line, which has nothing where there is no ACL."""
    told = session.initiator if compat else str(session)
    if session.dynamic:
        return f" (dynamic: {told})"
    if session.kind == NEXUS:
        return f" ({session.tpg.target.fabric_name}: {told})"
    return "" if compat else f" ({told})"


def _proof(session: Session, compat: bool) -> str:
    if session.dynamic:
        return "no node ACL: the kernel reports only the name"
    if session.kind == NEXUS:
        return "the only initiator that there can be"
    if compat:  # targetcli looks whether the target has to prove itself to the initiator.
        return "authenticated" if session.mutual else "NOT AUTHENTICATED"
    if session.authenticated is None:
        return "the fabric asks for no proof"
    return "authenticated" if session.authenticated else "no CHAP is asked of it"


def session_data(lio: Lio, session: Session) -> dict[str, Any]:
    """Return a session as data."""
    return {
        "fabric": session.tpg.target.fabric_name,
        "target": session.tpg.target.wwn,
        "tpg": session.tpg.tag,
        "initiator": session.initiator,
        "dynamic": session.dynamic,
        "alias": session.alias,
        "sid": session.sid,
        "type": session.kind,
        "state": session.state,
        "address": session.origin or None,
        "since": _since(session),
        "authenticated": session.authenticated,
        "mapped_luns": [
            {"index": seen.index, "storage_object": _backstore(seen), "mode": _mode(seen)}
            for seen in luns_of(lio, session)
        ],
        "connections": [
            {"cid": c.cid, "state": c.state, "address": c.address, "transport": c.transport}
            for c in session.connections
        ],
    }


def _since(session: Session) -> str | None:
    if session.since is None:
        return None
    return utc(datetime.fromtimestamp(session.since, timezone.utc))


def _backstore(seen: SeenLun) -> str:
    found = seen.storage_object
    return f"{found.plugin}/{found.name}" if found else "?"


def _mode(seen: SeenLun) -> str:
    return "r" if seen.read_only else "rw"
