# SPDX-License-Identifier: Apache-2.0
"""`help` on a command, a setting, a topic or any word, and `version`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pyshell import __version__
from pyshell.commands import topics
from pyshell.commands.parameters import explained
from pyshell.errors import NotFoundError
from pyshell.lio import settings
from pyshell.lio.settings import Attribute
from pyshell.text import aligned, did_you_mean
from pyshell.tree.command import COMMAND, Command, Param, Rest, command
from pyshell.tree.node import Node
from pyshell.tree.preferences import PREFERENCES
from pyshell.tree.preferences import text as preference_text
from pyshell.tree.results import Lines, Result
from pyshell.tree.root import kinds

_INTRO = (
    "A line is: [PATH] COMMAND [ARGUMENT...] [NAME=VALUE...]",
    "PATH may be absolute, relative, '..', '@bookmark', or have '*' in any part.",
    "Quote values with blanks, as in a shell. 'help COMMAND' explains a command.",
)
_TPG = "/FABRIC/TARGET/tpgN"
_OBJECT = "/backstores/BACKSTORE/NAME"
_NODES = {
    "RootNode": "/",
    "BackstoresNode": "/backstores",
    "BlockNode": "/backstores/block",
    "FileioNode": "/backstores/fileio",
    "PscsiNode": "/backstores/pscsi",
    "RamdiskNode": "/backstores/ramdisk",
    "UserBackstoreNode": "/backstores/user:HANDLER",
    "StorageObjectNode": _OBJECT,
    "AluaGroupsNode": f"{_OBJECT}/alua",
    "AluaGroupNode": f"{_OBJECT}/alua/GROUP",
    "FabricNode": "/FABRIC",
    "TargetNode": "/FABRIC/TARGET",
    "TpgNode": _TPG,
    "LunsNode": f"{_TPG}/luns",
    "LunNode": f"{_TPG}/luns/lunN",
    "AclsNode": f"{_TPG}/acls",
    "NodeAclNode": f"{_TPG}/acls/INITIATOR",
    "MappedLunNode": f"{_TPG}/acls/INITIATOR/mapped_lunN",
    "PortalsNode": f"{_TPG}/portals",
    "PortalNode": f"{_TPG}/portals/ADDRESS:PORT",
}
"""Paths of nodes, by the name of their class."""
_GROUPS = {
    "storage_object": ("attribute", (_OBJECT,)),
    "storage_object_wwn": ("wwn", (_OBJECT,)),
    "target_parameter": ("parameter", ("/FABRIC/TARGET",)),
    "tpg": ("attribute", (_TPG,)),
    "tpg_parameter": ("parameter", (_TPG, f"{_TPG}/acls/INITIATOR")),
    "node_acl": ("attribute", (f"{_TPG}/acls/INITIATOR",)),
    "node_acl_queue": ("queue", (f"{_TPG}/acls/INITIATOR",)),
    "auth": ("auth", (_TPG, f"{_TPG}/acls/INITIATOR", "/iscsi (group discovery_auth)")),
    "alua_group": ("alua", (f"{_OBJECT}/alua/GROUP",)),
    "mapped_lun": ("attribute", (f"{_TPG}/acls/INITIATOR/mapped_lunN",)),
    "lun_alua": ("alua", (f"{_TPG}/luns/lunN",)),
}
"""The group of each kind of settings, and the nodes that have it."""
_SHORTEST = 3
"""Shorter words occur nearly everywhere."""
_MOST = 20
"""How many entries of a kind are shown that only contain a word."""


@command(
    examples=(
        "help",
        "help set",
        "help chap",
        "help block_size",
        "help /iscsi create",
        "/backstores/block/disk1 help attribute block_size",
    )
)
def help_(
    node: Node,
    topic: Annotated[
        str | None,
        COMMAND,
        "A command or group of this node, a topic such as chap, or the path of a node. Any"
        " other word is searched for in all commands, settings and topics.",
    ] = None,
    *,
    rest: Annotated[
        Sequence[str],
        Rest("parameter", "Names of settings of the group. Default: all."),
    ] = (),
) -> Result:
    """Show help on a command, setting or topic, or list the commands."""
    commands = node.commands()
    if not topic:
        lines = _overview(node.path, commands)
        if not node.context.compat:
            lines += ["", f"Topics: {', '.join(topics.names())}."]
            lines += ["After '|', filters choose lines of the output: 'help filters'."]
        return Lines(lines, sorted(commands), form="help")
    if topic in commands:
        lines = of_command(commands[topic], node.path)
        more = node.more_help(topic)
        if more is None:
            return Lines(lines, commands[topic].signature, form="help")
        title = [more.title, "=" * len(more.title)]
        data = {"signature": commands[topic].signature, more.key: more.text}
        return Lines([*lines, "", *title, *more.text.split("\n")], data)
    groups = node.groups()
    about = topics.known(topic) if topic not in groups else None
    if about is not None:
        return Lines(topics.text(about).splitlines(), topics.text(about), form="markdown")
    if topic not in groups:
        return _found_elsewhere(node, topic, rest)
    return explained(node, groups[topic], topic, rest, secrets=False)


def _found_elsewhere(node: Node, word: str, rest: Sequence[str]) -> Result:
    """Return help on another node, or what a search for the word finds."""
    if node.context.compat:
        known = ", ".join([*node.commands(), *sorted(node.groups()), *topics.names()])
        raise NotFoundError(f"Cannot find help topic {word}.", f"Known here: {known}.")
    if "/" in word or word.startswith("@") or word in (".", ".."):
        return node.get_node(word).run("help", topic=(*rest, None)[0], rest=rest[1:])
    found = _search(word, rest)
    if not found:
        raise NotFoundError(
            f"Cannot find help topic {word}.",
            did_you_mean(word, _known_names(), "'help' lists commands and topics."),
        )
    return Lines(_found_lines(found), found.data)


def _overview(path: str, commands: Mapping[str, Command]) -> list[str]:
    return [*_INTRO, "", *command_rows(path, commands)]


def command_rows(path: str, commands: Mapping[str, Command]) -> list[str]:
    """Return commands of a node, a line each."""
    rows = [(name, described.summary) for name, described in commands.items()]
    return [f"Commands at {path}:", *(f"  {row}" for row in aligned(rows))]


def of_command(described: Command, path: str) -> list[str]:
    """Return help on a command of the node at a path."""
    lines = [described.signature, "", described.summary]
    if described.details:
        lines += ["", *described.details.split("\n")]
    every = [*described.params, *(p for p in (described.rest, described.named_rest) if p)]
    if every:
        lines += ["", "PARAMETERS"]
        for param in every:
            lines += _param(param)
    if described.examples:
        lines += ["", "EXAMPLES", *(f"  {example}" for example in described.examples_at(path))]
    return lines


def _param(param: Param) -> list[str]:
    needed = "required" if param.required else "optional"
    return [f"  {param.name} ({param.kind.name}, {needed})", f"      {param.help}"]


@command()
def version(node: Node) -> Result:
    """Show the versions of pyshell, of its libraries and of the kernel."""
    if node.context.compat:
        return Lines([f"pyshell version {__version__}"])
    found = {**_versions(), "kernel": node.lio.machine.kernel_release()}
    lines = [f"{name} {number}" for name, number in found.items() if name != "pyshell"]
    simulated = node.lio.simulated is not None
    if simulated:
        lines[-1] += " (simulated, as recorded from that one)"
    data = {**found, "simulated": simulated}
    return Lines([f"pyshell version {__version__}", *lines], data)


def _versions() -> dict[str, str]:
    libraries = {name: _version(name) for name in ("rtslib-fb", "configshell-fb")}
    python = ".".join(map(str, sys.version_info[:3]))
    return {"pyshell": __version__, **libraries, "python": python}


def _version(library: str) -> str:
    """Return a library's version, "unknown" if it is not installed as a package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"


@dataclass
class _Matches:
    """The results of a search."""

    commands: list[tuple[str, Command]] = field(default_factory=list)
    """Commands, each with the path of its nodes."""
    settings: list[tuple[str, tuple[str, ...], Attribute]] = field(default_factory=list)
    """Settings, each with its group and the paths of its nodes."""
    preferences: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.commands or self.settings or self.preferences or self.topics)

    @property
    def data(self) -> dict[str, Any]:
        """Return it for `-o json`."""
        return {
            "commands": [
                {"name": one.name, "node": where, "syntax": one.signature, "help": one.summary}
                for where, one in self.commands
            ],
            "settings": [
                {"name": one.name, "group": group, "nodes": list(nodes), "help": one.text}
                for group, nodes, one in self.settings
            ],
            "preferences": self.preferences,
            "topics": self.topics,
        }


def _search(word: str, names: Iterable[str] = ()) -> _Matches:
    """Return what has a word as its name, otherwise what contains it.

    For the name of a group of settings, `names` are the requested ones.
    """
    found = _Matches(
        [(where, one) for where, one in _commands() if one.name == word],
        [one for one in _settings() if one[2].name == word],
        [word] if word in PREFERENCES else [],
    )
    if word in {group for group, _ in _GROUPS.values()} | {"discovery_auth"}:
        group = "auth" if word == "discovery_auth" else word
        wanted = list(names)
        found.settings += [
            one for one in _settings() if one[0] == group and (not wanted or one[2].name in wanted)
        ]
    if word == "global":
        found.preferences = [name for name in PREFERENCES if name in names] or sorted(PREFERENCES)
    return found or (_occurring(word.lower()) if len(word) >= _SHORTEST else found)


def _occurring(word: str) -> _Matches:
    return _Matches(
        [(w, c) for w, c in _commands() if word in f"{c.name} {c.summary}".lower()][:_MOST],
        [one for one in _settings() if word in f"{one[2].name} {one[2].text}".lower()][:_MOST],
        [n for n, p in PREFERENCES.items() if word in f"{n} {p.help}".lower()],
        [n for n in topics.names() if word in f"{n} {topics.title(n)} {topics.text(n)}".lower()],
    )


def _known_names() -> set[str]:
    """Return all names that `_search` knows: what a mistyped word is held against."""
    return {
        *(one.name for _, one in _commands()),
        *(one.name for _, _, one in _settings()),
        *(group for group, _ in _GROUPS.values()),
        *PREFERENCES,
        *topics.names(),
    }


def _found_lines(found: _Matches) -> list[str]:
    """Return the results of a search as text."""
    shown: list[str] = []
    if found.commands:
        shown += ["Commands:"]
        for where, one in sorted(found.commands, key=lambda pair: (pair[1].name, pair[0])):
            shown += [f"  {where} {one.signature}", f"      {one.summary}"]
        shown += ["'PATH help COMMAND' explains a command, for example '/iscsi help create'."]
    if found.settings:
        shown += [*([""] if shown else []), "Settings:"]
        for group, nodes, setting in found.settings:
            shown += _setting_lines(group, nodes, setting)
        shown += ["'PATH help GROUP NAME' adds the current value and when it can be set."]
    if found.preferences:
        shown += [*([""] if shown else []), "Preferences ('get global', 'set global'):"]
        for name in found.preferences:
            one_of = PREFERENCES[name]
            shown += [f"  {name} ({preference_text(one_of.default)} by default)"]
            shown += [f"      {one_of.help}"]
    if found.topics:
        shown += [*([""] if shown else []), "Topics ('help TOPIC'):"]
        shown += [f"  {name}: {topics.title(name)}" for name in found.topics]
    return shown


def _setting_lines(group: str, nodes: tuple[str, ...], one: Attribute) -> Iterator[str]:
    yield f"  {group} {one.name}, of {' and '.join(nodes)}"
    yield f"      {one.text}"
    takes = one.allowed()
    facts = [
        f"takes {takes}{f' {one.unit}' if one.unit else ''}" if takes else "",
        f"default {one.default_text}" if one.default_text else "",
        "only while no LUN exports it" if one.write == settings.UNEXPORTED else "",
        "cannot be set" if one.write in ("never", "fixed") else "",
    ]
    if any(facts):
        yield f"      ({'; '.join(fact for fact in facts if fact)})"


def _settings() -> Iterator[tuple[str, tuple[str, ...], Attribute]]:
    for kind, (group, nodes) in _GROUPS.items():
        for one in settings.of_kind(kind).values():
            yield group, nodes, one


def _commands() -> Iterator[tuple[str, Command]]:
    """Yield the commands that not every node has, with the path of their nodes."""
    everywhere = Node.commands()
    for kind in kinds():
        where = _NODES.get(kind.__name__)
        for name, described in kind.commands().items() if where else ():
            if name not in everywhere or described is not everywhere[name]:
                yield str(where), described
