# SPDX-License-Identifier: Apache-2.0
"""Parse JSON with the position of each value, and report problems by these positions.

Python's decoder discards positions, keeps the last of two equal keys and accepts NaN; the libraries
that keep positions report nothing of that, and raise RecursionError on a file of brackets.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pyshell.errors import PyshellError
from pyshell.files import reading
from pyshell.files.reading import DEPTH_MAX
from pyshell.text import one_line

Place = tuple[int | str, ...]
"""The keys and indexes that lead from the top to a value."""

_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"-?[A-Za-z]+")
_WORDS = {"true": True, "false": False, "null": None}
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


@dataclass(slots=True)
class Spot:
    """The offsets of a value and its key in the text, and the spots of its members."""

    at: int
    key_at: int
    parts: dict[int | str, Spot] = field(default_factory=dict)


@dataclass(frozen=True)
class PositionedJson:
    """The value of a JSON text, with positions."""

    data: Any
    root: Spot
    twice: list[tuple[Place, int]]
    """Duplicate keys (the last one counts), with the offset of the one before."""
    _line_starts: list[int]

    def position(self, place: Place, *, key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of the value at `place`, or of its key.

        For a missing place it is the position of the nearest one around it.
        """
        spot = self.root
        for part in place:
            if part not in spot.parts:
                return self.line_and_column(spot.at)
            spot = spot.parts[part]
        return self.line_and_column(spot.key_at if key else spot.at)

    def line_and_column(self, at: int) -> tuple[int, int]:
        """Return line and column, from 1, of an offset."""
        line = bisect.bisect_right(self._line_starts, at)
        return line, at - self._line_starts[line - 1] + 1


def read(text: str) -> PositionedJson:
    """Parse JSON as RFC 8259 defines it. Raises json.JSONDecodeError."""
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("Byte order mark before the document", text, 0)
    reader = _JsonReader(text)
    data, root, at = reader.value(reader.skip(0), 0, ())
    if at < len(text):
        raise json.JSONDecodeError("Extra data after the document", text, at)
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return PositionedJson(data, root, reader.twice, starts)


class _JsonReader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.twice: list[tuple[Place, int]] = []

    def skip(self, at: int) -> int:
        """Return the offset of the next token."""
        match = _BLANKS.match(self.text, at)
        assert match is not None
        return match.end()

    def value(self, at: int, key_at: int, place: Place) -> tuple[Any, Spot, int]:
        """Return the value that begins at `at`, its spots, and the offset of the next token."""
        spot = Spot(at, key_at)
        first = self.text[at : at + 1]
        found: Any
        if first in ("{", "[") and len(place) >= DEPTH_MAX:
            raise self.error(f"Nested deeper than {DEPTH_MAX} levels", at)
        if first == "{":
            found, end = self.members(spot, place)
        elif first == "[":
            found, end = self.items(spot, place)
        elif first == '"':
            found, end = self.string(at)
        else:
            found, end = self.plain(at)
        return found, spot, self.skip(end)

    def members(self, spot: Spot, place: Place) -> tuple[dict[str, Any], int]:
        """Return the object that begins at a brace."""
        found: dict[str, Any] = {}
        at = self.skip(spot.at + 1)
        if self.text[at : at + 1] == "}":
            return found, at + 1
        while True:
            if self.text[at : at + 1] != '"':
                raise self.error("Expecting a key in double quotes", at)
            key_at = at
            key, end = self.string(at)
            at = self.skip(end)
            if self.text[at : at + 1] != ":":
                raise self.error("Expecting ':' after the key", at)
            if key in found:
                self.twice.append(((*place, key), spot.parts[key].key_at))
            found[key], spot.parts[key], at = self.value(self.skip(at + 1), key_at, (*place, key))
            at, more = self.next_part(at, "}")
            if not more:
                return found, at

    def items(self, spot: Spot, place: Place) -> tuple[list[Any], int]:
        """Return the list that begins at a bracket."""
        found: list[Any] = []
        at = self.skip(spot.at + 1)
        if self.text[at : at + 1] == "]":
            return found, at + 1
        while True:
            index = len(found)
            value, spot.parts[index], at = self.value(at, at, (*place, index))
            found.append(value)
            at, more = self.next_part(at, "]")
            if not more:
                return found, at

    def next_part(self, at: int, closing: str) -> tuple[int, bool]:
        """Skip a comma or the closing bracket; return whether another member follows."""
        char = self.text[at : at + 1]
        if char == closing:
            return at + 1, False
        if char != ",":
            raise self.error(f"Expecting ',' or '{closing}'", at)
        return self.skip(at + 1), True

    def string(self, at: int) -> tuple[str, int]:
        """Return the string whose opening quote is at `at`."""
        found: tuple[str, int] = _DECODER.raw_decode(self.text, at)
        return found

    def plain(self, at: int) -> tuple[Any, int]:
        """Return a number, true, false or null."""
        number = _NUMBER.match(self.text, at)
        if number is not None:
            whole = number.group(1) is None and number.group(2) is None
            try:
                value = (reading.json_integer if whole else reading.json_real)(number.group())
            except ValueError as error:
                raise self.error(str(error), at) from error
            return value, number.end()
        word = _WORD.match(self.text, at)
        if word is not None and word.group() in _WORDS:
            return _WORDS[word.group()], word.end()
        if word is not None and word.group().lstrip("-") in ("NaN", "Infinity"):
            raise self.error(f"{word.group()} is not valid in JSON", at)
        raise self.error("Expecting a value", at)

    def error(self, message: str, at: int) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self.text, at)


def json_path(place: Place) -> str:
    """Return a place as a JSON path: `$.targets[0].wwn`."""
    path = "$"
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


UNFIT = re.compile("[\0\ud800-\udfff]")
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
        return one_line(f"{self.path}: {message}")


def placed(found: PositionedJson, problems: Iterable[Problem]) -> list[LocatedProblem]:
    """Return problems with their positions, in the order of lines, without duplicates."""
    made = []
    for problem in problems:
        line, column = found.position(problem.place, key=problem.at_key)
        path = json_path(problem.place)
        made.append(
            LocatedProblem(path, line, column, problem.level, problem.message, problem.hint)
        )
    return sorted(dict.fromkeys(made), key=lambda one: (one.line, one.column))


def not_json(found: ValueError) -> LocatedProblem:
    """Return the problem of a text that is not JSON."""
    message = f"not JSON: {json_reason(found)}"
    if isinstance(found, json.JSONDecodeError):
        return no_text(message, found.lineno, found.colno)
    return no_text(message)


def json_reason(found: ValueError) -> str:
    """Return what a parser of JSON found, for use after a colon."""
    if isinstance(found, json.JSONDecodeError):
        return _lower(found.msg).removesuffix(" at")
    return str(found)


def no_text(message: str, line: int = 1, column: int = 1) -> LocatedProblem:
    """Return the problem of a file without text, or with too much."""
    return LocatedProblem("$", line, column, "error", message)


def error(place: Place, message: str, hint: str = "") -> Problem:
    """Return an error: the entry cannot be restored."""
    return Problem("error", place, message.rstrip("."), hint)


def warning(place: Place, message: str, hint: str = "") -> Problem:
    """Return a warning: the entry can be restored, but is hardly meant."""
    return Problem("warning", place, message.rstrip("."), hint)


def refused(place: Place, found: PyshellError, *, at_key: bool = False) -> Problem:
    """Return an error of a rule that commands check as well."""
    return Problem("error", place, _lower(found.message).rstrip("."), found.hint, at_key)


def violations(rule: Callable[[_T], object], value: _T | None, place: Place) -> Iterator[Problem]:
    """Yield an error if `rule`, which commands check as well, refuses a value, not None."""
    if value is None:
        return
    try:
        rule(value)
    except PyshellError as found:
        yield refused(place, found)


def _lower(sentence: str) -> str:
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
