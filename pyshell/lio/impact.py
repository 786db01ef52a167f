# SPDX-License-Identifier: Apache-2.0
"""Whom a change cuts off: the sessions that an operation ends, or whose disk it takes away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import Lun
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import DeleteLun, UnmapLun
from pyshell.lio.sessions import Session, sessions


def cut_by(operation: Operation, among: Sequence[Session]) -> list[Session]:
    """Return the sessions that an operation ends or takes a disk from."""
    whose = operation.disconnects
    found = [s for s in among if whose is not None and whose in (s.acl, s.tpg)]
    if isinstance(operation, DeleteLun):
        return [s for s in found if _sees(s, operation.place)]
    return found


def _sees(session: Session, lun: Lun) -> bool:
    """Return whether a session has a LUN: one without ACL has all of its TPG."""
    if session.acl is None:
        return True
    return any(listing.lun_of(mapped) == lun for mapped in listing.mapped_luns(session.acl))


def cut(lio: Lio, operations: Sequence[Operation]) -> list[str]:
    """Return the names of initiators whose sessions a list of operations cuts, sorted."""
    return sorted({session.initiator for session in cut_sessions(lio, operations)})


def cut_sessions(lio: Lio, operations: Sequence[Operation]) -> list[Session]:
    """Return the sessions that a list of operations cuts, each once, as they are listed."""
    if not any(operation.disconnects for operation in operations):
        return []
    among = list(sessions(lio))
    found = [session for operation in operations for session in cut_by(operation, among)]
    return [session for session in among if session in found]


@dataclass(frozen=True)
class Disturbed:
    """A session that operations end, or one that goes on and loses a disk."""

    session: Session
    ended: bool

    def told(self, end: str, take: str) -> str:
        """Return what happens to it, with the verbs as "Would terminate" and "Would take"."""
        if self.ended:
            return f"{end} the session of {self.session}."
        return f"{take} a disk from {self.session}."


def disturbed(lio: Lio, operations: Sequence[Operation]) -> list[Disturbed]:
    """Return the sessions that operations end or take a disk from, each once.

    A session goes on when a LUN or a mapping is removed.
    """
    every = cut_sessions(lio, operations)
    if not every:
        return []
    taking = (DeleteLun, UnmapLun)
    ended = cut_sessions(lio, [one for one in operations if not isinstance(one, taking)])
    return [Disturbed(session, session in ended) for session in every]


def cut_by_each(lio: Lio, operations: Sequence[Operation]) -> list[list[str]]:
    """Return for each operation the names of initiators whose sessions it cuts, sorted."""
    if not any(operation.disconnects for operation in operations):
        return [[] for _ in operations]  # nothing is read where nothing can be cut
    among = list(sessions(lio))
    return [
        sorted({s.initiator for s in cut_by(operation, among)}) if operation.disconnects else []
        for operation in operations
    ]
