# SPDX-License-Identifier: Apache-2.0
"""Resolve a path one folder at a time, and check which users can change what it leads to.

Each folder is open while its entries are looked up, so nothing can be replaced between check and
use. As in OpenSSH (safe_path), every folder up to `/` counts: its owner must be root or the
caller, and other users must not be able to write to it. In a folder with the sticky bit, as /tmp,
the owner of each entry counts.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pyshell.errors import NotPermittedError, from_os_error
from pyshell.quoting import shell_word

_LINKS_MAX = 40  # the kernel's own limit
_CHECK = "Check what it holds, then "
_ACL = "system.posix_acl_access"
_ACL_ENTRY = struct.Struct("<HHI")  # tag, permissions, id; after a version of 4 bytes
_ACL_USER, _ACL_GROUP, _ACL_WRITE = 0x02, 0x08, 0x02


@dataclass(frozen=True)
class Fault:
    """A reason not to trust a file or folder, and the command that fixes it, if there is one."""

    text: str
    fix: str = ""


class UntrustedError(NotPermittedError):
    """A file that other users can change. `fix` is the command that fixes it, "" for none."""

    def __init__(self, message: str, hint: str, fix: str, path: Path | str) -> None:
        super().__init__(message, hint, path=str(path))
        self.fix = fix


@dataclass
class Place:
    """Where a path leads: an open folder, the name in it, and that entry's status if it exists."""

    folder: int
    name: str
    path: str
    """The path without links."""
    status: os.stat_result | None = None
    faults: list[Fault] = field(default_factory=list)
    """Problems of the folders and links on the path."""
    link_faults: list[Fault] = field(default_factory=list)
    """Problems of the links and of the folders that contain them."""


def is_own(user: int) -> bool:
    """Return whether a user's files are trusted: root's and the caller's."""
    return user in (0, os.geteuid())


@contextmanager
def resolved(path: Path | str, *, folder: bool = False) -> Iterator[Place]:
    """Resolve a path, whose last name may be missing; with `folder`, into that folder itself.

    Raises OSError.
    """
    walk = _Walk()
    try:
        yield walk.to(os.fspath(path), folder=folder)
    finally:
        walk.close()


class _Walk:
    def __init__(self) -> None:
        self._folder = -1
        self._names: list[str] = []
        self._faults: dict[Fault, None] = {}
        self._link_faults: dict[Fault, None] = {}

    def close(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def to(self, path: str, *, folder: bool) -> Place:
        """Return where a path leads."""
        if "\0" in path:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path.replace("\0", "\\0"))
        try:
            os.fsencode(path)
        except UnicodeEncodeError:  # half of a surrogate pair, as JSON can hold
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), ascii(path)) from None
        left = _parts(path if path.startswith("/") else f"{os.getcwd()}/{path}")
        self._enter("/", None)
        links = 0
        while True:
            name = left.pop() if left else "."
            try:
                status = os.lstat(name, dir_fd=self._folder)
            except FileNotFoundError:
                if left or folder:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
                return self._place(name, None)
            except OSError as error:
                raise OSError(error.errno, error.strerror, path) from None
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > _LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                left += self._followed(name, status)
            elif name != "." and (left or folder or name == ".."):
                self._enter(name, path)
            else:
                return self._place(name, status)

    def _place(self, name: str, status: os.stat_result | None) -> Place:
        path = self._path("" if name == "." else name)
        faults = [*self._faults], [*self._link_faults]
        return Place(self._folder, name, path, status, *faults)

    def _followed(self, name: str, status: os.stat_result) -> list[str]:
        """Return the parts of a link's text, last first; go to `/` if it is absolute."""
        if not is_own(status.st_uid):
            link = self._path(name)
            self._fault(f"the link {link} belongs to {user_name(status.st_uid)}")
        self._link_faults |= self._faults
        text = os.readlink(name, dir_fd=self._folder)
        if text.startswith("/"):
            self._names.clear()
            self._enter("/", None)
        return _parts(text)

    def _enter(self, name: str, path: str | None) -> None:
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            opened = os.open(name, flags, dir_fd=None if name == "/" else self._folder)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path or name) from None
        self.close()
        self._folder = opened
        if name == "..":
            self._names = self._names[:-1]
        elif name != "/":
            self._names.append(name)
        found = os.fstat(opened)
        here = self._path("")
        if not is_own(found.st_uid):
            self._fault(f"the folder {here} belongs to {user_name(found.st_uid)}")
        if not found.st_mode & stat.S_ISVTX and others_write(found, opened):
            text = f"other users can replace files in {here}"
            self._fault(text, f"chmod go-w {shell_word(here)}")

    def _fault(self, text: str, fix: str = "") -> None:
        self._faults[Fault(text, fix)] = None

    def _path(self, name: str) -> str:
        return "/" + "/".join([*self._names, *([name] if name else [])])


def _parts(path: str) -> list[str]:
    """Return the names in a path, the last first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def file_faults(found: os.stat_result, descriptor: int, path: str) -> list[Fault]:
    """Return the problems of an open file: its owner, mode or access control list."""
    faults = []
    if not is_own(found.st_uid):
        owner = user_name(found.st_uid)
        faults.append(Fault(f"it belongs to {owner}", f"chown {_me()} {shell_word(path)}"))
    if others_write(found, descriptor):
        faults.append(Fault("other users can write to it", f"chmod go-w {shell_word(path)}"))
    return faults


def link_faults(place: Place, found: os.stat_result) -> list[Fault]:
    """Return the problem of a file with several names in a folder such as /tmp.

    If the kernel does not protect hard links, another user may have created that name.
    """
    if found.st_nlink < 2:
        return []
    if not place.faults and not others_write(os.fstat(place.folder), place.folder):
        return []
    return [Fault("it has a second name, and other users can add names in its folder")]


def others_write(found: os.stat_result, descriptor: int) -> bool:
    """Return whether users other than the owner can write to an open file or folder.

    A group whose only member is the owner does not count. If there is an access control list, the
    group's bits are the most that any of its entries grants.
    """
    if found.st_mode & stat.S_IWOTH:
        return True
    if not found.st_mode & stat.S_IWGRP:
        return False
    return not _is_private(found.st_gid, found.st_uid) or _grants_write(descriptor)


def _is_private(group: int, owner: int) -> bool:
    """Return whether a group is the private group that most systems create for each user.

    It is not if another account has it as its primary group, as with root's on some systems.
    """
    try:
        entry, user = grp.getgrgid(group), pwd.getpwuid(owner)
    except KeyError:
        return False
    if entry.gr_name != user.pw_name or not set(entry.gr_mem) <= {user.pw_name}:
        return False
    return all(one.pw_uid == owner for one in pwd.getpwall() if one.pw_gid == group)


def _grants_write(descriptor: int) -> bool:
    """Return whether an access control list lets named users or groups write."""
    try:
        data = os.getxattr(f"/proc/self/fd/{descriptor}", _ACL)
    except OSError:
        return False  # there is none
    entries = data[4:]
    whole = len(entries) - len(entries) % _ACL_ENTRY.size
    return any(
        tag in (_ACL_USER, _ACL_GROUP) and permissions & _ACL_WRITE
        for tag, permissions, _ in _ACL_ENTRY.iter_unpack(entries[:whole])
    )


def untrusted(path: Path | str, faults: list[Fault]) -> UntrustedError:
    """Return the error for a file that other users could change."""
    fix = " && ".join(fault.fix for fault in faults) if all(one.fix for one in faults) else ""
    then = f"run: {fix}" if fix else f"copy it to a folder that only {_me()} can write to."
    return UntrustedError(f"{path} is not trusted: {joined(faults)}.", f"{_CHECK}{then}", fix, path)


def joined(faults: list[Fault]) -> str:
    """Return faults as one clause of a message."""
    return ", and ".join(fault.text for fault in faults)


def judge_folder(folder: Path, *, private: bool = True) -> None:
    """Refuse a folder, or its nearest existing parent, if other users' links lead to it.

    With `private`, all folders must belong to root or the caller. Raises NotPermittedError.
    """
    while True:
        try:
            with resolved(folder, folder=True) as place:
                faults = place.faults if private else place.link_faults
                break
        except FileNotFoundError as error:
            if folder == folder.parent:
                raise from_os_error(error, f"open {folder}") from error
            folder = folder.parent
        except OSError as error:
            raise from_os_error(error, f"open {folder}") from error
    if faults:
        raise unsafe(folder, faults, private=private)


def unsafe(path: Path, faults: list[Fault], *, private: bool) -> NotPermittedError:
    """Return the error for refusing to write to a file or folder."""
    hint = "Give a path without that link."
    if private:
        hint = f"Use a folder that only {_me()} can write to."
        if all(fault.fix for fault in faults):
            hint = f"Run: {' && '.join(fault.fix for fault in faults)}"
    return NotPermittedError(f"Cannot write to {path}: {joined(faults)}.", hint, path=str(path))


def kind(mode: int) -> str:
    """Return the type of a file that is not a regular one."""
    for check, word in (
        (stat.S_ISDIR, "folder"), (stat.S_ISBLK, "block device"), (stat.S_ISCHR, "device"),
        (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"), (stat.S_ISLNK, "link"),
    ):  # fmt: skip
        if check(mode):
            return word
    return "special file"


def user_name(user: int) -> str:
    """Return a user's name, or the number if it has none."""
    with suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return str(user)


@contextmanager
def closed_if_it_fails(descriptor: int) -> Iterator[None]:
    """Return a context that closes a descriptor if the block raises."""
    try:
        yield
    except BaseException:
        os.close(descriptor)
        raise


def _me() -> str:
    return user_name(os.geteuid())
