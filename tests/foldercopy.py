# SPDX-License-Identifier: Apache-2.0
"""Folders of many small files, such as simulated kernels: read at once, and written again."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


def entries(folder: str, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield the relative path and the status of all that a folder holds, sorted by names.

    What a folder holds follows it. Links are not followed.
    """
    with os.scandir(f"{folder}/{below}") as found:
        listed = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in found)
    for name, status in listed:
        path = f"{below}/{name}" if below else name
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from entries(folder, path)


def empty(folder: str) -> None:
    """Remove all that a folder holds. Raises OSError."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                empty(entry.path)
                os.rmdir(entry.path)
            else:
                os.unlink(entry.path)


@dataclass(frozen=True)
class Snapshot:
    """What a folder holds: folders, files and links, with their modes."""

    home: bytes
    """The path of the folder above, which texts may contain."""
    mode: int
    found: list[tuple[str, int, bytes | int]]
    """Relative path, mode, and the content or the target; of a file without data its length."""

    @classmethod
    def of(cls, folder: Path) -> Snapshot:
        """Return the snapshot of a folder."""
        found = [
            (path, status.st_mode, _content(f"{folder}/{path}", status))
            for path, status in entries(str(folder))
        ]
        mode = stat.S_IMODE(folder.stat().st_mode)
        return cls(os.fsencode(folder.parent), mode, found)

    def write(self, folder: Path) -> None:
        """Create `folder` with the same content; its own path replaces the original's in texts."""
        home = os.fsencode(folder.parent)
        before = os.umask(0)
        try:
            folder.mkdir(self.mode, parents=True)
            for path, mode, content in self.found:
                self._create(f"{folder}/{path}", mode, content, home)
        finally:
            os.umask(before)

    def _create(self, path: str, mode: int, content: bytes | int, home: bytes) -> None:
        if stat.S_ISDIR(mode):
            os.mkdir(path, stat.S_IMODE(mode))
            return
        if isinstance(content, bytes):
            content = content.replace(self.home, home)
        if stat.S_ISLNK(mode):
            assert isinstance(content, bytes)
            os.symlink(content, path)
            return
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(mode))
        try:
            if isinstance(content, int):
                os.ftruncate(opened, content)
            elif content:
                os.write(opened, content)
        finally:
            os.close(opened)


def _content(path: str, status: os.stat_result) -> bytes | int:
    if stat.S_ISLNK(status.st_mode):
        return os.fsencode(os.readlink(path))
    if not stat.S_ISREG(status.st_mode):
        return 0
    if not status.st_blocks:
        return status.st_size
    with open(path, "rb") as file:
        return file.read()
