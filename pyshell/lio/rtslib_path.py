# SPDX-License-Identifier: Apache-2.0
"""What rtslib takes for `pathlib.Path` where it works on the kernel's configfs.

rtslib makes a few paths for each file that it reads or writes, and opens it as text through
Python's buffers: that costs as much again as the kernel's own work. This class does the acts that
come with each object in as few system calls as they need; all others are pathlib's. What would
change anything outside configfs is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rtslib_fb.fabric
import rtslib_fb.node
import rtslib_fb.target
import rtslib_fb.tcm
import rtslib_fb.utils

from pyshell.host import programs
from pyshell.lio.configfs import confine, confine_change, write_below

_MORE_THAN_A_PAGE = 65536


class QuickPath:
    """A path that is text. Errors are those of the system calls, with the path in them."""

    __slots__ = ("_entry", "_text")

    def __init__(self, *parts: str | os.PathLike[str]) -> None:
        self._text = os.path.join(*[os.fspath(part) for part in parts]) if parts else "."
        self._entry: os.DirEntry[str] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(Path(self._text), name)

    def __fspath__(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"QuickPath({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QuickPath | Path) and Path(self._text) == Path(other)

    def __hash__(self) -> int:
        return hash(Path(self._text))

    def __truediv__(self, name: str | os.PathLike[str]) -> QuickPath:
        return QuickPath(self._text, name)

    @property
    def name(self) -> str:
        """Return the last part."""
        return os.path.basename(self._text)

    def stat(self) -> os.stat_result:
        """Return what the kernel tells of it."""
        return os.stat(self._text)

    def is_dir(self) -> bool:
        """Tell whether it is a folder."""
        return os.path.isdir(self._text)

    def is_file(self) -> bool:
        """Tell whether it is a file."""
        return os.path.isfile(self._text)

    def is_symlink(self) -> bool:
        """Tell whether it is a link; of what was just listed the listing told it."""
        if self._entry is not None:
            return self._entry.is_symlink()
        try:
            return stat.S_ISLNK(os.lstat(self._text).st_mode)
        except OSError:
            return False

    def iterdir(self) -> Iterator[QuickPath]:
        """Yield what lies in the folder."""
        with os.scandir(self._text) as entries:
            for entry in entries:
                found = QuickPath(entry.path)
                found._entry = entry
                yield found

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make the folder, which must lie in configfs; with `exist_ok` it may be any that exists.

        rtslib makes sure of /var/run, where its own lock lies, in this way.
        """
        if exist_ok and os.path.isdir(self._text):
            return
        confine_change(_root(), self._text)
        if parents or exist_ok:
            Path(self._text).mkdir(mode, parents, exist_ok)
        else:
            os.mkdir(self._text, mode)

    def rmdir(self) -> None:
        """Remove the folder, which must lie in configfs."""
        confine_change(_root(), self._text)
        os.rmdir(self._text)

    def unlink(self) -> None:
        """Remove the link, which must lie in configfs."""
        confine_change(_root(), self._text)
        os.unlink(self._text)

    def read_text(self) -> str:
        """Return the text of an attribute file, which the kernel gives in one piece."""
        descriptor = os.open(self._text, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = read = os.read(descriptor, _MORE_THAN_A_PAGE)
            while len(read) == _MORE_THAN_A_PAGE:
                read = os.read(descriptor, _MORE_THAN_A_PAGE)
                found += read
        except OSError as error:
            error.filename = self._text
            raise
        finally:
            os.close(descriptor)
        return found.decode("utf-8", errors="surrogateescape")

    def write_text(self, data: str) -> int:
        """Write a value to a file of configfs in one call; no file is created."""
        write_below(_root(), self._text, data.encode())
        return len(data)


def modprobe(module: str) -> None:
    """Load a kernel module. rtslib's own function passes the caller's environment to a shell."""
    try:
        done = programs.run("modprobe", "--", module)
    except OSError as error:
        raise rtslib_fb.RTSLibError(f"cannot run modprobe: {error.strerror}") from error
    if done.returncode != 0:
        raise rtslib_fb.RTSLibError(done.stderr.strip() or f"exit status {done.returncode}")


class _Os:
    """The `os` of rtslib's `target` module, which makes the links of configfs with it."""

    path = os.path

    @staticmethod
    def symlink(source: str | os.PathLike[str], link: str) -> None:
        """Make a link, which must lie in configfs and lead to something in it."""
        confine(_root(), os.fspath(source))
        confine_change(_root(), link)
        os.symlink(source, link)


def _root() -> str:
    return str(rtslib_fb.node.CFSNode.configfs_dir)


def lend() -> None:
    """Let the parts of rtslib that work on configfs use it, but for what a simulator put there."""
    for module in (rtslib_fb.node, rtslib_fb.target, rtslib_fb.tcm, rtslib_fb.utils):
        if module.Path is Path:
            module.Path = QuickPath
    if rtslib_fb.fabric.modprobe.__module__ == rtslib_fb.utils.__name__:  # not a simulator's
        rtslib_fb.fabric.modprobe = modprobe
    if rtslib_fb.target.os is os:
        rtslib_fb.target.os = _Os
