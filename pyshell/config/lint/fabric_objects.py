# SPDX-License-Identifier: Apache-2.0
"""Faults of targets that the file alone shows: names, numbers, references."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pyshell import names
from pyshell.config.document import modern
from pyshell.config.lint import credentials
from pyshell.config.lint.faults import UNFIT, Entry, Fault, Seen, error, refused, warning
from pyshell.config.lint.portal_clashes import Listening, portal_faults
from pyshell.config.model import TAG_MAX, text_of
from pyshell.errors import UsageError
from pyshell.lio import fabrics
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import HBA_PREFIX

_PATH_PARTS = 3
_ALIAS_MAX = 255
_TAKEN = re.compile(r"alua_tg_pt_|(statistics|write_protect)$")
"""What the kernel has beside the link of a LUN or mapped LUN."""
_DEPTH_MAX = 512


@dataclass
class _Context:
    """What is known of the whole file while its targets are read."""

    groups: Mapping[str, set[str]]
    """The ALUA groups of each storage object."""
    running: frozenset[str]
    """Paths of the storage objects that a LUN may be made of though the file lacks them."""
    wwns: Seen = field(default_factory=Seen)
    listening: Listening = field(default_factory=Listening)


def target_faults(
    document: Entry, groups: Mapping[str, set[str]], running: frozenset[str]
) -> Iterator[Fault]:
    """Yield what is wrong with the targets of a file and with its settings of fabrics."""
    seen = Seen()
    for entry in document.each("fabric_modules"):
        fabric, faults = _fabric(entry, "name")
        yield from faults
        if fabric is not None and (before := seen.before(fabric.name, entry.at("name"))):
            yield error(entry.at("name"), f"{fabric.name} is there twice, first at {before}")
        yield from credentials.discovery_faults(entry)
    context = _Context(groups, running)
    for entry in document.each("targets"):
        fabric, faults = _fabric(entry, "fabric")
        yield from faults
        yield from _wwn(entry, "wwn", fabric, context.wwns)
        yield from _tpgs(entry, fabric, context)


def _fabric(entry: Entry, key: str) -> tuple[Fabric | None, list[Fault]]:
    name = entry.text(key)
    if name is None:
        return None, []
    if name in fabrics.known():
        return fabrics.fabric(name), []
    near = difflib.get_close_matches(name, fabrics.known(), n=1)
    known = ", ".join(fabrics.known())
    hint = f"Did you mean {near[0]}?" if near else f"There are {known}."
    return None, [error(entry.at(key), f"there is no fabric '{name}'", hint)]


def _wwn(entry: Entry, key: str, fabric: Fabric | None, seen: Seen) -> Iterator[Fault]:
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
    before = seen.before((fabric.name, wwn), entry.at(key))
    if before:
        yield error(entry.at(key), f"{wwn} is there twice, first at {before}")


def _tpgs(target: Entry, fabric: Fabric | None, context: _Context) -> Iterator[Fault]:
    tags = Seen()
    for position, tpg in enumerate(target.each("tpgs")):
        tag = tpg.number("tag") if "tag" in tpg.data else 1
        place = tpg.at("tag") if "tag" in tpg.data else tpg.place
        if tag is not None and not 1 <= tag <= TAG_MAX:
            yield error(place, f"{tag} is not a TPG tag", f"It is 1 to {TAG_MAX}.")
        elif tag is not None and (before := tags.before(tag, place)):
            yield error(place, f"TPG {tag} is there twice, first at {before}")
        if fabric is not None and position and not fabric.has("tpgts"):
            yield error(tpg.place, f"a target of {fabric.name} has one TPG")
        yield from _features(tpg, fabric)
        yield from _luns(tpg, context)
        yield from portal_faults(tpg, target.place, context.listening)
        yield from _node_acls(tpg, fabric)
        yield from credentials.tpg_faults(tpg)


def _features(tpg: Entry, fabric: Fabric | None) -> Iterator[Fault]:
    for key, feature, what in (("portals", "nps", "portals"), ("node_acls", "acls", "node ACLs")):
        if fabric is not None and tpg.data.get(key) and not fabric.has(feature):
            yield Fault("error", tpg.at(key), f"{fabric.name} has no {what}", at_key=True)


def _luns(tpg: Entry, context: _Context) -> Iterator[Fault]:
    seen = Seen()
    for lun in tpg.each("luns"):
        yield from _number(lun, "index", "LUN", seen)
        yield from _alias(lun)
        yield from _reference(lun, context)


def _reference(lun: Entry, context: _Context) -> Iterator[Fault]:
    given = lun.text("storage_object")
    if given is None:
        return
    place, groups = lun.at("storage_object"), context.groups
    path = exported(lun)
    if path is None:
        hint = "The form is /backstores/PLUGIN/NAME."
        yield error(place, f"'{given}' is not the path of a storage object", hint)
    elif path not in groups and path in context.running:
        yield warning(place, f"{path} is not in the file", "The one that runs would be taken.")
    elif path not in groups:
        near = difflib.get_close_matches(path, groups, n=1)
        hint = f"Did you mean {near[0]}?" if near else ""
        yield error(place, f"there is no storage object {path} in the file", hint)
    else:
        group = lun.text("alua_tg_pt_gp_name")
        if group and group not in groups[path]:
            yield error(
                lun.at("alua_tg_pt_gp_name"),
                f"{path} has no ALUA group {group}",
                f"It has {', '.join(sorted(groups[path]))}.",
            )


def exported(lun: Entry) -> str | None:
    """Return the path of the storage object of a LUN, by its backstore's name of today."""
    parts = (lun.text("storage_object") or "").strip("/").split("/")
    if len(parts) != _PATH_PARTS or parts[0] != "backstores":
        return None
    plugin = modern(parts[1])
    return f"/backstores/{plugin}/{parts[2]}" if plugin in HBA_PREFIX else None


def _node_acls(tpg: Entry, fabric: Fabric | None) -> Iterator[Fault]:
    luns = {lun.number("index") for lun in tpg.each("luns")}
    wwns = Seen()
    for acl in tpg.each("node_acls"):
        yield from _wwn(acl, "node_wwn", fabric, wwns)
        yield from _tag(acl)
        yield from credentials.acl_faults(acl, tpg)
        yield from _depth(acl)
        seen = Seen()
        for mapped in acl.each("mapped_luns"):
            yield from _number(mapped, "index", "mapped LUN", seen)
            yield from _alias(mapped)
            lun = mapped.number("tpg_lun")
            if lun is not None and lun not in luns:
                there = ", ".join(str(one) for one in sorted(luns - {None}, key=str)) or "none"
                yield error(
                    mapped.at("tpg_lun"), f"the TPG has no LUN {lun}", f"Its LUNs: {there}."
                )


def _tag(acl: Entry) -> Iterator[Fault]:
    tag = acl.text("tag")
    if not tag or UNFIT.search(tag):
        return
    try:
        names.possible_tag(tag)
    except UsageError as found:
        yield refused(acl.at("tag"), found)


def _depth(acl: Entry) -> Iterator[Fault]:
    depth = text_of(acl.data.get("tcq_depth"))
    number = names.whole(depth)
    if depth and (str(number) != depth or not 1 <= (number or 0) <= _DEPTH_MAX):
        yield error(acl.at("tcq_depth"), f"must be a number from 1 to {_DEPTH_MAX}")


def _number(entry: Entry, key: str, what: str, seen: Seen) -> Iterator[Fault]:
    number = entry.number(key)
    if number is None:
        return
    if not 0 <= number <= names.LUN_MAX:
        yield error(entry.at(key), f"{number} is no {what}", f"It is 0 to {names.LUN_MAX}.")
    elif before := seen.before(number, entry.at(key)):
        yield error(entry.at(key), f"{what} {number} is there twice, first at {before}")


def _alias(entry: Entry) -> Iterator[Fault]:
    """The alias becomes the name of a link in configfs."""
    alias = entry.text("alias")
    if not alias:
        return
    odd = "/" in alias or alias in (".", "..") or not alias.isprintable()
    if odd or len(alias.encode(errors="surrogatepass")) > _ALIAS_MAX or _TAKEN.match(alias):
        yield error(entry.at("alias"), f"'{alias}' cannot name a link in configfs")
