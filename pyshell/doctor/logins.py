# SPDX-License-Identifier: Apache-2.0
"""Logins that the kernel refused, as its counters tell: who, from where, why.

They count from the making of a target. One that was refused and is logged in now is forgiven.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pyshell import names
from pyshell.doctor.findings import Finding, asking, pyshell, warning
from pyshell.errors import UsageError
from pyshell.host import inquiry
from pyshell.lio import listing, sessions, statistics
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import NodeAcl, Target, Tpg
from pyshell.lio.statistics import Logins

_REASONS = {
    "authenticate": "CHAP: its name or secret is not the one that is set here, or it gave none",
    "authorize": "it has no ACL (its name stands in its initiatorname.iscsi)",
    "negotiate": "the two could not agree on how to talk",
    "other": "another reason, which the kernel's log may tell: dmesg | tail",
}

_KINDS = {"authenticate": "by CHAP", "authorize": "without an ACL"}
_MOST = 20
"""How many names of refused initiators are reported."""


def check(lio: Lio) -> Iterator[Finding]:
    """Yield targets that refused somebody who is not in by now."""
    for target in listing.targets(fabric("iscsi")):
        counted = statistics.logins(lio, target)
        if counted is None or not counted.failures:
            continue
        strangers = _strangers(lio) if counted.failed.get("authorize") else []
        if strangers or not _is_in(lio, target, counted):
            yield from _refused(lio, target, counted, strangers)


def _strangers(lio: Lio) -> list[str]:
    """Return whom the kernel's log says it refused, and who is neither known nor in by now."""
    found = inquiry.refused_initiators(lio.machine)
    if not found:
        return []
    known = {session.initiator for session in sessions.sessions(lio)}
    for target in listing.targets(fabric("iscsi")):
        for tpg in listing.tpgs(target):
            known.update(acl.wwn for acl in listing.node_acls(tpg))
    return [name for name in found if name not in known][:_MOST]


def _is_in(lio: Lio, target: Target, counted: Logins) -> bool:
    """Tell whether the one who was refused at last, or somebody at its address, is logged in."""
    for tpg in listing.tpgs(target):
        for session in sessions.of_tpg(lio, tpg):
            addresses = [connection.address for connection in session.connections]
            if session.initiator == counted.last_initiator:
                return True
            if not counted.last_initiator and counted.last_address in addresses:
                return True
    return False


def _refused(lio: Lio, target: Target, counted: Logins, strangers: list[str]) -> Iterator[Finding]:
    tpgs = listing.tpgs(target)
    name, reason = counted.last_initiator, counted.last_reason
    if not tpgs:
        return
    choices: list[str] = []
    if reason == "authenticate" and name:
        choices = [_new_secret(lio, _acl(tpgs, name) or tpgs[0], name)]
    if reason == "authorize" and not name and strangers:
        name = strangers[0]  # of these the kernel keeps no name but in its log
    others = [stranger for stranger in strangers if stranger != name]
    told = f". The kernel's log also names {', '.join(others)}: without an ACL" if others else ""
    for stranger in strangers:
        with contextlib.suppress(UsageError):  # an initiator chooses its name itself
            valid = names.iqn(stranger)
            choices.append(pyshell(lio, f"{tpgs[0].path}/acls", "create", valid))
    times = "once" if counted.failures == 1 else f"{counted.failures} times"
    kinds = [f"{n} {_KINDS[kind]}" for kind in _KINDS if (n := counted.failed.get(kind, 0))]
    if len(kinds) > 1:
        times += f" ({', '.join(kinds)})"
    yield warning(
        target.path,
        f"it refused logins {times}, at last that of {name or 'somebody'} from"
        f" {counted.last_address}: {_REASONS.get(reason, _REASONS['other'])}{told}",
        choices=choices,
    )


def _new_secret(lio: Lio, place: NodeAcl | Tpg, name: str) -> str:
    user = text_or_none(lio.kernel, f"{place.folder}/auth/userid") or ""
    if not user or user.startswith("NULL"):
        user = name.rpartition(":")[2] or name
    return asking(lio, place.path, "password", userid=user)


def _acl(tpgs: list[Tpg], name: str) -> NodeAcl | None:
    for tpg in tpgs:
        acl = NodeAcl(tpg, name)
        if listing.existing(acl):
            return acl
    return None
