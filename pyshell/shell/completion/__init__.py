# SPDX-License-Identifier: Apache-2.0
"""Completion: what may follow at the cursor, from the grammar alone, without tree and terminal.

A line is split into words and these are assigned to parameters as when it runs, so only what would
be accepted is offered. `sources` turns the result into candidates, `shells` prints them for bash,
zsh and fish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from pyshell.shell import binding
from pyshell.shell.grammar import Word, after_last_pipe, is_path, split_unfinished
from pyshell.shell.options import FORMATS_OF_ALL, Option, option_of_a_line, without_options
from pyshell.tree.command import Command, Param, choice

MOST = 200
"""How many candidates are described and shown; to see others, the user types more."""


@dataclass(frozen=True)
class Path:
    """The path that a line begins with."""

    prefix: str


@dataclass(frozen=True)
class CommandName:
    """A command of the node that the line names."""

    prefix: str


@dataclass(frozen=True)
class ParameterName:
    """The name of a NAME=VALUE. `given` holds the values that are on the line, by name."""

    prefix: str
    command: Command
    given: Mapping[str, str]


@dataclass(frozen=True)
class Value:
    """The value of a parameter; `name` is the name that was typed for the `named_rest`."""

    param: Param
    prefix: str
    command: Command
    given: Mapping[str, str]
    name: str = ""


@dataclass(frozen=True)
class FilterName:
    """The name of a filter, after a pipe."""

    prefix: str


Wanted = Path | CommandName | ParameterName | Value | FilterName
_Kind = TypeVar("_Kind", Path, CommandName, ParameterName, Value, FilterName)


@dataclass(frozen=True)
class Expected:
    """What may replace the text from column `start` to the cursor; `path` is the line's path."""

    start: int
    kinds: tuple[Wanted, ...] = ()
    path: str | None = None

    def kind(self, wanted: type[_Kind]) -> _Kind | None:
        """Return the expected word of a kind, None if no such word may follow."""
        return next((kind for kind in self.kinds if isinstance(kind, wanted)), None)


def expected(text: str, commands_at: Callable[[str | None], Mapping[str, Command]]) -> Expected:
    """Return what may follow `text`, the line up to the cursor.

    `commands_at` returns the commands at a path as typed, at the current node for None.
    """
    words, last = words_at_cursor(text)
    if "#" in text[words[-1].end if words else 0 : last.start]:
        return Expected(len(text))  # in a comment
    filtering = after_last_pipe(words)
    if filtering is not None:
        return _of_filter(filtering, last)
    path = words.pop(0).text if words and is_path(words[0]) else None
    if words:
        described = commands_at(path).get(words[0].text)
        arguments, option = without_options(words[1:])
        option = option or option_of_a_line(last.name or "")
        if described is None:
            kinds: tuple[Wanted, ...] = ()
        elif option is not None:
            kinds = _of_option(option, described, last)
        else:
            kinds = _arguments(described, arguments, last)
        return Expected(last.value_start, kinds, path)
    if last.name is not None:
        return Expected(len(text))
    if path is not None:
        return Expected(last.start, (CommandName(last.text),), path)
    if is_path(last):
        return Expected(last.start, (Path(last.text),))
    return Expected(last.start, (CommandName(last.text), Path(last.text)))


def _of_option(option: Option, described: Command, last: Word) -> tuple[Wanted, ...]:
    """Return the value of an option that follows a command: a format that the command has."""
    formats = option.choices if described.rows else FORMATS_OF_ALL
    param = Param(option.key, choice(*formats), f"{option.help}.")
    return (Value(param, last.text, described, {}),)


def _of_filter(words: Sequence[Word], last: Word) -> Expected:
    """Return what may follow a pipe: a filter's name, then its argument."""
    if not words:
        return Expected(last.start, (FilterName(last.meaning),))
    from pyshell.shell.pipes import FILTERS  # few lines have a pipe

    described = FILTERS.get(words[0].meaning)
    if described is None or len(words) > len(described.params):
        return Expected(last.end)
    value = Value(described.params[0], last.meaning, described, {})
    return Expected(last.start, (value,))


def words_at_cursor(text: str) -> tuple[list[Word], Word]:
    """Return the words before the cursor at the end, and the one at it: empty after a blank."""
    words = split_unfinished(text)
    if words and words[-1].end >= len(text):
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
    if slot is not None and not last.text and slot.kind.source.startswith("path"):
        names.setdefault(slot.name, "")  # its name is offered when its beginning is typed
    left = any(param.name not in names for param in described.params)
    if last.raw == last.text and (left or described.named_rest is not None):
        kinds.append(ParameterName(last.text, described, names))
    return tuple(kinds)


def _named_value(described: Command, given: Mapping[str, str], last: Word) -> tuple[Wanted, ...]:
    """Return the value of a NAME=; nothing if it is unknown or given twice."""
    assert last.name is not None
    param = described.param(last.name)
    if param is None:
        if described.named_rest is None or last.name in given:
            return ()
        return (Value(described.named_rest, last.text, described, given, last.name),)
    return () if param.name in given else (Value(param, last.text, described, given),)


def _given(described: Command, words: Sequence[Word]) -> tuple[dict[str, str], Param | None]:
    """Return the values of words by name, and the parameter that the next word would be.

    A word of the command's `rest` is its own name, as in `get GROUP NAME...`.
    """
    pairs, following = binding.assigned(described, words)
    given = {
        param.name if param is not None else word.name or word.text: word.text
        for word, param in pairs
    }
    return given, following


@dataclass(frozen=True)
class Candidate:
    """A word that fits. `whole` means that a blank may follow, not more of the word.

    `about` returns the description, and `hindrance` why the command would fail now, if that reads
    the kernel or imports the command; they are called only for what is shown.
    """

    text: str
    description: str = ""
    whole: bool = True
    about: Callable[[], str] | None = None
    hindrance: Callable[[], str] | None = None

    @cached_property
    def obstacle(self) -> str:
        """Why the command would fail now, "" if nothing is known."""
        return self.hindrance() if self.hindrance is not None else ""

    def described(self) -> str:
        """Return the description."""
        told = self.about() if self.about is not None else self.description
        return f"not now: {obstacle}" if (obstacle := self.obstacle) else told


def fitting(prefix: str, found: Iterable[Candidate]) -> list[Candidate]:
    """Return the words that begin with `prefix`; if none, those that contain it or its letters."""
    every = list(found)
    begun = [one for one in every if one.text.startswith(prefix)]
    if begun or not prefix:
        return begun
    wanted = prefix.lower()
    inside = [one for one in every if wanted in one.text.lower()]
    apart = [one for one in every if one not in inside and _holds(one.text.lower(), wanted)]
    return [*inside, *apart]


def _holds(text: str, letters: str) -> bool:
    """Return whether a text contains letters in order, the first one at a word's start."""
    place = -1
    for number, letter in enumerate(letters):
        place = text.find(letter, place + 1)
        if place < 0:
            return False
        if number == 0 and place and text[place - 1].isalnum():
            return False
    return True
