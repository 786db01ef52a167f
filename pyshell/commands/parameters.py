# SPDX-License-Identifier: Apache-2.0
"""`get` and `set`: the parameters of a node's groups, and the user's preferences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pyshell.errors import NotFoundError, UsageError, os_errors
from pyshell.names import MASK
from pyshell.text import did_you_mean
from pyshell.tree.command import GROUP, Named, Rest, command
from pyshell.tree.groups import (
    Entry,
    Group,
    SettingsGroup,
    entry_of,
    groups_of,
    require_writable,
    value_or_empty,
)
from pyshell.tree.node import Node
from pyshell.tree.preferences import PREFERENCES, text
from pyshell.tree.results import (
    Change,
    Lines,
    Preference,
    Result,
    SecretSentence,
    Table,
)

Facts = Mapping[str, Any]


def _prepared(node: Node, values: dict[str, Any]) -> dict[str, Any]:
    """Choose the only group that has the parameters if none is given, and check their names.

    Raises PyshellError.
    """
    group, named = values["group"], values["named"]
    if group is None and named and not node.context.compat:
        fitting = _groups_with(node, named)
        if "discard" in named and _groups_with(node, ["emulate_tpu"]):
            value = {"false": "0", "true": "1"}.get(named["discard"].lower(), named["discard"])
            raise UsageError(
                "discard is set by the attribute emulate_tpu.",
                f"Run 'set attribute emulate_tpu={value}'.",
            )
        if len(fitting) != 1:
            given = " ".join(f"{n}=…" for n in named)
            here = ", ".join(sorted(groups_of(node)))
            raise UsageError(
                f"In which group? Write set GROUP {given}",
                f"{' and '.join(fitting)} have it."
                if fitting
                else _near_parameter(node, named, f"Here: {here}."),
            )
        group = fitting[0]
    if group is not None:
        found = _group(node, group)
        for parameter in named:
            require_writable(entry_of(found, group, parameter, sets=True))
    return {**values, "group": group}


@command(
    examples=(
        "get global",
        "get global auto_add_mapped_luns",
        "/backstores/block/disk1 get attribute block_size verbose=true",
    )
)
def get(
    node: Node,
    group: Annotated[
        str | None, GROUP, "A group, such as attribute, parameter, auth or global."
    ] = None,
    *,
    show_secrets: Annotated[bool, "Show CHAP secrets."] = False,
    verbose: Annotated[
        bool, "Also show unit, default, valid values and whether it can be changed now."
    ] = False,
    rest: Annotated[Sequence[str], Rest("parameter", "Names of settings. Default: all.")] = (),
) -> Result:
    """Show the settings of a group, or list the groups."""
    show = show_secrets or node.context.compat
    if group is None:
        return _group_names(node)
    found = _group(node, group)
    if verbose:
        return explained(node, found, group, rest, secrets=show)
    entries = found.entries()
    if not rest:
        shown = {n: _shown(e, _word(found, n), secrets=show) for n, e in entries.items()}
        described = [(f"{n}={v}", entries[n].writable, entries[n].help) for n, v in shown.items()]
        data = {name: found.data(name, word) for name, word in shown.items()}
        return Lines(_group_lines(group, described), data, table=_table(described))
    lines, data = [], {}
    for name in rest:
        entry = entry_of(found, group, name)
        word = _shown(entry, _word(found, name), secrets=show)
        data[name] = found.data(name, word)
        lines.append(f"{name}={word} {'' if entry.writable else '[ro]'}")
    return Lines(lines, data)


def explained(
    node: Node, found: Group, group: str, names: Sequence[str], *, secrets: bool
) -> Lines:
    """Return all facts of parameters of a group."""
    wanted = [entry_of(found, group, name) for name in names] or found.entries().values()
    told = {}
    for entry in wanted:
        value = _shown(entry, _word(found, entry.name), secrets=secrets)
        told[entry.name] = facts(found, entry, value)
    return Lines(fact_lines(told), told)


@command(changes=True, prepare=_prepared, examples=("set global auto_add_mapped_luns=false",))
def set_(
    node: Node,
    group: Annotated[
        str | None, GROUP, "A group, such as attribute, parameter, auth or global."
    ] = None,
    *,
    named: Annotated[dict[str, str], Named("parameter", "Settings and their values.")],
) -> Result:
    """Change settings of a group.

    A secret may be given as password=- (read from standard input) or password=@FILE.
    """
    if group is None:
        return _group_names(node)
    found = _group(node, group)
    if not named:
        entries = found.entries()
        described = [(f"{e.name}={e.type}", True, e.help) for e in entries.values() if e.writable]
        return Lines(_group_lines(group, described), [e.name for e in entries.values()])
    if not isinstance(found, SettingsGroup):
        return preferences({n: PREFERENCES[n].kind.parse(v) for n, v in named.items()})
    if not node.context.compat:  # targetcli says nothing of secrets
        found.check(named)
    changes = [_set_one(node, found, group, name, value) for name, value in named.items()]
    for remark in found.remarks(named) if not node.context.compat else ():
        node.context.note(remark)
    return Change(
        [operation for change in changes for operation in change.operations],
        after=lambda: [sentence for change in changes for sentence in change.after()],
    )


def _set_one(node: Node, group: SettingsGroup, group_name: str, name: str, value: str) -> Change:
    entry = entry_of(group, group_name, name)
    require_writable(entry)
    operations = list(group.change(name, value))
    hide = entry.secret and not node.context.compat
    caution = group.caution(name, value)
    if caution and (hide or not entry.secret):  # targetcli says nothing of secrets
        node.context.note(caution)

    def said() -> list[str]:
        kept = _read(group, name)
        if any(getattr(made, "value", kept) != kept for made in operations):
            node.context.note(f"The kernel did not set {name} as requested.")
        shown = MASK if hide and value else group.word(name, kept)
        if entry.secret:
            return [SecretSentence.of(f"Parameter {name} is now '{{}}'.", shown)]
        return [f"Parameter {name} is now '{shown}'."]

    return Change(operations, after=said)


def preferences(values: Mapping[str, Any]) -> Preference:
    """Return the change of preferences; None is the default."""
    said, would = [], []
    for name, value in values.items():
        if value is None:
            said.append(f"Parameter {name} has its default again.")
            would.append(f"Would set the preference {name} to its default.")
        else:
            said.append(f"Parameter {name} is now '{text(value)}'.")
            would.append(f"Would set the preference {name} to '{text(value)}'.")
    return Preference(values, said, would)


def _group_names(node: Node) -> Lines:
    names = [*groups_of(node)]
    title = "AVAILABLE CONFIGURATION GROUPS"
    return Lines(["", title, "=" * len(title), " ".join(names)], names)


def _near_parameter(node: Node, named: Iterable[str], then: str) -> str:
    """Return `then`, preceded by a suggestion for the first name that no group has."""
    known = {name for group in groups_of(node).values() for name in group.entries()}
    unknown = [name for name in named if name not in known]
    return did_you_mean(unknown[0], known, then) if unknown else then


def _groups_with(node: Node, named: Iterable[str]) -> list[str]:
    """Return the names of the groups that have all of some parameters."""
    wanted = set(named)
    return [name for name, group in groups_of(node).items() if wanted <= group.entries().keys()]


def _group(node: Node, name: str) -> Group:
    groups = groups_of(node)
    if name not in groups:
        known = sorted(groups)
        raise NotFoundError(
            f"Unknown configuration group: {name}.",
            did_you_mean(name, known, f"Here: {', '.join(known)}."),
            targetcli=f"Unknown configuration group: {name}",
        )
    return groups[name]


def _table(described: Iterable[tuple[str, bool, str]]) -> Table:
    """Return the parameters of a group, (name=value, writable, help) each, as a table."""
    rows = []
    for shown, writable, meaning in described:
        name, _, value = shown.partition("=")
        rows.append((name, value, "" if writable else "read-only", meaning))
    return Table(("Name", "Value", "", "Meaning"), rows, optional=(2, 3))


def _shown(entry: Entry, value: str, *, secrets: bool) -> str:
    return value if secrets or not entry.secret or not value else MASK


def _word(group: Group, name: str) -> str:
    return group.word(name, _read(group, name))


def _read(group: Group, name: str) -> str:
    with os_errors(f"read {name}"):
        return group.read(name)


def _group_lines(name: str, described: Iterable[tuple[str, bool, str]]) -> list[str]:
    """Return a group's parameters: (name=value, writable, help) each."""
    title = f"{name.upper()} CONFIG GROUP"
    lines = [title, "=" * len(title)]
    for shown, writable, meaning in described:
        head = shown if writable else f"{shown} [ro]"
        lines += [head, "-" * len(head), meaning, ""]
    return lines[:-1] if lines[-1] == "" else lines


def facts(group: Group, entry: Entry, value: str) -> dict[str, Any]:
    """Return a parameter's facts, None for those that it does not have."""
    row = entry.about
    fixed = row is not None and row.write in ("fixed", "never")
    obstacle = group.obstacle(entry) if entry.writable else "read-only"
    if fixed and entry.writable:
        obstacle = "the kernel takes only what it has"
    found: dict[str, Any] = {
        "value": value,
        "help": entry.help,
        "type": entry.type,
        "unit": row.unit or None if row else None,
        "default": group.default(entry) if entry.writable else None,
        "takes": None,
        "writable": entry.writable,
        "writable_while_exported": None,
        "writable_now": not obstacle,
        "obstacle": obstacle or None,
        "source": row.source or None if row else None,
    }
    if row is not None and entry.writable:
        found["takes"] = row.allowed(lambda name: value_or_empty(group, name)) or None
        found["writable_while_exported"] = row.write in ("always", "ignored") if row.tried else None
    return found


def fact_lines(told: Mapping[str, Facts]) -> list[str]:
    """Return the facts of parameters as text, separated by blank lines."""
    found: list[str] = []
    for name, one in told.items():
        head = f"{name}={one['value']}" + ("" if one["writable"] else " [ro]")
        found += [*([""] if found else []), head, "-" * len(head), one["help"]]
        for key in ("type", "takes", "unit", "default"):
            if one[key] is not None:
                found.append(f"  {key}: {one[key]}")
        found.append(f"  can be set: {_when(one)}")
        if one["source"]:
            found.append(f"  source: {one['source']}")
    return found


def _when(one: Facts) -> str:
    if not one["writable"]:
        return "no"
    if one["obstacle"]:
        return f"no: {one['obstacle']}"
    return "yes" if one["writable_while_exported"] is not False else "until a LUN exports it"
