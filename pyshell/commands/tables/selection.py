# SPDX-License-Identifier: Apache-2.0
"""Which objects `list` shows, in which order: `columns=`, `where=` and `sort=`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyshell import names
from pyshell.commands.tables.kinds import Column
from pyshell.errors import UsageError
from pyshell.expressions import expression
from pyshell.lio.listing import natural
from pyshell.lio.settings import boolean
from pyshell.patterns import Pattern
from pyshell.text import did_you_mean, joined

OPERATORS = ("=", "!=", "~", "!~", "<", "<=", ">", ">=")
_CONDITION = expression(r"\s*([^\s=!~<>]+)\s*(!=|!~|<=|>=|=|~|<|>)(.*)", re.DOTALL)
_COMMA = expression(r"(?<!\\),")
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda found, given: found < given,
    "<=": lambda found, given: found <= given,
    ">": lambda found, given: found > given,
    ">=": lambda found, given: found >= given,
}
Read = Callable[[str], Any]
"""Returns an object's value in a column."""


def column_names(columns: Mapping[str, Column], text: str | None) -> list[str]:
    """Return the columns to show, in the order given. Raises UsageError."""
    if text is None:
        return [name for name, column in columns.items() if column.shown]
    found = [part.strip() for part in text.split(",")]
    for name in found:
        _require(columns, name, "columns")
        if found.count(name) > 1:
            raise UsageError(f"columns: {name} is given twice.")
    return found


def _require(columns: Mapping[str, Column], name: str, parameter: str) -> Column:
    if name not in columns:
        known = f"Columns: {joined(list(columns))}."
        raise UsageError(
            f"{parameter}: there is no column '{name}'.", did_you_mean(name, columns, known)
        )
    return columns[name]


@dataclass(frozen=True)
class Condition:
    """A comparison of a column's value."""

    column: str
    fits: Callable[[Any], bool]


def conditions(columns: Mapping[str, Column], text: str | None) -> list[Condition]:
    r"""Return the comparisons of `where=`, all of which an object must fit. Raises UsageError.

    They are separated by commas; `\,` is a comma in a value.
    """
    if text is None:
        return []
    return [_condition(columns, part.replace("\\,", ",")) for part in _COMMA.split(text)]


def _condition(columns: Mapping[str, Column], text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UsageError(
            f"where: '{text}' is not a comparison.",
            f"Write COLUMN, one of {' '.join(OPERATORS)}, and a value: where='size>1G'.",
        )
    name, operator, given = match[1], match[2], match[3].strip()
    column = _require(columns, name, "where")
    try:
        return Condition(name, _test(column, name, operator, given))
    except UsageError as error:
        error.message = f"where: {name}: {error.message}"
        error.column = None
        raise


def _test(column: Column, name: str, operator: str, given: str) -> Callable[[Any], bool]:
    if operator in ("~", "!~"):
        pattern, wanted = Pattern(given), operator == "~"
        return lambda found: pattern.found_in(text_of(found)) == wanted
    if operator in ("=", "!="):
        value, same = (_value(column, given) if given else None), operator == "="
        return lambda found: _is(column, found, value) == same
    if column.kind not in ("number", "size"):
        raise UsageError(
            f"'{operator}' compares numbers and sizes.", f"For text: {name}=VALUE or {name}~RE."
        )
    value, fits = _value(column, given), _ORDERS[operator]
    return lambda found: found is not None and fits(found, value)


def _is(column: Column, found: Any, value: Any) -> bool:
    return found is value if None in (found, value) else column.names(found, value)


def _value(column: Column, text: str) -> Any:
    """Return a value as the column has it. Raises UsageError."""
    if column.kind == "flag":
        return boolean(text)
    if column.kind == "text":
        return text
    number = names.whole(text)
    if number is not None:
        return number
    if column.kind == "size":
        return names.size(text)
    raise UsageError(f"'{text}' is not a number.")


def text_of(value: Any) -> str:
    """Return a value as text, as `where=` matches it and tsv shows it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def sorting(
    columns: Mapping[str, Column], text: str | None
) -> Sequence[tuple[str, Callable[[Any], Any], bool]]:
    """Return the columns to sort by, with their keys and whether the highest is first.

    Raises UsageError.
    """
    found = []
    for part in text.split(",") if text is not None else ():
        name = part.strip().removeprefix("-")
        column = _require(columns, name, "sort")
        key = natural if column.kind == "text" else _same
        found.append((name, key, part.strip().startswith("-")))
    return found


def _same(value: Any) -> Any:
    return value


def ordered(
    every: Sequence[Any],
    by: Sequence[tuple[str, Callable[[Any], Any], bool]],
    read: Callable[[Any, str], Any],
) -> list[Any]:
    """Return objects sorted by columns; those without a value are last."""
    found = list(every)
    for name, key, reverse in reversed(by):
        values = [(read(one, name), one) for one in found]
        there = [(value, one) for value, one in values if value is not None]
        there.sort(key=lambda pair: key(pair[0]), reverse=reverse)
        found = [*(one for _, one in there), *(one for value, one in values if value is None)]
    return found
