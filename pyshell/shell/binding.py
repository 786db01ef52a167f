# SPDX-License-Identifier: Apache-2.0
"""Bind the words of a line to the parameters of a command; every error names its column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pyshell.errors import PyshellError, UsageError
from pyshell.lio import settings
from pyshell.quoting import line
from pyshell.shell.grammar import Word
from pyshell.text import did_you_mean
from pyshell.text import likely as near
from pyshell.tree.command import Command, Param
from pyshell.tree.node import Node, ObjectNode
from pyshell.tree.root import RootNode, kinds

_SYNONYMS = {
    "quit": "exit",
    "q": "exit",
    "bye": "exit",
    "rm": "delete",
    "dir": "ls",
    "add": "create",
}
_NAMED = 4
"""How many nodes a hint names."""
_DEEP = 3
"""How many levels below the root are searched: the depth of a TPG."""


class UnknownParameterError(UsageError):
    """A NAME=VALUE whose name is not a parameter of the command."""


def bind(
    described: Command, words: Sequence[Word], line_end: int, node: Node | None = None
) -> dict[str, Any]:
    """Return the keyword arguments for a command's method. Raises PyshellError.

    `line_end` is the column of errors about missing parameters. Paths are resolved at `node`, if
    given.
    """
    values: dict[str, Any] = {}
    rest: list[str] = []
    named: dict[str, str] = {}
    for word, param in assigned(described, words)[0]:
        if param is not None:
            if param.name in values:
                raise UsageError(
                    f"{param.name} is given twice.",
                    column=word.start,
                    targetcli=f"Duplicate parameter {param.name}.",
                )
            values[param.name] = _parse(param, word, node)
        elif word.name is not None:
            _take_named(described, word, named)
        elif described.rest is not None:
            rest.append(word.text)
        else:
            raise UsageError(
                f"Unexpected argument '{word.raw}' for {described.name}.",
                _as_named(described, word)
                or _as_setting(described, words, word)
                or f"Syntax: {described.signature}",
                column=word.start,
                targetcli=_too_many(described, words),
            )
    return _complete(described, values, rest, named, line_end)


def assigned(
    described: Command, words: Sequence[Word]
) -> tuple[list[tuple[Word, Param | None]], Param | None]:
    """Return each word with its parameter, None if it has none, and the next positional one."""
    positional = [param for param in described.params if not param.named_only]
    found: list[tuple[Word, Param | None]] = []
    taken: set[str] = set()
    for word in words:
        free = (param for param in positional if param.name not in taken)
        param = described.param(word.name) if word.name is not None else next(free, None)
        found.append((word, param))
        if param is not None:
            taken.add(param.name)
    return found, next((param for param in positional if param.name not in taken), None)


def _as_named(described: Command, word: Word) -> str:
    """Return how to write a parameter's name that was typed alone, "" for other words."""
    param = next((one for one in described.params if one.name == word.text), None)
    if param is None:
        return ""
    return f"Write {param.name}={'true' if param.kind.name == 'true|false' else 'VALUE'}."


def _as_setting(described: Command, words: Sequence[Word], word: Word) -> str:
    """Return how to write a setting typed without `=`, "" for other words. Quotes no secrets."""
    if described.named_rest is None or not word.text.isidentifier():
        return ""
    if not settings.is_known(word.text):
        return ""  # it could be a secret
    later = [one.text for one in words if one.start > word.start and one.text != "="]
    hidden = any(one.text.lower().endswith("auth") or "pass" in one.text.lower() for one in words)
    value = later[0] if len(later) == 1 and not hidden else "VALUE"
    return f"Write {word.text}={value}."


def _take_named(described: Command, word: Word, named: dict[str, str]) -> None:
    """Take a NAME=VALUE whose name is not a parameter of the command."""
    assert word.name is not None
    if described.named_rest is None:
        raise UnknownParameterError(
            f"{described.name} has no parameter '{word.name}'.",
            did_you_mean(word.name, [p.name for p in described.params])
            or f"Syntax: {described.signature}",
            column=word.start,
            targetcli=f"Unexpected keyword parameter '{word.name}'.",
        )
    if word.name in named:
        raise UsageError(f"{word.name} is given twice.", column=word.start)
    named[word.name] = word.text


def _parse(param: Param, word: Word, node: Node | None) -> Any:
    try:
        value = param.kind.parse(word.text)
        return value if node is None or param.kind.at is None else param.kind.at(node, value)
    except UsageError as error:
        if error.column is None:
            error.column = word.value_start
        if param.kind.name != param.name:  # else the error names it, as "'1Q' is not a size."
            error.message = f"{param.name}: {error.message}"
        raise


def _complete(
    described: Command,
    values: dict[str, Any],
    rest: list[str],
    named: dict[str, str],
    line_end: int,
) -> dict[str, Any]:
    missing = [p.name for p in described.params if p.required and p.name not in values]
    if missing:
        noun = "parameter" if len(missing) == 1 else "parameters"
        raise UsageError(
            f"Missing required {noun} {', '.join(missing)}.",
            f"Syntax: {described.signature}",
            column=line_end,
            targetcli=f"Missing required {noun} {_joined(missing)}",
        )
    for param in described.params:
        values.setdefault(param.name, param.default)
    if described.rest is not None:
        values["rest"] = rest
    if described.named_rest is not None:
        values["named"] = named
    return values


def _joined(names: Sequence[str]) -> str:
    """Return names as targetcli writes them."""
    return names[0] if len(names) == 1 else ", ".join(f"'{name}'" for name in names)


def _too_many(described: Command, words: Sequence[Word]) -> str:
    """Return targetcli's sentence for too many positional parameters."""
    most = sum(not param.named_only for param in described.params)
    least = sum(param.required for param in described.params)
    limit = f"exactly {least}" if least == most else f"at most {most}"
    given = sum(word.name is None for word in words)
    return f"Got {given} positionnal parameters, expected {limit}."


def _is_one_edit_away(word: str, other: str) -> bool:
    """Return whether one letter is missing, added, replaced or swapped with the next."""
    pairs = enumerate(zip(word, other, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(len(word), len(other)))
    one, two = word[same:], other[same:]
    swapped = one[:2] == two[:2][::-1] and one[2:] == two[2:]
    return swapped or one[1:] == two[1:] or one[1:] == two or one == two[1:]


def _likely(commands: Mapping[str, Command], word: str) -> list[str]:
    """Return the commands to suggest: those that change something only for a typo of them."""
    return [
        name
        for name, described in commands.items()
        if not described.changes or name == _SYNONYMS.get(word) or _is_one_edit_away(word, name)
    ]


def unknown_command(node: Node, word: Word, arguments: Sequence[Word] = ()) -> UsageError:
    """Return the error for a command that a node does not have, with a suggestion."""
    if node.find(word.text) is not None:
        hint = f"It is a node below {node.path}: write {word.text}/ and then the command."
    elif word.text in RootNode.commands() and word.text not in node.commands():
        hint = f"It is a command of the root: / {word.text}"
    else:
        likely = _likely(node.commands(), word.text)
        meant = _SYNONYMS.get(word.text)
        hint = (
            _path_first(node, word.text, arguments)
            or elsewhere(node, word.text)
            or (f"Did you mean {meant}?" if meant in likely else did_you_mean(word.text, likely))
        )
        root = RootNode.commands()
        if not hint and (meant := near(word.text, _likely(root, word.text))):
            hint = f"Did you mean the root's command / {meant}?"
    return UsageError(
        f"Command not found: {word.text}.",
        hint or "'help' lists the commands.",
        column=word.start,
        targetcli=f"Command not found {word.text}",
    )


def elsewhere(node: Node, name: str) -> str:
    """Return a hint which nodes have a command: below, else above, else examples; "" for none."""
    above = _above(node)
    root = above[-1] if above else node
    # Search only for what is a command of some kind: this also runs while the user is typing.
    if not _is_known(name):
        return ""
    if above and _takes_a_child(above[0], name):  # more likely of this one than of one below it
        return f"It is a command of {above[0].path}: {above[0].path} {name} {node.name}"
    below = _one_a_kind([node]) if above else ()
    children = [one for one in below if name in one.commands()]
    over = [] if children else [one for one in above if name in one.commands()]
    examples = [] if over else children or _examples(root, name)
    found = [str(one.name) for one in children] or [one.path for one in over or examples]
    if not found:
        return ""
    # Of several disks, it is not the first one that is meant.
    such = "objects such as " if examples and all(map(_is_object, examples)) else ""
    more = ", …" if len(found) > _NAMED else ""
    return f"It is a command of {such}{', '.join(found[:_NAMED])}{more}: cd there first."


def _is_object(node: Node) -> bool:
    """Return whether a node is an object, and not one for all objects of a kind."""
    return isinstance(node, ObjectNode) and node.path == node.place.path


def _path_first(node: Node, name: str, arguments: Sequence[Word]) -> str:
    """Return a hint on `delete PATH`, if that names an object: its path comes first."""
    if not arguments or arguments[0].name is not None or not _is_known(name):
        return ""
    text = arguments[0].text
    owner, child = _node_at(node, text), ""
    if owner is None:  # as of `create PATH`
        folder, slash, child = text.rstrip("/").rpartition("/")
        owner = _node_at(node, folder or "/") if slash else None
    elif owner.path != "/" and _takes_a_child(above := owner.get_node(".."), name):
        owner, child = above, str(owner.name)
    if owner is None or name not in owner.commands():
        return ""
    words = line(owner.path, name, *filter(None, [child]))
    return f"The path comes first: {words}{' …' if arguments[1:] else ''}"


def _node_at(node: Node, path: str) -> Node | None:
    with suppress(PyshellError):
        return node.get_node(path)
    return None


def _is_known(name: str) -> bool:
    """Return whether it is a command of some kind of node."""
    return any(name in kind.commands() for kind in kinds())


def _takes_a_child(node: Node, name: str) -> bool:
    found = node.commands().get(name)
    return found is not None and bool(found.params) and found.params[0].kind.source == "child"


def _above(node: Node) -> list[Node]:
    """Return the nodes above one, the root last."""
    found = []
    while node.path != "/":
        node = node.get_node("..")
        found.append(node)
    return found


def _examples(root: Node, name: str) -> list[Node]:
    """Return nodes that have a command, one of each kind, those nearest to the root."""
    level, found = [root], list[Node]()
    for depth in range(1, _DEEP + 1):
        level = list(_one_a_kind(level))
        found += [one for one in level if name in one.commands()]
        if found and depth > 1:
            break
    return found


def _one_a_kind(nodes: list[Node]) -> Iterator[Node]:
    """Yield the first child of each kind."""
    seen: set[type[Node]] = set()
    for node in nodes:
        for child in node.children:
            if type(child) not in seen:
                seen.add(type(child))
                yield child
