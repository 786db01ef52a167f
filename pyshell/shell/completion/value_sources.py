# SPDX-License-Identifier: Apache-2.0
"""Words for values, by what their kind names as its source: nodes of the tree, devices, files.

Every word is yielded, whatever was typed; `candidate` picks those that fit. A word is described
only once it is shown, as descriptions read the kernel.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from pyshell import names
from pyshell.commands import topics
from pyshell.errors import PyshellError
from pyshell.lio import listing
from pyshell.lio.identifiers import Tpg
from pyshell.shell.completion import object_sources
from pyshell.shell.completion.engine import Candidate, Value
from pyshell.tree.node import Node

GLOBAL = "global"
_NUMBER = re.compile(r"\d+$")


def from_source(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Return words for a value that the line gives to a command of `node`."""
    source = _SOURCES.get(wanted.param.kind.source)
    return source(wanted, node) if source is not None else ()


def paths(typed: str, here: Node, *, first: bool = False) -> Iterator[Candidate]:
    """Yield paths; the `first` word of a line is one only where it holds a slash."""
    if typed.startswith("@") and "/" not in typed:
        for name, path in sorted(here.context.bookmarks.items()):
            yield Candidate(f"@{name}", path)
        return
    folder, last = _split(typed)
    if last and "..".startswith(last):
        yield Candidate(f"{folder}../", whole=False)
    for child in here.get_node(folder or ".").children:
        deeper = type(child).make_children is not Node.make_children
        slash = "/" if deeper or (first and not folder) else ""
        text = f"{folder}{child.name}{slash}"
        yield Candidate(text, whole=not deeper, about=partial(_label, child))


def _split(typed: str) -> tuple[str, str]:
    """Split a path at its last slash, which stays with the folder."""
    partial = typed.rpartition("/")[2]
    return typed[: len(typed) - len(partial)], partial


def _label(node: Node) -> str:
    """Return what the tree says of a node, "" where it cannot be read."""
    try:
        return node.branch().label
    except (PyshellError, OSError):
        return ""


def _label_at(top: Node, path: str) -> str:
    """Return what the tree says of the node at a path, "" where there is none."""
    try:
        return _label(top.get_node(path))
    except (PyshellError, OSError):
        return ""


def _nodes(named: Iterable[tuple[str, Node]]) -> Iterator[Candidate]:
    return (Candidate(name, about=partial(_label, node)) for name, node in named)


def _paths(wanted: Value, node: Node) -> Iterable[Candidate]:
    return paths(wanted.prefix, node)


def _children(wanted: Value, node: Node) -> Iterable[Candidate]:
    return _nodes((str(child.name), child) for child in node.children)


def _commands(wanted: Value, node: Node) -> Iterator[Candidate]:
    yield from (Candidate(name, found.summary) for name, found in node.commands().items())
    yield from (Candidate(name, topics.title(name)) for name in topics.names())


def _groups(wanted: Value, node: Node) -> Iterable[Candidate]:
    return map(Candidate, sorted([GLOBAL, *node.groups()]))


def _storage_objects(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield paths of storage objects that the TPG does not export yet.

    Where a mapped LUN may be made of one, they are the TPG's LUNs, and then all storage objects.
    """
    if wanted.param.name.startswith("tpg_lun"):
        luns = node.get_node("../../luns").children
        yield from _nodes((str(lun.name), lun) for lun in luns)
    here = getattr(node, "place", None)
    taken: set[tuple[str, str]] = set()
    if wanted.param.name == "storage_object" and isinstance(here, Tpg):
        taken = listing.exported_names(here)
    top = node.get_node("/")
    for place in listing.storage_objects(node.lio):
        hba = place.hba_folder.rpartition("/")[2]
        if (hba, place.name) not in taken:
            yield Candidate(place.path, about=partial(_label_at, top, place.path))


def _numbers(word: str, start: int) -> Callable[[Value, Node], Iterable[Candidate]]:
    """Return the source of numbers that end the children's names: of lun3, typed as 3 or lun3.

    What deletes is offered those that are there, anything else the lowest that is free.
    """

    def source(wanted: Value, node: Node) -> Iterable[Candidate]:
        spelled = word if wanted.prefix[:1] == word[0] else ""
        there = {}
        for child in node.children:
            match = _NUMBER.search(str(child.name))
            if match:
                there[int(match.group())] = child
        if wanted.command.name == "delete":
            return _nodes((f"{spelled}{n}", child) for n, child in there.items())
        return [Candidate(f"{spelled}{listing.lowest_free(set(there), start)}", "the lowest free")]

    return source


def _addresses(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Return the addresses of portals for what deletes, those of this host for what creates."""
    if wanted.command.name != "delete":
        return object_sources.addresses(node.lio)
    found = (names.split_portal(str(child.name))[0] for child in node.children)
    return map(Candidate, dict.fromkeys(found))


def _revisions(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield revisions, with when they were saved, by whom and why."""
    from pyshell.commands.save import boot_file  # keeps other completions quick
    from pyshell.config.store import revisions, state

    for found in revisions.listed(node.lio.config_dir, boot_file(node.context).about()):
        about = found.about
        told = (state.local(about.time), about.user, about.way, about.comment)
        yield Candidate(found.word, " ".join(part for part in told if part.isprintable()))


def _configurations(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield what names a configuration: running, saved, revisions, files."""
    if wanted.command.name in ("diff", "graph"):
        yield Candidate("running", "running configuration")
    yield from _revisions(wanted, node)
    yield from _files(wanted, node)


def _files(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield files and folders; those of backstores lie where the machine has them."""
    folder, last = _split(wanted.prefix)
    if "\0" in folder:
        return  # no file has such a name
    where = Path(os.path.expanduser(folder or "."))
    if node.path.startswith("/backstores"):
        where = node.lio.machine.host_file(folder)
    with os.scandir(where) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    if wanted.command.name in _OF_CONFIGURATIONS:
        found.sort(key=_configurations_first)
    for entry in found:
        hidden = entry.name.startswith(".") and not last.startswith(".")
        if entry.name.isprintable() and not hidden:
            deeper = entry.is_dir()
            text = f"{folder}{entry.name}{'/' if deeper else ''}"
            yield Candidate(text, whole=not deeper)


_OF_CONFIGURATIONS = frozenset(
    ("saveconfig", "restoreconfig", "check", "apply", "diff", "rollback", "takeover", "export")
)
"""Commands whose files are saved configurations."""


def _configurations_first(entry: os.DirEntry[str]) -> int:
    if entry.is_dir():
        return 1
    return 0 if entry.name.endswith((".json", ".json.gz")) else 2


def _devices(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Return block devices that nobody uses, with size and model."""
    return object_sources.devices(node.lio, wanted.prefix)


def _initiators(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Return initiators that came to the TPG and have no ACL there, then those with one nearby."""
    place = getattr(node, "place", None)
    if isinstance(place, Tpg):
        return object_sources.initiators_for(node.lio, place)
    return object_sources.initiators(node.lio, wanted)


def _targets(wanted: Value, node: Node) -> Iterable[Candidate]:
    return object_sources.targets(node.lio, wanted)


def _disks(wanted: Value, node: Node) -> Iterable[Candidate]:
    return object_sources.disks(node.lio, wanted)


def _wwns(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Yield the names of hardware that has no target yet."""
    free = getattr(node, "free_wwns", None)
    return map(Candidate, free() if free else ())


_SOURCES: dict[str, Callable[[Value, Node], Iterable[Candidate]]] = {
    "path": _paths,
    "child": _children,
    "command": _commands,
    "group": _groups,
    "storage_object": _storage_objects,
    "lun": _numbers("lun", 0),
    "tag": _numbers("tpg", 1),
    "wwn": _wwns,
    "target": _targets,
    "address": _addresses,
    "initiator": _initiators,
    "file": _files,
    "revision": _revisions,
    "configuration": _configurations,
    "device": _devices,
    "disk": _disks,
}
