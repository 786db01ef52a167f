# SPDX-License-Identifier: Apache-2.0
"""The host-wide lock that each changing command takes, and holds for that command only.

It is the file that targetcli locks, so the two wait for each other; the kernel frees it when its
holder dies.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyshell.errors import LockedError, from_os_error
from pyshell.shell.options import DEFAULT_TIMEOUT

_PAUSE = 0.05


class Held:
    """The lock, held by this process."""

    def __init__(
        self, descriptor: int, path: Path, timeout: float, tell: Callable[[str], None] | None
    ) -> None:
        self._descriptor = descriptor
        self._path = path
        self._timeout = timeout
        self._tell = tell

    def take(self) -> None:
        """Wait for the lock and note in the file who has it. Raises LockedError."""
        _wait(self._descriptor, self._path, self._timeout, self._tell)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let others have the lock for a while, as while nothing is done but to wait."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        yield
        self.take()


@contextmanager
def locked(
    path: Path, timeout: float = DEFAULT_TIMEOUT, tell: Callable[[str], None] | None = None
) -> Iterator[Held]:
    """Hold the lock. Waits `timeout` seconds, telling once for whom; then raises LockedError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise from_os_error(error, "take the lock", path=str(path)) from error
    try:
        held = Held(descriptor, path, timeout, tell)
        held.take()
        yield held
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, timeout: float, tell: Callable[[str], None] | None) -> None:
    deadline = time.monotonic() + timeout
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"{holder(path)} holds the lock {path}.",
                    f"Waited {timeout:g} seconds; --lock-timeout=SECONDS waits longer.",
                ) from None
            if not told and tell is not None:
                tell(f"Waiting for {holder(path)}, which holds the lock.")
                told = True
            time.sleep(_PAUSE)
        else:
            return


def is_held(path: Path) -> bool:
    """Tell whether any process holds the lock now, without taking it."""
    return _pid_from_kernel(path) is not None


def holder(path: Path) -> str:
    """Name the process that holds the lock, with its age where /proc tells it."""
    pid = _pid_from_kernel(path) or last_holder(path)
    if pid is None:
        return "another program"
    name = _read(f"/proc/{pid}/comm") or "a program"
    age = _age(pid)
    return f"{name} (pid {pid}{f', running for {age}' if age else ''})"


def _pid_from_kernel(path: Path) -> int | None:
    """Return who holds a lock on the file, as /proc/locks has it."""
    try:
        inode = os.stat(path).st_ino
    except OSError:
        return None
    for line in _read("/proc/locks").splitlines():
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4]) if fields[4].isdigit() else None
    return None


def last_holder(path: Path) -> int | None:
    """Return the pid of the last pyshell that held the lock, None where another program did."""
    text = _read(str(path)).strip()
    return int(text) if text.isdigit() else None


def _age(pid: int) -> str:
    """Return for how long a process has been running, "" where that cannot be told."""
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
            return file.read().rstrip("\n")
    except OSError:
        return ""
