# SPDX-License-Identifier: Apache-2.0
"""Colours, by rich: loaded only where a terminal wants them."""

from __future__ import annotations

from rich.color import ColorSystem
from rich.style import Style

_STYLES = {
    "name": Style(bold=True),
    "dots": Style(dim=True),
    "good": Style(color="green"),
    "bad": Style(color="red", bold=True),
    "plain": Style(),
    "off": Style(dim=True),
    "head": Style(bold=True),
    "error": Style(color="red"),
    "note": Style(color="yellow"),
}


def paint(part: str, text: str) -> str:
    """Return `text` in the colour of a part, in the terminal's own 16 colours."""
    return _STYLES[part].render(text, color_system=ColorSystem.STANDARD)
