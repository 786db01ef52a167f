# SPDX-License-Identifier: Apache-2.0
"""A topology as a Mermaid flow chart, which wikis and code hosts draw."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.tree.topology import ADDED, CHANGED, COLUMNS, REMOVED, Topology

_CLASSES = {
    ADDED: ("added", "fill:#dafbe1,stroke:#2da44e,color:#1f2328"),
    REMOVED: ("removed", "fill:#ffebe9,stroke:#cf222e,color:#1f2328,stroke-dasharray:5 3"),
    CHANGED: ("changed", "fill:#fff8c5,stroke:#bf8700,color:#1f2328"),
}
_ILL = ("fault", "stroke:#cf222e,stroke-width:3px")


def lines(topology: Topology) -> Iterator[str]:
    """Yield the lines of the chart."""
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
                yield f"  class {names[box.key]} {_CLASSES[box.sign][0]}"
            if box.faults:
                yield f"  class {names[box.key]} {_ILL[0]}"
    for arrow in topology.arrows:
        line = "-.->" if arrow.sign == REMOVED else "==>" if arrow.live else "-->"
        yield f"  {names[arrow.start]} {line} {names[arrow.end]}"
    for name, look in (*_CLASSES.values(), _ILL):
        yield f"  classDef {name} {look}"


def _escaped(text: str) -> str:
    """Return a text with character codes for all that Mermaid or HTML could take for its own."""
    plain = (c if c.isalnum() or c in " .,:-/_+~" else f"#{ord(c)};" for c in text)
    return "".join(plain)
