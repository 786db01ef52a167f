# SPDX-License-Identifier: Apache-2.0
"""A topology as text for other programs: Graphviz's dot, and Mermaid for wikis and code hosts."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.characters import one_line
from pyshell.tree.topology import ADDED, CHANGED, COLUMNS, REMOVED, Topology

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
