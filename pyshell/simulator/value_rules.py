# SPDX-License-Identifier: Apache-2.0
"""How the kernel judges a text written to an attribute, from the rule recorded for the file.

A rule is a small JSON object: `{"refuse": ERRNO}` for a file that accepts nothing,
`{"ignore": true}` for one that ignores what is written, or `{"parse": …}` with one of these:

boolean    kstrtobool: by the first letter, for "on" and "off" by the second
number     kstrtoul and similar: `type` gives the bounds, beyond which the error is ERANGE (or
           `overflow`); `cast` the narrower type that the kernel then converts it to
lenient    simple_strtoul: the number that the text begins with, else 0; the text is kept
words      one of `accept`, or with `several` a list of them with commas; the text is kept
text       up to `longest` characters without a comma; the text is kept

`accept` lists the accepted values, as [lowest, highest] pairs for numbers; `refuse` has the errno
of single other values, `else` that of the rest. `show` has what the file shows for a value if that
is not the number and a line feed, `format` how it shows all values.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn


class RefusalError(Exception):
    """The kernel refuses a call with this error number; nothing was changed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def refuse(number: int) -> NoReturn:
    """End the current call with `number` from the errno module."""
    raise RefusalError(number)


Rule = Mapping[str, Any]

_NUMBER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\n?\Z")
_LEADING = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")


def boolean(text: str) -> bool:
    """Parse a truth value as kstrtobool does."""
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
    """Parse a decimal, 0x or 0-octal number of a type; a single line feed may follow."""
    lowest, highest = bounds(kind)
    found = _NUMBER.match(text)
    if not found or (found[1] == "-" and lowest == 0):
        refuse(errno.EINVAL)
    value = _digits(found[2]) * (-1 if found[1] == "-" else 1)
    if not lowest <= value <= highest:
        refuse(overflow)
    return value


def cast(value: int, kind: str) -> int:
    """Convert a number to a narrower type, as C does."""
    lowest, highest = bounds(kind)
    return (value - lowest) % (highest - lowest + 1) + lowest


def lenient(text: str) -> int:
    """Parse the number that a text begins with as a C int; 0 if there is none."""
    found = _LEADING.match(text)
    return cast(_digits(found[0]), "s32") if found else 0


def parameter_text(text: str) -> str:
    """Return a negotiated parameter's value as the kernel keeps it: without one trailing space."""
    return text[:-1] if text[-1:].isspace() else text


def accept(rule: Rule, text: str) -> str | None:
    """Return what a file shows after `text` was written; None if it does not change."""
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
