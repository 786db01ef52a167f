# SPDX-License-Identifier: Apache-2.0
"""How wide a text can be at most, whatever sans-serif font a browser takes.

The widths are those of DejaVu Sans and Verdana, the widest that are common, in parts of the size.
"""

from __future__ import annotations

import unicodedata

_BOLD = 1.14
_SPARE = 1.03
_WIDTHS = {
    0.38: " .,:;|!'`ijlI-()[]/\\ftr·",
    0.54: '"sczxvyJ*_?°',
    0.66: "abdeghknopquLTEFPSZ0123456789$~{}",
    0.80: "ABCDGHKNRUVXYOQw+<=>&#…",
    1.02: "MWm@%",
}
_WIDTH = {character: width for width, found in _WIDTHS.items() for character in found}
_WIDEST, _OTHER = 1.35, 0.85
"""Of characters that fill two cells, and of all others that no row above names."""


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text is at most, in the unit of `size`."""
    found = sum(_of(character) for character in text)
    return found * size * _SPARE * (_BOLD if bold else 1.0)


def _of(character: str) -> float:
    known = _WIDTH.get(character)
    if known is not None:
        return known
    return _WIDEST if unicodedata.east_asian_width(character) in "WF" else _OTHER


def elided(text: str, limit: float, size: float, *, bold: bool = False) -> str:
    """Return a text that is no wider than `limit`: where it is, its middle is left out.

    More is kept of the end, as names differ there.
    """
    if width(text, size, bold=bold) <= limit:
        return text
    shown = "…"
    for kept in range(1, len(text)):
        head = kept * 2 // 5
        candidate = f"{text[:head]}…{text[len(text) - (kept - head) :]}"
        if width(candidate, size, bold=bold) > limit:
            break
        shown = candidate
    return shown
