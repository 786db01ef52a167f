# SPDX-License-Identifier: Apache-2.0
"""Initiators that may be meant where one is named: who came, who was refused, who is known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from pyshell import names
from pyshell.errors import UsageError
from pyshell.host import inquiry
from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import Target, Tpg
from pyshell.lio.sessions import of_tpg
from pyshell.shell.completion.candidate import Candidate

_FAILED = "fabric_statistics/iscsi_tgt_attr"
"""Where the kernel tells of the last login that it refused, of iscsi's targets only."""
_NOBODY = ("", "None", "NONE", "Unknown")


def initiators(lio: Lio, here: Tpg) -> Iterator[Candidate]:
    """Yield initiators without an ACL at `here`, the likeliest first, each once."""
    seen = {acl.wwn for acl in listing.node_acls(here)}
    for name, told in _told(lio, here):
        if name not in seen:
            seen.add(name)
            yield Candidate(name, told)


def initiators_of(lio: Lio, targets: Sequence[Target], *, refused: bool) -> Iterator[Candidate]:
    """Yield initiators of targets, each once, those logged in first, then those refused."""
    seen = set()
    came = list(_logged_in(lio, targets))
    denied = _refused(lio, targets, None) if refused else ()
    for name, told in itertools.chain(came, denied, _with_acl(targets)):
        if name not in seen:
            seen.add(name)
            yield Candidate(name, told)


def _told(lio: Lio, here: Tpg) -> Iterator[tuple[str, str]]:
    for session in of_tpg(lio, here):
        yield session.initiator, "logged in now, without an ACL"
    every = [here.target, *(t for t in listing.targets(here.target.fabric) if t != here.target)]
    yield from _refused(lio, every, here.target)
    yield from _logged_in(lio, every)
    yield from _with_acl(every)


def _refused(lio: Lio, targets: Sequence[Target], here: Target | None) -> Iterator[tuple[str, str]]:
    """Yield who was refused, as the targets tell and then the log; `here` needs not be named."""
    for target in targets:
        name = text_or_none(lio.kernel, f"{target.folder}/{_FAILED}/fail_intr_name") or ""
        if name not in _NOBODY:
            address = text_or_none(lio.kernel, f"{target.folder}/{_FAILED}/fail_intr_addr") or ""
            at = "" if target == here else f" at {target.wwn}"
            origin = f" from {address}" if address[:1].isalnum() else ""
            yield name, f"was refused{at}{origin}"
    for name in inquiry.refused_initiators(lio.machine):
        if _is_valid(name):
            yield name, "was refused, as the kernel's log tells"


def _is_valid(name: str) -> bool:
    """Return whether a name that an initiator chose may become that of an ACL."""
    try:
        names.wwn(name, ("iqn", "naa", "eui"))
    except UsageError:
        return False
    return True


def _logged_in(lio: Lio, targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
    for target in targets:
        for tpg in listing.tpgs(target):
            for session in of_tpg(lio, tpg):
                yield session.initiator, f"logged in now at {_at(tpg)}"


def _with_acl(targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
    for target in targets:
        for tpg in listing.tpgs(target):
            for acl in listing.node_acls(tpg):
                yield acl.wwn, f"has an ACL at {_at(tpg)}"


def _at(tpg: Tpg) -> str:
    return f"{tpg.target.wwn}/tpg{tpg.tag}"
