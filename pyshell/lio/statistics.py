# SPDX-License-Identifier: Apache-2.0
"""Counters of the kernel: commands, bytes, and logins by result.

They start at 0 when an object is created, and count bytes in whole MiB. A counter that cannot be
read, as of an incomplete object or a removed device, is 0.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pyshell.lio import Lio, listing
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, StorageObject, Target, Tpg

_MEBIBYTE = 1 << 20
_FAILURES = ("authenticate", "authorize", "negotiate", "other")
_FAIL_TYPES = {2: "other", 4: "authorize", 5: "authenticate", 6: "negotiate"}
_SESSION_ERRORS = ("cxn_errors", "digest_errors", "format_errors")
_NOBODY = ("", "None", "Unknown", "(einval)")


@dataclass(frozen=True)
class Flow:
    """Commands to an object since it was created, and bytes that initiators read and wrote."""

    commands: int = 0
    read: int = 0
    written: int = 0

    def __add__(self, other: Flow) -> Flow:
        return Flow(
            self.commands + other.commands, self.read + other.read, self.written + other.written
        )


@dataclass(frozen=True)
class Logins:
    """What the kernel counts of an iSCSI target's logins."""

    accepted: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    """By reason: authenticate (CHAP), authorize (no ACL, disabled …), negotiate, other."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Sessions that ended in an error, by kind: connection, digest, format of a PDU."""
    last_type: str = ""
    last_initiator: str = ""
    """The initiator refused last, "" if the kernel does not know."""
    last_address: str = ""

    @property
    def _judged(self) -> int:
        return self.failed.get("authenticate", 0) + self.failed.get("authorize", 0)

    @property
    def negotiated(self) -> int:
        """Return how many logins were refused for the negotiation alone."""
        return max(self.failed.get("negotiate", 0) - self._judged, 0)

    @property
    def failures(self) -> int:
        """Return how many logins were refused, each counted once."""
        return self._judged + self.negotiated + self.failed.get("other", 0)

    @property
    def last_reason(self) -> str:
        """Return why the last login was refused.

        The kernel also counts a refused login as a failed negotiation, and does not record the
        name of an initiator without an ACL.
        """
        if self.last_type == "negotiate":
            if self.failed.get("authorize") and not self.last_initiator:
                return "authorize"
            if self.failed.get("authenticate"):
                return "authenticate"
        return self.last_type


def of_storage_object(lio: Lio, place: StorageObject) -> Flow:
    """Return the flow of a storage object, from all fabrics."""
    return _flow(lio, f"{place.folder}/statistics/scsi_lu", "num_cmds")


def of_lun(lio: Lio, lun: Lun) -> Flow:
    """Return the flow of a LUN."""
    return _flow(lio, f"{lun.folder}/statistics/scsi_tgt_port", "in_cmds")


def of_mapped_lun(lio: Lio, mapped: MappedLun) -> Flow:
    """Return the flow of a LUN from one initiator."""
    return _flow(lio, f"{mapped.folder}/statistics/scsi_auth_intr", "num_cmds")


def _flow(lio: Lio, folder: str, commands: str) -> Flow:
    return Flow(
        _number(lio, f"{folder}/{commands}"),
        _number(lio, f"{folder}/read_mbytes") * _MEBIBYTE,
        _number(lio, f"{folder}/write_mbytes") * _MEBIBYTE,
    )


def resets(lio: Lio, place: StorageObject) -> int:
    """Return how often a storage object was reset by an initiator."""
    return _number(lio, f"{place.folder}/statistics/scsi_lu/resets")


def aborts(lio: Lio, place: StorageObject) -> int:
    """Return how many commands of a storage object were aborted by initiators, done or not."""
    folder = f"{place.folder}/statistics/scsi_tgt_dev"
    return _number(lio, f"{folder}/aborts_complete") + _number(lio, f"{folder}/aborts_no_task")


def logins(lio: Lio, target: Target) -> Logins | None:
    """Return what is counted of a target's logins, None if the fabric does not count them."""
    folder = f"{target.folder}/fabric_statistics"
    if text_or_none(lio.kernel, f"{folder}/iscsi_login_stats/accepts") is None:
        return None
    last = {
        name: text_or_none(lio.kernel, f"{folder}/iscsi_tgt_attr/fail_intr_{name}") or ""
        for name in ("name", "addr")
    }
    return Logins(
        _number(lio, f"{folder}/iscsi_login_stats/accepts"),
        {n: _number(lio, f"{folder}/iscsi_login_stats/{n}_fails") for n in _FAILURES},
        {n: _number(lio, f"{folder}/iscsi_sess_err/{n}") for n in _SESSION_ERRORS},
        _FAIL_TYPES.get(_number(lio, f"{folder}/iscsi_tgt_attr/last_fail_type"), ""),
        "" if last["name"] in _NOBODY else last["name"],
        "" if last["addr"] in _NOBODY else last["addr"],
    )


def _number(lio: Lio, path: str) -> int:
    text = text_or_none(lio.kernel, path)
    return int(text) if text and text.isdecimal() else 0


OBJECT, LUN, INITIATOR = "object", "lun", "initiator"


@dataclass(frozen=True)
class Thing:
    """Something that is counted: a storage object, a LUN, or an initiator with an ACL."""

    kind: str
    name: str
    path: str


@dataclass(frozen=True)
class Rate:
    """Commands and bytes per second."""

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
    """The rates of the `seconds` before `moment` (Unix time)."""

    moment: float
    seconds: float
    rates: tuple[Rate, ...]


def counters(lio: Lio) -> dict[Thing, Flow]:
    """Return the counters of all objects."""
    found = {
        Thing(OBJECT, f"{place.plugin}/{place.name}", place.path): of_storage_object(lio, place)
        for place in listing.storage_objects(lio)
    }
    acls: list[NodeAcl] = []
    for tpg in listing.all_tpgs(lio):
        for lun in listing.luns(tpg):
            thing = Thing(LUN, f"{_where(tpg)}/lun{lun.index}", lun.path)
            found[thing] = of_lun(lio, lun)
        acls += listing.node_acls(tpg)
    known = Counter(acl.wwn for acl in acls)
    for acl in acls:
        # The target distinguishes the ACLs of one initiator.
        name = acl.wwn if known[acl.wwn] == 1 else f"{acl.wwn} at {_where(acl.tpg)}"
        mapped = (of_mapped_lun(lio, one) for one in listing.mapped_luns(acl))
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
    """Yield a sample every `interval` seconds, endlessly."""
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
        # Counters of new objects, also of those that replace one of the same name, start at 0.
        then = before.get(thing, Flow())
        if now.commands < then.commands:
            then = Flow()
        pairs = (
            (now.commands, then.commands), (now.read, then.read), (now.written, then.written)
        )  # fmt: skip
        yield Rate(thing, *(max(new - old, 0) / seconds for new, old in pairs))
