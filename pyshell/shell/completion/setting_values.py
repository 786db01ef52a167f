# SPDX-License-Identifier: Apache-2.0
"""Completion of `get` and `set`: the parameters of a group, what each has and what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from pyshell.shell.completion.candidate import Candidate
from pyshell.shell.completion.engine import Value
from pyshell.tree.groups import Entry, Group, value_or_empty
from pyshell.tree.node import Node
from pyshell.tree.preferences import PREFERENCES, text

GLOBAL = "global"
_CHOICES = {"boolean": {"1": "on", "0": "off"}, "yesno": {"Yes": "", "No": ""}}
"""Values, with what they mean, by the type that a group tells of a parameter."""


def settings(
    given: Mapping[str, str], node: Node, *, writable: bool = False
) -> Iterator[Candidate]:
    """Yield the parameters of the group that a line names, each with its present value."""
    group = given.get("group", "")
    if group == GLOBAL:
        for one in PREFERENCES.values():
            yield Candidate(one.name, f"now {text(node.context.preference(one.name))}: {one.help}")
        return
    found = node.groups().get(group)
    if found is None:
        return
    for entry in found.entries().values():
        if entry.writable or not writable:
            yield Candidate(entry.name, about=partial(_told, found, entry))


def _told(group: Group, entry: Entry) -> str:
    now = "secret" if entry.secret else _now(group, entry) or "not set"
    return f"now {now}: {entry.help}"


def _now(group: Group, entry: Entry) -> str:
    return "" if entry.secret else value_or_empty(group, entry.name)


def setting_values(wanted: Value, node: Node) -> Iterator[Candidate]:
    """Yield what a parameter can be set to, where that is known, and what it is set to now."""
    group = wanted.given.get("group", "")
    if group == GLOBAL:
        described = PREFERENCES.get(wanted.name)
        if described is not None:
            now = text(node.context.preference(described.name))
            yield from _choices(dict.fromkeys(described.kind.choices, ""), now)
        return
    found = node.groups().get(group)
    entry = found.entries().get(wanted.name) if found is not None else None
    if found is not None and entry is not None and not entry.secret:
        known = (entry.about.values if entry.about else None) or _CHOICES.get(entry.type, {})
        yield from _choices(known, _now(found, entry))


def _choices(known: Mapping[str, str], now: str) -> Iterator[Candidate]:
    for choice in dict.fromkeys([*known, *([now] if now else [])]):
        words = [known.get(choice, ""), "as it is now" if choice == now else ""]
        yield Candidate(choice, ", ".join(word for word in words if word))
