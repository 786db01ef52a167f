# SPDX-License-Identifier: Apache-2.0
"""Commands of a simulated target's root that act as an initiator: `login`, `reserve` and so on.

With them, sessions, `top`, `trace`, metrics and questions before disconnects can be tried.
`simulate` (`simulate.py`) is one command for all of them.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from pyshell import names
from pyshell.commands.guide import target_called
from pyshell.errors import ConflictError, NotFoundError, NotPermittedError, PyshellError, UsageError
from pyshell.lio import listing
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.sessions import luns_of, sessions
from pyshell.simulator import ChapCredentials, LoginRefusedError, Simulator, open_simulator
from pyshell.simulator.registrations import TYPES
from pyshell.tree.command import (
    ANY_INITIATOR,
    INITIATOR_ADDRESS,
    LUN,
    SECRET,
    SIZE,
    TARGET,
    ValueType,
    choice,
    command,
)
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work

if TYPE_CHECKING:
    from pyshell.lio.identifiers import Portal, Target, Tpg
    from pyshell.lio.sessions import Session

_LONGEST_NAME = 223
_BYTES_A_COMMAND = 65536
_DEFAULT_ADDRESSES = {4: "192.168.56.105", 6: "fd00::105"}


def _key(text: str) -> int:
    """Read a reservation key. Raises UsageError."""
    try:
        found = int(text, 0)
    except ValueError:
        found = 0
    if not 0 < found < 1 << 64:
        raise UsageError(f"'{text}' is not a valid reservation key.", "Give 0xabc1, for example.")
    return found


_KEY = ValueType("key", _key)
LoggedIn = Annotated[str, ANY_INITIATOR, "Name of a logged-in initiator."]
OneTarget = Annotated[str | None, TARGET, "Target to use. Default: the only one."]
AtPortal = Annotated[str | None, "Portal to connect to, as ADDRESS[:PORT]."]
FromAddress = Annotated[str | None, INITIATOR_ADDRESS, "Address of the initiator."]
Userid = Annotated[str | None, "CHAP name of the initiator."]
Password = Annotated[str | None, "CHAP secret of the initiator.", SECRET]
MutualUserid = Annotated[str | None, "CHAP name expected of the target."]
MutualPassword = Annotated[str | None, "CHAP secret expected of the target.", SECRET]
Read = Annotated[int | None, SIZE, "Number of bytes read."]
Written = Annotated[int | None, SIZE, "Number of bytes written."]
Seconds = Annotated[int | None, "Repeat once per second for this many seconds."]
Key = Annotated[int | None, _KEY, "Reservation key, other than 0."]
Type = Annotated[str | None, choice(*TYPES), "Type of the reservation. Default: only register."]
Aptpl = Annotated[bool | None, "Keep the registrations over a restart of the target."]
Mistake = Annotated[
    str | None,
    choice("secret", "name", "missing"),
    "What is wrong with its CHAP; missing: no CHAP at all.",
]
ItsLun = Annotated[int | None, LUN, "LUN number, as the initiator sees it. Default: its first."]


@command(
    examples=(
        "login iqn.2020-07.192.168.56.105:client",
        "login iqn.2020-07.192.168.56.105:client portal=192.168.56.101",
    ),
    in_candidate="running",
)
def login(
    node: Node,
    initiator: Annotated[str, ANY_INITIATOR, "Name of the initiator."],
    target: OneTarget = None,
    *,
    portal: AtPortal = None,
    address: FromAddress = None,
    userid: Userid = None,
    password: Password = None,
    mutual_userid: MutualUserid = None,
    mutual_password: MutualPassword = None,
) -> Result:
    """Log a simulated initiator in.

    Only with --simulate. The target decides as the kernel does: the TPG must be enabled, a portal
    must be reachable, the initiator needs an ACL unless generate_node_acls is set, and CHAP
    secrets must match. A refused login is counted and logged like a real one.

    The session ends with logout, and when its ACL is deleted, its ACL's queue depth is changed, or
    its TPG is disabled or deleted.
    """
    _require_name(initiator)
    chap = _chap(userid, password, mutual_userid, mutual_password)
    tpg, origin = _connection(node, target, portal, address)

    def run() -> Lines:
        with _conflicts_named(tpg, initiator):
            try:
                _simulator(node).login(tpg.target.wwn, tpg.tag, initiator, origin, chap)
            except LoginRefusedError as error:
                raise NotPermittedError(f"Login refused: {error.why}.") from None
        return Lines([f"{initiator} logged in to {_name(tpg)}"])

    return Work([f"{initiator} would log in to {_name(tpg)}"], run)


@command(
    examples=(
        "refuse iqn.2020-07.192.168.56.105:client",
        "refuse iqn.2020-07.192.168.56.105:client reason=missing",
    ),
    in_candidate="running",
)
def refuse(
    node: Node,
    initiator: Annotated[str, ANY_INITIATOR, "Name of the initiator."],
    target: OneTarget = None,
    *,
    portal: AtPortal = None,
    address: FromAddress = None,
    reason: Mistake = "secret",
) -> Result:
    """Have the login of a simulated initiator refused.

    Only with --simulate. The initiator attempts to log in with a wrong CHAP secret, so that the
    target refuses it as the kernel does: for the secret, for want of an ACL, or because CHAP is not
    used. The refusal is counted and logged; 'trace', 'doctor' and Tab use it.
    """
    _require_name(initiator)
    tpg, origin = _connection(node, target, portal, address)

    def run() -> Lines:
        simulator = _simulator(node)
        chap = _wrong_chap(node, tpg, initiator, reason)
        if chap is None and simulator.accepts_without_chap(tpg.target.wwn, tpg.tag, initiator):
            raise ConflictError(
                f"{_name(tpg)} accepts {initiator} without CHAP.", "Omit reason=missing."
            )
        with _conflicts_named(tpg, initiator):
            try:
                simulator.login(tpg.target.wwn, tpg.tag, initiator, origin, chap)
            except LoginRefusedError as error:
                return Lines([f"{_name(tpg)} refused {initiator}: {error.why}."])
        raise AssertionError("a login with a wrong secret was accepted")

    return Work([f"{_name(tpg)} would refuse {initiator}"], run)


@command(examples=("logout iqn.2020-07.192.168.56.105:client",), in_candidate="running")
def logout(
    node: Node,
    initiator: Annotated[str, ANY_INITIATOR, "Name of the initiator."],
    target: OneTarget = None,
) -> Result:
    """Log a simulated initiator out.

    Only with --simulate.
    """
    tpg = _session(node, initiator, target).tpg

    def run() -> Lines:
        _simulator(node).logout(tpg.target.wwn, tpg.tag, initiator)
        return Lines([f"{initiator} logged out of {_name(tpg)}"])

    return Work([f"{initiator} would log out of {_name(tpg)}"], run)


@command(
    examples=("traffic iqn.2020-07.192.168.56.105:client read=20M written=5M",),
    in_candidate="running",
)
def traffic(
    node: Node,
    initiator: LoggedIn,
    target: OneTarget = None,
    *,
    lun: ItsLun = None,
    read: Read = 0,
    written: Written = 0,
    seconds: Seconds = None,
) -> Result:
    """Count reads and writes of a simulated initiator.

    Only with --simulate. No data is read or written: the kernel's counters increase as if it were,
    by one command per 64 KiB. To watch them in 'top', run this in another terminal with seconds=.
    """
    session = _session(node, initiator, target)
    path = _lun_of(node, session, lun, writes=bool(written))
    read, written = read or 0, written or 0
    commands = max(1, -(-read // _BYTES_A_COMMAND) + -(-written // _BYTES_A_COMMAND))

    def run() -> Lines:
        for second in range(seconds or 1):
            if second:
                time.sleep(1)
            _simulator(node).transfer(path, commands, read=read, written=written)
        return Lines([f"Counted {commands * (seconds or 1)} commands of {initiator}"])

    return Work([f"Would count {commands * (seconds or 1)} commands of {initiator}"], run)


@command(
    examples=(
        "reserve iqn.2020-07.192.168.56.105:client type=write_exclusive",
        "reserve iqn.2020-07.192.168.56.105:client key=0xabc1 aptpl=true",
    ),
    in_candidate="running",
)
def reserve(
    node: Node,
    initiator: LoggedIn,
    target: OneTarget = None,
    *,
    lun: ItsLun = None,
    key: Key = 1,
    type: Type = None,
    aptpl: Aptpl = False,
) -> Result:
    """Register a simulated initiator, and reserve a disk for it.

    Only with --simulate. It does what sg_persist does with PERSISTENT RESERVE OUT: it registers the
    initiator, unless it is registered with that key and a type is given, then reserves the disk.
    The last registration decides for all of the disk whether they are stored (aptpl=).
    """
    session = _session(node, initiator, target)
    path = _lun_of(node, session, lun, writes=False)
    done = f"reserved LUN {lun or 0}" if type else f"registered at LUN {lun or 0}"

    def run() -> Lines:
        try:
            number = TYPES[type][0] if type else 0
            _simulator(node).reserve(path, initiator, key or 1, number, aptpl=bool(aptpl))
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise ConflictError("Reservation conflict: another initiator holds it.") from None
            raise PyshellError("Logical unit communication failure.", "See 'doctor'.") from None
        return Lines([f"{initiator} {done}"])

    return Work([f"{initiator} would have {done}"], run)


def _name(tpg: Tpg) -> str:
    return f"{tpg.target.wwn}/tpg{tpg.tag}"


def _require_name(initiator: str) -> None:
    if not initiator or "\0" in initiator or len(initiator.encode()) > _LONGEST_NAME:
        raise UsageError(
            f"'{initiator}' cannot be the name of an initiator.",
            f"Give 1 to {_LONGEST_NAME} bytes.",
        )


def _connection(
    node: Node, target: str | None, portal: str | None, address: str | None
) -> tuple[Tpg, str]:
    """Return the TPG that an initiator reaches, and the initiator's address."""
    where = _reached(node, _target_called(node, target), portal)
    family = 6 if ":" in where.address and not where.address.startswith("::") else 4
    return where.tpg, address or _DEFAULT_ADDRESSES[family]


@contextmanager
def _conflicts_named(tpg: Tpg, initiator: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise ConflictError(f"{initiator} is already logged in to {_name(tpg)}.") from None
    except ConnectionRefusedError:
        raise ConflictError(
            f"Login refused: {_name(tpg)} is disabled.", f"Run '{tpg.path} enable' first."
        ) from None


def _wrong_chap(node: Node, tpg: Tpg, initiator: str, reason: str | None) -> ChapCredentials | None:
    """Return CHAP credentials with a mistake; None for none at all."""
    if reason == "missing":
        return None
    acl = next((one for one in listing.node_acls(tpg) if one.wwn == initiator), None)
    owner = acl.folder if acl is not None else tpg.folder
    name = text_or_none(node.lio.kernel, f"{owner}/auth/userid") or ""
    wrong = name.strip() + ("x" if reason == "name" else "")
    return ChapCredentials(wrong or "x", "not the secret")


def _simulator(node: Node) -> Simulator:
    assert node.lio.simulated is not None
    return open_simulator(node.lio.simulated)


def _target_called(node: Node, name: str | None) -> Target:
    return target_called(node.lio, name, "Give target=.")


def _reached(node: Node, target: Target, name: str | None) -> Portal:
    """Return the portal that an initiator connects to. Raises PyshellError if there is none."""
    wanted = names.portal(name) if name is not None else None
    tpgs = sorted(listing.tpgs(target), key=lambda tpg: not _is_enabled(node, tpg))
    every = [portal for tpg in tpgs for portal in listing.portals(tpg)]
    for portal in every:
        if _is_reachable(node, portal, wanted):
            return portal
    at = f" at {name}" if name is not None else ""
    known = ", ".join(portal.name for portal in every)
    hint = f"Portals: {known}." if known else "It has no portal."
    raise NotFoundError(f"Connection refused: nothing listens for {target.wwn}{at}.", hint)


def _is_enabled(node: Node, tpg: Tpg) -> bool:
    return is_on(node.lio.kernel, f"{tpg.folder}/enable")


def _is_reachable(node: Node, portal: Portal, wanted: tuple[str, int] | None) -> bool:
    """Return whether an initiator reaches a portal; its address must be one of this host."""
    own = [names.address(address) for address in node.lio.machine.addresses()]
    if wanted is None:
        return listing.is_wildcard(portal.address) or names.address(portal.address) in own
    address, port = wanted
    reached = portal.port == port and address in own
    return reached and names.listens_on(portal.address, address)


def _session(node: Node, initiator: str, target: str | None) -> Session:
    """Return the session of an initiator. Raises PyshellError if there is none, or several."""
    wwn = None if target is None else _target_called(node, target).wwn
    known = list(sessions(node.lio))
    found = [
        session
        for session in known
        if session.initiator == initiator and wwn in (None, session.tpg.target.wwn)
    ]
    if len(found) > 1:
        at = ", ".join(session.tpg.target.wwn for session in found)
        raise UsageError(f"{initiator} is logged in to several targets: {at}.", "Give target=.")
    if not found:
        logged_in = ", ".join(sorted({session.initiator for session in known})) or "nobody"
        raise NotFoundError(f"No session of {initiator}.", f"Logged in: {logged_in}.")
    return found[0]


def _lun_of(node: Node, session: Session, number: int | None, *, writes: bool) -> str:
    """Return the path of a LUN that a session sees. Raises PyshellError."""
    seen = [one for one in luns_of(node.lio, session) if one.storage_object is not None]
    chosen = next((one for one in seen if number in (None, one.index)), None)
    if chosen is None or chosen.lun is None:
        hint = f"It sees: {_listed([one.index for one in seen])}."
        raise NotFoundError(f"{session.initiator} sees no LUN {number or 0}.", hint)
    if writes and chosen.read_only:
        raise PyshellError(f"LUN {chosen.index} of {session.initiator} is read-only.")
    if session.acl is None:
        return chosen.lun.folder
    return f"{session.acl.folder}/lun_{chosen.index}"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _chap(
    userid: str | None, password: str | None, mutual_userid: str | None, mutual: str | None
) -> ChapCredentials | None:
    """Return the CHAP names and secrets of an initiator, None for one without."""
    if bool(userid) != bool(password) or bool(mutual_userid) != bool(mutual):
        raise UsageError("A CHAP name and its secret belong together.")
    if mutual and not password:
        raise UsageError("Mutual CHAP also needs userid= and password=.")
    if not userid or not password:
        return None
    return ChapCredentials(userid, password, mutual_userid or "", mutual or "")
