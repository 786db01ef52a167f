# SPDX-License-Identifier: Apache-2.0
"""Text for people: aligned, wrapped and shortened; unsafe characters; "Did you mean ...?".

Initiators, devices, D-Bus services and files choose texts that pyshell prints on root's terminal.
Such a text may contain escape sequences, which move the cursor, rewrite lines or answer questions;
bidirectional controls, which change the order of characters; and invisible characters.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from pyshell.expressions import expression

ELLIPSIS = "…"
_GAP = "  "
_COLUMN = expression(r"\s*\S.*?\s{2,}|\s+")
_COLUMNS = expression(r"\s*(?:\S+(?: \S+)*\s{2,})*")
_COMMAND = "    "
_WORD = expression(r"[(\[]?'[^']*'\S*|\S+")
# Invisible characters that Unicode calls printable: fillers, joiners, variation selectors.
_INVISIBLE = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef"
)
_MAY_BE_UNSAFE = expression(f"[^\x20-\x7e\xa1-\xac\xae-\u02ff]|[{_INVISIBLE}]")
_IS_INVISIBLE = expression(f"[{_INVISIBLE}]")
_MIN_PART = 3
"""How many characters of a name identify it, if no other name contains them."""


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


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def joined(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def listed(items: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return at most `most` items on one line, and the number of the others: `a, b and 3 more`."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(items[:most]) + more


def aligned(
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    widths: Sequence[int] | None = None,
) -> Iterator[str]:
    """Yield rows with their cells in columns; those in `right` are aligned to the right."""
    wide = widths if widths is not None else column_widths(rows)
    for row in rows:
        cells = []
        for index, cell in enumerate(row):
            blanks = " " * (wide[index] - columns(cell))
            cells.append(blanks + cell if index in right else cell + blanks)
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
    return "\n".join(_filled(_WORD.findall(text), width))


def _filled(words: Iterable[str], width: int) -> list[str]:
    """Return words as lines of at most `width` columns; a longer word has a line of its own."""
    lines: list[str] = []
    for word in words:
        if lines and columns(lines[-1]) + 1 + columns(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def wrapped_result(lines: Iterable[str], width: int) -> Iterator[str]:
    """Yield sentences and rows of a result; one that is too wide continues below its last column.

    They are broken at blanks only. A line that begins with four blanks is a command, to be copied.
    Text in quotes stays on one line if that is wide enough.
    """
    for line in lines:
        if columns(line) <= width or line.startswith(_COMMAND):
            yield line
            continue
        match = _COLUMNS.match(line)
        head = match.group() if match is not None else ""
        rest, margin = line[len(head) :], " " * columns(head)
        if columns(head) > width // 2:
            yield head.rstrip()
            head = margin = " " * (len(head) - len(head.lstrip()) + len(_GAP))
        for number, part in enumerate(
            _filled(_words(rest, width - len(margin)), width - len(margin))
        ):
            yield f"{margin if number else head}{part}"


def _words(text: str, width: int) -> Iterator[str]:
    """Yield the words of a text; text in quotes is one word unless it is wider than `width`."""
    for word in _WORD.findall(text):
        yield from [word] if columns(word) <= width else word.split(" ")


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
    """Return a cell as lines of at most `width` columns; a word that is longer is not broken."""
    return _filled(text.split(" "), width) if columns(text) > width else [text]


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


def is_unsafe(character: str) -> bool:
    """Return whether a character acts on the terminal or is invisible."""
    return not character.isprintable() or _IS_INVISIBLE.match(character) is not None


def unsafe_in(text: str) -> str:
    """Return the first unsafe character of `text`, "" if there is none."""
    if text.isascii() and text.isprintable():
        return ""
    return next((found for found in _MAY_BE_UNSAFE.findall(text) if is_unsafe(found)), "")


def visible(text: str, keep: str = "\n\t") -> str:
    r"""Return `text` with an escape such as `\x1b` for each unsafe character that is not in `keep`.

    Colours are added afterwards.
    """
    if text.isascii() and text.isprintable():
        return text
    return _MAY_BE_UNSAFE.sub(
        lambda found: (
            found[0] if found[0] in keep or not is_unsafe(found[0]) else _escape(found[0])
        ),
        text,
    )


def output_line(text: str) -> str:
    """Return `text` as `visible` does, with an escape for a line feed, too."""
    return visible(text, keep="\t")


def one_line(text: str) -> str:
    """Return `text` as `visible` does, for a name or a cell of a table: no tabs either."""
    return visible(text, keep="")


def visible_json(text: str) -> str:
    r"""Return a JSON document with JSON's escapes (`\u001b`) for unsafe characters."""
    if text.isascii():
        return text.replace("\x7f", "\\u007f")
    return _MAY_BE_UNSAFE.sub(
        lambda found: _json(found[0]) if found[0] != "\n" and is_unsafe(found[0]) else found[0],
        text,
    )


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name most similar to `word`, None if none is.

    `cutoff` is difflib's: 1 accepts equal names only, 0 accepts any.
    """
    names = list(known)
    if word in names:
        return word
    near = [name for name in names if _may_be_near(word, name, cutoff)]
    if not near:
        return None
    import difflib  # only a mistyped name needs it

    found = difflib.get_close_matches(word, near, n=len(near), cutoff=cutoff)
    return next((name for name in found if _is_near_behind(word, name, cutoff)), None)


def _is_near_behind(word: str, name: str, cutoff: float) -> bool:
    """Return whether WWNs are similar behind the `iqn.….example:` that they have in common."""
    import difflib

    pairs = enumerate(zip(word, name, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(word), len(name)))
    begin = word.rfind(":", 0, same) + 1
    return not begin or difflib.SequenceMatcher(None, name[begin:], word[begin:]).ratio() >= cutoff


def _may_be_near(word: str, name: str, cutoff: float) -> bool:
    """Return whether enough characters are the same, as difflib asks first."""
    common = sum(min(word.count(one), name.count(one)) for one in set(word))
    return not word or 2 * common >= cutoff * (len(word) + len(name))


def likely(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that is similar to `word`, or the only one that contains it.

    Case is ignored if no name is similar otherwise.
    """
    names = list(known)
    typed = word.lower()
    holding = [name for name in names if len(typed) >= _MIN_PART and typed in name.lower()]
    if found := closest(word, names):
        return found
    if len(holding) == 1:
        return holding[0]
    lower = {name.lower(): name for name in names}
    found = closest(typed, lower)
    return lower[found] if found is not None else None


def did_you_mean(word: str, known: Iterable[str], then: str = "") -> str:
    """Return "Did you mean …?" followed by `then`; only `then` if no known name is near."""
    found = likely(word, known)
    return " ".join(part for part in (f"Did you mean {found}?" if found else "", then) if part)
