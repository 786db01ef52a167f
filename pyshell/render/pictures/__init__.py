# SPDX-License-Identifier: Apache-2.0
"""Pictures of a topology: SVG, Mermaid and Graphviz's dot, printed or written to a file."""

from __future__ import annotations

import os
from pathlib import Path

from pyshell.errors import ExistsError, NotFoundError
from pyshell.files import reading, writing
from pyshell.render.pictures import flowcharts, svg
from pyshell.tree.results import Lines, Picture

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
    """Return a picture's text, with a newline at its end."""
    if picture.form == "mermaid":
        lines = flowcharts.mermaid_lines(picture.topology)
    elif picture.form == "dot":
        lines = flowcharts.dot_lines(picture.topology)
    else:
        lines = svg.svg_lines(picture.topology)
    return "".join(f"{line}\n" for line in lines)
