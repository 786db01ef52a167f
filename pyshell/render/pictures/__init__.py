# SPDX-License-Identifier: Apache-2.0
"""Topologies as pictures: SVG with a layout of its own, Mermaid and Graphviz's dot."""

from __future__ import annotations

from collections.abc import Iterable

from pyshell.tree.results import Picture

BEGINNINGS = (b"<svg xmlns=", b"---\ntitle: ", b"digraph target {")
"""How pictures begin, by which a file is known to hold one."""


def text_of(picture: Picture) -> str:
    """Return a picture's text, with a newline at its end."""
    if picture.form == "mermaid":
        from pyshell.render.pictures import mermaid

        return _text(mermaid.lines(picture.topology))
    if picture.form == "dot":
        from pyshell.render.pictures import dot

        return _text(dot.lines(picture.topology))
    from pyshell.render.pictures import svg

    return svg.text_of(picture.topology)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
