# SPDX-License-Identifier: Apache-2.0
"""Draws a topology: to standard output, or into a file."""

from __future__ import annotations

import os
import stat

from pyshell.errors import ExistsError, UsageError, from_os_error
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
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text_of(picture))
    except OSError as error:
        raise from_os_error(error, f"write {path}") from error
    return Lines([f"Picture written to {path}"], data)


def _refuse_other(path: str) -> None:
    """Raise where a picture would take the place of what is none. Raises PyshellError."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISBLK(mode):
            raise UsageError(f"{path} is a block device.", "Give the name of a file.")
        if not stat.S_ISREG(mode):
            return  # as a pipe or a terminal, which lose nothing
        with open(path, "rb") as file:
            start = file.read(max(map(len, BEGINNINGS)))
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"write {path}") from error
    if start and not start.startswith(BEGINNINGS):
        raise ExistsError(
            f"{path} is there and holds something else than a picture of pyshell's.",
            "Give another name, or remove it first.",
        )
