# SPDX-License-Identifier: Apache-2.0
"""Whether each TPG has all that it takes to log in and find a disk."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.doctor.findings import Finding, error, pyshell, tpgs, warning
from pyshell.lio import listing, statistics
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import NodeAcl, Tpg

_NAMED = 3
"""How many storage objects are offered."""
DEMO = "attrib/generate_node_acls"


def check(lio: Lio) -> Iterator[Finding]:
    """Yield what TPGs and ACLs lack."""
    for tpg in tpgs():
        fabric = tpg.target.fabric
        if fabric.can_be_enabled and text_or_none(lio.kernel, f"{tpg.folder}/enable") == "0":
            told = "it is disabled: nobody can log in"
            yield error(tpg.path, told, choices=[pyshell(lio, tpg.path, "enable")])
        if fabric.has("nps") and not listing.portals(tpg):
            told = "it has no portal: nobody can reach it"
            choices = [pyshell(lio, f"{tpg.path}/portals", "create")]
            yield error(tpg.path, told, choices=choices)
        luns = listing.luns(tpg)
        if not luns:
            told = "it has no LUN: initiators find no disk"
            yield warning(tpg.path, told, choices=_filled(lio, tpg))
        if not fabric.has("acls"):
            continue
        acls = listing.node_acls(tpg)
        if not acls and text_or_none(lio.kernel, f"{tpg.folder}/{DEMO}") != "1":
            yield _without_acl(lio, tpg)
        for acl in acls:
            if luns and not listing.mapped_luns(acl):
                yield _without_luns(lio, acl, luns[0].index)


def _filled(lio: Lio, tpg: Tpg) -> tuple[str, ...]:
    """Return the commands that export what is not exported yet."""
    exported = {listing.storage_object_of(lun) for other in tpgs() for lun in listing.luns(other)}
    free = [place.path for place in listing.storage_objects() if place not in exported]
    names = free[:_NAMED] or ["STORAGE_OBJECT"]
    return tuple(pyshell(lio, f"{tpg.path}/luns", "create", name) for name in names)


def _without_acl(lio: Lio, tpg: Tpg) -> Finding:
    counted = statistics.logins(lio, tpg.target)
    tried = f"; somebody at {counted.last_address} tried" if counted and counted.failures else ""
    return error(
        tpg.path,
        "it has no ACL: nobody is let in. Name the initiator (its name stands in its"
        f" initiatorname.iscsi{tried})",
        choices=[pyshell(lio, f"{tpg.path}/acls", "create", "INITIATOR")],
    )


def _without_luns(lio: Lio, acl: NodeAcl, lun: int) -> Finding:
    return warning(
        acl.path,
        "no LUN is mapped in it: its initiator finds no disk",
        choices=[pyshell(lio, acl.path, "create", mapped_lun=lun, tpg_lun_or_backstore=lun)],
    )
