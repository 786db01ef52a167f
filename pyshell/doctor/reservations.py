# SPDX-License-Identifier: Apache-2.0
"""Whether persistent reservations work: the kernel's folders for them, and who holds them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pyshell.doctor import Finding, error
from pyshell.files import paths
from pyshell.lio import Lio, dbroot, listing
from pyshell.quoting import shell_word


def check_reservations(lio: Lio) -> Iterator[Finding]:
    """Yield folders in which the kernel cannot store reservations or ALUA states."""
    if not listing.storage_objects(lio):
        return  # the first change creates the folders
    for name, effect in dbroot.FOLDERS.items():
        folder = dbroot.folder(lio.kernel, lio.machine, name)
        problem, command = _problem(lio, folder)
        if problem:
            yield error(str(folder), f"{problem}: {effect}", *([command] if command else []))


def _problem(lio: Lio, folder: Path) -> tuple[str, str]:
    """Return what is wrong with a folder, "" if nothing, and the command that fixes it, if any."""
    word = shell_word(str(folder))
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return "it is missing", f"install -d -m 0700 {word}"
    if not stat.S_ISDIR(found.st_mode):
        return f"it is a {paths.kind(found.st_mode)}, not a folder", ""
    if not paths.is_own(found.st_uid):
        owner = paths.user_name(found.st_uid)
        return f"it belongs to {owner}, who can change reservations", f"chown root: {word}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "other users can change the files in it", f"chmod 0700 {word}"
    if lio.may_change and not os.access(folder, os.W_OK):
        return "nothing can be written to it", ""
    return "", ""
