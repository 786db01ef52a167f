# SPDX-License-Identifier: Apache-2.0
"""The root's commands that show who is connected, and what flows: `sessions` and `top`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import Annotated, Any

from pyshell import names
from pyshell.config.store import local, utc
from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import Lio, listing, statistics
from pyshell.lio.configfs import is_below
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations import reservations
from pyshell.lio.operations.reservations import Reservations
from pyshell.lio.sessions import NEXUS, SeenLun, Session, luns_of, nexuses, traced
from pyshell.lio.sessions import sessions as open_sessions
from pyshell.lio.statistics import Rate, Sample, samples
from pyshell.tree.command import INITIATOR, PATH, STORAGE_OBJECT, TARGET, ValueType, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Stream, Table

_SHORTEST, _LONGEST = 0.1, 3600.0
_INDENT = "    "
_HEADINGS = ("kind", "name", "commands/s", "read/s", "written/s")
_KINDS = {
    "all": (statistics.OBJECT, statistics.LUN, statistics.INITIATOR),
    "objects": (statistics.OBJECT,),
    "luns": (statistics.LUN,),
    "initiators": (statistics.INITIATOR,),
}
_SORTS: dict[str, Callable[[Rate], float]] = {
    "bytes": lambda rate: rate.bytes,
    "read": lambda rate: rate.read,
    "written": lambda rate: rate.written,
    "commands": lambda rate: rate.commands,
    "name": lambda rate: 0,
}


def _seconds(text: str) -> float:
    """Read a duration. Raises UsageError."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not _SHORTEST <= found <= _LONGEST:
        raise UsageError(
            f"'{text}' is not a valid number of seconds.",
            f"Give one from {_SHORTEST} to {_LONGEST:g}.",
        )
    return found


def _looks(text: str) -> int:
    """Read a number of samples. Raises UsageError."""
    found = names.whole(text)
    if not found:
        raise UsageError(
            f"'{text}' is not a valid number of samples.",
            "Give 1 or more. If it is omitted, a terminal shows samples until Ctrl-C.",
        )
    return found


SECONDS = ValueType("seconds", _seconds)
LOOKS = ValueType("number", _looks)


@command(
    examples=("sessions", "sessions detail", "sessions storage_object=lee_block"),
    in_candidate="running",
)
def sessions(
    node: Node,
    action: Annotated[
        str, choice("list", "detail"), "list, or detail with LUNs and addresses."
    ] = "list",
    sid: Annotated[int | None, "Show only the session with this number."] = None,
    *,
    target: Annotated[str | None, TARGET, "Show only sessions of the target with this WWN."] = None,
    initiator: Annotated[str | None, INITIATOR, "Show only sessions of this initiator."] = None,
    storage_object: Annotated[
        str | None,
        STORAGE_OBJECT,
        "Show only sessions that use this storage object: NAME, PLUGIN/NAME or its path.",
    ] = None,
) -> Result:
    """Show logged-in initiators.

    An initiator without a node ACL (demo mode) is marked as dynamic; the kernel reports only its
    name. Loopback, vhost and similar fabrics have one initiator, their nexus. The start of a
    session and the address of a dynamic initiator are shown if they can be determined from the
    host's kernel threads and TCP connections.
    """
    every = _sessions(node)
    found = [
        session
        for session in every
        if (sid is None or session.sid == sid)
        and _same_name(session.tpg.target.wwn, target)
        and _same_name(session.initiator, initiator)
        and (storage_object is None or _has(node, session, storage_object))
    ]
    if sid is not None and not found:
        told = f"no session found with sid {sid}"
        raise NotFoundError(told, targetcli=told)
    if not found:
        if not node.context.compat:
            _check_names(node.lio, target, storage_object)
            if initiator is not None:
                told = _nothing_of(node.lio, initiator, every)
                return Lines([told], [], form="sentences")
        return Lines(["(no open sessions)"], [])
    reserved = Reserved(node.lio) if action == "detail" and not node.context.compat else None
    data = [_session_data(node.lio, session, reserved) for session in found]
    lines = [
        line
        for session in found
        for line in _session_lines(
            node.lio, session, reserved, detail=action == "detail", compat=node.context.compat
        )
    ]
    plain = node.context.compat or action == "detail"
    return Lines(lines, data, table=None if plain else _session_table(node.lio, found))


def _sessions(node: Node) -> list[Session]:
    found = list(open_sessions(node.lio))
    if node.context.compat:  # targetcli lists only those of node ACLs
        return found
    return [*traced(node.lio, found), *nexuses(node.lio)]


def _has(node: Node, session: Session, storage_object: str) -> bool:
    exported = (seen.storage_object for seen in luns_of(node.lio, session))
    return any(one and _is_called(one, storage_object) for one in exported)


@command(
    examples=("top", "top interval=5 by=initiators", "top /backstores count=3 sort=commands"),
    in_candidate="running",
)
def top(
    node: Node,
    path: Annotated[str | None, PATH, "Show only objects at or below this path."] = None,
    *,
    interval: Annotated[float, SECONDS, "Seconds between samples."] = 1.0,
    count: Annotated[
        int | None,
        LOOKS,
        "Number of samples, at least 1. Default: until Ctrl-C at a terminal, 1 otherwise.",
    ] = None,
    by: Annotated[
        str, choice("all", "objects", "luns", "initiators"), "Kinds of objects to show."
    ] = "all",
    sort: Annotated[
        str,
        choice("bytes", "read", "written", "commands", "name"),
        "Sort by this value, highest first, or by name.",
    ] = "bytes",
    filter: Annotated[str | None, "Show only objects whose names contain this text."] = None,
) -> Result:
    """Show commands and bytes per second.

    It lists storage objects, LUNs and initiators. Bytes are counted in whole
    MiB. Initiators are counted per node ACL; those without one (demo mode) are included in the
    LUNs. With -o json, each sample is a document on one line.
    """
    below = node.get_node(path).path if path else "/"
    chosen = Choice(below, by, sort, filter or "")

    def tables() -> Iterator[Table]:
        for sample in islice(samples(node.lio, interval), count):
            yield rate_table(sample, chosen)

    return Stream(tables(), 1 if count is None else None)


def _check_names(lio: Lio, target: str | None, storage_object: str | None) -> None:
    """Raise NotFoundError for a name that does not exist, so is probably mistyped."""
    if target is not None and not any(
        _same_name(one.wwn, target) for one in listing.all_targets(lio)
    ):
        raise NotFoundError(f"There is no target {target}.", "'ls' lists the targets.")
    if storage_object is not None and not any(
        _is_called(one, storage_object) for one in listing.storage_objects(lio)
    ):
        raise NotFoundError(
            f"There is no storage object {storage_object}.", "ls /backstores shows them."
        )


def _nothing_of(lio: Lio, initiator: str, every: Sequence[Session]) -> str:
    """Return a message about an initiator without such a session.

    Raises NotFoundError for one without an ACL, which may be mistyped.
    """
    known = sorted({session.initiator for session in every})
    have = f"Logged in: {', '.join(known)}." if known else "Nobody is logged in."
    if any(_same_name(name, initiator) for name in known):
        return f"(no such session of {initiator})"
    if any(
        _same_name(acl.wwn, initiator)
        for tpg in listing.all_tpgs(lio)
        for acl in listing.node_acls(tpg)
    ):
        return f"(no open session of {initiator}) {have}"
    raise NotFoundError(f"There is no session of {initiator}, and no ACL of that name.", have)


def _is_called(one: StorageObject, text: str) -> bool:
    return text.removeprefix("/backstores/") in (one.name, f"{one.plugin}/{one.name}")


def _same_name(name: str, wanted: str | None) -> bool:
    return wanted is None or name.lower() == wanted.lower()


class Reserved:
    """The reservations of storage objects, each read once."""

    def __init__(self, lio: Lio) -> None:
        self._lio = lio
        self._read: dict[StorageObject, Reservations | None] = {}

    def of(self, seen: SeenLun) -> Reservations | None:
        """Return the reservations of a LUN's storage object, None if the kernel has none."""
        place = seen.storage_object
        if place is None:
            return None
        if place not in self._read:
            self._read[place] = reservations.read(self._lio, place)
        return self._read[place]


def _reservation_text(session: Session, found: Reservations | None) -> str:
    """Return whether an initiator holds or sees a reservation and is registered, "" if neither."""
    if found is None:
        return ""
    parts = []
    if found.holder is not None:
        who = "this initiator" if found.is_holder(session) else found.names_text
        parts.append(f"{found.type}, held by {who}")
    if key := found.key_of(session):
        parts.append(f"registered with key {key}")
    return "; ".join(parts)


def _session_lines(
    lio: Lio, session: Session, reserved: Reserved | None, *, detail: bool, compat: bool
) -> Iterator[str]:
    """Yield a session's lines as targetcli writes them, and unless in `compat`, who it is."""
    yield _head(session) + _who(session, compat)
    if not detail:
        return
    yield f"{_INDENT}name: {session.initiator} ({_proof(session, compat)})"
    for seen in luns_of(lio, session):
        yield (
            f"{_INDENT}mapped-lun: {seen.index} backstore: {_backstore(seen)} mode: {_mode(seen)}"
        )
        if told := _reservation_text(session, reserved.of(seen) if reserved else None):
            yield f"{_INDENT * 2}reservation: {told}"
    for connection in session.connections:
        yield (
            f"{_INDENT}address: {connection.address} ({connection.transport})"
            f"  cid: {connection.cid} connection-state: {connection.state}"
        )
    if not compat and not session.connections and session.origin:
        yield f"{_INDENT}address: {session.origin} (TCP)"
    if not compat and session.since is not None:
        yield f"{_INDENT}since: {local(_since(session) or '')}"


def _session_table(lio: Lio, sessions: Sequence[Session]) -> Table:
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
    headings = ("Initiator", "Target", "State", "Address", "Since", "SID", "LUNs")
    return Table(headings, rows, 2, optional=(3, 4, 5))


def _state(session: Session) -> str:
    state = session.state or "LOGGED_IN"
    if session.dynamic:
        return f"{state} (no ACL)"
    return f"{session.tpg.target.fabric_name}: {state}" if session.kind == NEXUS else state


def _head(session: Session) -> str:
    if session.dynamic:
        return "alias: -\tsid: - type: Normal session-state: LOGGED_IN"
    alias = session.alias or ("" if session.connections else "-")
    sid = "-" if session.sid is None else session.sid
    kind, state = session.kind or "-", session.state or "-"
    return f"alias: {alias}\tsid: {sid} type: {kind} session-state: {state}"


def _who(session: Session, compat: bool) -> str:
    """Return what follows targetcli's line."""
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
        return "the only possible initiator"
    if compat:  # targetcli looks whether the target has to prove itself to the initiator.
        return "authenticated" if session.mutual else "NOT AUTHENTICATED"
    if session.authenticated is None:
        return "the fabric has no authentication"
    return "authenticated" if session.authenticated else "no CHAP is asked of it"


def _session_data(lio: Lio, session: Session, reserved: Reserved | None) -> dict[str, Any]:
    return {
        "fabric": session.tpg.target.fabric_name,
        "target": session.tpg.target.wwn,
        "tpg": session.tpg.tag,
        "initiator": session.initiator,
        "dynamic": session.dynamic,
        "alias": session.alias,
        "sid": session.sid,
        "isid": session.isid or None,
        "type": session.kind,
        "state": session.state,
        "address": session.origin or None,
        "since": _since(session),
        "authenticated": session.authenticated,
        "mapped_luns": [
            {
                "index": seen.index,
                "storage_object": _backstore(seen),
                "mode": _mode(seen),
                **_reservation_data(session, seen, reserved),
            }
            for seen in luns_of(lio, session)
        ],
        "connections": [
            {"cid": c.cid, "state": c.state, "address": c.address, "transport": c.transport}
            for c in session.connections
        ],
    }


def _reservation_data(session: Session, seen: SeenLun, reserved: Reserved | None) -> dict[str, Any]:
    """Return the reservations of a LUN, and what the initiator of a session has of them."""
    if reserved is None:
        return {}
    found = reserved.of(seen)
    if found is None:
        return {"reservations": None}
    own = {"is_holder": found.is_holder(session), "key": found.key_of(session) or None}
    return {"reservations": {**reservations.as_data(found), **own}}


def _since(session: Session) -> str | None:
    if session.since is None:
        return None
    return utc(datetime.fromtimestamp(session.since, timezone.utc))


def _backstore(seen: SeenLun) -> str:
    found = seen.storage_object
    return f"{found.plugin}/{found.name}" if found else "?"


def _mode(seen: SeenLun) -> str:
    return "r" if seen.read_only else "rw"


@dataclass(frozen=True)
class Choice:
    """Which rows to show, and in which order."""

    below: str = "/"
    by: str = "all"
    sort: str = "bytes"
    text: str = ""

    def rates(self, sample: Sample) -> list[Rate]:
        """Return the rows of a sample: kind by kind, within each the most of `sort` first."""
        kinds = _KINDS[self.by]
        found = [
            rate
            for rate in sample.rates
            if rate.thing.kind in kinds
            and (self.below == "/" or is_below(rate.thing.path, self.below))
            and self.text.lower() in rate.thing.name.lower()
        ]
        return sorted(
            found,
            key=lambda rate: (
                kinds.index(rate.thing.kind),
                -_SORTS[self.sort](rate),
                listing.natural(rate.thing.name),
            ),
        )


def rate_table(sample: Sample, choice: Choice) -> Table:
    """Return a sample as a table."""
    rates = choice.rates(sample)
    moment = datetime.fromtimestamp(sample.moment).astimezone()
    rows = [
        (
            rate.thing.kind,
            rate.thing.name,
            f"{rate.commands:.0f}",
            _rate_text(rate.read),
            _rate_text(rate.written),
        )
        for rate in rates
    ]
    title = f"{moment:%Y-%m-%d %H:%M:%S %Z}, over {sample.seconds:.1f} s"
    return Table(_HEADINGS, rows, 3, title, _rate_data(sample, rates))


def _rate_data(sample: Sample, rates: list[Rate]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(sample.moment).astimezone()
    return {
        "time": utc(moment),
        "seconds": round(sample.seconds, 3),
        "rates": [
            {
                "kind": rate.thing.kind,
                "name": rate.thing.name,
                "path": rate.thing.path,
                "commands_per_second": round(rate.commands, 3),
                "read_bytes_per_second": round(rate.read),
                "written_bytes_per_second": round(rate.written),
            }
            for rate in rates
        ],
    }


def _rate_text(size: float) -> str:
    """Return bytes as they are read at a glance."""
    return names.size_text(round(size)) if size >= 1024 else f"{size:.0f}B"
