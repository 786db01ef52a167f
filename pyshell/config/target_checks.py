# SPDX-License-Identifier: Apache-2.0
"""Problems of targets that the file alone shows: names, numbers, references, portals, CHAP.

No message contains a secret.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from pyshell import names
from pyshell.config.model import text_of
from pyshell.config.positions import (
    DocumentEntry,
    FirstSeen,
    Place,
    Problem,
    error,
    json_path,
    refused,
    violations,
    warning,
)
from pyshell.config.references import SUFFIX, is_exposed, read_secret
from pyshell.errors import UsageError
from pyshell.expressions import expression
from pyshell.lio import fabrics
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import HBA_PREFIX, normal_path
from pyshell.lio.settings import SECRET_LEAST, SECRET_MOST, check_auth, is_long, is_short
from pyshell.quoting import shell_word
from pyshell.text import did_you_mean

MOVING_ADDRESS = "Give the address that moves with the target."
_PATH_PARTS = 3
_ALIAS_MAX = 255
_TAKEN = expression(r"alua_tg_pt_|(statistics|write_protect)$")
"""Names in the folder of a LUN or mapped LUN that the kernel uses itself."""
_DEPTH_MAX = 512


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


_Listening = dict[_Address, dict[Place, Place]]
"""Places of the first portals at a port, by address and target."""


@dataclass
class _Context:
    """State for the whole file while its targets are checked."""

    groups: Mapping[str, set[str]]
    """The ALUA groups of each storage object."""
    running: frozenset[str]
    """Paths of running storage objects that a LUN can export although the file lacks them."""
    moving: bool = False
    """Whether a cluster moves the targets and their addresses."""
    wwns: FirstSeen = field(default_factory=FirstSeen)
    listening: dict[int, _Listening] = field(default_factory=lambda: defaultdict(dict))
    """By port."""


def target_problems(
    document: DocumentEntry,
    groups: Mapping[str, set[str]],
    running: frozenset[str],
    *,
    moving: bool = False,
) -> Iterator[Problem]:
    """Yield problems of the targets and fabric settings of a file.

    With `moving`, a cluster moves the targets and their addresses.
    """
    seen = FirstSeen()
    for entry in document.each("fabric_modules"):
        fabric, problems = _fabric(entry, "name")
        yield from problems
        if fabric is not None:
            yield from seen.twice(fabric.name, entry.at("name"), fabric.name)
        yield from _discovery(entry)
    context = _Context(groups, running, moving)
    for entry in document.each("targets"):
        fabric, problems = _fabric(entry, "fabric")
        yield from problems
        yield from _wwn(entry, "wwn", fabric, context.wwns)
        yield from _tpgs(entry, fabric, context)


def _fabric(entry: DocumentEntry, key: str) -> tuple[Fabric | None, list[Problem]]:
    name = entry.text(key)
    if name is None:
        return None, []
    if name in fabrics.known():
        return fabrics.fabric(name), []
    known = ", ".join(fabrics.known())
    hint = did_you_mean(name, fabrics.known()) or f"There are {known}."
    return None, [error(entry.at(key), f"no such fabric: {name}", hint)]


def _wwn(
    entry: DocumentEntry, key: str, fabric: Fabric | None, seen: FirstSeen
) -> Iterator[Problem]:
    given = entry.text(key)
    if given is None or fabric is None:
        return
    try:
        wwn = fabric.normalise(given).wwn
    except UsageError as found:
        try:
            names.possible_wwn(given, fabric.wwn_kinds)
        except UsageError as impossible:
            yield refused(entry.at(key), impossible)
            return
        wwn = given
        yield warning(entry.at(key), refused(entry.at(key), found).message, found.hint)
    yield from seen.twice((fabric.name, wwn), entry.at(key), wwn)


def _tpgs(target: DocumentEntry, fabric: Fabric | None, context: _Context) -> Iterator[Problem]:
    tags = FirstSeen()
    for position, tpg in enumerate(target.each("tpgs")):
        tag = tpg.number("tag") if "tag" in tpg.data else 1
        place = tpg.at("tag") if "tag" in tpg.data else tpg.place
        yield from violations(names.tpg_tag, tag, place)
        if tag is not None:
            yield from tags.twice(tag, place, f"TPG {tag}")
        if fabric is not None and position and not fabric.has("tpgts"):
            yield error(tpg.place, f"a target of {fabric.name} has one TPG")
        yield from _features(tpg, fabric)
        yield from _luns(tpg, context)
        yield from _portals(tpg, target.place, context)
        yield from _node_acls(tpg, fabric)
        yield from _pairs(tpg, "chap_")


def _features(tpg: DocumentEntry, fabric: Fabric | None) -> Iterator[Problem]:
    for key, feature, what in (("portals", "nps", "portals"), ("node_acls", "acls", "node ACLs")):
        if fabric is not None and tpg.data.get(key) and not fabric.has(feature):
            yield Problem("error", tpg.at(key), f"{fabric.name} has no {what}", at_key=True)


def _luns(tpg: DocumentEntry, context: _Context) -> Iterator[Problem]:
    seen = FirstSeen()
    for lun in tpg.each("luns"):
        yield from _number(lun, "index", "LUN", seen)
        yield from _alias(lun)
        yield from _lun_reference(lun, context)


def _lun_reference(lun: DocumentEntry, context: _Context) -> Iterator[Problem]:
    given = lun.text("storage_object")
    if given is None:
        return
    place, groups = lun.at("storage_object"), context.groups
    path = exported(lun)
    if path is None:
        hint = "The form is /backstores/PLUGIN/NAME."
        yield error(place, f"'{given}' is not the path of a storage object", hint)
    elif path not in groups and path in context.running:
        yield warning(place, f"{path} is not in the file", "The running one would be used.")
    elif path not in groups:
        hint = did_you_mean(path, groups)
        yield error(place, f"no storage object {path} in the file", hint)
    else:
        group = lun.text("alua_tg_pt_gp_name")
        if group and group not in groups[path]:
            yield error(
                lun.at("alua_tg_pt_gp_name"),
                f"{path} has no ALUA group {group}",
                f"It has {', '.join(sorted(groups[path]))}.",
            )


def exported(lun: DocumentEntry) -> str | None:
    """Return the normalised path of the storage object of a LUN, None if it is not valid."""
    path = normal_path(lun.text("storage_object") or "")
    _, *parts = path.split("/")
    valid = len(parts) == _PATH_PARTS and parts[0] == "backstores" and parts[1] in HBA_PREFIX
    return path if valid else None


def _node_acls(tpg: DocumentEntry, fabric: Fabric | None) -> Iterator[Problem]:
    luns = {lun.number("index") for lun in tpg.each("luns")}
    wwns = FirstSeen()
    for acl in tpg.each("node_acls"):
        yield from _wwn(acl, "node_wwn", fabric, wwns)
        yield from _tag(acl)
        yield from _authentication(acl, tpg)
        yield from _depth(acl)
        seen = FirstSeen()
        for mapped in acl.each("mapped_luns"):
            yield from _number(mapped, "index", "mapped LUN", seen)
            yield from _alias(mapped)
            lun = mapped.number("tpg_lun")
            if lun is not None and lun not in luns:
                there = ", ".join(str(one) for one in sorted(luns - {None}, key=str)) or "none"
                yield error(
                    mapped.at("tpg_lun"), f"the TPG has no LUN {lun}", f"Its LUNs: {there}."
                )


def _tag(acl: DocumentEntry) -> Iterator[Problem]:
    if tag := acl.fit_text("tag"):
        yield from violations(names.possible_tag, tag, acl.at("tag"))


def _depth(acl: DocumentEntry) -> Iterator[Problem]:
    depth = text_of(acl.data.get("tcq_depth"))
    number = names.whole(depth)
    if depth and (str(number) != depth or not 1 <= (number or 0) <= _DEPTH_MAX):
        yield error(acl.at("tcq_depth"), f"must be a number from 1 to {_DEPTH_MAX}")


def _number(entry: DocumentEntry, key: str, what: str, seen: FirstSeen) -> Iterator[Problem]:
    number = entry.number(key)
    if number is None:
        return
    yield from violations(names.lun, number, entry.at(key))
    yield from seen.twice(number, entry.at(key), f"{what} {number}")


def _alias(entry: DocumentEntry) -> Iterator[Problem]:
    alias = entry.text("alias")
    if not alias:
        return
    odd = "/" in alias or alias in (".", "..") or not alias.isprintable()
    if odd or len(alias.encode(errors="surrogatepass")) > _ALIAS_MAX or _TAKEN.match(alias):
        yield error(entry.at("alias"), f"'{alias}' cannot name a link in configfs")


def _portals(tpg: DocumentEntry, target: Place, context: _Context) -> Iterator[Problem]:
    """Yield problems of a TPG's portals, and clashes with portals of TPGs before it."""
    for portal in tpg.each("portals"):
        given, port = portal.text("ip_address"), portal.number("port")
        address: _Address | None = None
        if given is not None:
            try:
                address = ipaddress.ip_address(names.address(given))
            except UsageError as found:
                wrong_address = refused(portal.at("ip_address"), found)
                hint = MOVING_ADDRESS if context.moving else found.hint
                yield replace(wrong_address, hint=hint)
        wrong = list(
            violations(names.port_number, None if port is None else str(port), portal.at("port"))
        )
        yield from wrong
        if port is not None and address is not None and not wrong:
            yield from _clashes(portal, target, address, port, context.listening[port])


def _clashes(
    portal: DocumentEntry, target: Place, address: _Address, port: int, others: _Listening
) -> Iterator[Problem]:
    """Yield a clash with a portal of the same port before this one, and record this one."""
    name = f"{_shown(address)}:{port}"
    if before := others.get(address, {}).get(target):
        yield error(
            portal.place,
            f"portal {name} is defined twice, first at {json_path(before)}",
            "The TPGs of a target cannot share one.",
        )
        return
    for other, places in others.items():
        # A target before this one that listens on the same address shares its listener.
        same = target in places
        if (same or address not in others) and names.portals_exclude(
            str(address), str(other), same_target=same
        ):
            place = places[target] if same else next(iter(places.values()))
            yield error(
                portal.place,
                f"portals {name} and {_shown(other)}:{port} at {json_path(place)} overlap",
                "A wildcard listens on all addresses.",
            )
            break
    else:
        for other, places in others.items():
            if target not in places:
                yield from _in_place_of(portal, address, other, next(iter(places.values())))
    others.setdefault(address, {})[target] = portal.place


def _in_place_of(
    portal: DocumentEntry, address: _Address, other: _Address, before: Place
) -> Iterator[Problem]:
    """Yield a warning if the kernel serves portals of two targets at one address only."""
    first, second = sorted((str(other), str(address)), key=names.portal_order)
    if names.portal_in_place_of(second, [first]) is not None:
        yield warning(
            portal.place,
            f"the kernel treats portals {_shown(address)} and {_shown(other)} at"
            f" {json_path(before)} as one: both targets are reached only at {first}",
            "Give each target the same portals.",
        )


def _shown(address: _Address) -> str:
    return names.bracketed(names.address(str(address)))


def _authentication(acl: DocumentEntry, tpg: DocumentEntry) -> Iterator[Problem]:
    """Yield problems of the credentials of a node ACL."""
    yield from _pairs(acl, "chap_")
    wanted = tpg.below("attributes").number("authentication")
    own = acl.below("attributes").number("authentication")
    enforced = wanted == 1 if own in (None, -1) else own == 1
    keys = ("chap_userid", "chap_password", f"chap_password{SUFFIX}")
    if enforced and not any(acl.data.get(key) for key in keys):
        yield warning(
            acl.place,
            "authentication is on, but chap_userid and chap_password are missing",
            "The initiator cannot log in.",
        )


def _discovery(entry: DocumentEntry) -> Iterator[Problem]:
    yield from _pairs(entry, "discovery_")
    if entry.flag("discovery_enable_auth") and not entry.data.get("discovery_userid"):
        place = entry.at("discovery_enable_auth")
        yield warning(place, "is true, but discovery_userid is missing")


def _pairs(entry: DocumentEntry, prefix: str) -> Iterator[Problem]:
    for key in (f"{prefix}password", f"{prefix}mutual_password"):
        yield from _secret_file(entry, key)
    yield from _pair(entry, f"{prefix}userid", f"{prefix}password")
    yield from _pair(entry, f"{prefix}mutual_userid", f"{prefix}mutual_password")
    there, back = entry.text(f"{prefix}password"), entry.text(f"{prefix}mutual_password")
    if back and not (there or entry.data.get(f"{prefix}password{SUFFIX}")):
        message = f"has no effect without {prefix}password"
        yield warning(entry.at(f"{prefix}mutual_password"), message)
    elif back and there == back:
        yield warning(
            entry.at(f"{prefix}mutual_password"),
            f"is the same as {prefix}password",
            "RFC 7143 forbids that, and initiators refuse it.",
        )


def _secret_file(entry: DocumentEntry, key: str) -> Iterator[Problem]:
    file = entry.text(f"{key}{SUFFIX}")
    if file is None:
        return
    place = entry.at(f"{key}{SUFFIX}")
    if entry.data.get(key):
        yield error(place, f"cannot be combined with {key}")
        return
    yield from violations(lambda _: check_auth(key, read_secret(file)), file, place)
    if is_exposed(file):
        fix = f"chmod 600 {shell_word(file)} fixes it."
        yield warning(place, f"other users can read the secret in {file}", fix)


def _pair(entry: DocumentEntry, userid: str, password: str) -> Iterator[Problem]:
    for key, other in ((userid, password), (password, userid)):
        value = entry.text(key)
        if not value:
            continue
        if not (entry.data.get(other) or entry.data.get(f"{other}{SUFFIX}")):
            yield warning(entry.at(key), f"has no effect without {other}")
        yield from violations(partial(check_auth, key), value, entry.at(key))
    secret = entry.text(password) or ""
    if is_long(secret):
        yield warning(
            entry.at(password),
            f"the secret is longer than {SECRET_MOST} bytes",
            "Initiators such as Windows refuse it.",
        )
    if is_short(secret):
        yield warning(
            entry.at(password),
            f"the secret is shorter than {SECRET_LEAST} bytes",
            "RFC 7143 requires that many, and some initiators refuse fewer.",
        )
