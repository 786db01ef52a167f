# SPDX-License-Identifier: Apache-2.0
"""Who can log in, and who should not: incomplete TPGs, CHAP, demo mode, refused logins.

No finding contains a secret. Refused logins are counted since the target's creation; an initiator
that was refused and is logged in now is not reported.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Mapping
from itertools import islice

from pyshell import names
from pyshell.doctor import Code, Finding, asking, boot, error, pyshell, warning
from pyshell.errors import UsageError
from pyshell.host import procnet
from pyshell.lio import Lio, listing, sessions, settings, statistics
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import FabricPlace, Lun, MappedLun, NodeAcl, Target, Tpg
from pyshell.lio.sessions import RefusedLogins
from pyshell.lio.settings import SECRET_LEAST, is_short
from pyshell.lio.statistics import Logins
from pyshell.text import counted as plural
from pyshell.text import joined, listed

_NAMED = 3
"""How many storage objects are suggested."""
DEMO = "attrib/generate_node_acls"


def check_tpgs(lio: Lio) -> Iterator[Finding]:
    """Yield TPGs and ACLs that are incomplete."""
    for tpg in listing.all_tpgs(lio):
        fabric = tpg.target.fabric
        luns = listing.luns(tpg)
        found = [disabled(lio, tpg), without_portal(lio, tpg), without_nexus(lio, tpg)]
        found += [exporting_nothing(lio, lun) for lun in luns]
        if not luns:
            message = "the TPG has no LUN: initiators see no disk"
            choices = _filled(lio, tpg)
            found.append(warning(tpg.path, message, choices=choices, code="lun.missing"))
        if fabric.has("acls"):
            acls = listing.node_acls(tpg)
            if not acls:
                found.append(unadmitted(lio, tpg))
            for acl in acls:
                found.append(
                    half_mapped(lio, acl) or (unmapped(lio, acl, luns[0]) if luns else None)
                )
        yield from filter(None, found)


def disabled(lio: Lio, tpg: Tpg) -> Finding | None:
    """Return the finding of a TPG that is disabled."""
    able = tpg.target.fabric.can_be_enabled
    if not able or text_or_none(lio.kernel, f"{tpg.folder}/enable") != "0":
        return None
    message = "the TPG is disabled: no initiator can log in"
    choices = [pyshell(lio, tpg.path, "enable")]
    return error(tpg.path, message, choices=choices, code="tpg.disabled")


def without_portal(lio: Lio, tpg: Tpg) -> Finding | None:
    """Return the finding of a TPG that listens nowhere."""
    if not tpg.target.fabric.has("nps") or listing.portals(tpg):
        return None
    message = "the TPG has no portal: no initiator can reach it"
    choices = [pyshell(lio, f"{tpg.path}/portals", "create")]
    return error(tpg.path, message, choices=choices, code="portal.missing")


def unexported(lio: Lio) -> list[str]:
    """Return storage objects that no LUN exports, a few, or a placeholder if there is none."""
    exported = {
        listing.storage_object_of(lun)
        for other in listing.all_tpgs(lio)
        for lun in listing.luns(other)
    }
    free = [place.path for place in listing.storage_objects(lio) if place not in exported]
    return free[:_NAMED] or ["STORAGE_OBJECT"]


def _filled(lio: Lio, tpg: Tpg) -> tuple[str, ...]:
    """Return commands that export storage objects that no LUN exports."""
    names = unexported(lio)
    return tuple(pyshell(lio, f"{tpg.path}/luns", "create", name) for name in names)


def without_nexus(lio: Lio, tpg: Tpg) -> Finding | None:
    """Return the finding of a TPG without its only initiator; `apply` generates one."""
    if not listing.half_made(lio, tpg):
        return None
    save = pyshell(lio, "saveconfig", "FILE", target=tpg.target.wwn)
    return error(
        tpg.path,
        "the TPG has no nexus, its only initiator: nothing sees its LUNs. Its creation was"
        " interrupted. Saving it to a file and applying that sets a generated nexus",
        choices=[f"{save} && {pyshell(lio, 'apply', 'FILE')}"],
        code="nexus.missing",
    )


def exporting_nothing(lio: Lio, lun: Lun) -> Finding | None:
    """Return the finding of a LUN without a storage object."""
    if listing.storage_object_of(lun) is not None:
        return None
    return error(
        lun.path,
        "the LUN exports nothing: its creation was interrupted, or its storage object removed."
        " Delete it",
        choices=[pyshell(lio, f"{lun.tpg.path}/luns", "delete", f"lun{lun.index}")],
        code="lun.broken",
    )


def unadmitted(lio: Lio, tpg: Tpg, initiator: str = "", *, tried: bool = False) -> Finding | None:
    """Return the finding of an initiator, or of any, without an ACL and not in demo mode."""
    if is_on(lio.kernel, f"{tpg.folder}/{DEMO}"):
        return None
    name = initiator
    if initiator:
        logged = "; the kernel log shows that it tried to log in" if tried else ""
        message = f"the TPG has no ACL for {initiator}: it cannot log in{logged}"
        message += ". The saved configuration has one" * is_saved(lio, NodeAcl(tpg, initiator))
    else:
        counted = statistics.logins(lio, tpg.target)
        failed = counted is not None and counted.failures
        last = f"; one at {counted.last_address} tried to log in" if counted and failed else ""
        advice = f"Create one for the initiator (its name is in initiatorname.iscsi{last})"
        saved = _saved_acls(lio, tpg)
        name = (*saved, "INITIATOR")[0]
        if saved:
            advice = f"The saved configuration has one for {listed(saved, _NAMED)}"
        message = f"the TPG has no ACL: no initiator can log in. {advice}"
    choices = [_admitting(lio, tpg, name)]
    return error(tpg.path, message, choices=choices, code="acl.missing")


def tried_targets(lio: Lio, log: RefusedLogins, initiator: str) -> list[Target]:
    """Return the targets of which one refused an initiator without an ACL, as the log shows.

    The log does not name the target, and the counters of a target do not name the initiator.
    """
    if initiator not in log.initiators:
        return []
    every = list(listing.all_targets(lio, "iscsi"))
    counted = ((one, statistics.logins(lio, one)) for one in every)
    refusing = [one for one, logins in counted if logins and logins.failed.get("authorize")]
    return refusing or every


def _saved_acls(lio: Lio, tpg: Tpg) -> list[str]:
    """Return the initiators that have an ACL of a TPG in the saved configuration."""
    places = (item.place for item in boot.saved_items(lio).values())
    return [one.wwn for one in places if isinstance(one, NodeAcl) and one.tpg == tpg]


def is_saved(lio: Lio, acl: NodeAcl) -> bool:
    """Return whether the saved configuration has an ACL."""
    return acl.path in boot.saved_items(lio)


def restoring(lio: Lio, initiator: str, disk: str = "", tpg: Tpg | None = None) -> str:
    """Return the command that maps a disk to an initiator as saved, "" if no mapping is saved.

    `disk` is a storage object or device, any if omitted, and `tpg` the only TPG to consider.
    """
    saved = boot.saved_items(lio)
    for mapping in saved.values():
        if not isinstance(mapping.place, MappedLun) or mapping.place.acl.wwn != initiator:
            continue
        above = mapping.place.acl.tpg
        luns = (saved[link] for link in mapping.links if link in saved)
        exported = (saved[path] for lun in luns for path in lun.links if path in saved)
        named = (disk in ("", one.path, one.facts.get("dev")) for one in exported)
        if tpg in (None, above) and any(named):
            return _as_saved(lio, above)
    return ""


def _as_saved(lio: Lio, tpg: Tpg) -> str:
    return pyshell(lio, "apply", "saved", target=tpg.target.wwn)


def _admitting(lio: Lio, tpg: Tpg, initiator: str) -> str:
    """Return the command that creates an ACL, with its secret and mappings if it is saved."""
    if is_saved(lio, NodeAcl(tpg, initiator)):
        return _as_saved(lio, tpg)
    return pyshell(lio, f"{tpg.path}/acls", "create", initiator)


def unmapped(lio: Lio, acl: NodeAcl, lun: Lun, *, this: bool = False) -> Finding | None:
    """Return the finding of an ACL that maps no LUN, or not `this` one, and how to map one."""
    mapped = listing.mapped_luns(acl)
    if any(not this or listing.lun_of(one) == lun for one in mapped):
        return None
    message = "the ACL maps no LUN: its initiator sees no disk"
    if this and mapped:
        message = f"the ACL does not map LUN {lun.index} of the TPG: its initiator does not see it"
    taken = {one.index for one in mapped}
    number = lun.index if lun.index not in taken else listing.lowest_free(taken)
    choices = [pyshell(lio, acl.path, "create", mapped_lun=number, tpg_lun_or_backstore=lun.index)]
    return warning(acl.path, message, choices=choices, code="mapping.missing")


def half_mapped(lio: Lio, acl: NodeAcl) -> Finding | None:
    """Return the finding of an ACL with mapped LUNs that lead to no LUN."""
    broken = [one.index for one in listing.mapped_luns(acl) if listing.lun_of(one) is None]
    if not broken:
        return None
    return error(
        acl.path,
        f"its mapped LUN {joined([str(one) for one in broken])} leads to no LUN: the creation was"
        " interrupted. Delete it",
        choices=[pyshell(lio, acl.path, "delete", mapped_lun=one) for one in broken],
        code="mapping.broken",
    )


_BOTH = (("password", "userid"), ("password_mutual", "userid_mutual"))


def check_access(lio: Lio) -> Iterator[Finding]:
    """Yield settings that grant access to anyone, or that keep an initiator out."""
    known: dict[str, str] = {}
    yield from _discovery(lio)
    for tpg in listing.all_tpgs(lio, "iscsi"):
        acls = listing.node_acls(tpg)
        yield from _unused(lio, tpg, acls)
        public = _public_address(lio, tpg)
        if public:
            yield from _open(lio, tpg, acls, public)
        places: list[Tpg | NodeAcl] = [tpg, *acls]
        for place in places:
            yield from _secrets(lio, place, known)
        demo = is_on(lio.kernel, f"{tpg.folder}/{DEMO}")
        yield from filter(
            None, (chap_unset(lio, place) for place in places if demo or place != tpg)
        )


def chap_unset(lio: Lio, place: NodeAcl | Tpg) -> Finding | None:
    """Return the finding of required CHAP without a name or secret of the initiator.

    Those of a TPG are for initiators in demo mode.
    """
    unset = _unset(lio, place) if settings.asks_for_chap(lio.kernel, place) else ""
    if not unset:
        return None
    whom = "this initiator: it" if isinstance(place, NodeAcl) else "initiators without an ACL: they"
    return error(
        place.path,
        f"CHAP is required, but {unset} for {whom} cannot log in",
        choices=[_new_secret(lio, place)],
        code="chap.unset",
    )


def _unset(lio: Lio, place: NodeAcl | Tpg | FabricPlace) -> str:
    """Return what CHAP needs and lacks: "no userid and password are set", "" for nothing."""
    missing = [name for name in ("userid", "password") if not _credential(lio, place, name)]
    if not missing:
        return ""
    return f"no {joined(missing)} {'is' if len(missing) == 1 else 'are'} set"


def _discovery(lio: Lio) -> Iterator[Finding]:
    """Yield an error if discovery requires CHAP and no credentials are set for it."""
    iscsi = fabric("iscsi", lio.root)
    enforced = text_or_none(lio.kernel, f"{iscsi.folder}/discovery_auth/enforce_discovery_auth")
    place = FabricPlace(iscsi)
    unset = _unset(lio, place)
    if enforced == "1" and unset:
        user = {} if _credential(lio, place, "userid") else {"userid": "discovery"}
        yield error(
            "/iscsi",
            f"discovery requires CHAP, but {unset}: no initiator can discover targets",
            asking(lio, "/iscsi", "password", group="discovery_auth", **user),
        )


def _unused(lio: Lio, tpg: Tpg, acls: list[NodeAcl]) -> Iterator[Finding]:
    """Yield a warning if CHAP secrets are set but not required."""
    given = {
        acl for acl in acls if _credential(lio, acl, "userid") and _credential(lio, acl, "password")
    }
    unasked = [acl for acl in acls if acl in given and not settings.asks_for_chap(lio.kernel, acl)]
    if not unasked:
        return
    message = (
        f"CHAP secrets are set for {len(unasked)} of its initiators, but authentication is 0: they"
        " are not required"
    )
    if len(given) == len(acls):
        command = pyshell(lio, tpg.path, "set", "attribute", authentication=1)
        yield warning(tpg.path, message, choices=[command])
    else:
        yield warning(tpg.path, f"{message}. With 1, initiators without a secret could not log in")


def _public_address(lio: Lio, tpg: Tpg) -> str:
    """Return a public address that the TPG listens on, "" if there is none."""
    for portal in listing.portals(tpg):
        if not listing.is_wildcard(portal.address):
            found = [portal.address]
        else:
            found = sorted(procnet.addresses(lio.machine) or ())
            if portal.address == "0.0.0.0":  # noqa: S104 - compared, not bound
                found = [address for address in found if ":" not in address]
        for address in found:
            if _is_global(address):
                return address
    return ""


def _is_global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _open(lio: Lio, tpg: Tpg, acls: list[NodeAcl], address: str) -> Iterator[Finding]:
    asked = is_on(lio.kernel, f"{tpg.folder}/attrib/authentication")
    if is_on(lio.kernel, f"{tpg.folder}/{DEMO}"):
        message = "demo mode allows every initiator"
        if not asked:
            yield error(
                tpg.path,
                f"{message}, and {address} is a public address",
                choices=[pyshell(lio, tpg.path, "set", "attribute", generate_node_acls=0)],
            )
        return
    if not asked:
        secrets = [_new_secret(lio, acl) for acl in acls if not _credential(lio, acl, "password")]
        yield warning(
            tpg.path,
            f"CHAP is not required, and {address} is a public address: anyone who knows an"
            " initiator's name can log in",
            choices=[*secrets, pyshell(lio, tpg.path, "set", "attribute", authentication=1)],
        )


def _new_secret(lio: Lio, place: NodeAcl | Tpg) -> str:
    if _credential(lio, place, "userid"):
        return asking(lio, place.path, "password")
    name = place.wwn if isinstance(place, NodeAcl) else ""
    return asking(lio, place.path, "password", userid=name.rpartition(":")[2] or "initiator")


def _secrets(lio: Lio, place: Tpg | NodeAcl, known: dict[str, str]) -> Iterator[Finding]:
    """Yield secrets that are too short or used twice."""
    for name, user in _BOTH:
        secret = _credential(lio, place, name)
        if not secret or not _credential(lio, place, user):
            continue
        asked = settings.AUTH_NAMES[name]
        choices = [asking(lio, place.path, asked)]
        if is_short(secret):
            yield warning(
                place.path,
                f"the CHAP secret {asked} is shorter than {SECRET_LEAST} bytes: it can be guessed"
                " from captured traffic, and some initiators refuse it",
                choices=choices,
            )
        other = known.setdefault(secret, place.path)
        if other != place.path:
            message = (
                f"the CHAP secret {asked} is also that of {other}: each can impersonate the other"
            )
            yield warning(place.path, message, choices=choices)
        elif name == "password_mutual" and secret == _credential(lio, place, "password"):
            yield error(
                place.path,
                "the CHAP secret mutual_password is the same as password: RFC 7143 forbids that,"
                " and initiators refuse it",
                choices=choices,
            )


def _credential(lio: Lio, place: FabricPlace | Tpg | NodeAcl, name: str) -> str:
    """Return a CHAP name or secret, "" if it is unset or not readable."""
    group = "discovery_auth" if isinstance(place, FabricPlace) else "auth"
    try:
        return settings.read(lio.kernel, place.folder, f"{group}/{name}")
    except OSError:
        return ""


_LOGGED = ", according to the kernel log"
_REASONS = {
    "authenticate": "CHAP failed: its name or secret is missing or differs from the one set here",
    "authorize": "it has no ACL (its name is in its initiatorname.iscsi)",
    "negotiate": "the login negotiation failed",
    "other": "another reason; the kernel log may show it: dmesg | tail",
    sessions.CHAP_MISSING: f"CHAP is required, and it offers none{_LOGGED}",
    sessions.CHAP_UNSET: f"CHAP failed: its name or secret was not set here{_LOGGED}",
    sessions.CHAP_NAME: f"CHAP failed: its name differs from the one set here{_LOGGED}",
    sessions.CHAP_SECRET: f"CHAP failed: its secret differs from the one set here{_LOGGED}",
}
"""Why a login was refused: the kernel's counters know the first four, its log the rest."""
_BY_CHAP = ("authenticate", *sessions.CHAP)
_KINDS = {"authenticate": "by CHAP", "authorize": "without an ACL"}
_MOST = 20
"""How many names of refused initiators are reported."""


def check_logins(lio: Lio) -> Iterator[Finding]:
    """Yield targets that refused an initiator that is still not logged in."""
    log = RefusedLogins(lio.machine)
    for target in listing.all_targets(lio, "iscsi"):
        counted = statistics.logins(lio, target)
        if counted is None or not counted.failures:
            continue
        strangers = _strangers(lio, log) if counted.failed.get("authorize") else []
        if strangers or not _is_in(lio, target, counted):
            yield from _refused(lio, target, counted, log, strangers)


def _strangers(lio: Lio, log: RefusedLogins) -> list[str]:
    """Return refused initiators of the kernel log that have no ACL and are not logged in."""
    found = log.initiators
    if not found:
        return []
    known = {session.initiator for session in sessions.sessions(lio)}
    for tpg in listing.all_tpgs(lio, "iscsi"):
        known.update(acl.wwn for acl in listing.node_acls(tpg))
    return [name for name in found if name not in known][:_MOST]


def _is_in(lio: Lio, target: Target, counted: Logins) -> bool:
    """Return whether the initiator refused last, or one at its address, is logged in."""
    for tpg in listing.tpgs(target):
        for session in sessions.of_tpg(lio, tpg):
            addresses = [connection.address for connection in session.connections]
            if session.initiator == counted.last_initiator:
                return True
            if not counted.last_initiator and counted.last_address in addresses:
                return True
    return False


def _refused(
    lio: Lio, target: Target, counted: Logins, log: RefusedLogins, strangers: list[str]
) -> Iterator[Finding]:
    tpgs = listing.tpgs(target)
    name, reason = counted.last_initiator, _last_reason(lio, target, counted, log)
    if not tpgs:
        return
    choices: list[str] = []
    code: Code = "acl.missing" if reason == "authorize" else _CODES.get(reason, "")
    if name and reason in _BY_CHAP:
        acl = _acl(tpgs, name)
        settled = _is_settled(lio, acl or tpgs[0], reason)
        if settled and not strangers:
            return
        if acl is None and not is_on(lio.kernel, f"{tpgs[0].folder}/{DEMO}"):
            choices, code = [_admitting(lio, tpgs[0], name)], "acl.missing"
        elif not settled:
            choices = _chap_fix(lio, acl or tpgs[0], name, reason)
    if reason == "authorize" and not name and strangers:
        name = strangers[0]  # only the log has the name of such an initiator
    others = [stranger for stranger in strangers if stranger != name]
    message = f". The kernel log also names {', '.join(others)}, without an ACL" if others else ""
    for stranger in strangers:
        with contextlib.suppress(UsageError):  # an initiator chooses its name itself
            valid = names.iqn(stranger)
            choices.append(_admitting(lio, tpgs[0], valid))
    refused = plural(counted.failures, "login")
    kinds = [f"{n} {_KINDS[kind]}" for kind in _KINDS if (n := counted.failed.get(kind, 0))]
    if len(kinds) > 1:
        refused += f" ({', '.join(kinds)})"
    why = _REASONS.get(reason, _REASONS["other"])
    if name and not choices:
        why += f". {pyshell(lio, 'trace', name)!r} shows each hop"
    yield warning(
        target.path,
        f"it refused {refused}, the last one by {name or 'an unknown initiator'} from"
        f" {counted.last_address}: {why}{message}",
        choices=[*dict.fromkeys(choices)],
        code=code,
    )


def _is_settled(lio: Lio, place: NodeAcl | Tpg, reason: str) -> bool:
    """Return whether what a login lacked is set, or no longer required, since it was refused."""
    if reason == sessions.CHAP_MISSING:
        return settings.asks_for_chap(lio.kernel, place) is False
    return reason == sessions.CHAP_UNSET and not _unset(lio, place)


def _last_reason(lio: Lio, target: Target, counted: Logins, log: RefusedLogins) -> str:
    """Return why a target refused its last login.

    The log is more precise, but names no target: it is believed only if no other target counts a
    refusal, and if this one counts a refusal for that reason.
    """
    reason = counted.last_reason
    every = (statistics.logins(lio, one) for one in listing.all_targets(lio, "iscsi"))
    refusing = (one for one in every if one and one.failures)
    if not counted.last_initiator or len([*islice(refusing, 2)]) > 1:
        return reason
    # No target counts an initiator that was refused because the TPG is disabled.
    last = next((one for one in log.reasons if one != sessions.DISABLED), "")
    if last in sessions.CHAP and reason == "authenticate":
        return last
    return "negotiate" if last == sessions.NEGOTIATION and counted.negotiated else reason


def _chap_fix(lio: Lio, place: NodeAcl | Tpg, initiator: str, reason: str) -> list[str]:
    """Return commands that let an initiator log in that was refused for a reason of CHAP.

    If both sides have a name and secret, the first one is for its side and the second for this one.
    """
    wwn = place.tpg.target.wwn if isinstance(place, NodeAcl) else place.target.wwn
    required = settings.asks_for_chap(lio.kernel, place)
    if reason in _BY_CHAP:
        user = _credential(lio, place, "userid") or initiator.rpartition(":")[2] or initiator
        both = asking(lio, place.path, "password", userid=user)
        if _unset(lio, place):
            return [both]
        guide = pyshell(lio, "guide", wwn, initiator, show_secrets=True)
        other_name = pyshell(lio, place.path, "set", "auth", userid="NAME")
        here = {sessions.CHAP_MISSING: [], sessions.CHAP_NAME: [other_name]}
        return [guide, *here.get(reason, [both])]
    if required:
        user = _credential(lio, place, "userid_mutual") or wwn
        return [asking(lio, place.path, "mutual_password", mutual_userid=user)]
    secret = [_new_secret(lio, place)] if _unset(lio, place) else []
    own = text_or_none(lio.kernel, f"{place.folder}/attrib/authentication") is not None
    where = place.tpg if isinstance(place, NodeAcl) and not own else place
    return [*secret, pyshell(lio, where.path, "set", "attribute", authentication=1)]


def login_refused(
    lio: Lio, place: NodeAcl | Tpg, initiator: str, log: RefusedLogins
) -> Finding | None:
    """Return the finding of an initiator whose login was the last that its target refused by CHAP.

    The kernel keeps one refusal for each target, and not whether another login succeeded since.
    """
    tpg = place.tpg if isinstance(place, NodeAcl) else place
    counted = statistics.logins(lio, tpg.target)
    if counted is None or counted.last_initiator != initiator:
        return None
    reason = _last_reason(lio, tpg.target, counted, log)
    if reason not in _CODES or _is_settled(lio, place, reason):
        return None
    message = f"its last login, from {counted.last_address}, was refused: {_REASONS[reason]}"
    if reason == "negotiate":
        if settings.asks_for_chap(lio.kernel, place):
            message += "; perhaps it expects another secret of the target than mutual_password"
        else:
            message += (
                "; perhaps it offers CHAP, which is not required here. Turn CHAP off on the"
                " initiator, or require it here"
            )
    choices = _chap_fix(lio, place, initiator, reason)
    if reason in _BY_CHAP and len(choices) > 1:
        message += ". Configure it as the guide shows, or set here what it offers"
    return error(
        place.path,
        f"{message}. It must log in again afterwards",
        choices=choices,
        code=_CODES[reason],
    )


_CODES: Mapping[str, Code] = {
    "authenticate": "chap.refused",
    "negotiate": "chap.negotiation",
    sessions.CHAP_MISSING: "chap.missing",
    sessions.CHAP_UNSET: "chap.unset",
    sessions.CHAP_NAME: "chap.name",
    sessions.CHAP_SECRET: "chap.secret",
}
"""By reason: those of CHAP, and one that may be."""


def _acl(tpgs: list[Tpg], name: str) -> NodeAcl | None:
    for tpg in tpgs:
        acl = NodeAcl(tpg, name)
        if listing.existing(acl):
            return acl
    return None
