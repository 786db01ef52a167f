# SPDX-License-Identifier: Apache-2.0
"""Read JSON and remember where each value stands.

Python's decoder forgets the places, keeps the last of two equal keys and takes NaN; the libraries
that keep places tell nothing of the rest, and end in RecursionError on a file of brackets.
"""

from __future__ import annotations

import bisect
import json
import re
from dataclasses import dataclass, field
from typing import Any

from pyshell.files import jsontext
from pyshell.files.jsontext import DEPTH_MAX

Place = tuple[int | str, ...]
"""The keys and indexes that lead to a value from the top."""

_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"-?[A-Za-z]+")
_WORDS = {"true": True, "false": False, "null": None}
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


@dataclass(slots=True)
class Spot:
    """Where a value, and the key before it, begin in the text; the same of what it holds."""

    at: int
    key_at: int
    parts: dict[int | str, Spot] = field(default_factory=dict)


@dataclass(frozen=True)
class Read:
    """A text that is JSON: its value and the places in it."""

    data: Any
    root: Spot
    twice: list[tuple[Place, int]]
    """Keys that stand there again (the last one counts), and where they stood before."""
    _line_starts: list[int]

    def position(self, place: Place, *, key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of the value at `place`, or of its key.

        A place that is not there stands for the nearest one around it.
        """
        spot = self.root
        for part in place:
            if part not in spot.parts:
                return self.line_and_column(spot.at)
            spot = spot.parts[part]
        return self.line_and_column(spot.key_at if key else spot.at)

    def line_and_column(self, at: int) -> tuple[int, int]:
        """Return line and column, from 1, of a character of the text."""
        line = bisect.bisect_right(self._line_starts, at)
        return line, at - self._line_starts[line - 1] + 1


def read(text: str) -> Read:
    """Read JSON as RFC 8259 has it. Raises json.JSONDecodeError."""
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("A byte order mark stands before the document", text, 0)
    reader = _Reader(text)
    data, root, at = reader.value(reader.skip(0), 0, ())
    if at < len(text):
        raise json.JSONDecodeError("Something stands behind the end of the document", text, at)
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return Read(data, root, reader.twice, starts)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.twice: list[tuple[Place, int]] = []

    def skip(self, at: int) -> int:
        """Return where the next token begins."""
        match = _BLANKS.match(self.text, at)
        assert match is not None
        return match.end()

    def value(self, at: int, key_at: int, place: Place) -> tuple[Any, Spot, int]:
        """Return the value that begins at `at`, where its parts stand, and the next token."""
        spot = Spot(at, key_at)
        first = self.text[at : at + 1]
        found: Any
        if first in ("{", "[") and len(place) >= DEPTH_MAX:
            raise self.fault(f"Nested deeper than {DEPTH_MAX} levels", at)
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
                raise self.fault("Expecting a key in double quotes", at)
            key_at = at
            key, end = self.string(at)
            at = self.skip(end)
            if self.text[at : at + 1] != ":":
                raise self.fault("Expecting ':' behind the key", at)
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
        """Step over a comma, or over what closes; tell whether another part follows."""
        char = self.text[at : at + 1]
        if char == closing:
            return at + 1, False
        if char != ",":
            raise self.fault(f"Expecting ',' or '{closing}'", at)
        return self.skip(at + 1), True

    def string(self, at: int) -> tuple[str, int]:
        """Return the string whose quote stands at `at`."""
        found: tuple[str, int] = _DECODER.raw_decode(self.text, at)
        return found

    def plain(self, at: int) -> tuple[Any, int]:
        """Return a number, true, false or null."""
        number = _NUMBER.match(self.text, at)
        if number is not None:
            whole = number.group(1) is None and number.group(2) is None
            try:
                value = (jsontext.integer if whole else jsontext.real)(number.group())
            except ValueError as error:
                raise self.fault(str(error), at) from error
            return value, number.end()
        word = _WORD.match(self.text, at)
        if word is not None and word.group() in _WORDS:
            return _WORDS[word.group()], word.end()
        if word is not None and word.group().lstrip("-") in ("NaN", "Infinity"):
            raise self.fault(f"there is no {word.group()} in JSON", at)
        raise self.fault("Expecting a value", at)

    def fault(self, message: str, at: int) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self.text, at)


def json_path(place: Place) -> str:
    """Return a place as JSON path: `$.targets[0].wwn`."""
    path = "$"
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            path += f".{part}"
        else:
            path += f"[{json.dumps(part)}]"
    return path
