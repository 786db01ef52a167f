# SPDX-License-Identifier: Apache-2.0
"""Draws a topology: to standard output, or into a file."""

from __future__ import annotations

import os
from pathlib import Path

from pyshell.errors import ExistsError, NotFoundError
from pyshell.files import reading, writing
from pyshell.render.pictures import BEGINNINGS, text_of
from pyshell.tree.results import Lines, Picture


def drawn(picture: Picture, *, dry_run: bool) -> Lines:
    """Return a picture's lines, or, once it is written, that it is. Raises PyshellError."""
    data = picture.topology.data()
    if picture.file is None:
        return Lines(text_of(picture).splitlines(), data)
    path = os.path.expanduser(picture.file)
    _refuse_other(path)
    if dry_run:
        return Lines([f"The picture would be written to {path} (dry run)"], data)
    writing.replace(Path(path), text_of(picture).encode(), private=False)
    return Lines([f"Picture written to {path}"], data)


def _refuse_other(path: str) -> None:
    """Refuse to put a picture in the place of anything else. Raises PyshellError."""
    writing.require_writable(Path(path))
    try:
        start = reading.start_of(Path(path), max(map(len, BEGINNINGS)))
    except NotFoundError:
        return
    if start and not start.startswith(BEGINNINGS):
        raise ExistsError(
            f"{path} already exists and is not a picture of pyshell's.",
            "Give another name, or remove it first.",
        )
