# SPDX-License-Identifier: Apache-2.0
"""Candidates for what can follow: commands, parameters, settings and values.

Commands, parameters and fixed values are known at once (`quickly`); all else is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from pyshell.errors import NotFoundError, PyshellError
from pyshell.quoting import quoted, typed
from pyshell.shell.completion import (
    Candidate,
    CommandName,
    FilterName,
    ParameterName,
    Path,
    Value,
    Wanted,
    expected,
    fitting,
)
from pyshell.shell.completion.value_sources import from_source, paths
from pyshell.shell.grammar import split
from pyshell.tree.command import Param
from pyshell.tree.groups import Entry, Group, groups_of, value_or_empty
from pyshell.tree.node import Node
from pyshell.tree.preferences import text

_SETTINGS = "parameter"
"""The parameter of `get` and `set` that takes names of a group's parameters."""
_OPEN_TO_ALL = frozenset({"set"})
"""Commands that change the target only in one of their forms."""


def complete(
    line: str, root: Node, path: str, *, quickly: bool = False
) -> Iterator[tuple[int, Candidate]]:
    """Yield candidates for the end of `line`, each with the column from which it replaces the line.

    They are quoted for the grammar. `path` is the current one. Errors of the target or the host
    end the candidates; the caller reports any other error.
    """
    try:
        yield from _complete(line, root.get_node(path), quickly=quickly)
    except (PyshellError, OSError):
        return


def _complete(line: str, here: Node, *, quickly: bool) -> Iterator[tuple[int, Candidate]]:
    wanted = expected(line, lambda path: node_at(here, path).commands())
    node = node_at(here, wanted.path)
    bare = line[wanted.start - 1 : wanted.start] != "="
    kinds = [kind for kind in wanted.kinds if not quickly or not _is_read(kind)]
    found = [candidate for kind in kinds for candidate in _candidates(kind, node)]
    prefix = wanted.kinds[0].prefix if wanted.kinds else ""
    for one in fitting(prefix, found):
        yield wanted.start, replace(one, text=_written(one, bare=bare))


def _is_read(kind: Wanted) -> bool:
    """Return whether candidates of a kind are read from the target or its host."""
    if isinstance(kind, Value):
        return bool(kind.name) or bool(kind.param.kind.source)
    return isinstance(kind, Path)


def node_at(here: Node, path: str | None) -> Node:
    """Return the node of a line's path; with a `*`, the first that matches."""
    if path is None:
        return here
    if "*" not in path:
        return here.get_node(path)
    for node in here.matching(path):
        return node
    raise NotFoundError(f"There is nothing at {path}")


def _written(candidate: Candidate, *, bare: bool) -> str:
    """Return a candidate as it is typed; its quote stays open if more will follow.

    `bare` means that no NAME= precedes it: then it must not look like one.
    """
    if candidate.text.endswith("=") and not candidate.whole:
        return candidate.text
    made = typed(candidate.text)
    if bare and split(made)[0].name is not None:
        made = quoted(candidate.text)
    return made[:-1] if made.endswith("'") and not candidate.whole else made


def _candidates(kind: Wanted, node: Node) -> Iterable[Candidate]:
    if isinstance(kind, Path):
        return paths(kind.prefix, node, first=True)
    if isinstance(kind, CommandName):
        return _commands(node)
    if isinstance(kind, ParameterName):
        return _parameter_names(kind, node)
    if isinstance(kind, FilterName):
        return _filters(node)
    return _values(kind, node)


def _filters(node: Node) -> Iterator[Candidate]:
    """Yield the filters of output; there are none in targetcli mode."""
    from pyshell.shell.pipes import FILTERS  # few lines have a pipe

    for name, described in FILTERS.items() if not node.context.compat else ():
        yield Candidate(name, described.summary)


def _commands(node: Node) -> Iterator[Candidate]:
    # bash shows the names only: no command is imported for it.
    for name in node.commands():
        about, hindrance = partial(_summary, node, name), partial(_obstacle, node, name)
        yield Candidate(name, about=about, hindrance=hindrance)


def _summary(node: Node, name: str) -> str:
    return node.commands()[name].summary


def _parameter_names(wanted: ParameterName, node: Node) -> Iterator[Candidate]:
    known = [Candidate(p.name, about_param(p), whole=False) for p in wanted.command.params]
    more = wanted.command.named_rest
    if more is not None and more.name == _SETTINGS:
        known += _settings(wanted.given, node, writable=True)
    elif more is not None:
        known.append(Candidate(more.name, more.help))
    for one in known:
        if one.text not in wanted.given:
            yield replace(one, text=f"{one.text}=", whole=False)


def about_param(param: Param) -> str:
    """Return a line about a parameter: whether required, kind, default, help."""
    needed = "required" if param.required else "optional"
    default = "" if param.default is None else f" = {text(param.default)}"
    return f"{needed} {param.kind.name}{default}: {param.help}"


def _values(wanted: Value, node: Node) -> Iterable[Candidate]:
    param = wanted.param
    if wanted.name:
        return _setting_values(wanted, node)
    if param is wanted.command.rest and param.name == _SETTINGS:
        found = _settings(wanted.given, node)
        return (one for one in found if one.text not in wanted.given)
    if param.kind.choices:
        return (
            Candidate(choice, "the default" if choice == text(param.default) else "")
            for choice in param.kind.choices
        )
    return from_source(wanted, node)


def _obstacle(node: Node, name: str) -> str:
    """Return why a command would fail now, "" if nothing is known."""
    if name not in _OPEN_TO_ALL and not node.lio.may_change and node.commands()[name].changes:
        return "it needs root"
    try:
        return node.obstacle(name)
    except (PyshellError, OSError):
        return ""  # running it reports the error


def _settings(
    given: Mapping[str, str], node: Node, *, writable: bool = False
) -> Iterator[Candidate]:
    """Yield the parameters of the group that a line names, with their current values."""
    found = groups_of(node).get(given.get("group", ""))
    if found is None:
        return
    for entry in found.entries().values():
        if entry.writable or not writable:
            yield Candidate(entry.name, about=partial(_about_entry, found, entry))


def _about_entry(group: Group, entry: Entry) -> str:
    now = "secret" if entry.secret else value_or_empty(group, entry.name) or "not set"
    return f"now {now}: {entry.help}"


def _setting_values(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield known values of a group's parameter, and its current value."""
    found = groups_of(node).get(wanted.given.get("group", ""))
    entry = found.entries().get(wanted.name) if found is not None else None
    if found is None or entry is None or entry.secret:
        return
    now = value_or_empty(found, entry.name)
    for choice in dict.fromkeys([*entry.choices, *([now] if now else [])]):
        words = [entry.choices.get(choice, ""), "current value" if choice == now else ""]
        yield Candidate(choice, ", ".join(word for word in words if word))
