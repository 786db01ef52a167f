# SPDX-License-Identifier: Apache-2.0
"""Positions of values in JSON text, and problems that are reported by these positions."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pyshell.errors import PyshellError
from pyshell.expressions import expression
from pyshell.text import one_line

Place = tuple[int | str, ...]
"""The keys and indexes that lead from the top to a value."""

_DECODER = json.JSONDecoder()
_GAP = expression(r"[ \t\r\n,:]*")
_PLAIN_KEY = expression(r"[A-Za-z_$][A-Za-z0-9_$]*")


@dataclass(frozen=True)
class _Member:
    """A value in an object or list, with the offsets of its key and of the value itself."""

    part: int | str
    key_at: int
    at: int


class Positions:
    """Lines and columns of the values in a JSON text that `parse_json` accepts.

    Only the objects and lists on the way to a value are searched; Python's decoder skips the rest.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._known: dict[int, dict[int | str, _Member]] = {}

    def position(self, place: Place, *, key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of the value at `place`, or of its key.

        For a missing place it is the position of the nearest one around it.
        """
        start = self._skip(0)
        found = _Member("", start, start)
        for part in place:
            if found.at not in self._known:
                self._known[found.at] = {one.part: one for one in self._members(found.at)}
            if part not in self._known[found.at]:
                return self.line_and_column(found.at)
            found = self._known[found.at][part]
        return self.line_and_column(found.key_at if key else found.at)

    def line_and_column(self, at: int) -> tuple[int, int]:
        """Return line and column, from 1, of an offset."""
        line = bisect.bisect_right(self._line_starts, at)
        return line, at - self._line_starts[line - 1] + 1

    def twice(self) -> Iterator[tuple[Place, int]]:
        """Yield duplicate keys (the last one counts), with the offset of the one before."""
        yield from self._twice((), self._skip(0))

    def _twice(self, place: Place, at: int) -> Iterator[tuple[Place, int]]:
        seen: dict[int | str, int] = {}
        for member in self._members(at):
            below = (*place, member.part)
            if member.part in seen:
                yield below, seen[member.part]
            seen[member.part] = member.key_at
            yield from self._twice(below, member.at)

    def _members(self, start: int) -> Iterator[_Member]:
        """Yield the members of the object or list at an offset; a scalar has none."""
        opening = self._text[start]
        if opening not in "{[":
            return
        at, count = self._skip(start + 1), 0
        while self._text[at] not in "}]":
            part, key_at = count, at
            if opening == "{":
                part, at = _DECODER.raw_decode(self._text, at)
                at = self._skip(at)
            yield _Member(part, key_at, at)
            _, at = _DECODER.raw_decode(self._text, at)
            at, count = self._skip(at), count + 1

    def _skip(self, at: int) -> int:
        """Return the offset of the next token that begins a value or ends an object or list."""
        match = _GAP.match(self._text, at)
        assert match is not None
        return match.end()


WHOLE = "$"
"""The JSON path of the whole document."""


def json_path(place: Place) -> str:
    """Return a place as a JSON path: `$.targets[0].wwn`."""
    path = WHOLE
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            path += f".{part}"
        else:
            path += f"[{json.dumps(part)}]"
    return path


_T = TypeVar("_T")
Level = Literal["error", "warning"]


UNFIT = expression("[\0\ud800-\udfff]")
"""Characters that no file name and no kernel accepts; reported with the wrong types."""


@dataclass(frozen=True)
class Problem:
    """A problem at a place of a document. What has an error cannot be restored."""

    level: Level
    place: Place
    message: str
    hint: str = ""
    at_key: bool = False
    """Whether the problem is the key, not the value."""
    is_complete: bool = False
    """Whether the message names what it is about, without the key before it."""

    @property
    def with_key(self) -> str:
        """Return the message with the key before it, if that is needed."""
        key = self.place[-1] if self.place else 0
        complete = self.is_complete or isinstance(key, int)
        return self.message if complete else f"{key}: {self.message}"


@dataclass(frozen=True)
class LocatedProblem:
    """A problem with its position in the text. Lines and columns count from 1."""

    path: str
    line: int
    column: int
    level: Level
    message: str
    hint: str = ""

    @property
    def where(self) -> str:
        """Return line and column as text."""
        return f"line {self.line}, column {self.column}"

    def __str__(self) -> str:
        """Return one line, whatever characters the file contains."""
        message = f"{self.message}. {self.hint}" if self.hint else self.message
        return one_line(message if self.path == WHOLE else f"{self.path}: {message}")


def placed(found: Positions, problems: Iterable[Problem]) -> list[LocatedProblem]:
    """Return problems with their positions, in the order of lines, without duplicates."""
    made = []
    for problem in problems:
        line, column = found.position(problem.place, key=problem.at_key)
        path = json_path(problem.place)
        made.append(
            LocatedProblem(path, line, column, problem.level, problem.message, problem.hint)
        )
    return sorted(dict.fromkeys(made), key=lambda one: (one.line, one.column))


def error(place: Place, message: str, hint: str = "") -> Problem:
    """Return an error: the entry cannot be restored."""
    return Problem("error", place, message.rstrip("."), hint)


def warning(place: Place, message: str, hint: str = "") -> Problem:
    """Return a warning: the entry can be restored, but is hardly meant."""
    return Problem("warning", place, message.rstrip("."), hint)


def refused(place: Place, found: PyshellError, *, at_key: bool = False) -> Problem:
    """Return an error of a rule that commands check as well."""
    message = as_clause(found.message).rstrip(".")
    return Problem("error", place, message, found.hint, at_key, is_complete=True)


def violations(rule: Callable[[_T], object], value: _T | None, place: Place) -> Iterator[Problem]:
    """Yield an error if `rule`, which commands check as well, refuses a value, not None."""
    if value is None:
        return
    try:
        rule(value)
    except PyshellError as found:
        yield refused(place, found)


def as_clause(sentence: str) -> str:
    """Return a sentence for use after a colon; names and abbreviations keep their case."""
    plain = sentence[1:2].islower() or sentence[1:2] == " "
    return sentence[:1].lower() + sentence[1:] if plain else sentence


@dataclass(frozen=True)
class DocumentEntry:
    """An object of a file and its place. Missing and wrongly typed values read as None."""

    data: Mapping[str, Any]
    place: Place

    def at(self, key: str) -> Place:
        """Return the place of the value of `key`."""
        return (*self.place, key)

    def text(self, key: str) -> str | None:
        """Return a text."""
        found = self.data.get(key)
        return found if isinstance(found, str) else None

    def fit_text(self, key: str) -> str:
        """Return a text that the kernel can accept, "" for others: `type_problems` reports them."""
        found = self.text(key) or ""
        return "" if UNFIT.search(found) else found

    def number(self, key: str) -> int | None:
        """Return a whole number, also one in quotes, as rtslib does for attributes."""
        return whole(self.data.get(key))

    def flag(self, key: str) -> bool | None:
        """Return true or false."""
        found = self.data.get(key)
        return found if isinstance(found, bool) else None

    def below(self, key: str) -> DocumentEntry:
        """Return the object under a key, an empty one if there is none."""
        found = self.data.get(key)
        return DocumentEntry(found if isinstance(found, dict) else {}, self.at(key))

    def each(self, key: str) -> Iterator[DocumentEntry]:
        """Yield the objects of the list under a key."""
        found = self.data.get(key)
        for index, entry in enumerate(found if isinstance(found, list) else ()):
            if isinstance(entry, dict):
                yield DocumentEntry(entry, (*self.at(key), index))


def whole(value: Any) -> int | None:
    """Return a whole number in any spelling that the document's types accept, else None."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class FirstSeen:
    """Records the first place of each name or number."""

    def __init__(self) -> None:
        self._first: dict[Any, Place] = {}

    def before(self, what: Any, place: Place) -> str:
        """Return the JSON path of the first `what`, "" if this is the first."""
        first = self._first.setdefault(what, place)
        return json_path(first) if first != place else ""

    def twice(self, what: Any, place: Place, name: str) -> Iterator[Problem]:
        """Yield an error if `what` was seen before; `name` is its name in the message."""
        if before := self.before(what, place):
            yield error(place, f"{name} is defined twice, first at {before}")
