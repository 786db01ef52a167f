# SPDX-License-Identifier: Apache-2.0
"""`graph`: draw the topology."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pyshell.commands.diff import RUNNING, SAVED, items_of
from pyshell.config.compare import Difference, compare
from pyshell.config.model import ENABLED, Item, Items
from pyshell.errors import UsageError
from pyshell.lio import identifiers, listing, storage_info
from pyshell.lio.sessions import sessions
from pyshell.names import size_text
from pyshell.tree import topology
from pyshell.tree.command import CONFIGURATION, FILE, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Picture, Result
from pyshell.tree.topology import ADDED, CHANGED, REMOVED, SAME, Arrow, Box, Topology

_ENDINGS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"}


@command(examples=("graph /tmp/target.svg", "graph format=mermaid", "graph since=saved"))
def graph(
    node: Node,
    file: Annotated[str | None, FILE, "File to write. Default: standard output."] = None,
    *,
    format: Annotated[
        str | None,
        choice("svg", "mermaid", "dot"),
        "Format of the picture. Default: from the file's ending (.svg, .mmd, .dot, .gv),"
        " otherwise svg.",
    ] = None,
    of: Annotated[
        str | None, CONFIGURATION, "running, saved, a revision or a file. Default: running."
    ] = None,
    since: Annotated[
        str | None,
        CONFIGURATION,
        "Colour the differences from this configuration: added, removed, changed.",
    ] = None,
) -> Result:
    """Draw the topology, from initiators to devices.

    The picture shows initiators, targets, LUNs, storage objects and devices. Browsers show the SVG
    in their light or dark mode. The running configuration is drawn with its health and its
    sessions.

    An existing file is overwritten only if it contains such a picture.
    """

    form = format or _form(file)
    chosen = of or RUNNING
    before = items_of(node, since) if since else None
    seen = _seen(node) if chosen == RUNNING else Seen()
    title = _name(chosen) + (f", changes since {_name(since).lower()}" if since else "")
    made = make(title, before, items_of(node, chosen), seen)
    return Picture(made, form, file)


def _seen(node: Node) -> Seen:
    """Return the state of the running target."""
    sizes, missing = {}, set()
    for place in listing.storage_objects(node.lio):
        found = storage_info.describe(node.lio, place)
        if found.size is not None:
            sizes[place.path] = found.size
        if found.missing:
            missing.add(place.path)
    logged_in = {
        # A TPG's own path, which a fabric without tags does not show.
        (f"{s.tpg.target.path}/tpg{s.tpg.tag}", s.initiator): next(
            (connection.address for connection in s.connections), ""
        )
        for s in sessions(node.lio)
    }
    return Seen(sizes, missing, logged_in, running=True)


def _form(file: str | None) -> str:
    """Return the format of a picture by its file's name. Raises UsageError if it is unknown."""
    if file is None:
        return "svg"
    if file in _ENDINGS.values():
        raise UsageError(f"{file} would be a file.", f"Did you mean format={file}?")
    ending = os.path.splitext(file)[1].lower()
    if ending and ending not in _ENDINGS:
        raise UsageError(
            f"Cannot draw a picture as {ending}", "Use .svg, .mmd or .dot, or give format=."
        )
    return _ENDINGS.get(ending, "svg")


def _name(word: str) -> str:
    """Return a configuration's name as a title."""
    if word == RUNNING:
        return "Running configuration"
    if word == SAVED:
        return "Saved configuration"
    return f"Revision {word}" if word.isascii() and word.isdigit() else word


_PORTALS_SHOWN = 6
_Kind = TypeVar("_Kind", bound=identifiers.Identifier)


@dataclass(frozen=True)
class Seen:
    """State of the running target, by path in the tree; empty for a saved configuration."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    missing: Collection[str] = ()
    """Storage objects whose device is gone."""
    logged_in: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The initiator's address by TPG's path and initiator, "" if unknown."""
    running: bool = False


def make(title: str, before: Items | None, after: Items, seen: Seen) -> Topology:
    """Return the topology of `after`; with `before`, also differences and deleted objects."""
    return _Maker(title, before, after, seen).made()


class _Maker:
    """Creates boxes in the order of targets and LUNs."""

    def __init__(self, title: str, before: Items | None, after: Items, seen: Seen) -> None:
        self._seen = seen
        self._found = Topology(title, compared=before is not None)
        differences = compare(before, after) if before is not None else []
        self._differs = {difference.path: difference for difference in differences}
        self._items = {**after, **{p: i for p, i in (before or {}).items() if p not in after}}
        self._parts: dict[tuple[type, object], list[Item]] = {}
        for item in self._items.values():
            key = type(item.place), _owner(item)
            self._parts.setdefault(key, []).append(item)
        acls = (i.place for i in self._items.values() if isinstance(i.place, identifiers.NodeAcl))
        self._ways = Counter(acl.wwn for acl in acls)

    def made(self) -> Topology:
        """Return the topology."""
        for item, tpg in self._of(identifiers.Tpg):
            self._tpg(item, tpg)
        for item, place in self._of(identifiers.StorageObject):
            self._storage_object(item, place)
        return self._found

    def _of(self, kind: type[_Kind], owner: object = None) -> list[tuple[Item, _Kind]]:
        """Return the objects of a kind, with `owner` those that belong to it."""
        found = self._parts.get((kind, owner), [])
        return [(item, item.place) for item in found if isinstance(item.place, kind)]

    def _sign(self, path: str) -> str:
        difference = self._differs.get(path)
        return difference.sign if difference else SAME

    def _add(self, box: Box, differing: Iterable[str] = ()) -> Box:
        """Add a box; `differing` are paths of objects that are shown in it."""
        parts = [d for path in differing if (d := self._differs.get(path))]
        if box.sign == SAME and parts:
            box.sign = CHANGED
        box.tip += [line for part in parts for line in _told(part)]
        return self._found.boxes.setdefault(box.key, box)

    def _tpg(self, item: Item, tpg: identifiers.Tpg) -> None:
        portals = self._of(identifiers.Portal, tpg)
        box = Box(item.path, topology.TARGETS, tpg.target.wwn, sign=self._sign(item.path))
        box.lines = [self._manner(item, tpg), *self._portal_lines(portals)]
        box.tip = [tpg.target.wwn, item.path]
        if item.settings.get(ENABLED) == "0":
            box.faults.append("disabled")
        if not portals and tpg.target.fabric.has("nps"):
            box.faults.append("listens nowhere")
        box.healthy = not box.faults
        parts = [tpg.target.path, item.path, *(portal.path for portal, _ in portals)]
        self._add(box, parts)
        acls = self._of(identifiers.NodeAcl, tpg)
        everybody = item.settings.get("attrib/generate_node_acls") == "1"
        whom = Counter(
            mapped.facts["tpg_lun"]
            for _, acl in acls
            for mapped, _ in self._of(identifiers.MappedLun, acl)
            if self._sign(mapped.path) != REMOVED
        )
        for lun, place in self._of(identifiers.Lun, tpg):
            self._lun(item, lun, place, whom, everybody=everybody)
        for one, acl in acls:
            self._initiator(item, one, acl)
        if everybody:
            self._everybody(item)
        self._without_acl(item, {acl.wwn for _, acl in acls})

    def _manner(self, item: Item, tpg: identifiers.Tpg) -> str:
        words = [tpg.target.fabric_name]
        if tpg.target.fabric.has("tpgts"):
            words.append(f"tpg{tpg.tag}")
        if tpg.target.fabric.has("auth"):
            chap = item.settings.get("attrib/authentication") == "1"
            words.append("CHAP" if chap else "no CHAP")
        return " · ".join(words)

    def _portal_lines(self, portals: list[tuple[Item, identifiers.Portal]]) -> list[str]:
        first = portals[:_PORTALS_SHOWN]
        shown = [f"{self._marked(item.path)}{portal.name}" for item, portal in first]
        left = len(portals) - len(shown)
        return [*shown, *([f"and {left} more portals"] if left else [])]

    def _marked(self, path: str) -> str:
        return {ADDED: "+ ", REMOVED: "- ", CHANGED: "~ "}.get(self._sign(path), "")

    def _lun(
        self,
        tpg: Item,
        item: Item,
        place: identifiers.Lun,
        whom: Mapping[int, int],
        *,
        everybody: bool,
    ) -> None:
        box = Box(item.path, topology.LUNS, f"LUN {place.index}", sign=self._sign(item.path))
        box.tip = [item.path]
        if everybody:
            box.lines = ["everybody"]
        elif place.tpg.target.fabric.has("acls"):
            number = whom.get(place.index, 0)
            box.lines = [f"{number} initiator{'s' * (number != 1)}" if number else "mapped to none"]
        else:
            box.lines = ["this host"]
        self._add(box, [item.path])
        self._arrow(tpg.path, item.path, item.path)
        exported = str(item.facts["storage_object"])
        if exported in self._items:
            self._arrow(item.path, exported, item.path)
        else:
            box.faults.append("exports nothing")
        box.healthy = not box.faults

    def _initiator(self, tpg: Item, item: Item, acl: identifiers.NodeAcl) -> None:
        key = f"initiator {acl.tpg.target.fabric_name} {acl.wwn}"
        mapped = self._of(identifiers.MappedLun, acl)
        box = self._add(
            Box(key, topology.INITIATORS, acl.wwn, sign=self._sign(item.path), tip=[acl.wwn]),
            [item.path, *(m.path for m, _ in mapped)],
        )
        if box.sign != self._sign(item.path):
            box.sign = CHANGED  # an initiator of several targets, not all of which are new
        box.tip.append(f"{item.path}")
        lines = self._mapping_lines(mapped) or ["sees no LUN"]
        if self._ways[acl.wwn] > 1:
            lines = [f"{_short(acl.tpg)}: {', '.join(lines)}"]
        box.lines += lines
        self._session(box, tpg, acl.wwn, self._sign(item.path))

    def _mapping_lines(self, mapped: list[tuple[Item, identifiers.MappedLun]]) -> list[str]:
        """Return the LUNs that an initiator sees, one line for each kind."""
        groups: dict[str, list[int]] = {}
        for item, place in mapped:
            protected = item.settings.get("write_protect") == "1"
            words = f"{self._marked(item.path)}LUN {{}}{' read only' * protected}"
            groups.setdefault(words, []).append(place.index)
        return [words.format(topology.ranges(numbers)) for words, numbers in groups.items()]

    def _everybody(self, tpg: Item) -> None:
        box = Box("everybody", topology.INITIATORS, "Everybody", ["without an ACL (demo mode)"])
        self._add(box)
        self._found.arrows.append(Arrow(box.key, tpg.path, self._sign(tpg.path)))

    def _without_acl(self, tpg: Item, known: set[str]) -> None:
        """Add initiators that are logged in and have no ACL, unlike those in `known`."""
        for path, wwn in self._seen.logged_in:
            if path == tpg.path and wwn not in known:
                box = Box(f"initiator {wwn}", topology.INITIATORS, wwn, ["has no ACL"], tip=[wwn])
                self._session(self._add(box), tpg, wwn, SAME)

    def _session(self, box: Box, tpg: Item, wwn: str, sign: str) -> None:
        """Draw the arrow of an initiator, live if it is logged in."""
        address = self._seen.logged_in.get((tpg.path, wwn))
        if address is not None:
            told = f"logged in{f' from {address}' if address else ''}"
            box.lines += [told] if told not in box.lines else []
            box.healthy = True
        self._found.arrows.append(Arrow(box.key, tpg.path, sign, live=address is not None))

    def _storage_object(self, item: Item, place: identifiers.StorageObject) -> None:
        box = Box(item.path, topology.STORAGE_OBJECTS, place.name, sign=self._sign(item.path))
        box.tip = [item.path]
        size = self._seen.sizes.get(item.path, item.facts.get("size"))
        words = [place.plugin, *([size_text(int(size))] if size else [])]
        if item.facts.get("readonly"):
            words.append("read only")
        box.lines = [" · ".join(words)]
        if item.path in self._seen.missing:
            box.faults.append("device is gone")
        if self._seen.running and box.sign != REMOVED:
            box.healthy = not box.faults
        self._add(box, [item.path])
        self._device(item, place.plugin, box)

    def _device(self, item: Item, plugin: str, of: Box) -> None:
        path = item.facts.get("dev") or item.facts.get("config")
        if not path:
            title, line, key = "memory", "gone after a reboot", f"memory of {item.path}"
        else:
            title = line = str(path)
            kinds = {"fileio": "image file", "block": "block device", "pscsi": "SCSI device"}
            line, key = kinds.get(plugin, "user space"), f"device {path}"
        box = Box(key, topology.DEVICES, title, [line], tip=[title], sign=of.sign)
        if box.sign == CHANGED and not self._differs[item.path].facts:
            box.sign = SAME
        box.healthy = of.healthy if path else None
        if of.faults:
            box.faults = ["MISSING"]
        self._add(box)
        self._arrow(item.path, key, item.path)

    def _arrow(self, start: str, end: str, path: str) -> None:
        """Draw an arrow with the sign of the object at `path`."""
        sign = self._sign(path)
        self._found.arrows.append(Arrow(start, end, sign if sign in (ADDED, REMOVED) else SAME))


def _short(tpg: identifiers.Tpg) -> str:
    """Return a short name of a TPG: the end of its target's name."""
    return tpg.target.wwn.rpartition(":")[2] + (f" tpg{tpg.tag}" if tpg.tag != 1 else "")


def _owner(item: Item) -> object:
    """Return the TPG or ACL that an object belongs to, None for other objects."""
    return getattr(item.place, "tpg", None) or getattr(item.place, "acl", None)


def _told(difference: Difference) -> list[str]:
    """Return the changes of an object as lines of a tooltip."""
    return [f"{difference.path} {change.text}" for change in difference.changes]
