# SPDX-License-Identifier: Apache-2.0
"""A topology in Graphviz's language."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.characters import one_line
from pyshell.tree.topology import ADDED, CHANGED, COLUMNS, REMOVED, Topology

_FILLS = {
    ADDED: 'fillcolor="#dafbe1" color="#2da44e"',
    REMOVED: 'fillcolor="#ffebe9" color="#cf222e" style="rounded,filled,dashed"',
    CHANGED: 'fillcolor="#fff8c5" color="#bf8700"',
}
_WAYS = {ADDED: ' [color="#2da44e"]', REMOVED: ' [color="#cf222e" style=dashed]'}


def lines(topology: Topology) -> Iterator[str]:
    """Yield the lines of the graph."""
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
            look = _FILLS.get(box.sign, "")
            ill = ' penwidth=3 color="#cf222e"' if box.faults else ""
            yield f"    {names[box.key]} [label={label} {look}{ill}];"
        yield "  }"
    for arrow in topology.arrows:
        way = ' [color="#0969da" penwidth=2]' if arrow.live else _WAYS.get(arrow.sign, "")
        yield f"  {names[arrow.start]} -> {names[arrow.end]}{way};"
    yield "}"


def _quoted(lines: list[str]) -> str:
    """Return lines as one label. A backslash and a quote are the only special characters."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in map(one_line, lines))
    return '"' + "\\n".join(escaped) + '"'
