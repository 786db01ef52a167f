# SPDX-License-Identifier: Apache-2.0
"""Edits the typed line in the user's text editor (Ctrl-X Ctrl-E, or v with vi keys)."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pyshell.errors import PyshellError
from pyshell.expressions import expression
from pyshell.files import reading, writing
from pyshell.host import editor

_FILE = expression(r"line\.([0-9]{1,10})\.txt")


def edited(line: str, folder: Path) -> str:
    """Return the line, or lines, that the user makes of `line`.

    The file is in the private `folder` and is removed afterwards, as it may contain a secret.
    Raises PyshellError.
    """
    _remove_left(folder)
    writing.make_folder(folder)
    file = folder / f"line.{os.getpid()}.txt"
    try:
        writing.replace(file, f"{line}\n".encode())
        status = editor.edit(file)
        if status != 0:
            raise PyshellError(f"The editor failed with status {status}: the line is kept.")
        try:
            text = reading.read(file).data.decode()
        except UnicodeDecodeError as error:
            raise PyshellError("The edited line is not UTF-8 text: the line is kept.") from error
    finally:
        with suppress(OSError):
            file.unlink()
    return text.replace("\r\n", "\n").rstrip("\n")


def _remove_left(folder: Path) -> None:
    """Remove the files of processes that were killed meanwhile."""
    with suppress(OSError):
        for name in os.listdir(folder):
            found = _FILE.fullmatch(name)
            if found is not None and not os.path.exists(f"/proc/{found[1]}"):
                (folder / name).unlink()
