# SPDX-License-Identifier: Apache-2.0
"""Folders of many small files, such as simulated kernels: read at once, and written again."""

from __future__ import annotations

import itertools
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_LOCKS = ("/lock", ".lock")


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
    found: list[tuple[str, int, bytes | int]]
    """Relative path, mode, and the content or the target; of a file without data its length."""

    @classmethod
    def of(cls, folder: Path) -> Snapshot:
        """Return the snapshot of a folder."""
        found = [
            (path, status.st_mode, _content(f"{folder}/{path}", status))
            for path, status in (("", folder.stat()), *entries(str(folder)))
        ]
        return cls(os.fsencode(folder.parent), found)

    @cached_property
    def parents(self) -> list[int]:
        """Return, for each path, the index of the folder that it is in."""
        numbers = {path: number for number, (path, *_) in enumerate(self.found)}
        return [numbers[path.rpartition("/")[0]] for path, *_ in self.found]

    @cached_property
    def names(self) -> dict[int, set[str]]:
        """Return the names in each folder by its index."""
        found: dict[int, set[str]] = {}
        for (path, *_), parent in zip(self.found, self.parents, strict=True):
            found.setdefault(parent, set()).add(path.rpartition("/")[2])
        return found

    @cached_property
    def with_home(self) -> set[int]:
        """Return the indices of texts that contain the path of the folder above."""
        return {
            number
            for number, (*_, content) in enumerate(self.found)
            if isinstance(content, bytes) and self.home in content
        }


class Copy:
    """A folder with the content of a snapshot; its own path replaces the original's in texts.

    It can be used again: `restore` writes only what has changed since. A change always shows in a
    time of change, because that of all that is written here is a moment in the past.
    """

    def __init__(self, snapshot: Snapshot, folder: Path) -> None:
        self.folder = folder
        self._snapshot = snapshot
        self._written: list[tuple[int, ...]] = [()] * len(snapshot.found)
        self._moment = time.time_ns() - 10**9
        self._home = b""
        self.restore()

    def move(self, folder: Path) -> None:
        """Rename the folder. Raises OSError."""
        os.rename(self.folder, folder)
        self.folder = folder

    def restore(self) -> None:
        """Make the folder what it was, after any changes."""
        home = os.fsencode(self.folder.parent)
        other = self._snapshot.with_home if home != self._home else set()
        self._home = home
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        before = os.umask(0)
        try:
            folders: set[int] = set()
            for number, (path, mode, _) in enumerate(self._snapshot.found):
                if number in other or not self._is_unchanged(number):
                    folders |= {number, self._snapshot.parents[number]}
                    self._restore(number, f"{self.folder}/{path}")
                    if not stat.S_ISDIR(mode):
                        self._note(number)
            for number in folders:
                if stat.S_ISDIR(self._snapshot.found[number][1]):
                    self._note(number)
        finally:
            os.umask(before)

    def _is_unchanged(self, number: int) -> bool:
        path = self._snapshot.found[number][0]
        try:
            status = os.lstat(f"{self.folder}/{path}")
        except OSError:
            return False
        # A process that an earlier test left behind may still hold a lock.
        return self._written[number] == _facts(status) and not f"/{path}".endswith(_LOCKS)

    def _note(self, number: int) -> None:
        path = f"{self.folder}/{self._snapshot.found[number][0]}"
        os.utime(path, ns=(self._moment, self._moment), follow_symlinks=False)
        self._written[number] = _facts(os.lstat(path))

    def _restore(self, number: int, path: str) -> None:
        _, mode, content = self._snapshot.found[number]
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode) and stat.S_ISDIR(mode):
                os.chmod(path, stat.S_IMODE(mode))
                for name in {*os.listdir(path)} - self._snapshot.names.get(number, set()):
                    _remove(f"{path}/{name}")
                return
            _remove(path)
        if isinstance(content, bytes) and number in self._snapshot.with_home:
            content = content.replace(self._snapshot.home, self._home)
        _create(path, mode, content)


class Copies:
    """Copies that are not in use, in folders of their own: the last few of them."""

    MOST = 8

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._free: dict[int, Copy] = {}
        """By the identity of their snapshot, the one used last at the end."""

    def copy(self, snapshot: Snapshot, folder: Path) -> Copy:
        """Return a copy of the snapshot at `folder`, which must not exist."""
        found = self._free.pop(id(snapshot), None)
        if found is None:
            return Copy(snapshot, folder)
        found.move(folder)
        found.restore()
        return found

    def keep(self, snapshot: Snapshot, copy: Copy) -> None:
        """Take a copy that is no longer in use."""
        copy.move(self._folder / str(next(self._numbers)))
        self._free[id(snapshot)] = copy
        if len(self._free) > self.MOST:
            oldest = self._free.pop(next(iter(self._free)))
            _remove(str(oldest.folder))


def _facts(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_size,
        status.st_mtime_ns,
    )  # fmt: skip


def _remove(path: str) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        empty(path)
        os.rmdir(path)
    else:
        os.unlink(path)


def _create(path: str, mode: int, content: bytes | int) -> None:
    if stat.S_ISDIR(mode):
        os.mkdir(path, stat.S_IMODE(mode))
        return
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
    return content(path, status.st_size) if status.st_blocks else status.st_size


def content(path: str, size: int) -> bytes:
    """Return the content of a file of that size; quicker for small files than `open`."""
    opened = os.open(path, os.O_RDONLY)
    try:
        found = os.read(opened, size + 1)
        while len(found) > size:  # it has grown
            size = len(found) + (1 << 20)
            found += os.read(opened, size - len(found))
        return found
    finally:
        os.close(opened)
