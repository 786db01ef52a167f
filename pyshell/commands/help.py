# SPDX-License-Identifier: Apache-2.0
"""`help`: on a command, a setting or a topic, or the list of commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pyshell.commands import topics
from pyshell.commands.parameters import explained
from pyshell.errors import NotFoundError
from pyshell.text import aligned, did_you_mean
from pyshell.tree.command import COMMAND, Command, Param, Rest, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result

_INTRO = (
    "A line is: [PATH] COMMAND [ARGUMENT...] [NAME=VALUE...]",
    "PATH may be absolute, relative, '..', '@bookmark', or have '*' in any part.",
    "Quote values with blanks, as in a shell. 'help COMMAND' explains a command.",
)


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
        " other word is searched in all commands, settings and topics.",
    ] = None,
    *,
    rest: Annotated[
        Sequence[str],
        Rest("parameter", "Names of parameters of the group. Default: all."),
    ] = (),
) -> Result:
    """Show help on a command, setting or topic, or list the commands."""
    commands = node.commands()
    if not topic:
        lines = overview(node.path, commands)
        if not node.context.compat:
            lines += ["", f"Topics: {', '.join(topics.names())}."]
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
    from pyshell.commands import help_search

    found = help_search.search(word, rest)
    if not found:
        raise NotFoundError(
            f"Cannot find help topic {word}.",
            did_you_mean(word, help_search.names(), "'help' lists commands and topics."),
        )
    return Lines(help_search.lines(found), found.data)


def overview(path: str, commands: Mapping[str, Command]) -> list[str]:
    """Return the introduction and the commands of a node."""
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
