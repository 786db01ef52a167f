# SPDX-License-Identifier: Apache-2.0
"""Help and listings of groups as lines of text, in the form that targetcli's users know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pyshell.tree.command import Command, Param

_INTRO = (
    "A line is: [PATH] COMMAND [ARGUMENT...] [NAME=VALUE...]",
    "PATH may be absolute, relative, '..', '@bookmark', or have '*' in any part.",
    "Values with blanks stand in quotes, as in a shell. 'help COMMAND' tells more.",
)


def overview(path: str, commands: Mapping[str, Command]) -> list[str]:
    """Return the list of a node's commands."""
    return [*_INTRO, "", *command_rows(path, commands)]


def command_rows(path: str, commands: Mapping[str, Command]) -> list[str]:
    """Return commands of a node, a line each."""
    width = max(len(name) for name in commands)
    rows = [f"  {name:<{width}}  {described.summary}" for name, described in commands.items()]
    return [f"Commands at {path}:", *rows]


def of_command(described: Command) -> list[str]:
    """Return the manual of one command."""
    lines = [described.signature, "", described.summary]
    if described.details:
        lines += ["", *described.details.split("\n")]
    every = [*described.params, *(p for p in (described.rest, described.named_rest) if p)]
    if every:
        lines += ["", "PARAMETERS"]
        for param in every:
            lines += _param(param)
    if described.examples:
        lines += ["", "EXAMPLES", *(f"  {example}" for example in described.examples)]
    return lines


def of_cfgstring(text: str) -> list[str]:
    """Return what a handler says of its configuration strings."""
    return ["CFGSTRING FORMAT", "=================", *text.split("\n")]


def _param(param: Param) -> list[str]:
    needed = "required" if param.required else "optional"
    return [f"  {param.name} ({param.kind.name}, {needed})", f"      {param.help}"]


def group(name: str, described: Iterable[tuple[str, bool, str]]) -> list[str]:
    """Return a group's parameters: (name=value, writable, help) each."""
    title = f"{name.upper()} CONFIG GROUP"
    lines = [title, "=" * len(title)]
    for shown, writable, text in described:
        head = shown if writable else f"{shown} [ro]"
        lines += [head, "-" * len(head), text, ""]
    return lines[:-1] if lines[-1] == "" else lines


def group_names(names: Sequence[str]) -> list[str]:
    """Return the list of a node's groups."""
    title = "AVAILABLE CONFIGURATION GROUPS"
    return ["", title, "=" * len(title), " ".join(names)]


def bookmarks(known: Mapping[str, str]) -> list[str]:
    """Return the list of bookmarks."""
    lines = ["", "BOOKMARKS", "========="]
    if not known:
        return [*lines, "", "No bookmarks yet."]
    for name, path in sorted(known.items()):
        lines += ["", name, "-" * len(name), path]
    return lines
