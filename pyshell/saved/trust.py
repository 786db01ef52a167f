# SPDX-License-Identifier: Apache-2.0
"""Read a file that is to be fed to the kernel: only if none but root or this user can write it.

Who may write the file decides which devices are exported, and to whom. It is judged and read
through one descriptor, so it cannot be exchanged in between.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from pyshell.errors import NotPermittedError, from_os_error
from pyshell.saved import load
from pyshell.saved.about import name_of
from pyshell.saved.document import Document, holds_secrets

FOREIGN_READ = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True)
class Trusted:
    """A document as it was read from a file that may be fed to the kernel."""

    document: Document
    data: bytes
    """The bytes of the file."""
    warnings: tuple[str, ...] = ()
    """What there is to be said against the file, without it being refused."""


def load_trusted(path: Path) -> Trusted:
    """Return the document in a file that only root or this user can write.

    Raises NotPermittedError, with the command that mends it, where others can; and as `load`.
    """
    data, mode = read_trusted(path)
    document = load.from_bytes(data, str(path))
    if mode & FOREIGN_READ and holds_secrets(document):
        mend = f"chmod 600 {shlex.quote(str(path))}"
        warning = f"{path} holds secrets that others may read: {mend} mends it."
        return Trusted(document, data, (warning,))
    return Trusted(document, data)


def read_trusted(path: Path) -> tuple[bytes, int]:
    """Return the bytes of a file that only root or this user can write, and its mode bits."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            _refuse(path, found)
            mode = stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else 0
            return file.read(load.SIZE_MAX + 1), mode
    except (OSError, ValueError) as error:  # ValueError: the name holds a NUL
        fault = error if isinstance(error, OSError) else OSError(str(error))
        raise from_os_error(fault, f"read {path}") from error


def _refuse(path: Path, found: os.stat_result) -> None:
    """Raise NotPermittedError with all that speaks against a file, and what mends it."""
    if not stat.S_ISREG(found.st_mode) and not path.resolve().is_fifo():
        return  # a terminal or a pipe: what comes from there, the caller has given
    faults, mends = [], []
    if found.st_uid not in (0, os.geteuid()):
        faults.append(f"it belongs to {name_of(found.st_uid)}")
        mends.append(f"chown {name_of(os.geteuid())} {_quoted(path)}")
    if _others_write(found):
        faults.append("others than its owner may write it")
        mends.append(f"chmod go-w {_quoted(path)}")
    for folder in _folders(path):
        held = folder.stat()
        if _others_write(held) and not held.st_mode & stat.S_ISVTX:
            faults.append(f"others may put another file in its place in {folder}")
            mends.append(f"chmod go-w {_quoted(folder)}")
    if faults:
        raise NotPermittedError(
            f"{path} is not to be trusted: {', and '.join(faults)}.",
            f"Look at what it holds; then {' && '.join(mends)}",
            path=str(path),
        )


def _others_write(found: os.stat_result) -> bool:
    """Tell whether others than its owner may write a file; a group of the owner alone is none."""
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_private(found.st_gid, found.st_uid)


def _is_private(group: int, owner: int) -> bool:
    """Tell whether a group is that of one user alone, as most systems make one for each user."""
    try:
        entry, user = grp.getgrgid(group), pwd.getpwuid(owner)
    except KeyError:
        return False
    return entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}


def _folders(path: Path) -> list[Path]:
    """Return the folder that holds a file, and that of the link that leads there."""
    return list(dict.fromkeys([Path(os.path.abspath(path)).parent, Path(path).resolve().parent]))


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
