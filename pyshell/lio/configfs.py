# SPDX-License-Identifier: Apache-2.0
"""The seam under everything: what pyshell asks of the kernel's configfs, real or simulated.

Creating and deleting goes through rtslib-fb (see `rtslib_objects`). Reading does not: rtslib builds
an object, and often a whole branch, for each name that it lists.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

CONFIGFS = "/sys/kernel/config/target"
# The kernel returns an attribute in one read if the buffer is large enough.
_MORE_THAN_A_PAGE = 65536


class Kernel(Protocol):
    """Files of LIO's configfs. Paths are absolute; each call raises OSError as the kernel does."""

    @property
    def root(self) -> str:
        """Return the folder that holds `core` and the fabrics."""

    def read(self, path: str) -> str:
        """Return the text of an attribute file."""

    def within(self, folder: str) -> AbstractContextManager[Callable[[str], str]]:
        """Return a function that reads files of one folder by name: faster than `read`."""

    def write(self, path: str, text: str) -> None:
        """Write `text` to an attribute file in one call."""

    def mkdir(self, path: str) -> None:
        """Make a group: the kernel fills it with its default files."""

    def rmdir(self, path: str) -> None:
        """Remove a group."""

    def unlink(self, path: str) -> None:
        """Remove a link."""


def is_below(path: str, root: str) -> bool:
    """Return whether a path, in configfs or in the tree, equals another one or is below it."""
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def is_below_any(path: str, roots: Iterable[str]) -> bool:
    """Return whether a path equals one of several or is below one."""
    return any(is_below(path, root) for root in roots)


def confine(root: str, path: str) -> None:
    """Raise PermissionError unless `path` is plainly below `root`: no `..`, no empty parts.

    Whatever name slipped past the checks of names, no file of the host is read or written.
    """
    if not path.startswith(f"{root}/") or not _ODD.isdisjoint(path[len(root) + 1 :].split("/")):
        raise PermissionError(errno.EPERM, f"it is outside {root}", path)


_ODD = frozenset({"", ".", ".."})
_changes = threading.local()


@contextmanager
def changing() -> Iterator[None]:
    """Allow this thread to change the kernel's configuration meanwhile, as operations do.

    Everything else only reads: rtslib, too, is refused what it would create or delete there.
    """
    before = getattr(_changes, "allowed", False)
    _changes.allowed = True
    try:
        yield
    finally:
        _changes.allowed = before


def confine_change(root: str, path: str) -> None:
    """Raise PermissionError unless `path` is below `root` and this thread may change it."""
    confine(root, path)
    require_changing(path)


def require_changing(path: str) -> None:
    """Raise PermissionError unless this thread may change the kernel's configuration."""
    if not getattr(_changes, "allowed", False):
        raise PermissionError(errno.EPERM, "a command that only reads changes nothing", path)


class RealKernel:
    """The configfs of the running kernel. It touches nothing outside `root`."""

    root = CONFIGFS

    def __init__(self, root: str | None = None) -> None:
        if root is not None:
            self.root = root

    def read(self, path: str) -> str:
        confine(self.root, path)
        return _read(path)

    @contextmanager
    def within(self, folder: str) -> Iterator[Callable[[str], str]]:
        confine(self.root, f"{folder}/x")  # the folder can be the root
        try:
            held = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # let each file be the one that is missing
            yield lambda name: self.read(f"{folder}/{name}")
            return

        def text_of(name: str) -> str:
            if "/" in name or name in _ODD:
                confine(self.root, f"{folder}/{name}")
            return _read(name, folder, held)

        try:
            yield text_of
        finally:
            os.close(held)

    def write(self, path: str, text: str) -> None:
        """Write `text` to an existing file in one call, as configfs takes a whole value.

        The file must lie on the file system of `root`: a link on the way cannot lead elsewhere.
        """
        confine_change(self.root, path)
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_dev != os.stat(self.root).st_dev:
                raise PermissionError(errno.EPERM, f"it is outside {self.root}", path)
            os.write(descriptor, text.encode("utf-8", errors="surrogateescape"))
        except OSError as error:
            error.filename = path
            raise
        finally:
            os.close(descriptor)

    def mkdir(self, path: str) -> None:
        confine_change(self.root, path)
        os.mkdir(path)

    def rmdir(self, path: str) -> None:
        confine_change(self.root, path)
        os.rmdir(path)

    def unlink(self, path: str) -> None:
        confine_change(self.root, path)
        os.unlink(path)


_PAGE = os.sysconf("SC_PAGE_SIZE")
_page_size = _PAGE


def set_page_size(size: int = _PAGE) -> None:
    """Set the size of a memory page: that of the target that is opened, by default this host's."""
    global _page_size  # noqa: PLW0603 - documents are read without a target
    _page_size = size


def page_size() -> int:
    """Return the size of a memory page in bytes, to which the kernel and rtslib round."""
    return _page_size


def _read(name: str, folder: str = "", descriptor_of: int | None = None) -> str:
    """Read a file by its path, or by its name in an open folder."""
    asked()
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=descriptor_of)
        try:
            found = read = os.read(descriptor, _MORE_THAN_A_PAGE)
            while len(read) == _MORE_THAN_A_PAGE:
                read = os.read(descriptor, _MORE_THAN_A_PAGE)
                found += read
        finally:
            os.close(descriptor)
    except OSError as error:
        # os.read does not know it, os.open the name in the folder.
        error.filename = f"{folder}/{name}" if folder else name
        raise
    return found.decode("utf-8", errors="surrogateescape")


class _Beside(threading.local):
    """What this thread was told by `asking`."""

    ask: Callable[[], None] | None = None


_beside = _Beside()


@contextmanager
def asking(ask: Callable[[], None]) -> Iterator[None]:
    """Call `ask` before each folder that this thread lists and each attribute that it reads.

    It may wait, for example while the user is typing, or raise if the result is not needed.
    """
    _beside.ask = ask
    try:
        yield
    finally:
        _beside.ask = None


def asked() -> None:
    """Call what `asking` has set for this thread."""
    if _beside.ask is not None:
        _beside.ask()


def _entries(path: str) -> list[os.DirEntry[str]]:
    """Return what is in a folder, unsorted; nothing if the folder does not exist."""
    asked()
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def folders(path: str) -> list[str]:
    """Return the names of the folders in `path`, unsorted; none if the folder does not exist."""
    return [entry.name for entry in _entries(path) if entry.is_dir(follow_symlinks=False)]


def has_folders(path: str) -> bool:
    """Return whether there is any folder in `path`, at the cost of the first."""
    asked()
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
        return any(entry.is_dir(follow_symlinks=False) for entry in entries)
    return False


def links(path: str) -> list[str]:
    """Return the names of the links in `path`, unsorted; none if the folder does not exist."""
    return [entry.name for entry in _entries(path) if entry.is_symlink()]


def files(path: str, *, readable: bool | None = None, writable: bool | None = None) -> list[str]:
    """Return the sorted names of the files in `path`, of those whose owner may read or write."""
    found = []
    for entry in _entries(path):
        if not entry.is_file(follow_symlinks=False):
            continue
        mode = entry.stat(follow_symlinks=False).st_mode
        if readable is not None and bool(mode & stat.S_IRUSR) != readable:
            continue
        if writable is not None and bool(mode & stat.S_IWUSR) != writable:
            continue
        found.append(entry.name)
    return sorted(found)


def text_or_none(kernel: Kernel, path: str) -> str | None:
    """Return the stripped text of a file, None if it is missing or cannot be read."""
    try:
        return kernel.read(path).strip()
    except OSError:
        return None


def is_on(kernel: Kernel, path: str) -> bool:
    """Return whether a file holds 1."""
    return text_or_none(kernel, path) == "1"
