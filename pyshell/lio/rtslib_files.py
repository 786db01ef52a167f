# SPDX-License-Identifier: Apache-2.0
"""The files that rtslib reads and changes: of the kernel, or of a simulated target.

rtslib reaches files through names of its modules, which `rtslib` binds to the functions and classes
here: `Path` and, for links, `os` from version 2.2 on; `os`, `glob`, `fread` and `fwrite` before.
"""

from __future__ import annotations

import glob as _glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtslib_fb import node

from pyshell.lio.configfs import Kernel, RealKernel, confine, confine_change, is_below

if TYPE_CHECKING:
    from pyshell.simulator import Simulator

_simulator: Simulator | None = None


def use(simulator: Simulator | None) -> None:
    """Let rtslib use the files of a simulated target, or with None those of the host."""
    global _simulator  # noqa: PLW0603 - as rtslib's configfs_dir
    _simulator = simulator


def configfs_root() -> str:
    """Return the folder in configfs that rtslib works in: the kernel's or a simulator's."""
    return str(node.CFSNode.configfs_dir)


def _kernel() -> Kernel:
    """Return the kernel that rtslib works on. It refuses paths that are not in its configfs."""
    return _simulator or RealKernel(configfs_root())


def stored(path: str) -> str:
    """Return where a path is stored: on a simulated host, below the simulator's folder."""
    if _simulator is None or not path.startswith("/"):
        return path
    if is_below(path, str(_simulator.folder)):
        return path
    return str(_simulator.machine.file(path))


class QuickPath:
    """rtslib's `Path`: text, with few system calls; other methods are pathlib's.

    Changes outside of configfs are refused, but for those of a simulated host's files. Errors are
    those of the system calls, with the path.
    """

    __slots__ = ("_entry", "_text")

    def __init__(self, *parts: str | os.PathLike[str]) -> None:
        text = os.path.join(*[os.fspath(part) for part in parts]) if parts else "."
        self._text = stored(text)
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
        """Do as pathlib's method."""
        return os.stat(self._text)

    def is_dir(self) -> bool:
        """Do as pathlib's method."""
        return os.path.isdir(self._text)

    def is_file(self) -> bool:
        """Do as pathlib's method."""
        return os.path.isfile(self._text)

    def is_symlink(self) -> bool:
        """Do as pathlib's method, without a system call for what `iterdir` yielded."""
        if self._entry is not None:
            return self._entry.is_symlink()
        try:
            return stat.S_ISLNK(os.lstat(self._text).st_mode)
        except OSError:
            return False

    def iterdir(self) -> Iterator[QuickPath]:
        """Do as pathlib's method."""
        with os.scandir(self._text) as entries:
            for entry in entries:
                found = QuickPath(entry.path)
                found._entry = entry
                yield found

    @property
    def _is_simulated_file(self) -> bool:
        """Return whether it is a file of the simulated host, and not in configfs."""
        return _simulator is not None and not is_below(self._text, configfs_root())

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Create the folder, which must be in configfs; with `exist_ok` any existing one will do.

        rtslib creates /var/run with it, which holds its own lock.
        """
        if exist_ok and os.path.isdir(self._text):
            return
        if self._is_simulated_file:
            Path(self._text).mkdir(mode, parents, exist_ok)
        elif parents or exist_ok:
            confine_change(configfs_root(), self._text)
            Path(self._text).mkdir(mode, parents, exist_ok)
        else:
            _kernel().mkdir(self._text)

    def rmdir(self) -> None:
        """Remove the folder."""
        os.rmdir(self._text) if self._is_simulated_file else _kernel().rmdir(self._text)

    def unlink(self) -> None:
        """Remove the link."""
        os.unlink(self._text) if self._is_simulated_file else _kernel().unlink(self._text)

    def read_text(self) -> str:
        """Return the text of an attribute file, which the kernel returns in one read."""
        if is_below(self._text, configfs_root()):
            return _kernel().read(self._text)
        return Path(self._text).read_text("utf-8", "surrogateescape")

    def write_text(self, data: str) -> int:
        """Write a value to an existing file by one call."""
        data.encode()  # raises UnicodeEncodeError, see `doing`
        if self._is_simulated_file:
            return Path(self._text).write_text(data, encoding="utf-8")
        _kernel().write(self._text, data)
        return len(data)


def fread(path: str | os.PathLike[str]) -> str:
    """Do as rtslib's function."""
    return QuickPath(path).read_text().strip()


def fwrite(path: str | os.PathLike[str], string: object) -> None:
    """Do as rtslib's function, but never create a file."""
    QuickPath(path).write_text(str(string))


class Glob:
    """The `glob` of rtslib's modules."""

    @staticmethod
    def iglob(pattern: str) -> Iterator[str]:
        """Do as glob's function."""
        return _glob.iglob(stored(pattern))

    @staticmethod
    def glob(pattern: str) -> list[str]:
        """Do as glob's function."""
        return _glob.glob(stored(pattern))


class _Stored:
    """A module whose functions get the paths of a simulated host as they are stored."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if _simulator is None or not callable(found):
            return found
        return lambda *args, **options: found(
            *(stored(one) if isinstance(one, str) else one for one in args), **options
        )


class HostOs(_Stored):
    """The `os` of rtslib's modules: it changes nothing outside of configfs."""

    path = _Stored(os.path)

    def __init__(self) -> None:
        super().__init__(os)

    @staticmethod
    def symlink(source: str | os.PathLike[str], link: str) -> None:
        """Create a link in configfs."""
        if _simulator is not None:
            _simulator.symlink(os.fspath(source), link)
            return
        confine(configfs_root(), os.fspath(source))
        confine_change(configfs_root(), link)
        os.symlink(source, link)

    @staticmethod
    def mkdir(path: str) -> None:
        """Do as `QuickPath`."""
        QuickPath(path).mkdir()

    @staticmethod
    def makedirs(path: str) -> None:
        """Do as `QuickPath`."""
        QuickPath(path).mkdir(parents=True, exist_ok=True)

    @staticmethod
    def rmdir(path: str) -> None:
        """Do as `QuickPath`."""
        QuickPath(path).rmdir()

    @staticmethod
    def unlink(path: str) -> None:
        """Do as `QuickPath`."""
        QuickPath(path).unlink()
