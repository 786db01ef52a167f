# SPDX-License-Identifier: Apache-2.0
"""LUN 0 of sessions, which the kernel answers even if it does not exist.

If an initiator has no LUN 0, its commands to LUN 0 reach a disk of the kernel's own, of 32 KiB
(transport_lookup_cmd_lun, core_dev_setup_virtual_lun0). If it still knows the deleted disk, it
reads zeros there without an error. Reads beyond, all writes, and other LUNs fail. Seen on Linux 6.1
with open-iscsi, which keeps the disk after a new login and after a rescan, too.

So a TPG is disabled while a LUN 0 of its sessions is recreated: that ends all its sessions, and
initiators repeat their commands when it is enabled again. Nothing less prevents a login meanwhile
and lets initiators try again. Before the LUN 0 of an ACL that is deleted, too, only the ACL's
session is ended. If LUN 0 alone is deleted, only the initiator can remove the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyshell.lio.identifiers import NodeAcl, Tpg
from pyshell.lio.operations.base import Operation, flat
from pyshell.lio.operations.mapping import (
    CreateLun,
    DeleteLun,
    DeleteNodeAcl,
    EndSession,
    MapLun,
    SetLunAluaGroup,
    UnmapLun,
)
from pyshell.lio.operations.setters import PauseTpg, SetEnabled

Owner = NodeAcl | Tpg
"""Who has a LUN 0: the initiator of an ACL, or those of a TPG without an ACL."""


_LoggedIn = Callable[[Tpg], Collection[Owner] | None]
"""Returns the owners of a TPG that have sessions, None if it lets nobody log in."""


def pauses(operations: Sequence[Operation], logged_in: _LoggedIn) -> list[tuple[int, Operation]]:
    """Return what to insert before which operations, so that no session goes on without LUN 0."""
    gaps = _gaps(operations)
    found: list[tuple[int, Operation]] = []
    for tpg in dict.fromkeys(_tpg_of(gap.owner) for gap in gaps):
        own = [gap for gap in gaps if _tpg_of(gap.owner) == tpg]
        having = logged_in(tpg)
        if having is None or _is_disabled(tpg, operations[: min(gap.begin for gap in own)]):
            continue
        # Without any session, one can begin meanwhile: of an initiator that was disconnected.
        cut = [gap for gap in own if gap.owner in having or (gap.recreated and not having)]
        if any(gap.recreated for gap in cut):
            begin, end = _range(tpg, operations)
            found += [(begin, PauseTpg(tpg, False)), (end, PauseTpg(tpg, True))]
        else:
            acls = [(gap.begin, gap.owner) for gap in cut if isinstance(gap.owner, NodeAcl)]
            found += [(begin, EndSession(acl)) for begin, acl in acls]
    return sorted(found, key=lambda one: one[0])


def held(operations: Sequence[Operation], logged_in: _LoggedIn) -> list[Operation]:
    """Return operations with their `pauses`."""
    made = list(_without_pauses(operations))
    for index, pause in reversed(pauses(made, logged_in)):
        made.insert(index, pause)
    return made


def is_lost(owner: Owner, operations: Iterable[Operation]) -> bool:
    """Return whether operations leave an owner without the LUN 0 that it had."""
    return [exists for _, exists, whose in _zeros(operations) if whose == owner][-1:] == [False]


def _without_pauses(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Yield operations without earlier pauses; a TPG that is disabled now is still enabled."""
    paused: set[Tpg] = set()
    for one in operations:
        if isinstance(one, EndSession):
            continue
        if not isinstance(one, PauseTpg) or (one.enabled and one.tpg not in paused):
            yield one
        elif one.enabled:
            paused.discard(one.tpg)
        else:
            paused.add(one.tpg)


def _tpg_of(owner: Owner) -> Tpg:
    return owner.tpg if isinstance(owner, NodeAcl) else owner


@dataclass
class _Gap:
    """The time in which an owner has no LUN 0."""

    owner: Owner
    begin: int
    """Index of the operation that deletes LUN 0."""
    recreated: bool = False


def _gaps(operations: Sequence[Operation]) -> list[_Gap]:
    """Return the gaps that end: LUN 0 is created again, or its ACL deleted."""
    begun: dict[Owner, _Gap] = {}
    for index, exists, owner in _zeros(operations):
        if not exists:
            begun.setdefault(owner, _Gap(owner, index))
        elif owner in begun:
            begun[owner].recreated = True
    deleted = {one.place for one in flat(operations) if isinstance(one, DeleteNodeAcl)}
    return [gap for owner, gap in begun.items() if gap.recreated or owner in deleted]


def _zeros(operations: Iterable[Operation]) -> Iterator[tuple[int, bool, Owner]]:
    """Yield the index of each operation that creates (true) or deletes a LUN 0, and its owner."""
    for index, whole in enumerate(operations):
        for one in flat([whole]):
            if isinstance(one, MapLun | UnmapLun) and one.place.index == 0:
                yield index, isinstance(one, MapLun), one.place.acl
            elif isinstance(one, CreateLun | DeleteLun) and one.place.index == 0:
                yield index, isinstance(one, CreateLun), one.place.tpg


def _is_disabled(tpg: Tpg, operations: Iterable[Operation]) -> bool:
    """Return whether operations leave a TPG disabled."""
    states = [one for one in flat(operations) if isinstance(one, SetEnabled) and one.tpg == tpg]
    return bool(states) and not states[-1].enabled


def _range(tpg: Tpg, operations: Sequence[Operation]) -> tuple[int, int]:
    """Return the indexes before the first deletion of a TPG's LUNs and behind the last creation.

    Commands to its other LUNs fail while they are missing, if the TPG is enabled then.
    """
    deleting: list[int] = []
    creating: list[int] = []
    for index, whole in enumerate(operations):
        for one in flat([whole]):
            if isinstance(one, MapLun | UnmapLun) and one.place.acl.tpg == tpg:
                (creating if isinstance(one, MapLun) else deleting).append(index)
            elif isinstance(one, CreateLun | SetLunAluaGroup) and one.place.tpg == tpg:
                creating.append(index)
            elif isinstance(one, DeleteLun) and one.place.tpg == tpg:
                deleting.append(index)
    return deleting[0], creating[-1] + 1
