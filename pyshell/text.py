# SPDX-License-Identifier: Apache-2.0
"""Plain text in columns: how wide it is, how it is shortened, broken into lines and aligned."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

ELLIPSIS = "…"
_GAP = "  "
_COLUMN = re.compile(r"\s*\S.*?\s{2,}|\s+")
_WORD = re.compile(r"[(\[]?'[^']*'\S*|\S+")


def columns(text: str) -> int:
    """Return how many columns a terminal needs for a text without control characters."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(
    text: str, width: float, *, tail: float = 2 / 3, measure: Callable[[str], float] = columns
) -> str:
    """Return a name of at most `width`, with an ellipsis for the middle of a longer one.

    Names differ most at their ends: `tail` is the share of the room that the end gets. `measure`
    returns the width of a text and must be additive.
    """
    if measure(text) <= width:
        return text
    room = width - measure(ELLIPSIS)
    if room < 0:
        return ""
    end = _prefix(text[::-1], math.ceil(room * tail), measure)[::-1]
    return f"{_prefix(text, room - measure(end), measure)}{ELLIPSIS}{end}"


def shorten_sentence(text: str, width: int) -> str:
    """Return a sentence of at most `width` columns, with an ellipsis after its last whole word."""
    if columns(text) <= width:
        return text
    begun = _prefix(text, width - 1, columns)
    words, blank, _ = begun.rpartition(" ")
    if blank and text[len(begun)] != " " and words.strip():
        begun = words
    return f"{begun.rstrip(' ,;:')}{ELLIPSIS}" if width > 0 else ""


def _prefix(text: str, room: float, measure: Callable[[str], float]) -> str:
    """Return the longest beginning of a text that is no wider than `room`."""
    for number, character in enumerate(text):
        room -= measure(character)
        if room < 0:
            return text[:number]
    return text


def listed(items: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return at most `most` items on one line, and the number of the others: `a, b and 3 more`."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(items[:most]) + more


def aligned(
    rows: Sequence[Sequence[str]], *, numbers: int = 0, widths: Sequence[int] | None = None
) -> Iterator[str]:
    """Yield rows with their cells in columns, the last `numbers` of them aligned to the right."""
    wide = widths if widths is not None else column_widths(rows)
    for row in rows:
        first = len(row) - numbers
        cells = []
        for index, cell in enumerate(row):
            blanks = " " * (wide[index] - columns(cell))
            cells.append(blanks + cell if index >= first else cell + blanks)
        yield _GAP.join(cells).rstrip()


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of the widest cell of each column."""
    return [max(map(columns, column)) for column in zip(*rows, strict=True)]


def total_width(widths: Sequence[int]) -> int:
    """Return the width of a row of cells that are `widths` wide."""
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def wrapped(text: str, width: int) -> str:
    """Break a sentence that is wider than `width` between its words.

    A line that begins with blanks is unchanged: a caret below it points at a column. Text in
    quotes, such as a command, stays on one line, however long, so that it can be copied.
    """
    if columns(text) <= width or text.startswith(" "):
        return text
    lines: list[str] = []
    for word in _WORD.findall(text):
        if lines and columns(lines[-1]) + 1 + columns(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


def wrapped_help(lines: Iterable[str], width: int) -> Iterator[str]:
    """Yield lines of help; a line that is too wide continues below its second column."""
    for line in lines:
        if columns(line) <= width:
            yield line
            continue
        match = _COLUMN.match(line)
        head = match.group() if match else ""
        rest = line[len(head) :]
        if len(head) > width // 2:
            yield head.rstrip()
            head = " " * (len(head) - len(head.lstrip()) + 4)
        for number, part in enumerate(wrapped(rest, width - len(head)).split("\n")):
            yield f"{' ' * len(head) if number else head}{part}"


def folded(text: str, width: int) -> list[str]:
    """Return a cell as lines of at most `width` columns, broken between words if possible."""
    lines = [""]
    for word in text.split(" "):
        begun = f"{lines[-1]} {word}" if lines[-1] else word
        if columns(begun) <= width:
            lines[-1] = begun
            continue
        if lines[-1]:
            lines.append("")
        rest = word
        while columns(rest) > width:
            lines[-1] = _prefix(rest, width, columns) or rest[0]
            rest = rest[len(lines[-1]) :]
            lines.append("")
        lines[-1] = rest
    return lines


def around_column(text: str, column: int, width: int) -> tuple[str, int]:
    """Return the part of a line around a column that fits, and that column's place in the part."""
    if len(text) <= width:
        return text, column
    room = max(width - 2, 1)  # for an ellipsis at each end
    start = max(0, min(column - room // 2, len(text) - room))
    part = text[start : start + room]
    head = ELLIPSIS if start else ""
    tail = ELLIPSIS if start + room < len(text) else ""
    return f"{head}{part}{tail}", column - start + len(head)
