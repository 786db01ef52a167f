# SPDX-License-Identifier: Apache-2.0
"""The kinds of objects that `list` shows and their columns: one declaration for all uses.

The command, its help, completion and the manual derive from it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyshell.commands.tables.facts import Facts
from pyshell.lio import listing, sessions, settings, storage_info
from pyshell.lio.identifiers import Portal, StorageObject
from pyshell.tree.results import RowKind


@dataclass(frozen=True)
class Column:
    """A column: `read` returns its value for an object, None if there is none."""

    help: str
    read: Callable[[Facts, Any], Any]
    kind: RowKind = "text"
    shown: bool = True
    """Whether it is shown if no columns are given."""
    names: Callable[[Any, Any], bool] = operator.eq
    """Whether a value of `where=` names this value of the column."""


@dataclass(frozen=True)
class Kind:
    """A kind of objects. `name` is the column that `-o name` prints."""

    objects: Callable[[Facts], Iterable[Any]]
    columns: Mapping[str, Column]
    name: str = "path"


def _path(what: str) -> Column:
    return Column(f"path of the {what}", lambda _, one: one.path, shown=False)


def _of_tpg(tpg: Callable[[Any], Any]) -> dict[str, Column]:
    """Return the columns that name a TPG, given how to get it from an object."""
    return {
        "fabric": Column("such as iscsi", lambda _, one: tpg(one).target.fabric_name, shown=False),
        "target": Column("WWN of the target", lambda _, one: tpg(one).target.wwn, names=_names_wwn),
        "tpg": Column("tag of the TPG", lambda _, one: tpg(one).tag, "number"),
    }


def _names_object(found: str, given: str) -> bool:
    """Return whether a storage object's name is given, with its backstore, as its path or alone."""
    return found == given.removeprefix("/backstores/") or found.partition("/")[2] == given


def _names_wwn(found: str, given: str) -> bool:
    return found.lower() == given.lower()


def _named(place: StorageObject | None) -> str | None:
    return f"{place.plugin}/{place.name}" if place is not None else None


def _of_storage_object(
    place: Callable[[Facts, Any], StorageObject | None], *, shown: bool = True
) -> dict[str, Column]:
    """Return columns about a storage object, given how to get it from an object."""

    def fact(name: str) -> Callable[[Facts, Any], Any]:
        def read(facts: Facts, one: Any) -> Any:
            found = getattr(facts.info(place(facts, one)), name, None)
            return None if found == "" else found

        return read

    return {
        "device": Column("device or image file", fact("device"), shown=shown),
        "size": Column("size in bytes", fact("size"), "size"),
        "problem": Column("why its device cannot be read", fact("missing"), shown=False),
    }


def _write_cache(facts: Facts, one: StorageObject) -> str | None:
    found = facts.info(one)
    cache = storage_info.cache(facts.lio, one, found) if found is not None else None
    return str(cache.value) if cache is not None else None


KINDS: Mapping[str, Kind] = {
    "acls": Kind(
        lambda facts: (a for tpg in listing.all_tpgs(facts.lio) for a in listing.node_acls(tpg)),
        {
            "path": _path("node ACL"),
            **_of_tpg(lambda acl: acl.tpg),
            "initiator": Column("WWN of the initiator", lambda _, acl: acl.wwn, names=_names_wwn),
            "mappings": Column(
                "number of mapped LUNs", lambda _, acl: len(listing.mapped_luns(acl)), "number"
            ),
            "chap": Column(
                "whether the initiator must authenticate by CHAP",
                lambda facts, acl: settings.asks_for_chap(facts.lio.kernel, acl),
                "flag",
                shown=False,
            ),
            "logged_in": Column(
                "whether the initiator is logged in",
                lambda facts, acl: facts.is_logged_in(acl),
                "flag",
            ),
        },
    ),
    "disks": Kind(
        lambda facts: facts.disks,
        {
            "device": Column("path of the block device", lambda _, disk: disk.path),
            "name": Column("the kernel's name", lambda _, disk: disk.name, shown=False),
            "size": Column("size in bytes", lambda _, disk: disk.size, "size"),
            "model": Column("vendor and model", lambda _, disk: disk.model or None),
            "read_only": Column(
                "whether it is read-only", lambda _, disk: disk.read_only, "flag", shown=False
            ),
            "used_by": Column(
                "storage object, mount point or device that uses it",
                lambda facts, disk: facts.used_by(disk),
            ),
        },
        name="device",
    ),
    "luns": Kind(
        lambda facts: (lun for tpg in listing.all_tpgs(facts.lio) for lun in listing.luns(tpg)),
        {
            "path": _path("LUN"),
            **_of_tpg(lambda lun: lun.tpg),
            "lun": Column("number of the LUN", lambda _, lun: lun.index, "number"),
            "storage_object": Column(
                "what it exports, as PLUGIN/NAME",
                lambda facts, lun: _named(facts.exported(lun)),
                names=_names_object,
            ),
            **_of_storage_object(lambda facts, lun: facts.exported(lun)),
            "mappings": Column(
                "number of ACLs that map it",
                lambda facts, lun: facts.mappings(lun),
                "number",
                shown=False,
            ),
        },
    ),
    "mappings": Kind(
        lambda facts: (
            mapped
            for tpg in listing.all_tpgs(facts.lio)
            for acl in listing.node_acls(tpg)
            for mapped in listing.mapped_luns(acl)
        ),
        {
            "path": _path("mapped LUN"),
            **_of_tpg(lambda mapped: mapped.acl.tpg),
            "initiator": Column(
                "WWN of the initiator", lambda _, mapped: mapped.acl.wwn, names=_names_wwn
            ),
            "mapped_lun": Column(
                "number of the LUN for the initiator", lambda _, mapped: mapped.index, "number"
            ),
            "lun": Column(
                "number of the LUN in the TPG",
                lambda facts, mapped: getattr(facts.lun_of(mapped), "index", None),
                "number",
            ),
            "storage_object": Column(
                "what it exports, as PLUGIN/NAME",
                lambda facts, mapped: _named(facts.exported(facts.lun_of(mapped))),
                names=_names_object,
            ),
            **_of_storage_object(
                lambda facts, mapped: facts.exported(facts.lun_of(mapped)), shown=False
            ),
            "read_only": Column(
                "whether it is write-protected",
                lambda facts, mapped: facts.flag(f"{mapped.folder}/write_protect"),
                "flag",
            ),
        },
    ),
    "portals": Kind(
        lambda facts: (p for tpg in listing.all_tpgs(facts.lio) for p in listing.portals(tpg)),
        {
            "path": _path("portal"),
            **_of_tpg(lambda portal: portal.tpg),
            "address": Column("IP address", lambda _, portal: portal.address),
            "port": Column("TCP port", lambda _, portal: portal.port, "number"),
            "iser": Column(
                "whether iSER is enabled",
                lambda facts, portal: _offloaded(facts, portal, "iser"),
                "flag",
            ),
        },
    ),
    "sessions": Kind(
        lambda facts: facts.all_sessions,
        {
            "initiator": Column(
                "WWN of the initiator", lambda _, one: one.initiator, names=_names_wwn
            ),
            **_of_tpg(lambda one: one.tpg),
            "state": Column("state of the session", lambda _, one: one.state or sessions.LOGGED_IN),
            "dynamic": Column(
                "whether the initiator has no ACL (demo mode)",
                lambda _, one: one.dynamic,
                "flag",
                shown=False,
            ),
            "sid": Column("number of the session", lambda _, one: one.sid, "number"),
            "address": Column("address of the initiator", lambda facts, one: facts.address(one)),
            "since": Column(
                "start of the session, in UTC", lambda facts, one: facts.since(one), shown=False
            ),
            "luns": Column(
                "number of LUNs that it sees",
                lambda facts, one: sum(1 for _ in sessions.luns_of(facts.lio, one)),
                "number",
                shown=False,
            ),
        },
        name="initiator",
    ),
    "storage_objects": Kind(
        lambda facts: listing.storage_objects(facts.lio),
        {
            "path": _path("storage object"),
            "plugin": Column("type of backstore", lambda _, one: one.plugin),
            "name": Column("its name", lambda _, one: one.name),
            **_of_storage_object(lambda _, one: one),
            "luns": Column(
                "number of LUNs that export it",
                lambda facts, one: facts.exports[one.folder],
                "number",
            ),
            "read_only": Column(
                "whether it was created read-only",
                lambda facts, one: getattr(facts.info(one), "read_only", None),
                "flag",
                shown=False,
            ),
            "write_cache": Column("write-back, write-thru or unknown", _write_cache, shown=False),
            "serial": Column(
                "unit serial number",
                lambda facts, one: storage_info.serial(facts.lio.kernel, one) or None,
                shown=False,
            ),
            "naa": Column(
                "NAA ID, by which initiators know it",
                lambda facts, one: storage_info.naa(facts.lio.kernel, one),
                shown=False,
            ),
        },
    ),
    "targets": Kind(
        lambda facts: listing.all_targets(facts.lio),
        {
            "path": _path("target"),
            "fabric": Column("such as iscsi", lambda _, one: one.fabric_name),
            "target": Column("WWN of the target", lambda _, one: one.wwn, names=_names_wwn),
            "tpgs": Column("number of TPGs", lambda _, one: len(listing.tpgs(one)), "number"),
            "luns": Column(
                "number of LUNs",
                lambda _, one: sum(len(listing.luns(tpg)) for tpg in listing.tpgs(one)),
                "number",
            ),
            "acls": Column(
                "number of node ACLs",
                lambda _, one: sum(len(listing.node_acls(tpg)) for tpg in listing.tpgs(one)),
                "number",
            ),
            "sessions": Column(
                "number of sessions",
                lambda facts, one: sum(len(facts.sessions(tpg)) for tpg in listing.tpgs(one)),
                "number",
                shown=False,
            ),
        },
    ),
    "tpgs": Kind(
        lambda facts: listing.all_tpgs(facts.lio),
        {
            "path": _path("TPG"),
            **_of_tpg(lambda tpg: tpg),
            "enabled": Column(
                "whether initiators can log in",
                lambda facts, tpg: facts.flag(f"{tpg.folder}/enable"),
                "flag",
            ),
            "luns": Column("number of LUNs", lambda _, tpg: len(listing.luns(tpg)), "number"),
            "acls": Column(
                "number of node ACLs", lambda _, tpg: len(listing.node_acls(tpg)), "number"
            ),
            "portals": Column(
                "number of portals", lambda _, tpg: len(listing.portals(tpg)), "number"
            ),
            "sessions": Column(
                "number of sessions",
                lambda facts, tpg: len(facts.sessions(tpg)),
                "number",
                shown=False,
            ),
            "demo_mode": Column(
                "whether initiators without an ACL can log in",
                lambda facts, tpg: facts.flag(f"{tpg.folder}/attrib/generate_node_acls"),
                "flag",
                shown=False,
            ),
        },
    ),
}
"""The kinds by name, sorted."""


def _offloaded(facts: Facts, portal: Portal, name: str) -> bool | None:
    return facts.flag(f"{portal.folder}/{name}")


def described() -> str:
    """Return the columns of all kinds as paragraphs of help."""
    return "\n\n".join(
        f"Columns of {name}: "
        + ", ".join(f"{column} ({one.help})" for column, one in kind.columns.items())
        + "."
        for name, kind in KINDS.items()
    )
