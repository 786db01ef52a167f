# SPDX-License-Identifier: Apache-2.0
"""What completion offers: the kinds that `completion` expects, turned into words of this tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pyshell.errors import NotFoundError
from pyshell.shell.completion import CommandName, ParameterName, Path, Value, Wanted, expected
from pyshell.shell.grammar import quote, split
from pyshell.shell.values import GLOBAL, Candidate, from_source, paths
from pyshell.tree.groups import Entry, Group
from pyshell.tree.node import Node
from pyshell.tree.preferences import PREFERENCES, text

_SETTINGS = "parameter"
"""How the descriptions of `get` and `set` call the names of a group's parameters."""
_CHOICES = {"yesno": ("Yes", "No")}
"""Values of parameters by the type that their group tells of them."""


def complete(line: str, root: Node, path: str) -> Iterator[tuple[int, Candidate]]:
    """Yield what may stand after `line`, a line up to the cursor, in place of all from a column.

    The candidates are written as the grammar reads them. `path` is the current one. Where anything
    goes wrong while looking, they end: a key that is pressed never fails.
    """
    try:
        yield from _complete(line, root.get_node(path))
    except Exception:
        return


def _complete(line: str, here: Node) -> Iterator[tuple[int, Candidate]]:
    wanted = expected(line, lambda path: _node_at(here, path).commands())
    node = _node_at(here, wanted.path)
    bare = line[wanted.start - 1 : wanted.start] != "="
    for kind in wanted.kinds:
        for found in _candidates(kind, node):
            yield wanted.start, replace(found, text=_written(found, bare=bare))


def _node_at(here: Node, path: str | None) -> Node:
    """Return the node of a line's path; for `PATH/*` the first child, which stands for all."""
    if path is None:
        return here
    if not path.endswith("*"):
        return here.get_node(path)
    for child in here.get_node(path.rstrip("*") or ".").children:
        return child
    raise NotFoundError(f"There is nothing at {path}")


def _written(candidate: Candidate, *, bare: bool) -> str:
    """Write a word so that it is read back as it is; a quote stays open where more will follow.

    `bare` tells that no NAME= stands before it: it must not look like one then.
    """
    if candidate.text.endswith("=") and not candidate.whole:
        return candidate.text
    made = quote(candidate.text)
    if bare and split(made)[0].name is not None:
        made = f"'{made}'"
    return made[:-1] if made.endswith("'") and not candidate.whole else made


def _candidates(kind: Wanted, node: Node) -> Iterable[Candidate]:
    if isinstance(kind, Path):
        return paths(kind.typed, node, first=True)
    if isinstance(kind, CommandName):
        commands = node.commands().items()
        return (Candidate(n, c.summary) for n, c in commands if n.startswith(kind.prefix))
    if isinstance(kind, ParameterName):
        return _parameter_names(kind, node)
    return _values(kind, node)


def _parameter_names(wanted: ParameterName, node: Node) -> Iterator[Candidate]:
    known = [(param.name, param.help) for param in wanted.command.params]
    more = wanted.command.named_rest
    if more is not None and more.name == _SETTINGS:
        entries = _settings(wanted.given, node).values()
        known += [(entry.name, entry.help) for entry in entries if entry.writable]
    elif more is not None:
        known.append((more.name, more.help))
    for name, meaning in known:
        if name.startswith(wanted.prefix) and name not in wanted.given:
            yield Candidate(f"{name}=", meaning, whole=False)


def _settings(given: Mapping[str, str], node: Node) -> dict[str, Entry]:
    """Return the parameters of the group that the line names."""
    group = given.get("group", "")
    if group == GLOBAL:
        return {p.name: Entry(p.name, p.kind.name, p.help) for p in PREFERENCES.values()}
    found = node.groups().get(group)
    return found.entries() if found is not None else {}


def _values(wanted: Value, node: Node) -> Iterable[Candidate]:
    param = wanted.param
    if wanted.name:
        found = _setting_values(wanted, node)
    elif param is wanted.command.rest and param.name == _SETTINGS:
        entries = _settings(wanted.given, node).values()
        found = (Candidate(e.name, e.help) for e in entries if e.name not in wanted.given)
    elif param.kind.choices:
        found = (Candidate(choice) for choice in param.kind.choices)
    else:
        return from_source(wanted, node)
    return (candidate for candidate in found if candidate.text.startswith(wanted.prefix))


def _setting_values(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield what a parameter can be set to, where that is known, and what it is set to now."""
    entry = _settings(wanted.given, node).get(wanted.name)
    if entry is None or entry.secret:
        return
    group = wanted.given["group"]
    if group == GLOBAL:
        now = text(node.context.preference(entry.name))
        choices = PREFERENCES[entry.name].kind.choices
    else:
        now = _now(node.groups()[group], entry.name)
        choices = _CHOICES.get(entry.type, ())
    for choice in dict.fromkeys([*choices, *([now] if now else [])]):
        yield Candidate(choice, "as it is now" if choice == now else "")


def _now(group: Group, name: str) -> str:
    """Return the value of a parameter, "" where the kernel will not tell it."""
    try:
        return group.read(name)
    except OSError:
        return ""
