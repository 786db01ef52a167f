# SPDX-License-Identifier: Apache-2.0
"""Sessions of every fabric, and logins that the kernel refused.

iSCSI tells most. Of other fabrics the target core itself knows whether the initiator of a node ACL
is there, once a LUN is mapped; loopback, vhost and their like have one initiator, their nexus.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pyshell.expressions import expression
from pyshell.host import Machine, file_text, procnet
from pyshell.lio import Lio, listing, settings
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, StorageObject, Tpg

LOGGED_IN = "LOGGED_IN"
NEXUS = "Nexus"
_SID = expression(r" *([0-9]{1,20})\b")
_ISID = expression(r"ISID: *0x((?:[0-9a-fA-F]{2} ?){6})")
_KIND = expression(r"SessionType: *([A-Za-z]+)")
_STATE = expression(r"Session State: *TARG_SESS_STATE_([A-Z_]+)")
_CONNECTION = expression(
    r"^CID: *([0-9]{1,20}) +Connection State: *TARG_CONN_STATE_([A-Z0-9_]+)[^\n]*"
    r"(?:\n *Address +([^ \n]+) +([A-Za-z]+))?",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Connection:
    """One connection of a session."""

    cid: int
    state: str
    address: str
    transport: str


@dataclass(frozen=True)
class Session:
    """A session of an initiator with a TPG.

    A dynamic session (demo mode, no ACL) has only its initiator's name: the kernel reports no more.
    """

    tpg: Tpg
    initiator: str
    acl: NodeAcl | None = None
    alias: str = ""
    sid: int | None = None
    isid: str = ""
    """The initiator's number of the session, 12 hexadecimal digits; "" if unknown."""
    kind: str = ""
    state: str = ""
    authenticated: bool | None = None
    """Whether the initiator had to prove by CHAP who it is; None if that is not known."""
    mutual: bool | None = None
    """Whether the target has to prove who it is, which targetcli calls authenticated."""
    connections: tuple[Connection, ...] = ()
    since: float | None = None
    """When it began, as Unix time; known only to `tracing`."""
    origin: str = ""
    """The address that it comes from, which `traced` finds for some dynamic ones, too."""

    def __str__(self) -> str:
        """Return who is logged in where, and from which addresses."""
        origin = ", ".join(c.address for c in self.connections if c.address) or self.origin
        at = f"{self.tpg.target.wwn}/tpg{self.tpg.tag}"
        return f"{self.initiator} at {at}{f', from {origin}' if origin else ''}"

    @property
    def dynamic(self) -> bool:
        """Return whether the initiator logged in without an ACL of its own."""
        return self.acl is None and self.kind != NEXUS


@dataclass(frozen=True)
class SeenLun:
    """A LUN as an initiator sees it."""

    index: int
    lun: Lun | None
    storage_object: StorageObject | None
    read_only: bool


def sessions(lio: Lio) -> Iterator[Session]:
    """Yield every open session that began with a login."""
    for tpg in listing.all_tpgs(lio):
        yield from of_tpg(lio, tpg)


def nexuses(lio: Lio) -> Iterator[Session]:
    """Yield the one initiator of each TPG that has but one, and it without logging in."""
    for fabric in listing.fabrics_in_use(lio):
        if not fabric.has("nexus"):
            continue
        for target in listing.targets(fabric):
            for tpg in listing.tpgs(target):
                name = text_or_none(lio.kernel, f"{tpg.folder}/nexus")
                if name:
                    yield Session(tpg, name, kind=NEXUS, state=LOGGED_IN)


def of_tpg(lio: Lio, tpg: Tpg) -> Iterator[Session]:
    """Yield the open sessions of one TPG.

    Without an ACL, only those of iSCSI and qla2xxx: the other fabrics have no `dynamic_sessions`,
    and srpt no demo mode (Linux 6.1; callers of target_show_dynamic_sessions, srpt_template).
    """
    explicit = set()
    for acl in listing.node_acls(tpg):
        found = of_acl(lio, acl)
        if found is not None:
            explicit.add(found.initiator)
            yield found
    listed = text_or_none(lio.kernel, f"{tpg.folder}/dynamic_sessions") or ""
    # A name may hold what Python takes for a blank or the end of a line: NUL alone ends it.
    for name in (part.strip("\n") for part in listed.split("\0")):
        if name and name not in explicit:
            # A target that asks for CHAP knows no secret of an initiator without ACL but its own.
            yield Session(tpg, name, authenticated=settings.asks_for_chap(lio.kernel, tpg))


def of_acl(lio: Lio, acl: NodeAcl) -> Session | None:
    """Return the session of a node ACL's initiator, None if it is not logged in."""
    text = text_or_none(lio.kernel, f"{acl.folder}/info")
    if text is None:
        return _of_other_fabric(lio, acl)
    if text.startswith("No active"):
        return None
    mutual = text_or_none(lio.kernel, f"{acl.folder}/auth/authenticate_target")
    return replace(
        _parsed(acl, text),
        authenticated=settings.asks_for_chap(lio.kernel, acl),
        mutual=None if mutual is None else mutual == "1",
    )


def _parsed(acl: NodeAcl, text: str) -> Session:
    """Return the session in the `info` of a node ACL; what is not understood is left empty.

    The initiator chooses its alias: any bytes, including line feeds. The kernel's own lines follow
    it, so only what follows the last line with a session number is believed. rtslib's own parser
    takes lines of the alias for the kernel's, and reports no session for some aliases.
    """
    chosen, number, told = f"\n{text}".rpartition("\nLIO Session ID:")
    if not number:
        chosen, told = told, ""
    head, _, rest = told.partition("\n")
    sid = _SID.match(head)
    isid = _ISID.search(head)
    kind = _KIND.search(head)
    state = _STATE.match(rest)
    found = _CONNECTION.finditer(rest)
    return Session(
        acl.tpg,
        acl.wwn,
        acl,
        alias=chosen.partition("\nInitiatorAlias:")[2].strip(),
        sid=int(sid[1]) if sid else None,
        isid=isid[1].replace(" ", "").lower() if isid else "",
        kind=kind[1] if kind else "",
        state=state[1] if state else "",
        connections=tuple(Connection(int(c[1]), c[2], c[3] or "", c[4] or "") for c in found),
    )


def _of_other_fabric(lio: Lio, acl: NodeAcl) -> Session | None:
    for mapped in listing.mapped_luns(acl):
        number = _session_index(lio, mapped)
        if number is not None:
            return Session(acl.tpg, acl.wwn, acl, sid=number, kind="Normal", state=LOGGED_IN)
    return None


def _session_index(lio: Lio, mapped: MappedLun) -> int | None:
    """Return the number of the session that uses a mapped LUN, None if no one is logged in.

    Every fabric reports this, as the target core itself keeps the sessions.
    """
    text = text_or_none(lio.kernel, f"{mapped.folder}/statistics/scsi_att_intr_port/indx")
    return int(text) if text and text.isdecimal() else None


def luns_of(lio: Lio, session: Session) -> Iterator[SeenLun]:
    """Yield the LUNs of a session: those mapped to its initiator; without an ACL, all."""
    if session.acl is not None:
        for mapped in listing.mapped_luns(session.acl):
            lun = listing.lun_of(mapped)
            protected = is_on(lio.kernel, f"{mapped.folder}/write_protect")
            yield SeenLun(mapped.index, lun, _exported(lun), protected)
        return
    protecting = f"{session.tpg.folder}/attrib/demo_mode_write_protect"
    protected = session.dynamic and is_on(lio.kernel, protecting)
    for lun in listing.luns(session.tpg):
        yield SeenLun(lun.index, lun, _exported(lun), protected)


def _exported(lun: Lun | None) -> StorageObject | None:
    return listing.storage_object_of(lun) if lun is not None else None


_THREAD = "iscsi_trx"
_START = 19
"""The place of a thread's start in /proc/PID/stat, counted behind its name."""


def traced(lio: Lio, sessions: Sequence[Session]) -> list[Session]:
    """Return sessions with their age and origin, as far as they can be found out."""
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
    uptime = file_text(proc / "uptime").split()
    if not uptime:
        return []
    booted = time.time() - float(uptime[0])
    tick = os.sysconf("SC_CLK_TCK")
    found = []
    for comm in proc.glob("[0-9]*/comm"):
        if file_text(comm) == _THREAD:
            fields = file_text(comm.with_name("stat")).rpartition(")")[2].split()
            if len(fields) > _START:
                found.append(booted + int(fields[_START]) / tick)
    return found


def _origin(lio: Lio, session: Session, own: Sequence[Session]) -> str:
    """Return the address that a session comes from, "" if unknown."""
    if session.connections:
        return session.connections[0].address
    ports = {portal.port for portal in listing.portals(session.tpg)}
    at_same = [s for s in own if ports & {p.port for p in listing.portals(s.tpg)}]
    known = [c.address for s in at_same for c in s.connections]
    if sum(not s.connections for s in at_same) != 1:
        return ""
    peers = [peer for port, peer in procnet.connections(lio.machine) if port in ports]
    for address in known:
        if address in peers:
            peers.remove(address)
    return peers[0] if len(peers) == 1 else ""


# Refused logins


UNAUTHORIZED, DISABLED, NEGOTIATION = "unauthorized", "disabled", "negotiation"
CHAP_MISSING, CHAP_UNSET, CHAP_NAME, CHAP_SECRET = (
    "chap_missing",
    "chap_unset",
    "chap_name",
    "chap_secret",
)
CHAP = (CHAP_MISSING, CHAP_UNSET, CHAP_NAME, CHAP_SECRET)
LOGIN_FAILED = "iSCSI Login negotiation failed."
_REFUSAL_TEXTS = {
    UNAUTHORIZED: expression(
        r"iSCSI Initiator Node: (\S+) is not authorized to access iSCSI target portal group"
    ),
    DISABLED: expression(r"Unable to locate Target Portal Group on "),
    CHAP_MISSING: expression(
        r"(?:Initiator sent AuthMethod=None but|, and the) Target is enforcing"
    ),
    CHAP_UNSET: expression(r"CHAP user or password not set for Initiator ACL"),
    CHAP_NAME: expression(r"CHAP_N values do not match!"),
    CHAP_SECRET: expression(r"Security negotiation failed\."),
}
"""By reason, the more precise first."""
_JOURNAL_LINES = 10_000
"""Lines of systemd's journal that are read: the kernel's own log is of a limited size."""


_ABORTED = "rx_data returned"


class RefusedLogins:
    """Refused iSCSI logins in the kernel's log, which is read once, when it is needed.

    By the texts of drivers/target/iscsi in Linux 6.1, which ends the lines of each with the same
    sentence. Of a CHAP failure it says neither who nor where, and a wrong secret shows only in that
    no other reason is given (all seen with open-iscsi). Connections that ended before they sent a
    login, as of a port scan, are not returned. An initiator chooses its name, and may forge a line.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    @cached_property
    def _log(self) -> str:
        return _kernel_log(self._machine)

    @property
    def reasons(self) -> list[str]:
        """Return the reasons, that of the last login first."""
        found = (_refusal(lines) for lines in self._log.split(LOGIN_FAILED)[:-1])
        return [reason for reason in found if reason][::-1]

    @property
    def initiators(self) -> list[str]:
        """Return the initiators without an ACL, the last one first.

        The kernel shows their names nowhere else.
        """
        found = _REFUSAL_TEXTS[UNAUTHORIZED].findall(self._log)
        return list(dict.fromkeys(reversed(found)))


def _kernel_log(machine: Machine) -> str:
    """Return the kernel's log; users who may not read it may be allowed to read the journal."""
    log = machine.ask("dmesg")
    if log is None:
        log = machine.ask("journalctl", "--dmesg", f"--lines={_JOURNAL_LINES}", "--output=cat")
    return log or ""


def _refusal(lines: str) -> str:
    """Return the reason in the lines of one login, "" if there was none."""
    unknown = "" if _ABORTED in lines else NEGOTIATION
    return next((one for one, text in _REFUSAL_TEXTS.items() if text.search(lines)), unknown)
