# SPDX-License-Identifier: Apache-2.0
"""Who is let in that perhaps should not be: demo mode, no CHAP, secrets that are easily known.

No finding holds a secret.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from pyshell.doctor.findings import Finding, asking, error, pyshell, tpgs, warning
from pyshell.doctor.target_state import DEMO
from pyshell.host import inquiry
from pyshell.lio import listing, sessions
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import NodeAcl, Tpg
from pyshell.lio.settings import SECRET_LEAST, is_short

_BOTH = (("password", "userid"), ("password_mutual", "userid_mutual"))


def check(lio: Lio) -> Iterator[Finding]:
    """Yield what lets the wrong ones in."""
    known: dict[str, str] = {}
    yield from _discovery(lio)
    for tpg in tpgs(of="iscsi"):
        acls = listing.node_acls(tpg)
        yield from _unused(lio, tpg, acls)
        public = _public_address(lio, tpg)
        if public:
            yield from _open(lio, tpg, acls, public)
        places: list[Tpg | NodeAcl] = [tpg, *acls]
        for place in places:
            yield from _secrets(lio, place, known)
        for acl in acls:
            if sessions.asks_for_chap(lio, acl) and not _text(lio, acl, "userid"):
                yield error(
                    acl.path,
                    "it is asked for CHAP, and no name and secret are set here for it: it cannot"
                    " log in",
                    choices=[_new_secret(lio, acl)],
                )


def _discovery(lio: Lio) -> Iterator[Finding]:
    """Yield that discovery asks for CHAP and accepts no name: nobody finds the targets."""
    iscsi = fabric("iscsi")
    folder = f"{iscsi.folder}/discovery_auth"
    userid = text_or_none(lio.kernel, f"{folder}/userid") or ""
    asked = text_or_none(lio.kernel, f"{folder}/enforce_discovery_auth") == "1"
    if asked and (not userid or userid.startswith("NULL")):
        yield error(
            "/iscsi",
            "discovery asks for CHAP, and no userid and password are set for it: no initiator can"
            " discover the targets",
            asking(lio, "/iscsi", "password", group="discovery_auth", userid="discovery"),
        )


def _unused(lio: Lio, tpg: Tpg, acls: list[NodeAcl]) -> Iterator[Finding]:
    """Yield that CHAP secrets are set and nobody is asked for them."""
    given = {acl for acl in acls if _text(lio, acl, "userid") and _text(lio, acl, "password")}
    unasked = [acl for acl in acls if acl in given and not sessions.asks_for_chap(lio, acl)]
    if not unasked:
        return
    told = (
        f"CHAP secrets are set for {len(unasked)} of its initiators, and authentication is 0: they"
        " are not asked for"
    )
    if len(given) == len(acls):
        command = pyshell(lio, tpg.path, "set", "attribute", authentication=1)
        yield warning(tpg.path, told, choices=[command])
    else:
        yield warning(tpg.path, f"{told}. With 1, initiators without a secret could not log in")


def _public_address(lio: Lio, tpg: Tpg) -> str:
    """Return an address of the TPG that the whole world can reach, "" where there is none."""
    for portal in listing.portals(tpg):
        if not listing.is_wildcard(portal.address):
            found = [portal.address]
        else:
            found = sorted(inquiry.addresses(lio.machine) or ())
            if portal.address == "0.0.0.0":  # noqa: S104 - looked for, not listened at
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
    asked = text_or_none(lio.kernel, f"{tpg.folder}/attrib/authentication") == "1"
    if text_or_none(lio.kernel, f"{tpg.folder}/{DEMO}") == "1":
        told = "demo mode lets in every initiator"
        if not asked:
            yield error(
                tpg.path,
                f"{told}, and {address} can be reached from everywhere",
                choices=[pyshell(lio, tpg.path, "set", "attribute", generate_node_acls=0)],
            )
        return
    if not asked:
        secrets = [_new_secret(lio, acl) for acl in acls if not _text(lio, acl, "password")]
        yield warning(
            tpg.path,
            f"it asks for no CHAP, and {address} can be reached from everywhere: who knows an"
            " initiator's name is let in",
            choices=[*secrets, pyshell(lio, tpg.path, "set", "attribute", authentication=1)],
        )


def _new_secret(lio: Lio, acl: NodeAcl) -> str:
    user = acl.wwn.rpartition(":")[2] or "initiator"
    return asking(lio, acl.path, "password", userid=user)


def _secrets(lio: Lio, place: Tpg | NodeAcl, known: dict[str, str]) -> Iterator[Finding]:
    """Yield secrets that are too short, or that somebody else has, too."""
    for name, user in _BOTH:
        secret = _text(lio, place, name)
        if not secret or not _text(lio, place, user):
            continue
        asked = _PARAMETERS[name]
        choices = [asking(lio, place.path, asked)]
        if is_short(secret):
            yield warning(
                place.path,
                f"the CHAP secret {asked} is shorter than {SECRET_LEAST} bytes: who listens can"
                " find it out, and some initiators refuse it",
                choices=choices,
            )
        other = known.setdefault(secret, place.path)
        if other != place.path:
            told = f"the CHAP secret {asked} is that of {other}, too: either can pose as the other"
            yield warning(place.path, told, choices=choices)
        elif name == "password_mutual" and secret == _text(lio, place, "password"):
            yield error(
                place.path,
                "the CHAP secret mutual_password is the same as password: RFC 7143 forbids that,"
                " and initiators refuse it",
                choices=choices,
            )


_PARAMETERS = {"password": "password", "password_mutual": "mutual_password"}


def _text(lio: Lio, place: Tpg | NodeAcl, name: str) -> str:
    found = text_or_none(lio.kernel, f"{place.folder}/auth/{name}") or ""
    return "" if found.startswith("NULL") else found
