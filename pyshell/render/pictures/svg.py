# SPDX-License-Identifier: Apache-2.0
"""A topology as SVG: one file without scripts or fonts, with light and dark colours."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from pyshell.characters import visible
from pyshell.render.pictures.placement import (
    HEADING_SIZE,
    LINE_HEIGHT,
    LINE_SIZE,
    NAME_SIZE,
    PADDING,
    SUMMARY_SIZE,
    TITLE_SIZE,
    Placed,
    PlacedTopology,
    elided,
    place,
    width,
)
from pyshell.tree.topology import ADDED, CHANGED, REMOVED, Topology

_MARGIN = 28.0
_HEAD = 96.0
"""Height of title, summary and columns' headings."""
_FOOT = 34.0
_WIDTH_MIN = 560.0
_SIGNS = {ADDED: " added", REMOVED: " removed", CHANGED: " changed"}
# Plain colours: some SVG viewers do not support CSS variables.
_LIGHT = """
.ground{fill:#fff}
.name,.title{fill:#1f2328}
.summary,.line{fill:#59636e}
.heading{fill:#59636e}
.body{fill:#f6f8fa;stroke:#d1d9e0}
.way{stroke:#b7c0c9}
.live,.session{stroke:#0969da}.session{fill:#0969da}
.well{fill:#2da44e}.ill,.fault{fill:#cf222e}
.c0 .bar,.c0.heading{fill:#0969da}.c1 .bar,.c1.heading{fill:#8250df}
.c2 .bar,.c2.heading{fill:#1b7c83}.c3 .bar,.c3.heading{fill:#bc4c00}
.c4 .bar,.c4.heading{fill:#57606a}
.added .body{fill:#dafbe1;stroke:#2da44e}.way.added{stroke:#2da44e}.plus{fill:#2da44e}
.removed .body{fill:#ffebe9;stroke:#cf222e}.way.removed{stroke:#cf222e}.minus{fill:#cf222e}
.changed .body{fill:#fff8c5;stroke:#bf8700}.tilde{fill:#bf8700}
"""
_DARK = """
.ground{fill:#0d1117}
.name,.title{fill:#f0f6fc}
.summary,.line{fill:#9198a1}
.body{fill:#161b22;stroke:#3d444d}
.way{stroke:#484f58}
.live,.session{stroke:#4493f8}.session{fill:#4493f8}
.well{fill:#3fb950}.ill,.fault{fill:#ff7b72}
.c0 .bar,.c0.heading{fill:#4493f8}.c1 .bar,.c1.heading{fill:#ab7df8}
.c2 .bar,.c2.heading{fill:#39c5cf}.c3 .bar,.c3.heading{fill:#f0883e}
.c4 .bar,.c4.heading{fill:#9198a1}
.added .body{fill:#12261e;stroke:#3fb950}.way.added{stroke:#3fb950}.plus{fill:#3fb950}
.removed .body{fill:#2d1415;stroke:#f85149}.way.removed{stroke:#f85149}.minus{fill:#f85149}
.changed .body{fill:#272115;stroke:#d29922}.tilde{fill:#d29922}
"""
STYLE = f"""
text{{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}}
.name{{font-size:{NAME_SIZE:g}px;font-weight:600}}
.summary{{font-size:{SUMMARY_SIZE:g}px}}
.heading{{font-size:{HEADING_SIZE:g}px;font-weight:600}}
.title{{font-size:{TITLE_SIZE:g}px;font-weight:600}}
.line,.fault{{font-size:{LINE_SIZE:g}px}}
.fault{{font-weight:600}}
.way{{fill:none;stroke-width:1.4}}
.live{{stroke-width:2.4}}
.way.removed,.removed .body{{stroke-dasharray:5 3}}
{_LIGHT}@media (prefers-color-scheme:dark){{{_DARK}}}
"""


def svg_lines(topology: Topology) -> Iterator[str]:
    """Yield the lines of an SVG picture."""
    placed = place(topology)
    wide = max(placed.width, _WIDTH_MIN) + 2 * _MARGIN
    high = placed.height + _HEAD + _FOOT + _MARGIN
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
    for number, (name, x, _) in enumerate(placed.columns):
        yield _write(x + 2, -12, f"heading c{number}", name)
    yield from _arrows(topology, placed)
    for box in placed.boxes.values():
        yield from _box(box)
    yield "</g>"
    yield from _legend(topology, high - _MARGIN + 4)
    yield "</svg>"


def _arrows(topology: Topology, placed: PlacedTopology) -> Iterator[str]:
    """Yield the arrows, plain ones first, so that the others are drawn on top."""
    for arrow in sorted(topology.arrows, key=lambda arrow: (arrow.live, bool(arrow.sign))):
        start, end = placed.boxes[arrow.start], placed.boxes[arrow.end]
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
    frame = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    yield f'<rect class="body" {frame} rx="7"/>'
    # A bar along the left edge, with the rounded corners of the box.
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
    """Yield the legend of the colours that are in the picture."""
    marks = {box.healthy for box in topology.boxes.values()}
    words = [("well", "healthy")] * (True in marks) + [("ill", "problem")] * (False in marks)
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
    """Return a text for XML, without characters that XML forbids or viewers interpret."""
    return escape(visible(text, keep="\n" if keep_lines else ""))
