# SPDX-License-Identifier: Apache-2.0
"""The simulated tree on disk: ordinary folders, files and links that can be read without a lock.

What a kernel shows is stored below `configfs/target`. What it knows without showing (a storage
object's control values, links to it) is stored below `hidden/`, one JSON file per object. Groups
are built elsewhere and renamed into place, files are replaced by renaming: a reader sees a whole
group or none, and a file's old text or its new one.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyshell.simulator.recorded import Template, fill

Facts = dict[str, Any]
_DIRECTORY_MODE = 0o755
_FILE_MODE = 0o644
_READ = 1 << 16
_LONG_NAME = 240
"""Bytes of a name above which `.json` may not fit behind it."""


class TreeFiles:
    """The files of one simulator folder; `rel` is always a path below `configfs/target`."""

    def __init__(self, folder: Path, *, lean: bool = False) -> None:
        """A `lean` tree has no statistics, and its files share what is equal: for a large copy."""
        self._lean = lean
        self.configfs = str(folder / "configfs" / "target")
        self._hidden = str(folder / "hidden")
        self._staging = str(folder / "staging")
        self._lock = str(folder / "lock")
        self._lacking: dict[int, set[str]] = {}
        """The files that new groups are created without, by identity of their template."""
        self._shared: dict[tuple[str, int], str] = {}
        """Files of a lean tree, by text and mode."""
        self._names = (f"{self._staging}/{os.getpid()}-{n}" for n in itertools.count())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock, which every change takes, among threads and processes."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def prepare(self) -> None:
        """Create the folders that contain everything else."""
        for path in (os.path.dirname(self.configfs), self._hidden, self._staging):
            os.makedirs(path, 0o700, exist_ok=True)

    # Reading

    def path(self, rel: str) -> str:
        """Return the absolute path of `rel`."""
        return f"{self.configfs}/{rel}" if rel else self.configfs

    def inside(self, path: str) -> str:
        """Return the `rel` of an absolute path. Raises ValueError if it is outside."""
        normal = os.path.normpath(path)
        if normal == self.configfs:
            return ""
        if not normal.startswith(f"{self.configfs}/"):
            raise ValueError(f"{path} is not below {self.configfs}")
        return normal[len(self.configfs) + 1 :]

    def exists(self, rel: str) -> bool:
        """Return whether anything, even a broken link, has this name."""
        return os.path.lexists(self.path(rel))

    def is_group(self, rel: str) -> bool:
        """Return whether `rel` is a folder, and not a link to one."""
        path = self.path(rel)
        return os.path.isdir(path) and not os.path.islink(path)

    def mode(self, rel: str) -> int:
        """Return the permission bits of `rel`."""
        return os.lstat(self.path(rel)).st_mode & 0o7777

    def text(self, rel: str) -> str:
        """Return the text of a file, whatever its permission bits."""
        # `open` would take three times as long, thousands of times in a command.
        descriptor = os.open(self.path(rel), os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts = iter(lambda: os.read(descriptor, _READ), b"")
            return b"".join(parts).decode("utf-8", "surrogateescape")
        finally:
            os.close(descriptor)

    def groups(self, rel: str) -> list[str]:
        """Return the names of the folders in `rel`, sorted; empty if `rel` is not a folder."""
        try:
            with os.scandir(self.path(rel)) as entries:
                return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def links(self, rel: str) -> list[str]:
        """Return the names of the symbolic links in the folder `rel`, sorted."""
        with os.scandir(self.path(rel)) as entries:
            return sorted(entry.name for entry in entries if entry.is_symlink())

    def source(self, rel: str) -> str:
        """Return what the symbolic link `rel` leads to, as a path below the tree."""
        return os.readlink(self.path(rel)).rpartition("../target/")[2]

    # Changing

    def grow(self, rel: str, template: Template, values: Mapping[str, object]) -> None:
        """Create the group `rel` with its default groups and files; nothing hidden is kept."""
        self.forget(rel)
        staged = next(self._names)
        for path in (staged, *(f"{staged}/{group}" for group in self._groups_of(template))):
            os.mkdir(path)
            os.chmod(path, _DIRECTORY_MODE)  # whatever the umask
        lacking = self._lacking.get(id(template), ())
        for inner, file in template.files.items():
            if inner in lacking:
                continue
            if not self._lean:
                _create(f"{staged}/{inner}", fill(file.text, values), file.mode)
            elif not _counts(inner):
                self._create_shared(f"{staged}/{inner}", fill(file.text, values), file.mode)
        os.rename(staged, self.path(rel))

    def _groups_of(self, template: Template) -> Iterator[str]:
        return (group for group in template.groups if not (self._lean and _counts(group)))

    def _create_shared(self, path: str, text: str, mode: int) -> None:
        """Create a file as a further name of one with that text and mode, if there is one."""
        known = self._shared.get((text, mode))
        if known is not None:
            with suppress(OSError):  # it has as many names as the file system allows
                os.link(known, path)
                return
        _create(path, text, mode)
        if known is None:
            self._shared[text, mode] = f"{self._staging}/shared-{len(self._shared)}"
            os.link(path, self._shared[text, mode])

    def fell(self, rel: str) -> None:
        """Remove the group `rel` with everything below it, and its hidden facts."""
        from shutil import rmtree  # imports all that compresses

        staged = next(self._names)
        os.rename(self.path(rel), staged)
        rmtree(staged)
        self.forget(rel)

    def put(self, rel: str, text: str) -> None:
        """Replace the text of the file `rel`; do nothing if it is the same."""
        if self._lean and "/statistics/" in rel:
            return
        old = self.text(rel)
        if old == text:
            return
        if not self._lean and (not old or not text):
            self._fill(rel, text)
            return
        staged = next(self._names)
        _create(staged, text, self.mode(rel))
        os.rename(staged, self.path(rel))

    def add(self, rel: str, text: str) -> None:
        """Create a file that the group was not created with."""
        _create(self.path(rel), text, _FILE_MODE)

    def lack(self, template: Template, inner: str) -> None:
        """Create groups of a template without a file from now on."""
        self._lacking.setdefault(id(template), set()).add(inner)

    def _fill(self, rel: str, text: str) -> None:
        """Fill an empty file, or empty one, in place: also atomic, and faster than renaming."""
        path, mode = self.path(rel), self.mode(rel)
        if not mode & stat.S_IWUSR:
            os.chmod(path, mode | stat.S_IWUSR)
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if text:
                os.write(descriptor, text.encode("utf-8", "surrogateescape"))
            else:
                os.ftruncate(descriptor, 0)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)

    def put_all(self, rel: str, texts: Mapping[str, str]) -> None:
        """Replace the texts of files below the group `rel`."""
        for inner, text in texts.items():
            self.put(f"{rel}/{inner}", text)

    def link(self, source: str, rel: str) -> None:
        """Link `rel` to the group `source`; the text is relative to the mount, as in configfs."""
        up = "../" * (rel.count("/") + 1)
        os.symlink(f"{up}target/{source}", self.path(rel))

    def unlink(self, rel: str) -> None:
        """Remove the symbolic link `rel`."""
        os.unlink(self.path(rel))

    # What the kernel knows without showing it

    def _hidden_file(self, rel: str) -> str:
        """Return the file of an object's hidden facts; a long name is replaced by a hash."""
        above, _, name = rel.rpartition("/")
        if len(os.fsencode(name)) > _LONG_NAME:
            import hashlib  # it loads OpenSSL, which only this needs

            name = hashlib.blake2b(os.fsencode(name)).hexdigest()
        return f"{self._hidden}/{above}/{name}.json"

    def facts(self, rel: str) -> Facts:
        """Return the hidden facts of the object `rel`, {} if there are none."""
        try:
            with open(self._hidden_file(rel), encoding="utf-8") as file:
                facts: Facts = json.load(file)
        except FileNotFoundError:
            return {}
        return facts

    def remember(self, rel: str, facts: Facts) -> None:
        """Replace the hidden facts of the object `rel`."""
        target = self._hidden_file(rel)
        staged = next(self._names)
        _create(staged, json.dumps(facts), 0o600)
        try:
            os.rename(staged, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
            os.rename(staged, target)

    def update(self, rel: str, **facts: object) -> None:
        """Change some of the hidden facts of the object `rel`."""
        self.remember(rel, {**self.facts(rel), **facts})

    def forget(self, rel: str) -> None:
        """Remove the hidden facts of the object `rel` and of all below it."""
        from shutil import rmtree

        rmtree(f"{self._hidden}/{rel}", ignore_errors=True)
        with suppress(FileNotFoundError):
            os.unlink(self._hidden_file(rel))

    def count(self, name: str) -> int:
        """Return the next number of the counter `name`, from 1; no number is returned twice."""
        counters = self.facts("counters")
        counters[name] = counters.get(name, 0) + 1
        self.remember("counters", counters)
        return int(counters[name])


def _counts(inner: str) -> bool:
    """Return whether a file or group in an object has to do with its statistics."""
    return inner.startswith("statistics")


def _create(path: str, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        if text:
            os.write(descriptor, text.encode("utf-8", "surrogateescape"))
        os.fchmod(descriptor, mode)  # whatever the umask
    finally:
        os.close(descriptor)
