# SPDX-License-Identifier: Apache-2.0
"""The hops between an initiator and a disk, in order: each is ok, broken or unknown.

What is broken, and what fixes it, is judged by the functions that the checks of `doctor` use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Literal

from pyshell import names
from pyshell.doctor import Code, Finding, access, disks, error, network, pyshell, why_unknown
from pyshell.doctor.network import Sender, Sockets
from pyshell.errors import UsageError
from pyshell.host import procnet
from pyshell.lio import Lio, listing, sessions, settings, statistics, storage_info
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, Portal, StorageObject, Target, Tpg
from pyshell.lio.sessions import RefusedLogins, Session
from pyshell.names import size_text
from pyshell.quoting import shell_word

Status = Literal["ok", "broken", "unknown"]
_ISCSI = "iscsi"
_NO_ACL = "not known without an ACL"
_NO_SENDER = "the initiator's address is not known: add from=ADDRESS"


@dataclass(frozen=True)
class Hop:
    """One hop. `code` is that of the finding if it is broken."""

    name: str
    path: str
    """The object, file or part of the host that was judged."""
    status: Status
    message: str
    code: Code = ""
    commands: tuple[str, ...] = ()
    """Commands for root's shell that fix it; some contain a word in capitals to replace."""


@dataclass(frozen=True)
class Trace:
    """The hops of one initiator to one disk through one TPG, None if no TPG is on the way."""

    tpg: Tpg | None
    disk: StorageObject | None
    lun: int | None
    """The number by which the initiator sees the disk."""
    admitted: bool
    """Whether the TPG has an ACL for the initiator, or allows every one."""
    portals: tuple[tuple[Hop, ...], ...]
    """The hops to each portal: one of them is enough."""
    login: tuple[Hop, ...]
    storage: tuple[Hop, ...]
    session: Hop | None
    is_meant: bool = False
    """Whether it is known that the initiator, without an ACL, is to log in here."""
    tried_somewhere: bool = False
    """Whether it tried to log in to one of several targets; it is not known to which."""

    @property
    def hops(self) -> list[Hop]:
        """Return all hops, in order."""
        return [*(hop for way in self.portals for hop in way), *self._behind_portals]

    @property
    def _behind_portals(self) -> list[Hop]:
        end = [self.session] if self.session is not None else []
        return [*self.login, *self.storage, *end]

    @property
    def visible(self) -> bool:
        """Return whether the initiator sees the disk now. A session outlives what began it."""
        logged_in = self.tpg is not None and (self.session is None or self.session.status == "ok")
        needed = self.storage if self.session is not None else (*self.login, *self.storage)
        return logged_in and self.disk is not None and _first(needed) is None

    @property
    def broken(self) -> Hop | None:
        """Return the first broken hop. One broken portal does not count if there is another."""
        ways = [_first(way) for way in self.portals]
        first = ways[0] if ways and None not in ways else None
        return first or _first(self._behind_portals)

    @property
    def impaired(self) -> Hop | None:
        """Return the first broken hop of all, also of one portal among several."""
        return _first(self.hops)


def _first(hops: Sequence[Hop]) -> Hop | None:
    return next((hop for hop in hops if hop.status == "broken"), None)


@dataclass(frozen=True)
class Question:
    """What is traced: an initiator, the address that it comes from, and a disk or all."""

    initiator: str
    address: str = ""
    disk: StorageObject | None = None
    device: str = ""
    """A device or image file without a storage object."""
    tpg: Tpg | None = None
    """The only TPG to consider, None for all."""


def traces(lio: Lio, asked: Question) -> list[Trace]:
    """Return the ways of an initiator to its disks, or to one disk, through each TPG."""
    if asked.device:
        return [_unexported(lio, asked)]
    log = RefusedLogins(lio.machine)
    every = [
        _At(lio, asked, log, tpg, name)
        for tpg in listing.all_tpgs(lio)
        if asked.tpg in (None, tpg) and (name := _name_at(tpg, asked.initiator))
    ]
    if asked.disk is None:
        chosen = [at for at in every if at.admitted] or every
        return _judged(lio, [(at, lun) for at in chosen for lun in at.luns()])
    luns = {lun.tpg: lun for lun in listing.luns_of(lio, asked.disk)}
    exporting = [at for at in every if at.tpg in luns]
    chosen = exporting or [at for at in every if at.is_known]
    if not chosen or listing.half_made(lio, asked.disk):
        return [_unexported(lio, asked)]
    return _judged(lio, [(at, luns.get(at.tpg)) for at in chosen])


def _name_at(tpg: Tpg, initiator: str) -> str:
    """Return an initiator's name as the fabric of a TPG spells it, "" if it has no such names."""
    fabric: Fabric = tpg.target.fabric
    for name in fabric.spellings(initiator):
        if fabric.has("acls") and listing.existing(NodeAcl(tpg, name)):
            return name  # even one that breaks the rules
    try:
        return fabric.normalise(initiator).wwn
    except UsageError:
        return ""


class _At:
    """An initiator at a TPG: its ACL, session and nexus."""

    def __init__(self, lio: Lio, asked: Question, log: RefusedLogins, tpg: Tpg, name: str) -> None:
        self.lio = lio
        self.asked = asked
        self.log = log
        self.tpg = tpg
        self.name = name
        self.fabric = tpg.target.fabric
        acl = NodeAcl(tpg, name)
        has_acl = self.fabric.has("acls") and listing.existing(acl)
        self.acl = acl if has_acl else None
        self.nexus: str | None = None
        if self.fabric.has("nexus"):
            self.nexus = text_or_none(lio.kernel, f"{tpg.folder}/nexus") or ""

    @cached_property
    def session(self) -> Session | None:
        """Return the initiator's session."""
        if self.acl is not None:
            return sessions.of_acl(self.lio, self.acl)
        found = sessions.of_tpg(self.lio, self.tpg)
        return next((one for one in found if one.initiator == self.name), None)

    @cached_property
    def mapped(self) -> dict[Lun | None, MappedLun]:
        """Return the mapped LUNs of the ACL by what they lead to, of several the first."""
        every = listing.mapped_luns(self.acl) if self.acl is not None else []
        return {listing.lun_of(one): one for one in reversed(every)}

    @cached_property
    def login(self) -> tuple[Hop, ...]:
        """Return the hops from the target to the login."""
        return tuple(_login(self))

    @property
    def demo(self) -> bool:
        """Return whether an initiator without an ACL is allowed, and gets LUNs."""
        allowed = is_on(self.lio.kernel, f"{self.tpg.folder}/{access.DEMO}")
        return allowed and not self.fabric.caution("generate_node_acls")

    @property
    def is_known(self) -> bool:
        """Return whether the TPG names the initiator, or is to get it as its nexus."""
        return self.acl is not None or self.nexus in (self.name, "") or self.session is not None

    @cached_property
    def tried(self) -> Sequence[Target]:
        """Return the targets of which one refused the initiator, as it had no ACL."""
        if self.fabric.name != _ISCSI:
            return ()
        return access.tried_targets(self.lio, self.log, self.name)

    @property
    def is_tried(self) -> bool:
        """Return whether the initiator is known to have been refused here."""
        return list(self.tried) == [self.tpg.target]

    @property
    def is_saved(self) -> bool:
        """Return whether the saved configuration has an ACL for the initiator here."""
        return access.is_saved(self.lio, NodeAcl(self.tpg, self.name))

    @property
    def admitted(self) -> bool:
        """Return whether the initiator is allowed here."""
        return self.is_known or (self.fabric.has("acls") and self.demo)

    @property
    def address(self) -> str:
        """Return the initiator's address: as given, of its session, or of its refused login."""
        found = [self.asked.address]
        if self.session is not None:
            found += [one.address for one in self.session.connections]
        counted = statistics.logins(self.lio, self.tpg.target)
        if counted is not None and counted.last_initiator == self.name:
            found.append(counted.last_address)
        return next((plain for one in found if (plain := _plain(one))), "")

    def luns(self) -> Sequence[Lun | None]:
        """Return the LUNs that the initiator gets here, None alone if it gets none."""
        found: list[Lun] = listing.luns(self.tpg) if self.admitted else []
        if self.acl is not None:
            mapped = map(listing.lun_of, listing.mapped_luns(self.acl))
            found = list(dict.fromkeys(lun for lun in mapped if lun is not None))
        return found or [None]


def _plain(address: str) -> str:
    """Return an address in plain form, "" if it is none."""
    try:
        return names.address(address) if address else ""
    except UsageError:
        return ""


def _judged(lio: Lio, chosen: Sequence[tuple[_At, Lun | None]]) -> list[Trace]:
    """Return the hops of each initiator at a TPG to a LUN."""
    sockets = Sockets.of(lio) if chosen else Sockets(None, None)
    tpgs = dict.fromkeys(at.tpg for at, _ in chosen if at.fabric.has("nps"))
    portals = [portal for tpg in tpgs for portal in listing.portals(tpg)]
    origin = cache(partial(_origin, lio, portals))
    network_hops: dict[Tpg, tuple[tuple[Hop, ...], ...]] = {}
    found = []
    for at, lun in chosen:
        if at.tpg not in network_hops:
            network_hops[at.tpg] = tuple(_network(at, sockets, origin))
        disk = at.asked.disk or (listing.storage_object_of(lun) if lun is not None else None)
        storage = tuple(_storage(at, lun, disk))
        found.append(
            Trace(
                tpg=at.tpg,
                disk=disk,
                lun=_number(at, lun),
                admitted=at.admitted,
                portals=network_hops[at.tpg],
                login=at.login,
                storage=storage,
                session=_session(at, network_hops[at.tpg]) if at.nexus is None else None,
                is_meant=not at.admitted and (at.is_tried or at.is_saved),
                tried_somewhere=not at.admitted and len(at.tried) > 1,
            )
        )
    return found


def _hop(name: str, found: Finding | None, path: str, message: str) -> Hop:
    """Return the hop of a finding; without one it is ok, as the message says."""
    if found is None:
        return Hop(name, path, "ok", message)
    status: Status = "unknown" if found.level == "unseen" else "broken"
    commands = (*found.commands, *found.choices)
    return Hop(name, found.path, status, found.message, found.code, commands)


def _unknown(name: str, path: str, why: str) -> Hop:
    return Hop(name, path, "unknown", why)


@dataclass(frozen=True)
class _Origin:
    """Where an initiator's packets come from, and what blocks them."""

    sender: Sender | None
    route: procnet.Route | None
    blocked: Sequence[Finding]


def _origin(lio: Lio, portals: Sequence[Portal], address: str) -> _Origin:
    route = procnet.route(lio.machine, address) if address else None
    sender = Sender(address, route.interface if route is not None else "") if address else None
    blocked = network.blocked(lio, portals, sender)
    return _Origin(sender, route, sorted(blocked, key=lambda one: one.level == "unseen"))


def _network(
    at: _At, sockets: Sockets, origin: Callable[[str], _Origin]
) -> Iterator[tuple[Hop, ...]]:
    """Yield the hops to each portal that is for the initiator's version of IP, if there is one."""
    if not at.fabric.has("nps"):
        return
    missing = access.without_portal(at.lio, at.tpg)
    if missing is not None:
        yield (_hop("portal", missing, at.tpg.path, ""),)
        return
    portals = listing.portals(at.tpg)
    seen = origin(at.address)
    sender = seen.sender
    if sender is not None:
        portals = [one for one in portals if _fits(at.lio, one, sender)] or portals
    for portal in portals:
        shut = next((one for one in seen.blocked if portal.path in one.about), None)
        yield (
            _address(at, portal, sender, sockets),
            _route(at.lio, sender, seen.route),
            _portal(at, portal, sockets),
            _hop("firewall", shut, portal.path, f"TCP port {portal.port} is not blocked"),
        )


def _address(at: _At, portal: Portal, sender: Sender | None, sockets: Sockets) -> Hop:
    found = network.without_address(at.lio, portal, sockets)
    if found is None and sender is not None:
        found = _other_family(at, portal, sender)
    if found is None and sockets.addresses is None:
        return _unknown("address", portal.path, next(sockets.unseen(at.lio)).message)
    every = listing.is_wildcard(portal.address)
    told = "it is on all addresses" if every else f"this host has the address {portal.address}"
    return _hop("address", found, portal.path, told)


def _fits(lio: Lio, portal: Portal, sender: Sender) -> bool:
    """Return whether a portal listens for the sender's version of IP."""
    plain = procnet.spelt(portal.address)
    if listing.is_wildcard(plain):
        v6only = listing.ipv6_only(lio.root)
        return names.listens_on(plain, sender.parsed.exploded, v6only=v6only)
    return (":" in plain) == (sender.parsed.version == 6)


def _other_family(at: _At, portal: Portal, sender: Sender) -> Finding | None:
    """Return the finding of a portal that listens for the other version of IP only."""
    if _fits(at.lio, portal, sender):
        return None
    version = sender.parsed.version
    wide = names.WILDCARD_V6 if version == 6 else names.WILDCARD_V4
    return error(
        portal.path,
        f"it cannot be reached from {sender.address}: an initiator with an IPv{version} address"
        f" needs a portal with one",
        choices=[_of_family(at, portal, wide)],
        code="address.family",
    )


def _of_family(at: _At, portal: Portal, wide: str) -> str:
    """Return the command that listens for the other version of IP, whose wildcard is `wide`.

    The kernel adds no wildcard beside some other portals.
    """
    folder, port = f"{at.tpg.path}/portals", str(portal.port)
    beside = [one for one in listing.portals_at(at.fabric, portal.port) if one != portal]
    obstacle = listing.portal_obstacle(Portal(at.tpg, wide, portal.port), beside)
    if not listing.is_wildcard(procnet.spelt(portal.address)) or obstacle is not None:
        return pyshell(at.lio, folder, "create", "ADDRESS", port)
    delete = pyshell(at.lio, folder, "delete", portal.address, port)
    return f"{delete} && {pyshell(at.lio, folder, 'create', wide, port)}"


def _route(lio: Lio, sender: Sender | None, route: procnet.Route | None) -> Hop:
    if sender is None or route is None:
        why = _NO_SENDER if sender is None else "this host's routes cannot be read"
        return _unknown("route", "routes", why_unknown(lio, why))
    by = f" by {route.gateway}" if route.gateway else ""
    told = f"{sender.address} is reached over {route.interface}{by}"
    return _hop("route", network.without_route(sender, route), "routes", told)


def _portal(at: _At, portal: Portal, sockets: Sockets) -> Hop:
    if sockets.listening is None:
        return _unknown("portal", portal.path, list(sockets.unseen(at.lio))[-1].message)
    if network.without_address(at.lio, portal, sockets) is not None:
        return _unknown("portal", portal.path, "without its address, nothing can connect to it")
    found = network.not_listening(at.lio, portal, sockets)
    return _hop("portal", found, portal.path, f"this host listens on TCP port {portal.port}")


def _login(at: _At) -> Iterator[Hop]:
    """Yield the hops of a login: the TPG, the ACL or nexus, and CHAP."""
    path = at.tpg.path
    if at.fabric.can_be_enabled:
        yield _hop("tpg", access.disabled(at.lio, at.tpg), path, "it is enabled")
    if at.nexus is not None:
        yield _hop("nexus", _other_nexus(at), path, f"{at.nexus} is its initiator")
    if at.fabric.has("acls"):
        yield _acl(at)
    if settings.asks_for_chap(at.lio.kernel, at.tpg) is not None:
        yield _chap(at)


def _other_nexus(at: _At) -> Finding | None:
    if at.nexus == at.name or not at.nexus:
        return access.without_nexus(at.lio, at.tpg)
    disk = [at.asked.disk.path] if at.asked.disk is not None else []
    return error(
        at.tpg.path,
        f"the only initiator of the TPG is its nexus {at.nexus}. Trace that one",
        choices=[pyshell(at.lio, "trace", at.nexus, *disk)],
        code="nexus.other",
    )


def _acl(at: _At) -> Hop:
    if at.acl is not None:
        return Hop("acl", at.acl.path, "ok", "the TPG has an ACL for the initiator")
    if at.demo:
        told = "demo mode allows every initiator (generate_node_acls=1)"
        return Hop("acl", at.tpg.path, "ok", told)
    found = access.unadmitted(at.lio, at.tpg, at.name, tried=at.is_tried)
    if found is None:
        found = error(
            at.tpg.path,
            at.fabric.caution("generate_node_acls"),
            choices=[pyshell(at.lio, f"{at.tpg.path}/acls", "create", at.name)],
            code="acl.missing",
        )
    if at.asked.disk is not None and at.fabric.name == _ISCSI and not at.is_saved:
        # No other disk of the TPG.
        found = replace(found, choices=(_shared(at.lio, at.asked, at.asked.disk.path, at.tpg),))
    return _hop("acl", found, at.tpg.path, "")


def _chap(at: _At) -> Hop:
    if not at.admitted:
        return _unknown("chap", at.tpg.path, _NO_ACL)
    place = at.acl or at.tpg
    required = settings.asks_for_chap(at.lio.kernel, place)
    found = access.chap_unset(at.lio, place)
    if found is None and at.session is None:
        found = access.login_refused(at.lio, place, at.name, at.log)
    told = "CHAP is not required"
    if required:
        told = "CHAP is required, and a name and secret are set here"
    elif settings.has_credentials(at.lio.kernel, place.folder):
        told += ": the name and secret that are set here are not used"
    return _hop("chap", found, place.path, told)


def _storage(at: _At, lun: Lun | None, disk: StorageObject | None) -> Iterator[Hop]:
    """Yield the hops from the mapping to the device."""
    if at.fabric.has("acls"):
        yield _mapping(at, lun)
    if (hop := _lun(at, lun, disk)) is not None:
        yield hop
    if disk is not None:
        yield from _disk(at.lio, disk)


def _mapping(at: _At, lun: Lun | None) -> Hop:
    place = at.acl or at.tpg
    if lun is None:
        luns = listing.luns(at.tpg) if at.acl is not None and at.asked.disk is None else ()
        if not at.admitted:
            return _unknown("mapping", place.path, _NO_ACL)
        if at.acl is None or not luns:
            return _unknown("mapping", place.path, "the TPG has no LUN to map")
        missing = access.half_mapped(at.lio, at.acl) or access.unmapped(at.lio, at.acl, luns[0])
        return _hop("mapping", missing, place.path, "")
    if at.acl is None:
        if not at.admitted:
            return _unknown("mapping", place.path, _NO_ACL)
        return Hop("mapping", place.path, "ok", "without an ACL, it gets each LUN of the TPG")
    mapped = at.mapped.get(lun)
    if mapped is None:
        found = access.unmapped(at.lio, at.acl, lun, this=True)
        return _hop("mapping", found, at.acl.path, "")
    read_only = is_on(at.lio.kernel, f"{mapped.folder}/write_protect")
    told = f"the ACL maps it as LUN {mapped.index}{', read-only' if read_only else ''}"
    return Hop("mapping", mapped.path, "ok", told)


def _number(at: _At, lun: Lun | None) -> int | None:
    if lun is None:
        return None
    mapped = at.mapped.get(lun)
    return mapped.index if mapped is not None else None if at.acl is not None else lun.index


def _lun(at: _At, lun: Lun | None, disk: StorageObject | None) -> Hop | None:
    if lun is None:
        missing = _without_lun(at)
        return None if missing is None else _hop("lun", missing, at.tpg.path, "")
    told = f"it exports {disk.path}" if disk is not None else ""
    return _hop("lun", access.exporting_nothing(at.lio, lun), lun.path, told)


def _without_lun(at: _At) -> Finding | None:
    """Return the finding of a TPG that does not export the disk, or no disk at all."""
    luns = listing.luns(at.tpg)
    disk = at.asked.disk.path if at.asked.disk is not None else ""
    if luns and not disk:
        return None
    message = f"no LUN of the TPG exports {disk or 'any disk'}"
    saved = access.restoring(at.lio, at.name, disk, at.tpg)
    choices = (
        [saved]
        if saved
        else [
            _shared(at.lio, at.asked, one, at.tpg)
            if at.fabric.name == _ISCSI
            else pyshell(at.lio, f"{at.tpg.path}/luns", "create", one)
            for one in ([disk] if disk else access.unexported(at.lio))
        ]
    )
    if len(choices) > 1:
        message += ". Choose one of these"
    return error(at.tpg.path, message, choices=choices, code="lun.missing")


def _disk(lio: Lio, place: StorageObject) -> Iterator[Hop]:
    """Yield the hops of a storage object and its device."""
    found = storage_info.describe(lio, place)
    unset = disks.unconfigured(lio, place, found)
    yield _hop("storage_object", unset, place.path, "it is configured")
    if unset is not None:
        return
    size = f", {size_text(found.size)}" if found.size else ""
    told = f"{found.device or 'memory' if place.plugin != 'user' else found.config}{size}"
    yield _hop("device", disks.gone(lio, place, found), place.path, told)


def _session(at: _At, ways: Sequence[Sequence[Hop]]) -> Hop:
    path = at.tpg.path
    if at.session is not None:
        origin = ", ".join(one.address for one in at.session.connections if one.address)
        return Hop("session", path, "ok", f"it is logged in{f' from {origin}' if origin else ''}")
    found = error(
        path, "it is not logged in", choices=_logging_in(at, ways), code="session.missing"
    )
    return _hop("session", found, path, "")


def _logging_in(at: _At, ways: Sequence[Sequence[Hop]]) -> list[str]:
    """Return the command, on the initiator's host, that logs it in at a portal that it reaches."""
    target = at.tpg.target.wwn
    if at.lio.simulated is not None and at.fabric.name == _ISCSI:
        return [_simulated_login(at)]
    portals = listing.portals(at.tpg) if at.fabric.name == _ISCSI else []
    if not portals:
        return []
    reached = {hop.path for way in ways if _first(way) is None for hop in way}
    portal = next((one for one in portals if one.path in reached), portals[0])
    name = portal.name
    if listing.is_wildcard(portal.address):
        name = f"ADDRESS:{portal.port}"
    where = shell_word(name)
    return [
        f"iscsiadm -m discovery -t sendtargets -p {where}"
        f" && iscsiadm -m node -T {shell_word(target)} -p {where} --login"
    ]


def _simulated_login(at: _At) -> str:
    """Return the command that logs a simulated initiator in, and prompts for its secret."""
    place = at.acl or at.tpg
    target = at.tpg.target.wwn
    if not settings.asks_for_chap(at.lio.kernel, place):
        return pyshell(at.lio, "login", at.name, target=target)
    user = text_or_none(at.lio.kernel, f"{place.folder}/auth/userid") or "NAME"
    return f"{pyshell(at.lio, 'login', at.name, target=target, userid=user)} password=-"


def _shared(lio: Lio, asked: Question, disk: str, tpg: Tpg | None) -> str:
    """Return the command that exports a disk to the initiator alone, as saved if it is saved."""
    saved = access.restoring(lio, asked.initiator, disk, tpg)
    if saved:
        return saved
    targets: list[Target] = list(listing.all_targets(lio, _ISCSI))
    target = tpg.target.wwn if tpg is not None else "TARGET" if len(targets) > 1 else None
    chap = None
    if tpg is not None and settings.asks_for_chap(lio.kernel, tpg):
        acl = NodeAcl(tpg, asked.initiator)
        given = listing.existing(acl) and settings.has_credentials(lio.kernel, acl.folder)
        chap = None if given else "oneway"
    return pyshell(lio, "share", disk, to=asked.initiator, target=target, chap=chap)


def _unexported(lio: Lio, asked: Question) -> Trace:
    """Return the hops to a disk that no TPG exports."""
    hops: list[Hop] = []
    if asked.disk is not None:
        hops = [*_disk(lio, asked.disk)]
        if hops[0].status == "ok":  # otherwise, no LUN can export it
            command = _shared(lio, asked, asked.disk.path, None)
            message = "no LUN exports it to this initiator"
            found = error(asked.disk.path, message, choices=[command], code="lun.missing")
            hops.insert(0, _hop("lun", found, asked.disk.path, ""))
    else:
        command = _shared(lio, asked, asked.device, None)
        message = "no storage object is on it: nothing exports it"
        found = error(asked.device, message, choices=[command], code="storage_object.missing")
        hops = [_hop("storage_object", found, asked.device, "")]
    return Trace(None, asked.disk, None, False, (), (), tuple(hops), None)
