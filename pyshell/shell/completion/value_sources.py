# SPDX-License-Identifier: Apache-2.0
"""Candidates for values, by the source that their kind names: nodes, initiators, devices, files.

All candidates are yielded, whatever was typed; `fitting` selects. A candidate is described
only when it is shown, as descriptions read the kernel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell import names
from pyshell.commands import topics
from pyshell.errors import PyshellError, UsageError
from pyshell.expressions import expression
from pyshell.lio import Lio, listing, sessions
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import StorageObject, Target, Tpg
from pyshell.lio.sessions import of_tpg
from pyshell.lio.storage_info import unused_devices
from pyshell.shell.completion import Candidate, Value
from pyshell.text import counted, one_line
from pyshell.tree.node import Node
from pyshell.tree.preferences import GLOBAL

if TYPE_CHECKING:
    from pyshell.config.store.undo import Head

_NUMBER = expression(r"\d+$")


def from_source(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Return candidates for a value of a command of `node`."""
    source = _SOURCES.get(wanted.param.kind.source)
    return source(wanted, node) if source is not None else ()


def paths(typed: str, here: Node, *, first: bool = False) -> Iterator[Candidate]:
    """Yield paths; the `first` word of a line is a path only if it contains a slash."""
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


def _label(node: Node, path: str = ".") -> str:
    """Return the summary of the node at a path, "" if there is none or it cannot be read."""
    try:
        return node.get_node(path).branch().label
    except (PyshellError, OSError):
        return ""


def _nodes(named: Iterable[tuple[str, Node]]) -> Iterator[Candidate]:
    return (Candidate(name, about=partial(_label, node)) for name, node in named)


def _commands(wanted: Value, node: Node) -> Iterator[Candidate]:
    yield from (Candidate(name, found.summary) for name, found in node.commands().items())
    yield from (Candidate(name, topics.title(name)) for name in topics.names())


def _storage_objects(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield storage objects that the TPG does not export yet; for a mapped LUN, LUNs and all."""
    if wanted.param.name.startswith("tpg_lun"):
        luns = node.get_node("../../luns").children
        yield from _nodes((str(lun.name), lun) for lun in luns)
    here = getattr(node, "place", None)
    taken: set[tuple[str, str]] = set()
    if wanted.param.name == "storage_object" and isinstance(here, Tpg):
        taken = listing.exported_names(here)
    for place in listing.storage_objects(node.lio):
        hba = place.hba_folder.rpartition("/")[2]
        if (hba, place.name) not in taken:
            yield Candidate(place.path, about=partial(_label, node, place.path))


def _numbers(word: str, start: int) -> Callable[[Value, Node], Iterable[Candidate]]:
    """Return a source of the numbers in children's names, such as lun3, typed as 3 or lun3.

    To delete, it yields the existing ones, otherwise the lowest free one.
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


def _revisions(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield revisions with time, user, source and comment."""
    from pyshell.commands.save import boot_file  # keeps other completions quick
    from pyshell.config import store
    from pyshell.config.store import revisions

    for found in revisions.listed(node.lio.config_dir, boot_file(node.context).about()):
        about = found.about
        told = (store.local(about.time), about.user, about.way, about.comment)
        yield Candidate(found.word, " ".join(part for part in told if part.isprintable()))


def _changes(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield the changes that can be undone, the newest first."""
    from pyshell.config.store import undo

    for number in reversed(undo.numbers(node.lio)):
        yield from _change(number, undo.head_of(node.lio, number))


def _undone_changes(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield the changes that are undone, the next to do again first."""
    from pyshell.config.store import undo

    for number in undo.undone_numbers(node.lio):
        yield from _change(number, undo.undone_head(node.lio, number))


def _change(number: int, found: Head | None) -> Iterator[Candidate]:
    from pyshell.config import store

    if found is not None:
        at = store.local(found.about.time)
        yield Candidate(str(number), f"{one_line(found.line)} by {found.about.user}, {at}")


def _configurations(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield references to configurations: running, saved, revisions, files."""
    if wanted.command.name in ("diff", "graph"):
        yield Candidate("running", "running configuration")
    if wanted.command.name == "diff" and node.context.candidate is not None:
        yield Candidate("candidate", "the open candidate")
    yield from _revisions(wanted, node)
    yield from _files(wanted, node)


def _files(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield files and folders; for backstores, those of the (perhaps simulated) host."""
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


def _wwns(wanted: Value, node: Node) -> Iterable[Candidate]:
    """Yield the WWNs of hardware without a target."""
    free = getattr(node, "free_wwns", None)
    return map(Candidate, free() if free else ())


_FAILED = "fabric_statistics/iscsi_tgt_attr"
"""The last login that the kernel refused, for iSCSI targets only."""
ISCSI = "iscsi"
_TREE = "/backstores/"
_ISCSI_ONLY = ("guide", "share", "unshare")
_NOBODY = ("", "None", "NONE", "Unknown")


def _each_once(known: set[str], found: Iterable[tuple[str, str]]) -> Iterator[Candidate]:
    """Yield each name that is not known only once."""
    for name, told in found:
        if name not in known:
            known.add(name)
            yield Candidate(name, told)


def _initiators_of(
    lio: Lio, targets: Sequence[Target], *, refused: bool
) -> Iterator[tuple[str, str]]:
    """Yield initiators of targets, those logged in first, then those refused."""
    yield from _logged_in(lio, targets)
    if refused:
        yield from _refused(lio, targets, None)
    yield from _with_acl(targets)


def _initiators_for(lio: Lio, here: Tpg) -> Iterator[tuple[str, str]]:
    """Yield initiators that may need an ACL at `here`, the likeliest first."""
    for session in of_tpg(lio, here):
        yield session.initiator, "logged in now, without an ACL"
    every = [here.target, *(t for t in listing.targets(here.target.fabric) if t != here.target)]
    yield from _refused(lio, every, here.target)
    yield from _logged_in(lio, every)
    yield from _with_acl(every)


def _refused(lio: Lio, targets: Sequence[Target], here: Target | None) -> Iterator[tuple[str, str]]:
    """Yield initiators that targets refused, then those in the log; `here` is not named."""
    for target in targets:
        name = text_or_none(lio.kernel, f"{target.folder}/{_FAILED}/fail_intr_name") or ""
        if name not in _NOBODY:
            address = text_or_none(lio.kernel, f"{target.folder}/{_FAILED}/fail_intr_addr") or ""
            at = "" if target == here else f" at {target.wwn}"
            origin = f" from {address}" if address[:1].isalnum() else ""
            yield name, f"was refused{at}{origin}"
    for name in sessions.RefusedLogins(lio.machine).initiators:
        if _is_valid(name):
            yield name, "was refused, according to the kernel's log"


def _is_valid(name: str) -> bool:
    """Return whether a name that an initiator chose may become that of an ACL."""
    try:
        names.wwn(name, ("iqn", "naa", "eui"))
    except UsageError:
        return False
    return True


def _logged_in(lio: Lio, targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
    for tpg in _tpgs(targets):
        for session in of_tpg(lio, tpg):
            yield session.initiator, f"logged in now at {tpg.target.wwn}/tpg{tpg.tag}"


def _with_acl(targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
    for tpg in _tpgs(targets):
        for acl in listing.node_acls(tpg):
            yield acl.wwn, f"has an ACL at {tpg.target.wwn}/tpg{tpg.tag}"


def _tpgs(targets: Sequence[Target]) -> Iterator[Tpg]:
    return (tpg for target in targets for tpg in listing.tpgs(target))


def _targets(wanted: Value, node: Node) -> Iterator[Candidate]:
    for found in _known_targets(node.lio, wanted):
        tpgs = counted(len(listing.tpgs(found)), "TPG")
        yield Candidate(found.wwn, f"{found.fabric_name}, {tpgs}")


def _known_targets(lio: Lio, wanted: Value) -> list[Target]:
    """Return the targets of the fabrics that the command supports."""
    alone = wanted.command.name in _ISCSI_ONLY
    return list(listing.all_targets(lio, ISCSI if alone else ""))


def _initiators(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield initiators without an ACL in the TPG, else (`to=A,B`) all that are not in the list."""
    place = getattr(node, "place", None)
    if isinstance(place, Tpg):
        known = {acl.wwn for acl in listing.node_acls(place)}
        yield from _each_once(known, _initiators_for(node.lio, place))
        return
    head = wanted.prefix[: wanted.prefix.rfind(",") + 1]
    before = {word.lower() for word in head.split(",")}
    named = wanted.given.get("target", "").removeprefix("/iscsi/").rstrip("/")
    every = _known_targets(node.lio, wanted)
    chosen = [target for target in every if target.wwn == target.fabric.known_wwn(named or "-")]
    any_target = wanted.command.name in ("share", "trace")
    found = _initiators_of(node.lio, every if any_target else chosen or every, refused=any_target)
    for one in _each_once(set(), found):
        if one.text.lower() not in before:
            yield Candidate(head + one.text, one.description)


def _disks(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield unused devices and storage objects, for `unshare` the shared storage objects alone."""
    lio, shared = node.lio, wanted.command.name == "unshare"
    if wanted.command.name == "share":
        yield from _devices(wanted, node)
    for place in listing.storage_objects(lio):
        luns = listing.luns_of(lio, place) if shared else ()
        if not shared or any(lun.tpg.target.fabric_name == ISCSI for lun in luns):
            told = f"storage object {place.plugin}/{place.name}"
            yield Candidate(_called(lio, place, wanted.prefix), told)


def _called(lio: Lio, place: StorageObject, typed: str) -> str:
    """Return a storage object's name, path or device: what was typed may begin any of them."""
    if typed and "/" not in typed:
        return place.name
    if len(typed) > 1 and _TREE.startswith(typed[: len(_TREE)]):
        return place.path
    path = text_or_none(lio.kernel, f"{place.folder}/udev_path") or ""
    return path if path.startswith("/") else place.path


def _devices(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield block devices that neither this host nor a storage object uses."""
    folder = wanted.prefix[: wanted.prefix.rfind("/") + 1]
    for found in unused_devices(node.lio, folder):
        words = [names.size_text(found.size), found.model, "read-only" if found.read_only else ""]
        yield Candidate(found.path, " ".join(word for word in words if word))


def _addresses(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield addresses: to delete, those of the portals; to create, this host's and wildcards."""
    if wanted.command.name == "delete":
        found = (names.split_portal(str(child.name))[0] for child in node.children)
        yield from map(Candidate, dict.fromkeys(found))
        return
    for address, interface in node.lio.machine.addresses().items():
        yield Candidate(address, interface)
    yield Candidate(names.WILDCARD_V4, "all IPv4 addresses of this host")
    yield Candidate(names.WILDCARD_V6, "all addresses of this host, IPv4 and IPv6")


def _columns(*, before: str = "", after: str = "") -> Callable[[Value, Node], Iterator[Candidate]]:
    """Return a source of the columns of `list`, for the part after the last comma."""

    def source(wanted: Value, _node: Node) -> Iterator[Candidate]:
        from pyshell.commands.tables.kinds import KINDS  # only `list` needs them

        kind = KINDS.get(wanted.given.get("kind", ""))
        head, comma, last = wanted.prefix.rpartition(",")
        sign = before if before and last.startswith(before) else ""
        taken = {part.strip().removeprefix(sign) for part in head.split(",")} if not after else ()
        for name, column in kind.columns.items() if kind is not None else ():
            if name not in taken:
                yield Candidate(f"{head}{comma}{sign}{name}{after}", column.help, whole=False)

    return source


_SOURCES: dict[str, Callable[[Value, Node], Iterable[Candidate]]] = {
    "path": lambda wanted, node: paths(wanted.prefix, node),
    "path or change": lambda wanted, node: [*paths(wanted.prefix, node), *_changes(wanted, node)],
    "child": lambda _, node: _nodes((str(child.name), child) for child in node.children),
    "command": _commands,
    "group": lambda _, node: map(Candidate, sorted([GLOBAL, *node.groups()])),
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
    "change": _changes,
    "undone": _undone_changes,
    "device": _devices,
    "disk": _disks,
    "columns": _columns(),
    "conditions": _columns(after="="),
    "order": _columns(before="-"),
}
