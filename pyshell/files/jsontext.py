# SPDX-License-Identifier: Apache-2.0
"""Parse JSON from files that anyone may have written: the only parser, with limits.

Python's own accepts numbers of any length and NaN, and raises RecursionError for a file of
brackets. A string with a NUL or half a surrogate pair is not a valid name and cannot be printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NoReturn

DEPTH_MAX = 100
"""A saved configuration has nine levels; the rest is for keys that pyshell does not know."""
DIGITS_MAX = 40
"""Characters of a number: the kernel's settings have at most 20 digits."""

_CHUNK = 1 << 20
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_MANY_DIGITS = re.compile(rb"[0-9]{%d}" % (DIGITS_MAX + 1))
_NO_BRACKET = bytes(set(range(256)) - set(_STEP))
# U+DC80 to U+DCFF stand for bytes that are not UTF-8: names in configfs may contain them.
_BAD = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])|[\0\ud800-\udfff]")


def loads(text: str | bytes, *, any_string: bool = False) -> Any:
    """Return the value of JSON in UTF-8. Raises ValueError, of which JSONDecodeError is one.

    With `any_string`, the caller checks the strings: it can report their positions.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    whole = text if isinstance(text, str) else data.decode("utf-8")
    at = _too_deep(data)
    if at is not None:
        line = data[:at].decode("utf-8", "replace")
        raise json.JSONDecodeError(f"Nested deeper than {DEPTH_MAX} levels", whole, len(line))
    # A callback for each number takes twice the time.
    parse = integer if _MANY_DIGITS.search(data) else None
    try:
        found = json.loads(
            whole, parse_int=parse, parse_float=real, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError(f"Nested deeper than {DEPTH_MAX} levels") from None
    suspicious = None if any_string else _SUSPICIOUS.search(whole)
    if suspicious is not None and any(map(_BAD.search, _strings(found))):
        raise json.JSONDecodeError(
            "A NUL or half a character in a string", whole, suspicious.start()
        )
    return found


def integer(text: str) -> int:
    """Parse a JSON integer. Raises ValueError."""
    if len(text) > DIGITS_MAX:
        raise ValueError(f"A number of more than {DIGITS_MAX} digits")
    return int(text)


def real(text: str) -> float:
    """Parse a JSON number with a fraction or an exponent. Raises ValueError."""
    found = float(text) if len(text) <= DIGITS_MAX else float("inf")
    if found in (float("inf"), float("-inf")):
        raise ValueError("A number that is too long or too large")
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")


def _too_deep(data: bytes) -> int | None:
    """Return an offset near which brackets are nested too deep, None if there is none.

    Each chunk is split at its quotes, as brackets within strings do not count.
    """
    level, inside, start = 0, False, 0
    while start < len(data):
        end = start + _CHUNK
        while data[end - 1 : end] == b"\\":
            end += 1
        plain = data[start:end].replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = plain.split(b'"')
        outside = b"".join(parts[inside::2]).translate(None, _NO_BRACKET)
        if outside:
            levels = [*accumulate(map(_STEP.__getitem__, outside), initial=level)]
            if max(levels) > DEPTH_MAX:
                return start
            level = levels[-1]
        inside ^= len(parts) % 2 == 0
        start = end
    return None


def _strings(data: Any) -> Iterator[str]:
    left = [data]
    while left:
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            left += part
            left += part.values()
        elif isinstance(part, list):
            left += part
