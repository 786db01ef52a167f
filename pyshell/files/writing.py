# SPDX-License-Identifier: Apache-2.0
"""Write files: atomically and durably, readable by the owner only, never through another's link.

The folder is open from its check until the file is written. pyshell's own files (state,
preferences, history, locks) are written only to folders that other users cannot write to; a file
that the user names, to any folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from pyshell.errors import ConflictError, file_errors, os_errors
from pyshell.expressions import expression
from pyshell.files import paths
from pyshell.files.paths import Place, resolved
from pyshell.quoting import shell_word

_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: do not wait if a pipe has replaced the file.
_EXISTING = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


_LEFT = expression(r"\.pyshell\.([0-9]{1,10})(\.[0-9a-f]{16})?\.new")


def replace(path: Path, data: bytes, *, private: bool = True) -> None:
    """Replace a file by one of mode 0600 with `data`. Raises PyshellError.

    The name always refers to the whole old or the whole new file. Links of root or the caller are
    followed. Only regular files are replaced. Unless `private`, the folder may belong to another
    user.
    """
    # The error does not name the temporary file.
    with (
        file_errors(f"write {path}", str(path), creates=True),
        _judged(path, private=private) as place,
        _opened_folder(place) as folder,
    ):
        _replace(folder, place.name, data)


def require_writable(path: Path) -> None:
    """Raise if `replace` would refuse to write; a missing folder is not an error."""
    missing = contextlib.suppress(FileNotFoundError, NotADirectoryError)
    with (
        file_errors(f"write {path}", str(path), creates=True),
        missing,
        _judged(path, private=False),
    ):
        pass


def _replace(folder: int, name: str, data: bytes) -> None:
    _remove_left(folder)
    # Other users cannot predict the name, as in /tmp. Random numbers might block at boot (field
    # failure 52).
    temporary = f".pyshell.{os.getpid()}.{time.monotonic_ns():016x}.new"
    try:
        descriptor = os.open(temporary, _NEW, 0o600, dir_fd=folder)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # a umask may have taken even the owner's bits
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def remove_left(folder: Path) -> None:
    """Remove temporary files of processes that were killed while writing: they contain secrets."""
    with (
        contextlib.suppress(OSError),
        resolved(folder, folder=True) as place,
        _opened_folder(place) as opened,
    ):
        _remove_left(opened)


def _remove_left(folder: int) -> None:
    """Remove this user's own temporary files whose process is gone."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            left = _LEFT.fullmatch(name)
            if left is None or os.path.exists(f"/proc/{left[1]}"):
                continue
            with contextlib.suppress(OSError):
                found = os.lstat(name, dir_fd=folder)
                if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                    os.unlink(name, dir_fd=folder)


@contextlib.contextmanager
def created(path: Path) -> Iterator[int]:
    """Give a descriptor of a new file of mode 0600; remove the file if the block fails.

    Raises OSError, NotPermittedError.
    """
    with resolved(path) as place:
        _judge(path, place, private=False)
        flags = _NEW & ~os.O_WRONLY | os.O_RDWR
        descriptor = os.open(place.name, flags, 0o600, dir_fd=place.folder)
        try:
            yield descriptor
        except BaseException:
            with contextlib.suppress(OSError):
                _remove(place, identity(os.fstat(descriptor)))
            raise
        finally:
            os.close(descriptor)


def identity(made: os.stat_result) -> tuple[int, int]:
    """Return what identifies a file: its device and inode."""
    return made.st_dev, made.st_ino


def remove(path: Path, made: tuple[int, int]) -> None:
    """Remove the file of an `identity`, if the path still leads to it. Raises OSError."""
    with resolved(path) as place:
        _remove(place, made)


def _remove(place: Place, made: tuple[int, int]) -> None:
    # In another user's folder, the name may refer to another file by now.
    if made == identity(os.lstat(place.name, dir_fd=place.folder)):
        os.unlink(place.name, dir_fd=place.folder)


def open_existing(path: Path) -> int:
    """Return a descriptor to change a regular file. Raises OSError, NotPermittedError."""
    with _judged(path, private=False) as place:
        descriptor = os.open(place.name, os.O_RDWR | _EXISTING, dir_fd=place.folder)
        with paths.closed_if_it_fails(descriptor):
            found = os.fstat(descriptor)
            _require_regular(path, found.st_mode)
            if faults := paths.link_faults(place, found):
                raise paths.unsafe(path, faults, private=True)
    return descriptor


def open_own(path: Path, flags: int, *, private: bool = True) -> int:
    """Return a descriptor of one of pyshell's own files, created if `flags` have O_CREAT.

    `flags` are O_RDWR and so on. The file gets mode 0600: another program may have created it with
    more permissions. Unless `private`, other users may be able to write to a folder above it.
    Raises OSError, NotPermittedError.
    """
    with _judged(path, private=private) as place:
        descriptor = os.open(place.name, flags | _EXISTING, 0o600, dir_fd=place.folder)
    with paths.closed_if_it_fails(descriptor):
        found = os.fstat(descriptor)
        _require_regular(path, found.st_mode)
        if not paths.is_own(found.st_uid) or found.st_nlink > 1:
            faults = paths.file_faults(found, descriptor, str(path))
            faults = faults or [paths.Fault("it has a second name", f"rm {shell_word(str(path))}")]
            raise paths.untrusted(path, faults)
        if found.st_mode & 0o077:
            with contextlib.suppress(OSError):  # as on a read-only file system
                os.fchmod(descriptor, 0o600)
    return descriptor


def append(path: Path, text: str) -> None:
    """Append text to one of pyshell's own files, as a log. Raises PyshellError."""
    with os_errors(f"write {path}", path=str(path)):
        descriptor = open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        with open(descriptor, "ab") as file:
            file.write(text.encode("utf-8", "backslashreplace"))


def make_folder(folder: Path, *, private: bool = True) -> None:
    """Create a folder and those above it if they are missing. Raises PyshellError."""
    paths.judge_folder(folder, private=private)
    if folder.is_dir():
        return
    with os_errors(f"create {folder}", path=str(folder), only_path=True):
        _make_folders(folder, 0o700, private=private)
    paths.judge_folder(folder, private=private)  # another user may have created it in /tmp


def _make_folders(folder: Path, mode: int, *, private: bool) -> None:
    """Create each missing folder in the one above it, which stays open after its check."""
    if not folder.parent.is_dir():
        _make_folders(folder.parent, 0o777, private=private)
    with resolved(folder) as place:
        _judge(folder, place, private=private)
        try:
            os.mkdir(place.name, mode, dir_fd=place.folder)
        except FileExistsError:
            if not folder.is_dir():
                raise


@contextlib.contextmanager
def _judged(path: Path, *, private: bool) -> Iterator[Place]:
    """Resolve a path where a regular file can be written. Raises OSError, PyshellError."""
    with resolved(path) as place:
        _judge(path, place, private=private)
        if place.status is not None:
            _require_regular(path, place.status.st_mode)
        yield place


def _judge(path: Path, place: Place, *, private: bool) -> None:
    """Raise for other users' links and, with `private`, for folders that they can change."""
    faults = place.faults if private else place.link_faults
    if faults:
        raise paths.unsafe(path, faults, private=private)


def _require_regular(path: Path, mode: int) -> None:
    """Raise for devices, pipes and the like."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise ConflictError(
            f"Cannot write {path}: it is a {paths.kind(mode)}, not a regular file.",
            "Give the name of a file.",
            path=str(path),
        )


@contextlib.contextmanager
def _opened_folder(place: Place) -> Iterator[int]:
    """Give a descriptor of the folder that can be listed and synced."""
    opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.folder)
    try:
        yield opened
    finally:
        os.close(opened)
