# SPDX-License-Identifier: Apache-2.0
"""Words for values, by what their kind names as its source: nodes of the tree, devices, files.

A word is described only once it fits, as descriptions read the kernel.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyshell.errors import PyshellError
from pyshell.shell.completion import Value
from pyshell.target import listing, names
from pyshell.target.attach import Lio
from pyshell.tree.node import Node

GLOBAL = "global"
_NUMBER = re.compile(r"\d+$")


@dataclass(frozen=True)
class Candidate:
    """A word that fits. `whole` tells whether a blank may follow, or more of the word will."""

    text: str
    description: str = ""
    whole: bool = True


def from_source(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Return words for a value that the line gives to a command of `node`."""
    source = _SOURCES.get(wanted.param.kind.source)
    return source(wanted, node) if source is not None else ()


def paths(typed: str, here: Node, *, first: bool = False) -> Iterator[Candidate]:
    """Yield paths; the `first` word of a line is one only where it holds a slash."""
    if typed.startswith("@") and "/" not in typed:
        for name, path in sorted(here.context.bookmarks.items()):
            if f"@{name}".startswith(typed):
                yield Candidate(f"@{name}", path)
        return
    folder, partial = _split(typed)
    if partial and "..".startswith(partial):
        yield Candidate(f"{folder}../", whole=False)
    for child in here.get_node(folder or ".").children:
        name = str(child.name)
        if name.startswith(partial):
            deeper = type(child).make_children is not Node.make_children
            slash = "/" if deeper or (first and not folder) else ""
            yield Candidate(f"{folder}{name}{slash}", _label(child), whole=not deeper)


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


def _nodes(named: Iterable[tuple[str, Node]], prefix: str) -> Iterator[Candidate]:
    for name, node in named:
        if name.startswith(prefix):
            yield Candidate(name, _label(node))


def _plain(words: Iterable[str], prefix: str) -> Iterator[Candidate]:
    return (Candidate(word) for word in words if word.startswith(prefix))


def _paths(wanted: Value, node: Node) -> Iterable[Candidate]:
    return paths(wanted.prefix, node)


def _children(wanted: Value, node: Node) -> Iterable[Candidate]:
    return _nodes(((str(child.name), child) for child in node.children), wanted.prefix)


def _commands(wanted: Value, node: Node) -> Iterable[Candidate]:
    commands = node.commands().items()
    return (Candidate(n, c.summary) for n, c in commands if n.startswith(wanted.prefix))


def _groups(wanted: Value, node: Node) -> Iterable[Candidate]:
    return _plain(sorted([GLOBAL, *node.groups()]), wanted.prefix)


def _storage_objects(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield paths of storage objects, and the TPG's LUNs where a mapped LUN may be made of one."""
    if wanted.param.name.startswith("tpg_lun"):
        luns = node.get_node("../../luns").children
        yield from _nodes(((str(lun.name), lun) for lun in luns), wanted.prefix)
    kinds = node.get_node("/backstores").children
    found = (exported for kind in kinds for exported in kind.children)
    yield from _nodes(((exported.path, exported) for exported in found), wanted.prefix)


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
            return _nodes(((f"{spelled}{n}", child) for n, child in there.items()), wanted.prefix)
        return _plain([f"{spelled}{listing.lowest_free(set(there), start)}"], wanted.prefix)

    return source


def _addresses(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Return the addresses of portals for what deletes, those that mean all for what creates."""
    if wanted.command.name != "delete":
        return _plain([names.WILDCARD_V4, names.WILDCARD_V6], wanted.prefix)
    found = (names.split_portal(str(child.name))[0] for child in node.children)
    return _plain(dict.fromkeys(found), wanted.prefix)


def _revisions(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield revisions, with when they were saved, by whom and why."""
    from pyshell.saved import revisions
    from pyshell.tree.saving import boot_file

    for found in revisions.listed(node.lio.config_dir, boot_file(node.context).about()):
        if found.word.startswith(wanted.prefix):
            about = found.about
            told = (about.time, about.user, about.way, about.comment)
            yield Candidate(found.word, " ".join(part for part in told if part.isprintable()))


def _configurations(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield what names a configuration: running, saved, revisions, files."""
    if "running".startswith(wanted.prefix) and wanted.command.name in ("diff", "graph"):
        yield Candidate("running", "what runs now")
    yield from _revisions(wanted, node)
    yield from _files(wanted, node)


def _files(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield files and folders; those of backstores lie where the machine has them."""
    folder, partial = _split(wanted.prefix)
    where = Path(os.path.expanduser(folder or "."))
    if node.path.startswith("/backstores"):
        where = node.lio.machine.image_file(folder)
    with os.scandir(where) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            hidden = entry.name.startswith(".") and not partial.startswith(".")
            if entry.name.startswith(partial) and entry.name.isprintable() and not hidden:
                deeper = entry.is_dir()
                text = f"{folder}{entry.name}{'/' if deeper else ''}"
                yield Candidate(text, whole=not deeper)


def _devices(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield block devices that nobody uses, with their sizes."""
    for path in _device_paths(node.lio, wanted.prefix):
        if path.startswith(wanted.prefix):
            found = node.lio.machine.block_device(path)
            if found is not None and found.size and not found.holder:
                yield Candidate(path, names.size_text(found.size))


def _device_paths(lio: Lio, prefix: str) -> list[str]:
    if lio.simulated is not None:
        from pyshell.simulator import SimulatedMachine

        table = SimulatedMachine(lio.simulated)
        return sorted([*(device.path for device in table.devices), *table.links])
    found = set()
    for folder in {"/dev/", "/dev/mapper/", _split(prefix)[0]}:
        if folder.startswith("/dev/") and os.path.isdir(folder):
            found |= {f"{folder}{name}" for name in os.listdir(folder)}
    return sorted(found)


def _wwns(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Yield the names of hardware that has no target yet."""
    free = getattr(node, "free_wwns", None)
    return _plain(free() if free else (), wanted.prefix)


_SOURCES: dict[str, Callable[[Value, Node], Iterable[Candidate]]] = {
    "path": _paths,
    "child": _children,
    "command": _commands,
    "group": _groups,
    "storage_object": _storage_objects,
    "lun": _numbers("lun", 0),
    "tag": _numbers("tpg", 1),
    "wwn": _wwns,
    "address": _addresses,
    "file": _files,
    "revision": _revisions,
    "configuration": _configurations,
    "device": _devices,
}
