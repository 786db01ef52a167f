# SPDX-License-Identifier: Apache-2.0
"""Help while a line is typed: on the word under the cursor, or on what may come there."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.commands import explain, help_text
from pyshell.errors import PyshellError, UsageError
from pyshell.names import MASK
from pyshell.shell.binding import unknown_command
from pyshell.shell.completion.engine import CommandName, ParameterName, Value, expected
from pyshell.shell.completion.sources import about_param, complete, node_at
from pyshell.shell.grammar import is_path, split, split_unfinished
from pyshell.tree.groups import value_or_empty
from pyshell.tree.node import Node

_SHOWN = 12
"""How many values are listed."""


def asks_for_help(line: str) -> bool:
    """Tell whether a `?` behind `line` asks for help: where a word would begin, or a command is.

    In quotes, in values and in paths it is a character like others.
    """
    try:
        words = split(line)
    except UsageError:
        return False
    if not words or words[-1].end < len(line):
        return "#" not in line[words[-1].end if words else 0 :]
    return words[-1].raw.isidentifier()


def help_at(line: str, root: Node, path: str) -> list[str]:
    """Return help on the end of a line up to the cursor."""
    try:
        return list(_help(line, root, path))
    except PyshellError as error:
        return [str(error)]


def _help(line: str, root: Node, path: str) -> Iterator[str]:
    here = root.get_node(path)
    wanted = expected(line, lambda at: node_at(here, at).commands())
    node = node_at(here, wanted.path)
    named = next((kind for kind in wanted.kinds if isinstance(kind, CommandName)), None)
    if named is not None:
        yield from _of_commands(named.prefix, node)
        return
    value = next((kind for kind in wanted.kinds if isinstance(kind, Value)), None)
    names = next((kind for kind in wanted.kinds if isinstance(kind, ParameterName)), None)
    if value is None and names is None:
        yield _of_nothing(line, node)
        return
    if value is not None and value.name:
        yield from _of_setting(value, node)
    elif value is not None:
        yield f"{value.param.name}: {about_param(value.param)}"
    else:
        assert names is not None
        yield from help_text.of_command(names.command)
    yield from _choices(line, root, path)


def _of_nothing(line: str, node: Node) -> str:
    """Tell why nothing can come: the line's command is none of its node's, or has all it takes."""
    words = split_unfinished(line)
    command = next((word for word in words if not is_path(word)), None)
    if command is None or command.text in node.commands():
        return "Nothing more can stand here."
    return f"{node.path} has no command {command.text}. {unknown_command(node, command).hint}"


def _of_commands(prefix: str, node: Node) -> Iterator[str]:
    commands = node.commands()
    if prefix in commands:
        yield from help_text.of_command(commands[prefix])
        return
    begun = {name: found for name, found in commands.items() if name.startswith(prefix)}
    if begun:
        yield from help_text.command_rows(node.path, begun)
    else:
        yield f"No command at {node.path} begins with {prefix}."


def _of_setting(value: Value, node: Node) -> Iterator[str]:
    """Yield all that is known of the parameter that is being set."""
    group = node.groups().get(value.given.get("group", ""))
    entry = group.entries().get(value.name) if group is not None else None
    if group is None or entry is None:
        yield f"{value.name}: {value.param.help}"
        return
    now = MASK if entry.secret else value_or_empty(group, entry.name)
    yield from explain.lines({entry.name: explain.facts(group, entry, now)})


def _choices(line: str, root: Node, path: str) -> Iterator[str]:
    found = [one for _, one in complete(line, root, path)]
    shown = found[:_SHOWN]
    width = max((len(one.text) for one in shown), default=0)
    for one in shown:
        yield f"  {one.text:<{width}}  {one.described()}".rstrip()
    if len(found) > len(shown):
        yield f"  … {len(found) - len(shown)} more"
