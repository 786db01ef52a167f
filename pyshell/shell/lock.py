# SPDX-License-Identifier: Apache-2.0
"""The host-wide lock that each changing command holds while it runs.

It is the file that targetcli locks, too. The kernel releases the lock when its holder dies.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyshell import names
from pyshell.errors import LockedError, PyshellError, from_os_error
from pyshell.files import writing
from pyshell.shell.options import DEFAULT_TIMEOUT

_PAUSE = 0.05
_QUEUE_SECONDS = 2.0
_PAUSE_OF_SEARCHES = 1.0  # a search reads the open files of every process


class Held:
    """The lock, held by this process."""

    def __init__(self, path: Path, timeout: float, note: Callable[[str], None] | None) -> None:
        self._path = path
        self._timeout = timeout
        self._note = note or (lambda _: None)
        self._descriptor = _open(path)
        self._next_search = 0.0

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)

    def take(self, until: float = 0) -> None:
        """Wait for the lock and write this process's pid to the file. Raises LockedError.

        It waits at least until `until` (`time.monotonic`). Waiting programs queue up: otherwise a
        program of many commands could take the lock again and again.
        """
        begun = time.monotonic()
        deadline = max(begun + self._timeout, until)
        noted = False
        while not self._has_had_its_turn(time.monotonic() - begun):
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"{holder(self._path)} holds the lock {self._path}.",
                    f"Waited {self._timeout:g} seconds; --lock-timeout=SECONDS waits longer.",
                ) from None
            if not noted:
                self._note(f"Waiting for {holder(self._path)}, which holds the lock.")
                noted = True
            # Those who have waited longer try more often, and so come first.
            time.sleep(_PAUSE / (1 + 4 * (time.monotonic() - begun)))
        _queue(self._descriptor, fcntl.F_UNLCK)
        with suppress(OSError):  # as on a full /run
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _has_had_its_turn(self, waited: float) -> bool:
        """Lock the file if this process is first in the queue, or has waited long enough."""
        if not _queue(self._descriptor, fcntl.F_WRLCK) and waited < _QUEUE_SECONDS:
            return False
        return self._has_taken() or self._has_replaced()

    def _has_taken(self) -> bool:
        """Lock the file if nobody else has it and it was not replaced."""
        if not _try(self._descriptor, self._path):
            return False
        if _is_at(self._descriptor, self._path):
            return True
        self._reopen(_open(self._path))  # another pyshell has replaced it
        return False

    def _has_replaced(self) -> bool:
        """Replace a file that only processes of other users have locked by a private one.

        targetcli leaves the file readable for all, and whoever can read it can lock it.
        """
        if time.monotonic() < self._next_search:
            return False
        self._next_search = time.monotonic() + _PAUSE_OF_SEARCHES
        if not is_held_by_others(self._descriptor):
            return False
        new = _replaced(self._path)
        while not (_try(self._descriptor, self._path) or is_held_by_others(self._descriptor)):
            time.sleep(_PAUSE)  # one of root's took it in the meantime
        self._note(f"A process of another user held the lock {self._path}: it is replaced.")
        self._reopen(new)
        return True

    def _reopen(self, descriptor: int) -> None:
        os.close(self._descriptor)
        self._descriptor = descriptor

    @contextmanager
    def lent(self, until: float = 0) -> Iterator[None]:
        """Release the lock for a while, then wait for it as `take` does."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        yield
        self.take(until)


@contextmanager
def locked(
    path: Path, timeout: float = DEFAULT_TIMEOUT, note: Callable[[str], None] | None = None
) -> Iterator[Held]:
    """Hold the lock. Raises LockedError after `timeout` seconds; `note` is called if it waits."""
    writing.make_folder(path.parent)
    held = Held(path, timeout, note)
    try:
        held.take()
        yield held
    finally:
        held.close()


def _open(path: Path) -> int:
    """Open the lock; a new one is readable by root only. Raises PyshellError."""
    try:
        try:
            return writing.open_own(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            return writing.open_own(path, os.O_RDONLY)  # enough to lock it
    except OSError as error:
        raise _failed(error, path) from error


def _queue(descriptor: int, kind: int) -> bool:
    """Take (F_WRLCK) or leave (F_UNLCK) the first place in the queue for the lock.

    The queue is a lock of another type on the same file, which does not affect targetcli.
    """
    try:
        fcntl.fcntl(
            descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0)
        )
    except OSError as error:
        # Without such locks, or if the file is open for reading only, there is no queue.
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def _try(descriptor: int, path: Path) -> bool:
    """Lock an open file; return whether nobody else has it. Raises PyshellError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _failed(error, path) from error
    return True


def _failed(error: OSError, path: Path) -> PyshellError:
    plain = OSError(error.errno, error.strerror)
    failed = from_os_error(plain, "take the lock", path=str(path))
    failed.unchanged = True
    return failed


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _replaced(path: Path) -> int:
    """Replace the lock by one that this process holds, and return its descriptor."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = writing.open_own(new, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(path)
    except OSError as error:
        raise _failed(error, path) from error
    return descriptor


def is_held(path: Path) -> bool:
    """Return whether any process holds the lock now, without taking it."""
    return _pid_from_kernel(path) is not None


def holder(path: Path) -> str:
    """Return the name, pid and age of the process that holds the lock, as far as known."""
    pid = _pid_from_kernel(path) or last_holder(path)
    if pid is None:
        return "another program"
    name = _read(f"/proc/{pid}/comm") or "a program"
    age = _age(pid)
    return f"{name} (pid {pid}{f', running for {age}' if age else ''})"


def _pid_from_kernel(path: Path) -> int | None:
    """Return the holder of a lock on the file according to /proc/locks."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return next(_pids(descriptor), None)
    finally:
        os.close(descriptor)


def _pids(descriptor: int) -> Iterator[int]:
    """Yield the processes that locked an open file, identified by device and inode."""
    found = os.fstat(descriptor)
    for line in _read("/proc/locks").splitlines():
        fields = line.split()
        if len(fields) < 6 or fields[1] != "FLOCK":
            continue
        device, _, inode = fields[5].rpartition(":")
        pid = names.whole(fields[4])
        if not pid or inode != str(found.st_ino):
            continue
        if device in (_hexadecimal(found.st_dev), _mounted_device(descriptor)):
            yield pid


def _hexadecimal(device: int) -> str:
    return f"{os.major(device):02x}:{os.minor(device):02x}"


def _mounted_device(descriptor: int) -> str:
    """Return the device of an open file's mount, which on btrfs differs from the file's."""
    for line in _read(f"/proc/self/fdinfo/{descriptor}").splitlines():
        if line.startswith("mnt_id:"):
            mount = line.split()[1]
            for one in _read("/proc/self/mountinfo").split("\n"):
                fields = one.split(" ")
                if fields[0] == mount:
                    major, _, minor = fields[2].partition(":")
                    return _hexadecimal(os.makedev(int(major), int(minor)))
    return ""


def is_held_by_others(descriptor: int) -> bool:
    """Return whether a file is locked, and only by processes of users other than root and this.

    The real user counts: a setuid program inherits what its caller has open. Returns False if the
    processes are not visible, for example from within a container.
    """
    pids = list(_pids(descriptor))
    if not pids:
        return False
    holders = list(_holders(os.fstat(descriptor)))
    return not any(user in (0, os.getuid()) for user in map(_real_user, holders or pids))


def _holders(found: os.stat_result) -> Iterator[int]:
    """Yield the processes that have a file open by a descriptor that holds a lock."""
    for process in os.listdir("/proc"):
        if not process.isdecimal():
            continue
        with suppress(OSError):  # it has ended
            for number in os.listdir(f"/proc/{process}/fd"):
                with suppress(OSError):
                    same = os.path.samestat(os.stat(f"/proc/{process}/fd/{number}"), found)
                    if same and "FLOCK" in _read(f"/proc/{process}/fdinfo/{number}"):
                        yield int(process)


def _real_user(pid: int) -> int | None:
    """Return the real user of a process, None if it is gone."""
    for line in _read(f"/proc/{pid}/status").split("\n"):
        if line.startswith("Uid:"):
            return int(line.split()[1])
    return None


def last_holder(path: Path) -> int | None:
    """Return the pid of the last pyshell that held the lock, None if another program did."""
    return names.whole(_read(str(path)).strip())


def _age(pid: int) -> str:
    """Return how long a process has been running, "" if unknown."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    uptime = _read("/proc/uptime").split()
    if len(fields) < 20 or not uptime:
        return ""
    seconds = int(float(uptime[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    minutes, seconds = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20).rstrip("\n")
    except OSError:
        return ""
