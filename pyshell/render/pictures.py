# SPDX-License-Identifier: Apache-2.0
"""Pictures of a topology, printed or written to a file: SVG, Mermaid, and Graphviz's dot.

SVG is one file without scripts or fonts, with light and dark colours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from pathlib import Path

from pyshell.errors import ExistsError, NotFoundError
from pyshell.files import reading, writing
from pyshell.render.placement import (
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
from pyshell.text import one_line, visible
from pyshell.tree.results import Lines, Picture
from pyshell.tree.topology import ADDED, CHANGED, COLUMNS, REMOVED, Topology

_BEGINNINGS = (b"<svg xmlns=", b"---\ntitle: ", b"digraph target {")
"""The beginnings of pictures, by which a file is recognized as one."""


def drawn(picture: Picture, *, dry_run: bool) -> Lines:
    """Return a picture's lines, or a message if it goes to a file. Raises PyshellError."""
    data = picture.topology.data()
    if picture.file is None:
        return Lines(_text(picture).splitlines(), data)
    path = os.path.expanduser(picture.file)
    _refuse_other_file(path)
    if dry_run:
        return Lines([f"The picture would be written to {path} (dry run)"], data)
    writing.replace(Path(path), _text(picture).encode(), private=False)
    return Lines([f"Picture written to {path}"], data)


def _refuse_other_file(path: str) -> None:
    """Refuse to replace a file that is not a picture. Raises PyshellError."""
    writing.require_writable(Path(path))
    try:
        start = reading.start_of(Path(path), max(map(len, _BEGINNINGS)))
    except NotFoundError:
        return
    if start and not start.startswith(_BEGINNINGS):
        raise ExistsError(
            f"{path} already exists and was not written by 'graph'.",
            "Choose another name, or remove the file.",
        )


def _text(picture: Picture) -> str:
    lines = {"svg": svg_lines, "mermaid": mermaid_lines, "dot": dot_lines}[picture.form]
    return "".join(f"{line}\n" for line in lines(picture.topology))


_DOT_BOXES = {
    ADDED: 'fillcolor="#dafbe1" color="#2da44e"',
    REMOVED: 'fillcolor="#ffebe9" color="#cf222e" style="rounded,filled,dashed"',
    CHANGED: 'fillcolor="#fff8c5" color="#bf8700"',
}
_DOT_ARROWS = {ADDED: ' [color="#2da44e"]', REMOVED: ' [color="#cf222e" style=dashed]'}


def dot_lines(topology: Topology) -> Iterator[str]:
    """Yield the lines of a Graphviz graph."""
    yield "digraph target {"
    yield f"  rankdir=LR; label={_quoted([topology.title])}; labelloc=t; labeljust=l;"
    yield '  node [shape=box style="rounded,filled" fillcolor="#f6f8fa" color="#d1d9e0"'
    yield '    fontname="sans-serif" fontsize=11];'
    yield '  edge [color="#b7c0c9" arrowsize=0.6];'
    names = topology.numbered()
    for column in range(len(COLUMNS)):
        boxes = topology.column(column)
        if not boxes:
            continue
        yield "  { rank=same;"
        for box in boxes:
            label = _quoted(box.texts)
            look = _DOT_BOXES.get(box.sign, "")
            ill = ' penwidth=3 color="#cf222e"' if box.faults else ""
            yield f"    {names[box.key]} [label={label} {look}{ill}];"
        yield "  }"
    for arrow in topology.arrows:
        way = ' [color="#0969da" penwidth=2]' if arrow.live else _DOT_ARROWS.get(arrow.sign, "")
        yield f"  {names[arrow.start]} -> {names[arrow.end]}{way};"
    yield "}"


def _quoted(lines: list[str]) -> str:
    """Return lines as one label of dot, where only backslash and quote are special."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in map(one_line, lines))
    return '"' + "\\n".join(escaped) + '"'


_MERMAID_CLASSES = {
    ADDED: ("added", "fill:#dafbe1,stroke:#2da44e,color:#1f2328"),
    REMOVED: ("removed", "fill:#ffebe9,stroke:#cf222e,color:#1f2328,stroke-dasharray:5 3"),
    CHANGED: ("changed", "fill:#fff8c5,stroke:#bf8700,color:#1f2328"),
}
_MERMAID_PROBLEM = ("fault", "stroke:#cf222e,stroke-width:3px")


def mermaid_lines(topology: Topology) -> Iterator[str]:
    """Yield the lines of a Mermaid flow chart."""
    yield "---"
    yield f'title: "{_escaped(topology.title)}"'
    yield "---"
    yield "flowchart LR"
    names = topology.numbered()
    for column, heading in enumerate(COLUMNS):
        yield f"  %% {heading}"
        for box in topology.column(column):
            label = "<br/>".join(_escaped(text) for text in box.texts)
            yield f'  {names[box.key]}["{label}"]'
            if box.sign:
                yield f"  class {names[box.key]} {_MERMAID_CLASSES[box.sign][0]}"
            if box.faults:
                yield f"  class {names[box.key]} {_MERMAID_PROBLEM[0]}"
    for arrow in topology.arrows:
        line = "-.->" if arrow.sign == REMOVED else "==>" if arrow.live else "-->"
        yield f"  {names[arrow.start]} {line} {names[arrow.end]}"
    for name, look in (*_MERMAID_CLASSES.values(), _MERMAID_PROBLEM):
        yield f"  classDef {name} {look}"


def _escaped(text: str) -> str:
    """Return a text with character codes for all that is special to Mermaid or HTML."""
    plain = (c if c.isalnum() or c in " .,:-/_+~" else f"#{ord(c)};" for c in text)
    return "".join(plain)


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
    yield f"<title>{_escaped_xml(topology.title)}</title>"
    yield f"<desc>{_escaped_xml(topology.summary)}</desc>"
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
        yield f"<title>{_escaped_xml(tip, keep_lines=True)}</title>"
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
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{_escaped_xml(text)}</text>'


def _escaped_xml(text: str, *, keep_lines: bool = False) -> str:
    """Return a text for XML, without characters that XML forbids or viewers interpret."""
    return escape(visible(text, keep="\n" if keep_lines else ""))
