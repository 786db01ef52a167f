# SPDX-License-Identifier: Apache-2.0
"""Help, highlighting and checks of a line while it is typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pyshell.commands.help import command_rows, of_command
from pyshell.commands.parameters import fact_lines, facts
from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.names import MASK
from pyshell.shell import binding
from pyshell.shell.completion import CommandName, FilterName, ParameterName, Value, expected
from pyshell.shell.completion.sources import about_param, complete, node_at
from pyshell.shell.grammar import (
    PIPE,
    Line,
    UnfinishedError,
    Word,
    after_last_pipe,
    is_for_a_shell,
    is_path,
    parse,
    split,
    split_unfinished,
)
from pyshell.shell.options import Options, of_line
from pyshell.shell.secrets import in_the_open
from pyshell.text import aligned
from pyshell.tree.command import Command
from pyshell.tree.groups import groups_of, value_or_empty
from pyshell.tree.node import Node

_SHOWN = 12
"""How many candidates are listed."""


def asks_for_help(line: str) -> bool:
    """Return whether a `?` after `line` asks for help: at the start of a word or after a command.

    In quotes, values and paths it is an ordinary character.
    """
    try:
        words = split(line)
    except UsageError:
        return False
    if len(after_last_pipe(words) or ()) > 1:
        return False  # in a regular expression
    if not words or words[-1].end < len(line):
        return "#" not in line[words[-1].end if words else 0 :]
    return words[-1].raw.isidentifier()


def help_at(line: str, root: Node, path: str) -> list[str]:
    """Return help on what may follow a line up to the cursor."""
    try:
        return list(_help(line, root, path))
    except PyshellError as error:
        return [str(error)]


def _help(line: str, root: Node, path: str) -> Iterator[str]:
    here = root.get_node(path)
    wanted = expected(line, lambda at: node_at(here, at).commands())
    node = node_at(here, wanted.path)
    if command := wanted.kind(CommandName):
        yield from _of_commands(command.prefix, node)
        return
    if wanted.kind(FilterName):
        yield "Filters of the output ('help output'):"
    elif value := wanted.kind(Value):
        if value.name:
            yield from _of_setting(value, node)
        else:
            yield f"{value.param.name}: {about_param(value.param)}"
    elif names := wanted.kind(ParameterName):
        yield from of_command(names.command, node.path)
    else:
        yield _of_nothing(line, node)
        return
    yield from _choices(line, root, path)


def _of_nothing(line: str, node: Node) -> str:
    """Return why nothing may follow: an unknown command, or no more arguments."""
    words = split_unfinished(line)
    command = next((word for word in words if not is_path(word)), None)
    if command is None or command.text in node.commands():
        return "No more arguments expected."
    return (
        f"{node.path} has no command {command.text}. {binding.unknown_command(node, command).hint}"
    )


def _of_commands(prefix: str, node: Node) -> Iterator[str]:
    commands = node.commands()
    if prefix in commands:
        yield from of_command(commands[prefix], node.path)
        return
    begun = {name: found for name, found in commands.items() if name.startswith(prefix)}
    if begun:
        yield from command_rows(node.path, begun)
    else:
        yield f"No command at {node.path} begins with {prefix}."


def _of_setting(value: Value, node: Node) -> Iterator[str]:
    """Yield what is known about the parameter that is being set."""
    group = groups_of(node).get(value.given.get("group", ""))
    entry = group.entries().get(value.name) if group is not None else None
    if group is None or entry is None:
        yield f"{value.name}: {value.param.help}"
        return
    now = MASK if entry.secret else value_or_empty(group, entry.name)
    yield from fact_lines({entry.name: facts(group, entry, now)})


def _choices(line: str, root: Node, path: str) -> Iterator[str]:
    found = [one for _, one in complete(line, root, path)]
    shown = found[:_SHOWN]
    rows = aligned([(one.text, one.described()) for one in shown])
    yield from (f"  {row}" for row in rows)
    if len(found) > len(shown):
        yield f"  … {len(found) - len(shown)} more"


@dataclass(frozen=True)
class Span:
    """A part of a line: `kind` is path, command, parameter, value or comment."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class LineProblem:
    """Why a line cannot be run, and the word that causes it."""

    start: int
    end: int
    told: str


@dataclass(frozen=True)
class Hint:
    """The syntax of the line's command, and a text about the parameter at the cursor.

    `current` is that parameter's number among `words`, None if it is none of them.
    """

    words: tuple[str, ...]
    current: int | None = None
    about: str = ""


def spans(text: str) -> Iterator[Span]:
    """Yield the parts of a line, whether or not it is finished."""
    words = split_unfinished(text)
    expects_command = True
    for number, word in enumerate(words):
        end = min(word.end, len(text))
        if word.raw == PIPE and number:
            expects_command = True
            yield Span(word.start, end, "parameter")
        elif number == 0 and is_path(word):
            yield Span(word.start, end, "path")
        elif expects_command:
            expects_command = False
            yield Span(word.start, end, "command")
        elif word.name is not None:
            yield Span(word.start, word.value_start, "parameter")
            yield Span(word.value_start, end, "value")
        else:
            yield Span(word.start, end, "value")
    last = words[-1].end if words else 0
    comment = text.find("#", last)
    if comment >= 0:
        yield Span(comment, len(text), "comment")


def problem(text: str, root: Node, path: str) -> LineProblem | None:
    """Return the problem of a line; its last word may be unfinished."""
    try:
        line = parse(text, compat=root.context.compat)
    except UnfinishedError:
        return None
    except UsageError as error:
        return LineProblem(error.column or 0, len(text), str(error))
    if line.empty or is_for_a_shell(split_unfinished(text)):
        return None
    return _problem_of_body(line, root.get_node(path)) or _problem_of_filters(line)


def _problem_of_filters(line: Line) -> LineProblem | None:
    if not line.pipes:
        return None
    from pyshell.shell.pipes import Pipe  # few lines have a pipe

    try:
        Pipe(line)
    except UsageError as error:
        last = [*line.pipes, *(word for words in line.filters for word in words)]
        end = max(word.end for word in last)
        start = error.column if error.column is not None else line.pipes[0].start
        if end == len(line.text) or start >= end:
            return None  # it may become valid
        return LineProblem(start, end, str(error))
    return None


def _problem_of_body(line: Line, here: Node) -> LineProblem | None:
    try:
        node = node_at(here, line.path.text if line.path else None)
    except PyshellError as error:
        return _problem_of_path(line, here, error)
    if line.command is None:
        return None
    described = node.commands().get(line.command.text)
    if described is None:
        return _problem_of_command(line, line.command, node)
    return _problem_of_arguments(line, described, node)


def _problem_of_path(line: Line, here: Node, error: PyshellError) -> LineProblem | None:
    assert line.path is not None
    word = line.path
    folder, _, begun = word.text.rpartition("/")
    if word.end == len(line.text):
        with suppress(PyshellError):
            children = here.get_node(f"{folder}/").children
            if any(str(child.name).startswith(begun) for child in children):
                return None
    return LineProblem(word.start, word.end, str(error))


def _problem_of_command(line: Line, word: Word, node: Node) -> LineProblem | None:
    if word.end == len(line.text):
        if any(name.startswith(word.text) for name in node.commands()):
            return None
        if line.path is None and any(str(c.name).startswith(word.text) for c in node.children):
            return None
    error = binding.unknown_command(node, word, line.arguments)
    return LineProblem(word.start, word.end, str(error))


def _problem_of_arguments(line: Line, described: Command, node: Node) -> LineProblem | None:
    """Return the problem of the arguments; missing ones may follow."""
    if any(word.raw == "--help" for word in line.arguments):
        return None
    last = line.arguments[-1] if line.arguments else None
    unfinished = last is not None and last.end == len(line.text)
    try:
        _, arguments = of_line(Options(compat=node.context.compat), line.arguments)
        values = binding.bind(described, arguments, len(line.text))
        described.prepared(node, values)
    except UsageError as error:
        column = error.column
        if column is None or column >= len(line.text.rstrip()):
            return None
        if unfinished and last is not None and column >= last.start:
            # A value may become valid, and a bare word NAME=; but the name before a = is complete.
            named = last.name is not None
            if not (named and isinstance(error, binding.UnknownParameterError)):
                return None
        end = next((w.end for w in line.arguments if w.start <= column < w.end), len(line.text))
        return LineProblem(column, end, str(error))
    except NotFoundError as error:
        if unfinished and last is not None and last.name is None:
            return None
        start = line.arguments[0].start if line.arguments else len(line.text)
        return LineProblem(start, len(line.text), str(error))
    return None


def advice(text: str) -> str:
    """Return a better way to type a line, "" if there is none."""
    name = in_the_open(split_unfinished(text))
    return f"{name}=- asks for it without showing it." if name else ""


def hint(text: str, root: Node, path: str) -> Hint | None:
    """Return the syntax of the line's command, None if it has none yet or its path is unknown."""
    try:
        here = root.get_node(path)
        wanted = expected(text, lambda at: node_at(here, at).commands())
    except PyshellError:
        return None
    value = wanted.kind(Value)
    kind = value or wanted.kind(ParameterName)
    if kind is None:
        return None
    param = value.param if value is not None else None
    shown = kind.command.slots()
    current = next((n for n, (one, _) in enumerate(shown) if one is param), None)
    words = (kind.command.name, *(word for _, word in shown))
    about = f"{param.name}: {about_param(param)}" if param is not None else ""
    return Hint(words, None if current is None else current + 1, about)
