# SPDX-License-Identifier: Apache-2.0
"""What configfs leaves out of iSCSI sessions and the host tells: since when, from where.

Each connection has a thread of the kernel's, as old as the connection, and a TCP connection to a
portal. Neither names its session, so they are told only where there is but one way to match them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pyshell.host import inquiry
from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.sessions import Session

_THREAD = "iscsi_trx"
_START = 19
"""The place of a thread's start in /proc/PID/stat, counted behind its name."""


def traced(lio: Lio, sessions: Sequence[Session]) -> list[Session]:
    """Return all open sessions with what can be told of their age and origin."""
    own = [s for s in sessions if s.tpg.target.fabric_name == "iscsi"]
    if not own:
        return list(sessions)
    ages = _ages(lio, own)
    return [
        replace(s, since=ages.get(id(s)), origin=_origin(lio, s, own)) if s in own else s
        for s in sessions
    ]


def _ages(lio: Lio, own: Sequence[Session]) -> dict[int, float]:
    """Return the start of each session: threads and a TPG's numbers both are in order of login."""
    started = sorted(_thread_starts(lio))
    ordered = len({s.tpg for s in own}) == 1 and all(s.sid is not None for s in own)
    if len(started) != len(own) or (len(own) > 1 and not ordered):
        return {}
    in_order = sorted(own, key=lambda s: s.sid or 0)
    return {id(session): start for session, start in zip(in_order, started, strict=True)}


def _thread_starts(lio: Lio) -> list[float]:
    """Return when each connection's thread began, as Unix time."""
    proc = lio.machine.host_file("/proc")
    uptime = _text(proc / "uptime").split()
    if not uptime:
        return []
    booted = time.time() - float(uptime[0])
    tick = os.sysconf("SC_CLK_TCK")
    found = []
    for comm in proc.glob("[0-9]*/comm"):
        if _text(comm).strip() == _THREAD:
            fields = _text(comm.with_name("stat")).rpartition(")")[2].split()
            if len(fields) > _START:
                found.append(booted + int(fields[_START]) / tick)
    return found


def _origin(lio: Lio, session: Session, own: Sequence[Session]) -> str:
    """Return the address that a session comes from, "" where it cannot be told."""
    if session.connections:
        return session.connections[0].address
    ports = {portal.port for portal in listing.portals(session.tpg)}
    at_same = [s for s in own if ports & {p.port for p in listing.portals(s.tpg)}]
    known = [c.address for s in at_same for c in s.connections]
    if sum(not s.connections for s in at_same) != 1:
        return ""
    peers = [peer for port, peer in inquiry.connections(lio.machine) if port in ports]
    for address in known:
        if address in peers:
            peers.remove(address)
    return peers[0] if len(peers) == 1 else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
