# SPDX-License-Identifier: Apache-2.0
"""Finds the rule behind the values tried on a file, by trying the simulator's own readings."""

from __future__ import annotations

import errno
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pyshell.simulator.rules import RefusalError, accept, boolean, cast, lenient, number

# Each try: the value, what came of it ("ok" or the errno's name), what the file showed then.
Rows = list[list[str]]


def rule_of(rows: Rows) -> dict[str, Any] | None:
    """Return the rule that explains every try; None where none of the simulator's readings does."""
    candidates = itertools.chain(_flat(rows), _booleans(rows), _numbers(rows), _kept(rows))
    return next((rule for rule in candidates if explains(rule, rows)), None)


def explains(rule: Mapping[str, Any], rows: Rows) -> bool:
    """Tell whether the simulator with this rule does at every try what the kernel did."""
    before: str | None = None
    for value, outcome, after in rows:
        try:
            shown = accept(rule, value) if value else None
            judged = "ok"
        except RefusalError as refusal:
            shown, judged = None, _name(refusal)
        if judged != outcome or (shown if shown is not None else before or after) != after:
            return False
        before = after
    return True


def _name(refusal: RefusalError) -> str:
    return errno.errorcode[refusal.number]


def _flat(rows: Rows) -> Iterator[dict[str, Any]]:
    yield {"ignore": True}
    yield from ({"refuse": name} for name in sorted({outcome for _, outcome, _ in rows} - {"ok"}))


def _booleans(rows: Rows) -> Iterator[dict[str, Any]]:
    read = _read(rows, lambda text: int(boolean(text)))
    yield {"parse": "boolean", **_judgement(read)}


def _numbers(rows: Rows) -> Iterator[dict[str, Any]]:
    kinds = ("u32", "u16", "u8", "u64", "s32", "s64", "s16")
    for kind, overflow in itertools.product(kinds, ("ERANGE", "EINVAL")):
        base = {"parse": "number", "type": kind}
        if overflow != "ERANGE":
            base["overflow"] = overflow

        def value_of(text: str, kind: str = kind) -> int:
            return number(text, kind)

        for narrow in (None, "s32", "u32", "u16") if kind == "u64" else (None,):

            def narrowed(text: str, narrow: str | None = narrow) -> int:
                return cast(value_of(text), narrow) if narrow else value_of(text)

            more = {"cast": narrow} if narrow else {}
            yield {**base, **more, **_judgement(_read(rows, narrowed))}


def _kept(rows: Rows) -> Iterator[dict[str, Any]]:
    taken = [value for value, outcome, _ in rows if outcome == "ok" and value]
    longest = max((len(value) for value in taken if set(value) == {"x"}), default=255)
    yield {"parse": "text", "longest": longest}
    judged = _judgement(
        _read([r for r in rows if "," not in r[0] and len(r[0]) <= longest], lenient)
    )
    judged.pop("show", None)
    yield {"parse": "lenient", "longest": longest, **judged}
    words = sorted({word for value in taken for word in value.strip().split(",")})
    yield {"parse": "words", "accept": words}
    yield {"parse": "words", "accept": words, "several": True}


def _read(rows: Rows, reading: Callable[[str], int]) -> dict[int, tuple[str, str]]:
    """Return what came of each number that a reading finds in the tries."""
    found: dict[int, tuple[str, str]] = {}
    for value, outcome, after in rows:
        with suppress(RefusalError):
            found[reading(value)] = (outcome, after)
    return found


def _judgement(found: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """Return accept, refuse, else, show and format for what came of the numbers tried."""
    judgement: dict[str, Any] = {"accept": _ranges(found, "ok")}
    outcomes = Counter(outcome for outcome, _ in found.values() if outcome != "ok")
    if not outcomes and len(found) > 1:
        del judgement["accept"]
    usual = outcomes.most_common(1)[0][0] if outcomes else "EINVAL"
    if usual != "EINVAL":
        judgement["else"] = usual
    rest = [name for name in outcomes if name != usual]
    if rest:
        judgement["refuse"] = {name: _ranges(found, name) for name in rest}
    return {**judgement, **_showing(found)}


def _ranges(found: Mapping[int, tuple[str, str]], wanted: str) -> list[list[int]]:
    """Return the runs of numbers with one outcome, as far as the tries tell."""
    ranges: list[list[int]] = []
    running = False
    for value in sorted(found):
        if found[value][0] != wanted:
            running = False
        elif running:
            ranges[-1][1] = value
        else:
            ranges.append([value, value])
            running = True
    return ranges


def _showing(found: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    shown = {value: after for value, (outcome, after) in found.items() if outcome == "ok"}
    for form in ("{}\n", "0x{:06x}\n"):
        others = {str(value): text for value, text in shown.items() if form.format(value) != text}
        if len(others) <= len(shown) // 2 or (form == "{}\n" and len(shown) <= 4):
            more = {"format": form} if form != "{}\n" else {}
            return {**more, **({"show": others} if others else {})}
    return {}
