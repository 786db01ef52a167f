# SPDX-License-Identifier: Apache-2.0
"""Whom a change cuts off: the sessions that an operation ends, or whose disk it takes away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import Lun, NodeAcl, Portal, Tpg
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import DeleteLun, DeleteNodeAcl, UnmapLun
from pyshell.lio.operations.setters import Set, SetEnabled
from pyshell.lio.operations.targets import DeletePortal, DeleteTpg
from pyshell.lio.sessions import Session, sessions


def cut_by(operation: Operation, among: Sequence[Session]) -> list[Session]:
    """Return the sessions that an operation cuts.

    A portal's are not known, as the kernel tells no session's portal: deleting the last one of a
    TPG, or any that is not the only one, may cut all of that TPG.
    """
    if isinstance(operation, UnmapLun | DeleteNodeAcl):
        acl = operation.place.acl if isinstance(operation, UnmapLun) else operation.place
        return [s for s in among if s.acl == acl]
    if isinstance(operation, DeleteLun):
        return [s for s in among if s.tpg == operation.place.tpg and _sees(s, operation.place)]
    if isinstance(operation, Set):
        return _cut_by_setting(operation, among)
    tpg: Tpg | None = None
    if isinstance(operation, DeletePortal | DeleteTpg):
        tpg = operation.place.tpg if isinstance(operation, DeletePortal) else operation.place
    elif isinstance(operation, SetEnabled) and not operation.enabled:
        tpg = operation.tpg
    return [s for s in among if s.tpg == tpg]


def _cut_by_setting(operation: Set, among: Sequence[Session]) -> list[Session]:
    """Return the sessions that a setting terminates: an ACL's queue depth, a portal's transport."""
    place = operation.place
    if isinstance(place, NodeAcl) and operation.file == "cmdsn_depth":
        return [s for s in among if s.acl == place]
    if isinstance(place, Portal) and operation.value == "0":
        return [s for s in among if s.tpg == place.tpg]
    return []


def _sees(session: Session, lun: Lun) -> bool:
    """Tell whether a session has a LUN: one without ACL has all of its TPG."""
    if session.acl is None:
        return True
    return any(listing.lun_of(mapped) == lun for mapped in listing.mapped_luns(session.acl))


def cut(lio: Lio, operations: Sequence[Operation]) -> list[str]:
    """Return the names of initiators whose sessions a list of operations cuts, sorted."""
    return sorted({session.initiator for session in cut_sessions(lio, operations)})


def cut_sessions(lio: Lio, operations: Sequence[Operation]) -> list[Session]:
    """Return the sessions that a list of operations cuts, each once, as they are listed."""
    if not any(_may_cut(operation) for operation in operations):
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
    if not any(_may_cut(operation) for operation in operations):
        return [[] for _ in operations]  # nothing is read where nothing can be cut
    among = list(sessions(lio))
    return [
        sorted({s.initiator for s in cut_by(operation, among)}) if _may_cut(operation) else []
        for operation in operations
    ]


def _may_cut(operation: Operation) -> bool:
    if isinstance(operation, SetEnabled):
        return not operation.enabled
    if isinstance(operation, Set):
        return isinstance(operation.place, NodeAcl | Portal)
    return isinstance(operation, UnmapLun | DeleteNodeAcl | DeleteLun | DeletePortal | DeleteTpg)
