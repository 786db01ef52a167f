# SPDX-License-Identifier: Apache-2.0
"""Whom a change cuts off: the sessions that an operation ends, or whose disk it takes away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyshell.target import listing
from pyshell.target.attach import Lio
from pyshell.target.operations.base import Operation
from pyshell.target.operations.luns import DeleteLun, DeleteNodeAcl, UnmapLun
from pyshell.target.operations.settings import SetEnabled
from pyshell.target.operations.targets import DeletePortal, DeleteTpg
from pyshell.target.places import Lun, Tpg
from pyshell.target.sessions import Session, sessions


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
    tpg: Tpg | None = None
    if isinstance(operation, DeletePortal | DeleteTpg):
        tpg = operation.place.tpg if isinstance(operation, DeletePortal) else operation.place
    elif isinstance(operation, SetEnabled) and not operation.enabled:
        tpg = operation.tpg
    return [s for s in among if s.tpg == tpg]


def _sees(session: Session, lun: Lun) -> bool:
    """Tell whether a session has a LUN: one without ACL has all of its TPG."""
    if session.acl is None:
        return True
    return any(listing.lun_of(mapped) == lun for mapped in listing.mapped_luns(session.acl))


def cut(lio: Lio, operations: Iterable[Operation]) -> list[str]:
    """Return the names of initiators whose sessions a list of operations cuts, sorted."""
    wanted = [
        o
        for o in operations
        if isinstance(o, UnmapLun | DeleteNodeAcl | DeleteLun | DeletePortal | DeleteTpg)
        or (isinstance(o, SetEnabled) and not o.enabled)
    ]
    if not wanted:
        return []  # nothing is read where nothing can be cut
    among = list(sessions(lio))
    return sorted({s.initiator for operation in wanted for s in cut_by(operation, among)})
