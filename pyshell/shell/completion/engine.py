# SPDX-License-Identifier: Apache-2.0
"""Find what may follow at the cursor, from the grammar alone, without tree and terminal.

A line's words are split as for running it, and are given to parameters as `binding` gives them, so
what is offered is what would be accepted. `sources` turns the answers into words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyshell.shell.grammar import Word, is_path, split_unfinished
from pyshell.tree.command import Command, Param

MOST = 200
"""How many words are described and shown: who has more to choose from types on."""


@dataclass(frozen=True)
class Path:
    """The path that a line begins with."""

    typed: str


@dataclass(frozen=True)
class CommandName:
    """A command of the node that the line names."""

    prefix: str


@dataclass(frozen=True)
class ParameterName:
    """The name of a NAME=VALUE. `given` holds, by name, what stands on the line already."""

    prefix: str
    command: Command
    given: Mapping[str, str]


@dataclass(frozen=True)
class Value:
    """The value of a parameter; `given` is as in ParameterName.

    Where `param` is the command's `named_rest`, `name` is the name that was typed.
    """

    param: Param
    prefix: str
    command: Command
    given: Mapping[str, str]
    name: str = ""


Wanted = Path | CommandName | ParameterName | Value


@dataclass(frozen=True)
class Expected:
    """What may come at the cursor, in the place of everything from column `start` on.

    `path` is the line's path as typed, None where it has none.
    """

    start: int
    kinds: tuple[Wanted, ...] = ()
    path: str | None = None


def expected(text: str, commands_at: Callable[[str | None], Mapping[str, Command]]) -> Expected:
    """Tell what may come after `text`, which is the line up to the cursor.

    `commands_at` returns the commands at a path as typed, at the current node for None.
    """
    found = _words(text)
    if found is None:
        return Expected(len(text))
    words, last = found
    path = words.pop(0).text if words and is_path(words[0]) else None
    if words:
        described = commands_at(path).get(words[0].text)
        kinds = _arguments(described, words[1:], last) if described else ()
        return Expected(last.value_start, kinds, path)
    if last.name is not None:
        return Expected(len(text))
    if path is not None:
        return Expected(last.start, (CommandName(last.text),), path)
    if is_path(last):
        return Expected(last.start, (Path(last.text),))
    return Expected(last.start, (CommandName(last.text), Path(last.text)))


def _words(text: str) -> tuple[list[Word], Word] | None:
    """Return the words before the cursor and the one at it, None in a comment.

    The word at the cursor is empty after a blank.
    """
    words = split_unfinished(text)
    end = words[-1].end if words else 0
    if "#" in text[end:]:
        return None
    if words and end >= len(text):
        return words[:-1], words[-1]
    return words, Word("", len(text), len(text), "")


def _arguments(described: Command, words: Sequence[Word], last: Word) -> tuple[Wanted, ...]:
    given, following = _given(described, words)
    if last.name is not None:
        return _named_value(described, given, last)
    kinds: list[Wanted] = []
    slot = following or described.rest
    if slot is not None:
        kinds.append(Value(slot, last.text, described, given))
    names = dict(given)
    if slot is not None and not last.text and (slot.kind.source == "path"):
        names.setdefault(slot.name, "")  # its name is offered to who begins to type it
    left = any(param.name not in names for param in described.params)
    if last.raw == last.text and (left or described.named_rest is not None):
        kinds.append(ParameterName(last.text, described, names))
    return tuple(kinds)


def _named_value(described: Command, given: Mapping[str, str], last: Word) -> tuple[Wanted, ...]:
    """Tell what the value of a NAME= may be; nothing where it is given twice or has no place."""
    assert last.name is not None
    param = described.param(last.name)
    if param is None:
        if described.named_rest is None or last.name in given:
            return ()
        return (Value(described.named_rest, last.text, described, given, last.name),)
    return () if param.name in given else (Value(param, last.text, described, given),)


def _given(described: Command, words: Sequence[Word]) -> tuple[dict[str, str], Param | None]:
    """Return what the words give, by name, and the parameter that the next bare word would be.

    A word of the command's `rest` stands there by itself, as it is a name (`get GROUP NAME...`).
    """
    given: dict[str, str] = {}
    positional = (param for param in described.params if not param.named_only)
    for word in words:
        if word.name is not None:
            named = described.param(word.name)
            given[named.name if named else word.name] = word.text
        else:
            taken = next((p for p in positional if p.name not in given), None)
            given[taken.name if taken else word.text] = word.text
    return given, next((p for p in positional if p.name not in given), None)


@dataclass(frozen=True)
class Candidate:
    """A word that fits. `whole` tells whether a blank may follow, or more of the word will.

    `about` makes the description where that reads the kernel; it is called for what is shown only.
    `obstacle` says why it cannot work now.
    """

    text: str
    description: str = ""
    whole: bool = True
    about: Callable[[], str] | None = None
    obstacle: str = ""

    def described(self) -> str:
        """Return the description."""
        told = self.about() if self.about is not None else self.description
        return f"not now: {self.obstacle}" if self.obstacle else told


def fitting(prefix: str, found: Iterable[Candidate]) -> list[Candidate]:
    """Return the words that begin with `prefix`; where none does, those that hold its letters.

    A word that holds them in one piece stands before one that holds them with others between.
    """
    every = list(found)
    begun = [one for one in every if one.text.startswith(prefix)]
    if begun or not prefix:
        return begun
    wanted = prefix.lower()
    inside = [one for one in every if wanted in one.text.lower()]
    apart = [one for one in every if one not in inside and _holds(one.text.lower(), wanted)]
    return [*inside, *apart]


def _holds(text: str, letters: str) -> bool:
    """Tell whether letters stand in a text in their order, the first of them at a word's start."""
    place = -1
    for number, letter in enumerate(letters):
        place = text.find(letter, place + 1)
        if place < 0:
            return False
        if number == 0 and place and text[place - 1].isalnum():
            return False
    return True
