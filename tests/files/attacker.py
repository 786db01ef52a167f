# SPDX-License-Identifier: Apache-2.0
"""Another user: as root the tests really act as nobody; else that user is a simulated one."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pyshell.files import paths

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def as_nobody(*command: str | Path) -> None:
    """Run a program as the user nobody."""
    subprocess.run([*map(str, command)], check=True, user=NOBODY, group=NOBODY, extra_groups=[])


def folder_of_nobody(parent: Path) -> Path:
    """Return a folder that nobody owns, in one that anyone may enter but not write to."""
    for above in (parent, *parent.parents):
        if above.owner() == "root" and not above.stat().st_mode & stat.S_IXOTH:
            above.chmod(above.stat().st_mode | stat.S_IXOTH | stat.S_IXGRP)
    made = parent / "theirs"
    made.mkdir(mode=0o755)
    made.chmod(0o755)
    os.chown(made, NOBODY, NOBODY)
    return made


def give_away(monkeypatch: pytest.MonkeyPatch, *given: Path) -> None:
    """Let these files and links belong to another user: really as root, else it is pretended."""
    if os.geteuid() == 0:
        for path in given:
            os.lchown(path, NOBODY, NOBODY)
        return
    theirs = {(path.lstat().st_dev, path.lstat().st_ino) for path in given}
    monkeypatch.setattr(os, "fstat", _owned(os.fstat, theirs))
    monkeypatch.setattr(os, "lstat", _owned(os.lstat, theirs))


def _owned(
    real: Callable[..., os.stat_result], theirs: set[tuple[int, int]]
) -> Callable[..., os.stat_result]:
    def status(*arguments: object, **named: object) -> os.stat_result:
        found = real(*arguments, **named)
        if (found.st_dev, found.st_ino) not in theirs:
            return found
        return os.stat_result([*found[:4], NOBODY, NOBODY, *found[6:]])

    return status


def never_private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no group be that of one user alone."""
    monkeypatch.setattr(paths, "_is_private", lambda group, owner: False)
