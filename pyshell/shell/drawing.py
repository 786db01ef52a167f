# SPDX-License-Identifier: Apache-2.0
"""Draws a topology: to standard output, or into a file."""

from __future__ import annotations

import os

from pyshell.errors import from_os_error
from pyshell.render.pictures import text_of
from pyshell.tree.results import Lines, Picture


def drawn(picture: Picture, *, dry_run: bool) -> Lines:
    """Return a picture's lines, or, once it is written, that it is. Raises PyshellError."""
    data = picture.topology.data()
    if picture.file is None:
        return Lines(text_of(picture).splitlines(), data)
    path = os.path.expanduser(picture.file)
    if dry_run:
        return Lines([f"The picture would be written to {path} (dry run)"], data)
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text_of(picture))
    except OSError as error:
        raise from_os_error(error, f"write {path}") from error
    return Lines([f"Picture written to {path}"], data)
