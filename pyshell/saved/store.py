# SPDX-License-Identifier: Apache-2.0
"""Write a saved configuration: at every instant the file is the old or the new one, whole.

The file holds CHAP secrets: it is 0600 from the instant it exists.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pyshell.errors import PyshellError, from_os_error
from pyshell.saved.document import Document

_BACKUPS = "backup"


def to_text(document: Document) -> str:
    """Return a document as rtslib writes it: indent 2, sorted keys, a newline at the end."""
    return json.dumps(document, sort_keys=True, indent=2) + "\n"


def digest(data: bytes) -> str:
    """Return what the bytes of a file are recognised by."""
    return hashlib.sha256(data).hexdigest()


def write(document: Document, path: Path) -> None:
    """Replace `path` by a document, atomically and durably. Raises PyshellError.

    A link is followed. The folder's own mode is never touched (field failure 15).
    """
    replace(path, to_text(document).encode())


def replace(path: Path, data: bytes) -> None:
    """Replace a file by one of mode 0600 with `data`. Raises PyshellError; leaves no litter."""
    where = Path(os.path.realpath(path))
    temporary = where.parent / f".pyshell.{os.getpid()}.new"
    try:
        remove_left(where.parent)
        _write_new(temporary, data)
        os.replace(temporary, where)
        _sync_folder(where.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        # The temporary file's name would only puzzle: `path` is what could not be written.
        plain = OSError(error.errno, error.strerror)
        raise from_os_error(plain, f"write {path}", path=str(path)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_left(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left: it holds secrets."""
    for left in folder.glob(".pyshell.*.new"):
        writer = left.name.split(".")[2]
        if writer.isdigit() and not os.path.exists(f"/proc/{writer}"):
            left.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # one that a killed process of the same number left
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # a umask may have taken even the owner's bits
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o755) -> None:
    """Make a folder where it is missing. Raises PyshellError."""
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"make {folder}") from error


def back_up(path: Path, keep: int, now: Callable[[], datetime] = datetime.now) -> Path | None:
    """Copy the file that is about to be replaced to `backup/` beside it, as targetcli does.

    Only where it differs from the newest backup; then the oldest beyond `keep` are removed.
    Returns the backup, None where there was nothing to copy. Raises PyshellError.
    """
    folder = path.parent / _BACKUPS
    try:
        if not path.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            return None
        folder.mkdir(mode=0o700, exist_ok=True)
        data = path.read_bytes()
        before = backups(path)
        if before and unpacked(before[-1].read_bytes(), before[-1]) == data:
            return None
        made = folder / f"saveconfig-{now():%Y%m%d-%H:%M:%S}-json.gz"
        replace(made, gzip.compress(data))
        for old in backups(path)[:-keep] if keep > 0 else []:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, f"back up {path}") from error
    return made


def sweep(path: Path) -> None:
    """Remove what killed processes have left among a saved file's backups and beside it."""
    for folder in (path.parent, path.parent / _BACKUPS):
        with contextlib.suppress(OSError):
            remove_left(folder)


def backups(path: Path) -> list[Path]:
    """Return the backups of a saved file, oldest first."""
    return sorted((path.parent / _BACKUPS).glob("saveconfig-*json*"))


def unpacked(data: bytes, backup: Path) -> bytes:
    """Return what a backup that holds `data` is of. Raises PyshellError where it is damaged."""
    if backup.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise PyshellError(f"{backup} is damaged: {error}", "Move it away.") from error
