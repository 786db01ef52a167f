# SPDX-License-Identifier: Apache-2.0
"""Help on a word from anywhere: the commands, settings and topics that it is or occurs in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyshell.tree.user_backstores  # noqa: F401 - the kinds of nodes below the root
from pyshell.commands import topics
from pyshell.lio import attributes
from pyshell.lio.attributes import Attribute
from pyshell.tree.command import Command
from pyshell.tree.fabric import FabricNode  # noqa: F401
from pyshell.tree.node import Node, kinds
from pyshell.tree.preferences import PREFERENCES
from pyshell.tree.preferences import text as preference_text

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
"""Where nodes of a kind are in the tree, by the name of their class."""
_GROUPS = {
    "storage_object": ("attribute", (_OBJECT,)),
    "target_parameter": ("parameter", ("/FABRIC/TARGET",)),
    "tpg": ("attribute", (_TPG,)),
    "tpg_parameter": ("parameter", (_TPG, f"{_TPG}/acls/INITIATOR")),
    "node_acl": ("attribute", (f"{_TPG}/acls/INITIATOR",)),
    "auth": ("auth", (_TPG, f"{_TPG}/acls/INITIATOR", "/iscsi (group discovery_auth)")),
    "alua_group": ("alua", (f"{_OBJECT}/alua/GROUP",)),
    "mapped_lun": ("attribute", (f"{_TPG}/acls/INITIATOR/mapped_lunN",)),
    "lun_alua": ("alua", (f"{_TPG}/luns/lunN",)),
}
"""The group of each kind of settings, and the nodes that have it."""
_SHORTEST = 3
"""A shorter word occurs nearly everywhere."""
_MOST = 20
"""How many entries of a kind are shown for a word that only occurs in them."""


@dataclass
class Matches:
    """What a word is, or occurs in."""

    commands: list[tuple[str, Command]] = field(default_factory=list)
    """Commands, each with where the nodes are that have it."""
    settings: list[tuple[str, tuple[str, ...], Attribute]] = field(default_factory=list)
    """Settings, each with its group and where the nodes are that have it."""
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


def search(word: str, names: Iterable[str] = ()) -> Matches:
    """Return what a word is the name of; if of nothing, what it occurs in.

    For the name of a group of settings, `names` are those asked for.
    """
    found = Matches(
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


def _occurring(word: str) -> Matches:
    return Matches(
        [(w, c) for w, c in _commands() if word in f"{c.name} {c.summary}".lower()][:_MOST],
        [one for one in _settings() if word in f"{one[2].name} {one[2].text}".lower()][:_MOST],
        [n for n, p in PREFERENCES.items() if word in f"{n} {p.help}".lower()],
        [n for n in topics.names() if word in f"{n} {topics.title(n)} {topics.text(n)}".lower()],
    )


def names() -> set[str]:
    """Return all names that `search` knows: what a mistyped word is held against."""
    return {
        *(one.name for _, one in _commands()),
        *(one.name for _, _, one in _settings()),
        *(group for group, _ in _GROUPS.values()),
        *PREFERENCES,
        *topics.names(),
    }


def lines(found: Matches) -> list[str]:
    """Return what was found as text, the nodes of one command together."""
    shown: list[str] = []
    if found.commands:
        shown += ["Commands:"]
        for where, one in sorted(found.commands, key=lambda pair: (pair[1].name, pair[0])):
            shown += [f"  {where} {one.signature}", f"      {one.summary}"]
        shown += ["'PATH help COMMAND' explains a command, for example '/iscsi help create'."]
    if found.settings:
        shown += [*([""] if shown else []), "Settings:"]
        for group, nodes, setting in found.settings:
            shown += _setting(group, nodes, setting)
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


def _setting(group: str, nodes: tuple[str, ...], one: Attribute) -> Iterator[str]:
    yield f"  {group} {one.name}, of {' and '.join(nodes)}"
    yield f"      {one.text}"
    takes = one.allowed()
    facts = [
        f"takes {takes}{f' {one.unit}' if one.unit else ''}" if takes else "",
        f"default {one.default_text}" if one.default_text else "",
        "only while no LUN exports it" if one.write == attributes.UNEXPORTED else "",
        "cannot be set" if one.write in ("never", "fixed") else "",
    ]
    if any(facts):
        yield f"      ({'; '.join(fact for fact in facts if fact)})"


def _settings() -> Iterator[tuple[str, tuple[str, ...], Attribute]]:
    for kind, (group, nodes) in _GROUPS.items():
        for one in attributes.of_kind(kind).values():
            yield group, nodes, one


def _commands() -> Iterator[tuple[str, Command]]:
    """Yield the commands that not every node has, with where the nodes are that have them."""
    everywhere = Node.commands()
    for kind in kinds():
        where = _NODES.get(kind.__name__)
        for name, described in kind.commands().items() if where else ():
            if name not in everywhere or described is not everywhere[name]:
                yield str(where), described
