# SPDX-License-Identifier: Apache-2.0
"""What flows through the target now: counters read twice, and the difference by the second."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pyshell.lio import listing, statistics
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import NodeAcl, Tpg
from pyshell.lio.statistics import Flow

OBJECT, LUN, INITIATOR = "object", "lun", "initiator"


@dataclass(frozen=True)
class Thing:
    """Something that is counted: a storage object, a LUN, or an initiator with an ACL."""

    kind: str
    name: str
    path: str


@dataclass(frozen=True)
class Rate:
    """What went through something, by the second."""

    thing: Thing
    commands: float
    read: float
    written: float

    @property
    def bytes(self) -> float:
        """Return the bytes in both directions."""
        return self.read + self.written


@dataclass(frozen=True)
class Sample:
    """The rates of one stretch of time, `seconds` long, which ended at `moment` (Unix time)."""

    moment: float
    seconds: float
    rates: tuple[Rate, ...]


def counters(lio: Lio) -> dict[Thing, Flow]:
    """Return what has been counted so far, of everything that is counted."""
    found = {
        Thing(OBJECT, f"{place.plugin}/{place.name}", place.path): statistics.of_storage_object(
            lio, place
        )
        for place in listing.storage_objects()
    }
    acls: list[NodeAcl] = []
    for fabric in listing.fabrics_in_use():
        for target in listing.targets(fabric):
            for tpg in listing.tpgs(target):
                for lun in listing.luns(tpg):
                    thing = Thing(LUN, f"{_where(tpg)}/lun{lun.index}", lun.path)
                    found[thing] = statistics.of_lun(lio, lun)
                acls += listing.node_acls(tpg)
    known = Counter(acl.wwn for acl in acls)
    for acl in acls:
        # An initiator of several targets is told apart by them.
        name = acl.wwn if known[acl.wwn] == 1 else f"{acl.wwn} at {_where(acl.tpg)}"
        mapped = (statistics.of_mapped_lun(lio, one) for one in listing.mapped_luns(acl))
        found[Thing(INITIATOR, name, acl.path)] = sum(mapped, Flow())
    return found


def _where(tpg: Tpg) -> str:
    return tpg.path.removeprefix(f"/{tpg.target.fabric_name}/")


def samples(
    lio: Lio,
    interval: float,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Sample]:
    """Yield a sample every `interval` seconds, without end."""
    before, started = counters(lio), clock()
    while True:
        wait(max(interval - (clock() - started), 0.0))
        after, ended = counters(lio), clock()
        yield Sample(time.time(), ended - started, tuple(_rates(before, after, ended - started)))
        before, started = after, ended


def _rates(
    before: Mapping[Thing, Flow], after: Mapping[Thing, Flow], seconds: float
) -> Iterator[Rate]:
    for thing, now in after.items():
        # What came since, or came anew under its old name, began at nothing.
        then = before.get(thing, Flow())
        if now.commands < then.commands:
            then = Flow()
        pairs = (
            (now.commands, then.commands), (now.read, then.read), (now.written, then.written)
        )  # fmt: skip
        yield Rate(thing, *(max(new - old, 0) / seconds for new, old in pairs))
