# SPDX-License-Identifier: Apache-2.0
"""A fault of a file, and a reader of its entries that no wrong type trips up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pyshell.characters import one_line
from pyshell.config.positions import Place, Read, json_path
from pyshell.errors import PyshellError

Level = Literal["error", "warning"]


UNFIT = re.compile("[\0\ud800-\udfff]")
"""What no file name and no kernel can take; `checks.types` reports each such text."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. An error is what cannot be restored as it stands there."""

    level: Level
    place: Place
    message: str
    hint: str = ""
    at_key: bool = False
    """Whether it is the key, not the value, that is wrong."""


@dataclass(frozen=True)
class Finding:
    """A fault with its place in the text. Lines and columns count from 1."""

    path: str
    line: int
    column: int
    level: Level
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return one line, whatever the file's names hold."""
        message = f"{self.message}. {self.hint}" if self.hint else self.message
        return one_line(f"{self.path}: {message}")


def placed(found: Read, faults: Iterable[Fault]) -> list[Finding]:
    """Return faults with their places in a text, in the order of its lines, each once."""
    made = []
    for fault in faults:
        line, column = found.position(fault.place, key=fault.at_key)
        path = json_path(fault.place)
        made.append(Finding(path, line, column, fault.level, fault.message, fault.hint))
    return sorted(dict.fromkeys(made), key=lambda one: (one.line, one.column))


def not_json(found: json.JSONDecodeError) -> Finding:
    """Return the one fault of a text that is no JSON."""
    message = f"not JSON: {_lower(found.msg).removesuffix(' at')}"
    return Finding("$", found.lineno, found.colno, "error", message)


def no_text(message: str, line: int = 1, column: int = 1) -> Finding:
    """Return the one fault of a file that holds no text, or too much."""
    return Finding("$", line, column, "error", message)


def error(place: Place, message: str, hint: str = "") -> Fault:
    """Return what keeps an entry from being restored as it is."""
    return Fault("error", place, message.rstrip("."), hint)


def warning(place: Place, message: str, hint: str = "") -> Fault:
    """Return what can be restored, but is hardly what was meant."""
    return Fault("warning", place, message.rstrip("."), hint)


def refused(place: Place, found: PyshellError, *, at_key: bool = False) -> Fault:
    """Return an error that a check of the commands found."""
    return Fault("error", place, _lower(found.message).rstrip("."), found.hint, at_key)


def _lower(sentence: str) -> str:
    """Return a sentence as it goes on behind a colon; names and abbreviations stay."""
    plain = sentence[1:2].islower() or sentence[1:2] == " "
    return sentence[:1].lower() + sentence[1:] if plain else sentence


@dataclass(frozen=True)
class Entry:
    """An object of a file and its place. What is missing or has a wrong type reads as None."""

    data: Mapping[str, Any]
    place: Place

    def at(self, key: str) -> Place:
        """Return the place of a key's value."""
        return (*self.place, key)

    def text(self, key: str) -> str | None:
        """Return a text."""
        found = self.data.get(key)
        return found if isinstance(found, str) else None

    def number(self, key: str) -> int | None:
        """Return a whole number; as rtslib does for attributes, also where it is a text."""
        return whole(self.data.get(key))

    def flag(self, key: str) -> bool | None:
        """Return true or false."""
        found = self.data.get(key)
        return found if isinstance(found, bool) else None

    def below(self, key: str) -> Entry:
        """Return the object under a key, an empty one where there is none."""
        found = self.data.get(key)
        return Entry(found if isinstance(found, dict) else {}, self.at(key))

    def each(self, key: str) -> Iterator[Entry]:
        """Yield the objects of the list under a key."""
        found = self.data.get(key)
        for index, entry in enumerate(found if isinstance(found, list) else ()):
            if isinstance(entry, dict):
                yield Entry(entry, (*self.at(key), index))


def whole(value: Any) -> int | None:
    """Return a whole number of any spelling that the document's types take, else None."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Seen:
    """Remembers where each name or number stood first."""

    def __init__(self) -> None:
        self._first: dict[Any, Place] = {}

    def before(self, what: Any, place: Place) -> str:
        """Return the JSON path where `what` stood before, "" the first time."""
        first = self._first.setdefault(what, place)
        return json_path(first) if first != place else ""
