# SPDX-License-Identifier: Apache-2.0
"""Sessions that operations end or take disks from, and how none is left to read zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pyshell.lio import Lio, listing, sessions
from pyshell.lio.configfs import is_on
from pyshell.lio.identifiers import Lun, Tpg
from pyshell.lio.operations import lun_zero
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import DeleteLun, UnmapLun
from pyshell.lio.sessions import Session

READS_ZEROS = "reads of its first 32 KiB return zeros until the initiator removes the disk"


@dataclass(frozen=True)
class Disturbed:
    """A session that operations end, or one that goes on and loses a disk."""

    session: Session
    ended: bool
    reads_zeros: bool = False
    """Whether the disk is LUN 0: the kernel answers reads of its first 32 KiB with zeros."""

    def told(self, end: str, take: str) -> str:
        """Return what happens to it, with the verbs as "Would terminate" and "Would take"."""
        if self.ended:
            return f"{end} the session of {self.session}."
        if self.reads_zeros:
            return f"{take} LUN 0 from {self.session}: {READS_ZEROS}."
        return f"{take} a disk from {self.session}."


def disturbed(lio: Lio, operations: Sequence[Operation]) -> list[Disturbed]:
    """Return the sessions that operations end or take a disk from, each once.

    A session goes on when a LUN or a mapping is removed.
    """
    among = _any_cut_by(lio, operations)
    every, ended = [], []
    for operation in operations:
        found = _cut_by(operation, among)
        every += found
        ended += [] if isinstance(operation, DeleteLun | UnmapLun) else found
    return [
        Disturbed(one, one in ended, one not in ended and lun_zero.is_lost(_owner(one), operations))
        for one in among
        if one in every
    ]


def pauses(lio: Lio, operations: Sequence[Operation]) -> list[tuple[int, Operation]]:
    """Return what to insert before which operations, so that no session reads zeros as LUN 0."""
    return lun_zero.pauses(operations, partial(_owners, lio))


def held(lio: Lio, operations: Sequence[Operation]) -> list[Operation]:
    """Return operations with their `pauses`."""
    return lun_zero.held(operations, partial(_owners, lio))


def cut(lio: Lio, operations: Sequence[Operation]) -> list[str]:
    """Return the names of initiators whose sessions a list of operations disturbs, sorted."""
    return sorted({one.session.initiator for one in disturbed(lio, operations)})


def cut_by_each(lio: Lio, operations: Sequence[Operation]) -> list[list[str]]:
    """Return for each operation the names of initiators whose sessions it disturbs, sorted."""
    among = _any_cut_by(lio, operations)
    return [sorted({s.initiator for s in _cut_by(one, among)}) for one in operations]


def _cut_by(operation: Operation, among: Sequence[Session]) -> list[Session]:
    """Return the sessions that an operation ends or takes a disk from."""
    whose = operation.disconnects
    if whose is None:
        return []
    found = [s for s in among if whose in (s.acl, s.tpg)]
    if isinstance(operation, DeleteLun):
        return [s for s in found if _sees(s, operation.place)]
    return found


def _any_cut_by(lio: Lio, operations: Sequence[Operation]) -> list[Session]:
    """Return all sessions, none if no operation can disconnect any."""
    return list(sessions.sessions(lio)) if any(one.disconnects for one in operations) else []


def _sees(session: Session, lun: Lun) -> bool:
    """Return whether a session has a LUN: one without ACL has all of its TPG."""
    if session.acl is None:
        return True
    return any(listing.lun_of(mapped) == lun for mapped in listing.mapped_luns(session.acl))


def _owners(lio: Lio, tpg: Tpg) -> set[lun_zero.Owner] | None:
    """Return whose LUN 0 sessions of a TPG use, None if the TPG is not enabled or cannot be."""
    if not is_on(lio.kernel, f"{tpg.folder}/enable"):
        return None
    return {_owner(one) for one in sessions.of_tpg(lio, tpg)}


def _owner(session: Session) -> lun_zero.Owner:
    return session.acl or session.tpg
