# SPDX-License-Identifier: Apache-2.0
"""How the kernel judges a text written to an attribute, from the rule recorded for the file.

A rule is a small JSON object: `{"refuse": ERRNO}` for a file that takes nothing, `{"ignore": true}`
for one that takes everything and keeps its text, or `{"parse": …}` naming one of these readings:

boolean    kstrtobool: by the first letter, for "on" and "off" by the second
number     kstrtoul and kin: `type` gives the bounds beyond which ERANGE (or `overflow`) comes;
           `cast` the narrower type that the kernel then puts it into
lenient    simple_strtoul: whatever number the text begins with, else 0; the text is kept as it is
words      one of `accept`, or with `several` a list of them with commas; kept as it is
text       anything of up to `longest` characters without a comma; kept as it is

`accept` lists the values that are taken, as [lowest, highest] pairs for numbers; `refuse` the errno
of single other ones, `else` that of the rest. `show` holds what a file shows for a value where that
is not the number and a line feed, `format` how it shows all of them.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn


class RefusalError(Exception):
    """The kernel refuses an act with this error number; the act has changed nothing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def refuse(number: int) -> NoReturn:
    """End the act in hand with `number` from the errno module."""
    raise RefusalError(number)


Rule = Mapping[str, Any]

_NUMBER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\n?\Z")
_LEADING = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")


def boolean(text: str) -> bool:
    """Read a truth value."""
    first, second = text[:1].lower(), text[1:2].lower()
    if first and first in "yt1":
        return True
    if first and first in "nf0":
        return False
    if first == "o" and second and second in "nf":
        return second == "n"
    return refuse(errno.EINVAL)


def bounds(kind: str) -> tuple[int, int]:
    """Return the lowest and highest number of a type such as "u32" or "s64"."""
    bits = int(kind[1:])
    return (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def number(text: str, kind: str = "u32", overflow: int = errno.ERANGE) -> int:
    """Read a decimal, 0x or 0-octal number of a type; a single line feed may follow."""
    lowest, highest = bounds(kind)
    found = _NUMBER.match(text)
    if not found or (found[1] == "-" and lowest == 0):
        refuse(errno.EINVAL)
    value = _digits(found[2]) * (-1 if found[1] == "-" else 1)
    if not lowest <= value <= highest:
        refuse(overflow)
    return value


def cast(value: int, kind: str) -> int:
    """Put a number into a narrower type, as C does."""
    lowest, highest = bounds(kind)
    return (value - lowest) % (highest - lowest + 1) + lowest


def lenient(text: str) -> int:
    """Read the number that a text begins with into a C int; 0 where it begins with none."""
    found = _LEADING.match(text)
    return cast(_digits(found[0]), "s32") if found else 0


def parameter_text(text: str) -> str:
    """Return a negotiated parameter's value as the kernel keeps it: less one trailing space."""
    return text[:-1] if text[-1:].isspace() else text


def accept(rule: Rule, text: str) -> str | None:
    """Return what a file shows after `text` was written; None where it stays as it was."""
    if "parse" not in rule:
        return None if "ignore" in rule else refuse(getattr(errno, rule["refuse"]))
    return _READINGS[rule["parse"]](rule, text)


def _digits(text: str) -> int:
    if text[:2].lower() == "0x":
        return int(text, 16)
    return int(text, 8 if text.startswith("0") else 10)


def _boolean(rule: Rule, text: str) -> str:
    return _shown(rule, int(boolean(text)))


def _number(rule: Rule, text: str) -> str:
    value = number(text, rule["type"], getattr(errno, rule.get("overflow", "ERANGE")))
    return _shown(rule, cast(value, rule["cast"]) if "cast" in rule else value)


def _shown(rule: Rule, value: int) -> str:
    _check(rule, value)
    shown: str = rule.get("show", {}).get(str(value), rule.get("format", "{}\n").format(value))
    return shown


def _check(rule: Rule, value: int) -> None:
    if _is_in(rule.get("accept"), value):
        return
    for name, ranges in rule.get("refuse", {}).items():
        if _is_in(ranges, value):
            refuse(getattr(errno, name))
    refuse(getattr(errno, rule.get("else", "EINVAL")))


def _is_in(ranges: list[list[int]] | None, value: int) -> bool:
    return ranges is None or any(low <= value <= high for low, high in ranges)


def _lenient(rule: Rule, text: str) -> str:
    kept = _text(rule, text)
    _check(rule, lenient(kept[:-1]))
    return kept


def _words(rule: Rule, text: str) -> str:
    value = parameter_text(text)
    words = value.split(",") if rule.get("several") else [value]
    if not all(word in rule["accept"] for word in words):
        refuse(errno.EINVAL)
    return f"{value}\n"


def _text(rule: Rule, text: str) -> str:
    value = parameter_text(text)
    if len(value.encode()) > rule["longest"] or "," in value:
        refuse(errno.EINVAL)
    return f"{value}\n"


_READINGS: Mapping[str, Callable[[Rule, str], str]] = {
    "boolean": _boolean,
    "number": _number,
    "lenient": _lenient,
    "words": _words,
    "text": _text,
}
