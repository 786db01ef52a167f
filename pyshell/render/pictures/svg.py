# SPDX-License-Identifier: Apache-2.0
"""A topology as SVG: one file without scripts or fonts, light or dark as its viewer is."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from pyshell.characters import visible
from pyshell.render.pictures.layout import (
    LINE_HEIGHT,
    PADDING,
    Layout,
    Placed,
    lay_out,
)
from pyshell.render.pictures.measure import elided, width
from pyshell.render.pictures.style import LINE_SIZE, NAME_SIZE, STYLE, SUMMARY_SIZE
from pyshell.tree.topology import ADDED, CHANGED, REMOVED, Topology

_MARGIN = 28.0
_HEAD = 96.0
"""Height of title, summary and columns' headings."""
_FOOT = 34.0
_WIDTH_MIN = 560.0
_SIGNS = {ADDED: " added", REMOVED: " removed", CHANGED: " changed"}


def text_of(topology: Topology) -> str:
    """Return the picture."""
    return "".join(f"{line}\n" for line in _lines(topology, lay_out(topology)))


def _lines(topology: Topology, layout: Layout) -> Iterator[str]:
    wide = max(layout.width, _WIDTH_MIN) + 2 * _MARGIN
    high = layout.height + _HEAD + _FOOT + _MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}"'
        f' viewBox="0 0 {wide:.0f} {high:.0f}" role="img">'
    )
    yield f"<title>{_text(topology.title)}</title>"
    yield f"<desc>{_text(topology.summary)}</desc>"
    yield f"<style>{STYLE}</style>"
    yield f'<rect class="ground" width="{wide:.0f}" height="{high:.0f}"/>'
    room = wide - 2 * _MARGIN
    yield _write(_MARGIN, 38, "name", elided(topology.title, room, NAME_SIZE, bold=True))
    yield _write(_MARGIN, 58, "summary", elided(topology.summary, room, SUMMARY_SIZE))
    yield f'<g transform="translate({_MARGIN:.0f} {_HEAD:.0f})">'
    for number, (name, x, _) in enumerate(layout.columns):
        yield _write(x + 2, -12, f"heading c{number}", name)
    yield from _arrows(topology, layout)
    for placed in layout.boxes.values():
        yield from _box(placed)
    yield "</g>"
    yield from _legend(topology, high - _MARGIN + 4)
    yield "</svg>"


def _arrows(topology: Topology, layout: Layout) -> Iterator[str]:
    """Yield the ways, those that are nothing special first, so that the rest lies above."""
    for arrow in sorted(topology.arrows, key=lambda arrow: (arrow.live, bool(arrow.sign))):
        start, end = layout.boxes[arrow.start], layout.boxes[arrow.end]
        x1, y1, x2, y2 = start.x + start.width, start.middle, end.x, end.middle
        bend = (x2 - x1) / 2
        kind = f"way{_SIGNS.get(arrow.sign, '')}{' live' if arrow.live else ''}"
        yield (
            f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f}'
            f' {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"/>'
        )


def _box(placed: Placed) -> Iterator[str]:
    box = placed.box
    x, y, wide, high = placed.x, placed.y, placed.width, placed.height
    yield f'<g class="box c{box.column}{_SIGNS.get(box.sign, "")}">'
    tip = "\n".join([*box.tip, *box.faults])
    if tip:
        yield f"<title>{_text(tip, keep_lines=True)}</title>"
    place = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    yield f'<rect class="body" {place} rx="7"/>'
    # A bar along the left edge, round as the box is.
    yield (
        f'<path class="bar" d="M{x + 7:.1f} {y:.1f}a7 7 0 0 0 -7 7v{high - 14:.1f}a7 7 0 0 0 7 7'
        f'h-2.5a4.5 7 0 0 1 0 0v-{high:.1f}z"/>'
    )
    if box.healthy is not None:
        mark = "well" if box.healthy else "ill"
        yield (
            f'<circle class="{mark}" cx="{x + wide - PADDING - 1:.1f}"'
            f' cy="{y + PADDING + 1.5:.1f}" r="4"/>'
        )
    at = y + PADDING / 2 + LINE_HEIGHT - 4
    yield _write(x + PADDING, at, "title", placed.title)
    for line in placed.lines:
        at += LINE_HEIGHT
        yield _write(x + PADDING, at, "line", line)
    for fault in placed.faults:
        at += LINE_HEIGHT
        yield _write(x + PADDING, at, "fault", fault)
    yield "</g>"


def _legend(topology: Topology, y: float) -> Iterator[str]:
    """Yield what colours mean, as far as they are in the picture."""
    marks = {box.healthy for box in topology.boxes.values()}
    words = [("well", "well")] * (True in marks) + [("ill", "at fault")] * (False in marks)
    if topology.compared:
        words += [("plus", "+ added"), ("minus", "\u2212 removed"), ("tilde", "~ changed")]
    if any(arrow.live for arrow in topology.arrows):
        words.append(("session", "logged in"))
    x = _MARGIN
    for kind, word in words:
        yield f'<circle class="{kind}" cx="{x + 5:.1f}" cy="{y - 4:.1f}" r="4"/>'
        yield _write(x + 15, y, "line", word)
        x += width(word, LINE_SIZE, bold=True) + 34


def _write(x: float, y: float, kind: str, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{_text(text)}</text>'


def _text(text: str, *, keep_lines: bool = False) -> str:
    """Return a text as XML may hold it: without characters that XML has not, or viewers obey."""
    return escape(visible(text, keep="\n" if keep_lines else ""))
