# SPDX-License-Identifier: Apache-2.0
"""What each setting means and takes: the table `attributes.json`, and values held against it.

The table has a row for each attribute and parameter, by kind of object. Its keys:

text     what it means
type     boolean, number, yesno, choice (one of `values`), list (several of `values`), text
unit     what a number counts
default  what a new object has; by backstore or fabric where they differ, missing where it is the
         device's
range    pairs of lowest and highest number; the name of another setting stands for its value
values   what a choice or list is made of, with the meaning of each
only     by backstore, the one value that the kernel takes there
longest  most bytes of a text
write    when it may be written: `always` unless given; `unexported` (only while no LUN exports the
         storage object), `fixed` (the kernel takes only what it has), `ignored` (the kernel takes
         all and keeps what it has), `never`
tried    false where it was not tried on a real kernel: the value is left to the kernel to judge
source   where this is known from

What a newer kernel brings is in no row: it can be read and written all the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyshell import names
from pyshell.errors import UsageError
from pyshell.lio.identifiers import (
    Identifier,
    StorageObject,
)

TABLE = Path(__file__).with_name("attributes.json")
UNEXPORTED = "unexported"
_TRUE = frozenset({"1", "true", "yes", "on", "enable", "enabled"})
_FALSE = frozenset({"0", "false", "no", "off", "disable", "disabled"})
U32_MAX = 2**32 - 1
_WHOLE = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class Attribute:
    """A row of the table."""

    name: str
    text: str
    type: str = "text"
    unit: str = ""
    default: str | Mapping[str, str] | None = None
    range: tuple[tuple[int, int | str], ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)
    longest: int | None = None
    write: str = "always"
    tried: bool = True
    source: str = ""

    @property
    def can_be_set(self) -> bool:
        """Return whether the kernel accepts another value than the current one."""
        return self.write not in ("fixed", "ignored", "never")

    @property
    def default_text(self) -> str:
        """The value in a new object, or those by backstore or fabric, "" if unknown."""
        if isinstance(self.default, Mapping):
            return ", ".join(f"{value} ({owner})" for owner, value in self.default.items())
        return self.default or ""

    def default_of(self, owner: str) -> str | None:
        """Return what a new object has, by its backstore or fabric; None for the device's own."""
        if isinstance(self.default, Mapping):
            return self.default.get(owner)
        return self.default

    def check(self, value: str, read: Callable[[str], str]) -> str:
        """Return `value` as the kernel takes it; `read` reads another setting of the object.

        The kernel reads some values as something else, as `foo` as false: those are refused.
        Raises UsageError.
        """
        if not value and not (self.type == "text" and self.default == ""):
            raise UsageError(f"{self.name} needs a value.")
        return _CHECKS.get(self.type, _as_text)(self, value, read)

    def check_for(self, owner: str, value: str) -> None:
        """Refuse a value, as `check` returns it, that the kernel takes on other backstores only.

        Raises UsageError.
        """
        if self.only.get(owner, value) != value:
            raise UsageError(
                f"{self.name} can only be {self.only[owner]} on a {owner} storage object.",
                "Its backstore or device cannot do that.",
            )

    def allowed(self, read: Callable[[str], str] | None = None) -> str:
        """Return the accepted values as text, with the values of limits if `read` is given."""
        if self.type == "boolean":
            return "0 or 1"
        if self.type == "yesno":
            return "Yes or No"
        if self.values:
            words = [f"{value} ({text})" if text else value for value, text in self.values.items()]
            return ", ".join(words)
        pairs = [(low, _limit(high, read)) for low, high in self.range]
        return " or ".join(str(lo) if lo == hi else f"{lo} to {hi}" for lo, hi in pairs)


def _limit(limit: int | str, read: Callable[[str], str] | None) -> int | str:
    if isinstance(limit, int) or read is None:
        return limit
    found = read(limit)
    return int(found) if found.isdigit() else limit


def boolean(text: str) -> bool:
    """Read a truth value in any usual spelling (field failure 72). Raises UsageError."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise UsageError(f"'{text}' is neither true nor false.")


def _as_boolean(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    try:
        return "1" if boolean(value) else "0"
    except UsageError:
        raise UsageError(
            f"'{value}' is not a valid value of {row.name}.",
            "Give 1 or 0, true or false, yes or no.",
        ) from None


def _as_yesno(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    try:
        return "Yes" if boolean(value) else "No"
    except UsageError:
        raise UsageError(
            f"'{value}' is not a valid value of {row.name}.", "Give Yes or No."
        ) from None


def _as_number(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    if not _WHOLE.fullmatch(value.strip()):
        raise UsageError(f"'{value}' is not a valid value of {row.name}: it is a number.")
    number = int(value)  # a leading 0 would mean octal to the kernel
    if row.range:
        pairs = [(low, _limit(high, read)) for low, high in row.range]
        # Where the other setting's value is not known, the kernel's 32 bits are the limit.
        if not any(lo <= number <= (U32_MAX if isinstance(hi, str) else hi) for lo, hi in pairs):
            unit = f" {row.unit}" if row.unit else ""
            raise UsageError(
                f"{number} is out of the range of {row.name}.",
                f"It takes {row.allowed(read)}{unit}.",
            )
    return str(number)


def _as_choice(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    word = value.strip()
    if _WHOLE.fullmatch(word):
        word = str(int(word))
    for found, text in row.values.items():
        if word == found or (text and word.lower() == text.partition(":")[0].lower()):
            return found
    if not row.tried:
        return word
    raise UsageError(f"'{value}' is not a valid value of {row.name}.", f"It takes {row.allowed()}.")


def _as_list(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    known = {word.lower(): word for word in row.values}
    words = [word.strip().lower() for word in value.split(",")]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise UsageError(
            f"'{value}' is not a valid value of {row.name}.",
            f"It takes {row.allowed()}, or several of them, separated by commas.",
        )
    return ",".join(known[word] for word in words)


def _as_text(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    if row.longest is not None and len(value.encode(errors="surrogateescape")) > row.longest:
        raise UsageError(f"The {row.name} is longer than {row.longest} bytes.")
    return names.value(value, row.name)


_CHECKS: Mapping[str, Callable[[Attribute, str, Callable[[str], str]], str]] = {
    "boolean": _as_boolean,
    "yesno": _as_yesno,
    "number": _as_number,
    "choice": _as_choice,
    "list": _as_list,
}


@functools.cache
def of_kind(kind: str) -> Mapping[str, Attribute]:
    """Return the rows of a kind of object: storage_object, tpg, tpg_parameter, node_acl …"""
    return {name: _row(name, row) for name, row in _table()[kind].items()}


def is_known(name: str) -> bool:
    """Return whether a setting of any kind has that name."""
    return any(name in rows for rows in _table().values())


def row(kind: str, name: str) -> Attribute:
    """Return the row of a setting; one that says so if the table has none."""
    known = of_kind(kind).get(name)
    return known or Attribute(name, "The kernel has it; this release of pyshell does not know it.")


@functools.cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    import json

    found: dict[str, dict[str, dict[str, Any]]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


def _row(name: str, told: Mapping[str, Any]) -> Attribute:
    pairs = tuple((low, high) for low, high in told.get("range", ()))
    return Attribute(name, **{**told, "range": pairs})


_AS_CREATED = frozenset({"emulate_model_alias"})
"""What `create` gives by a preference: no table knows it."""


def row_of(place: Identifier, file: str) -> Attribute | None:
    """Return the row of a setting (`attrib/emulate_caw`), None if the table has none."""
    folder, _, name = file.rpartition("/")
    kind = place.kind.rows.get(folder)
    return of_kind(kind).get(name) if kind else None


def comes_by_itself(place: Identifier, file: str, value: str) -> bool:
    """Return whether a new object has that value, or takes no other."""
    found = row_of(place, file)
    if found is None or found.name in _AS_CREATED:
        return False
    if not found.can_be_set:
        return True
    return found.tried and found.default_of(place.owner) == value


def depends_on_device(place: Identifier, file: str) -> bool:
    """Whether a storage object's setting may not fit another device: limits, sizes of blocks."""
    folder, _, name = file.rpartition("/")
    if not isinstance(place, StorageObject) or folder != "attrib" or name in _AS_CREATED:
        return False
    found = row_of(place, file)
    if found is None or name == "block_size":
        return True
    if any(isinstance(high, str) for _, high in found.range):
        return True
    return not name.startswith("emulate_") and found.default_of(place.owner) is None


def refuse_misread(place: Identifier, file: str, value: str) -> None:
    """Raise UsageError for a value that the kernel would misread or refuse.

    It takes what is neither true nor false for false: `authentication=maybe` would let everybody
    in. Of the rest it is known which values only other backstores take.
    """
    found = row_of(place, file)
    if found is not None and found.type == "boolean":
        found.check(value, str)
    if found is not None:
        found.check_for(place.owner, value)
