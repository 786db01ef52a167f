# SPDX-License-Identifier: Apache-2.0
"""The lock that each changing command takes."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driver import TIME_LIMIT
from pyshell.errors import LockedError, NotPermittedError, PyshellError
from pyshell.shell import lock

NOBODY = 65534
# Other users cannot run one below /root, as those of pyenv are.
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin") or sys.executable
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
HOLD = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(descriptor, fcntl.LOCK_SH)
if "fork" in sys.argv and os.fork():
    os._exit(0)  # who took the lock is gone; a child still holds it
print("held", os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the lock lies, in a folder that is missing yet."""
    return tmp_path / "run" / "lock"


def test_the_file_is_the_owners_alone_and_names_the_holder(path: Path) -> None:
    with lock.locked(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text() == f"{os.getpid()}\n"


def test_it_is_free_afterwards(path: Path) -> None:
    for _ in range(2):
        with lock.locked(path, timeout=0):
            assert path.exists()


def test_it_is_free_after_an_error(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock.locked(path):
        raise ZeroDivisionError
    with lock.locked(path, timeout=0):
        assert path.exists()


def test_who_waits_in_vain_is_told_for_whom(path: Path) -> None:
    told: list[str] = []
    with (
        lock.locked(path),
        pytest.raises(LockedError, match=f"pid {os.getpid()}"),
        # On a busy machine, it takes more than a tenth to look for who holds it.
        lock.locked(path, timeout=1, note=told.append),
    ):
        pytest.fail("two hold the lock")
    assert len(told) == 1
    assert f"(pid {os.getpid()}" in told[0]


def test_who_may_not_wait_is_not_told_to(path: Path) -> None:
    told: list[str] = []
    with (
        lock.locked(path),
        pytest.raises(LockedError),
        lock.locked(path, timeout=0, note=told.append),
    ):
        pytest.fail("two hold the lock")
    assert told == []


def test_who_waits_gets_it_once_it_is_free(path: Path) -> None:
    path.parent.mkdir()
    waiting = threading.Event()
    with open(path, "a", encoding="utf-8") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)

        def release() -> None:
            assert waiting.wait(30)
            fcntl.flock(holder, fcntl.LOCK_UN)

        thread = threading.Thread(target=release)
        thread.start()
        with lock.locked(path, timeout=30, note=lambda _text: waiting.set()):
            assert waiting.is_set()
        thread.join()


def test_the_holder_is_named_by_its_file_where_the_kernel_does_not_tell(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    path.write_text(f"{os.getpid()}\n")
    monkeypatch.setattr(lock, "_pid_from_kernel", lambda _path: None)
    assert re.fullmatch(rf".+ \(pid {os.getpid()}, running for .+\)", lock.holder(path))
    path.write_text("")
    assert lock.holder(path) == "another program"


def test_a_lock_that_is_lent_can_be_had_by_others_and_comes_back(path: Path) -> None:
    with lock.locked(path) as held:
        with held.lent(), lock.locked(path, timeout=0):
            assert path.exists()
        with pytest.raises(LockedError), lock.locked(path, timeout=0):
            pytest.fail("two have it")


# Findings 48, 12 and 65


@contextmanager
def held_by(user: int, path: Path, *options: str) -> Iterator[int]:
    """Let a process of a user, which can only read the file, hold a shared lock on it."""
    with subprocess.Popen(
        [PYTHON, "-c", HOLD, str(path), *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        user=user, group=user, extra_groups=[],
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        yield int(holder.stdout.readline().split()[1])
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait(TIME_LIMIT)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """Return a lock file as targetcli leaves it, where another user can reach it."""
    folder = Path(f"/dev/shm/pyshell-lock-{os.getpid()}")
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    path = folder / "targetcli.lock"
    path.touch()
    path.chmod(0o644)
    yield path
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


@needs_root
@pytest.mark.parametrize("options", [(), ("fork",)], ids=["itself", "by a child"])
def test_a_reader_cannot_keep_root_from_the_lock(
    open_to_all: Path, options: tuple[str, ...]
) -> None:
    told: list[str] = []
    with held_by(NOBODY, open_to_all, *options):
        with lock.locked(open_to_all, timeout=5, note=told.append):
            assert stat.S_IMODE(open_to_all.stat().st_mode) == 0o600
            with pytest.raises(LockedError), lock.locked(open_to_all, timeout=0):
                pytest.fail("two hold the lock")
        with lock.locked(open_to_all, timeout=0, note=told.append):
            pass
    assert len(told) == 1
    assert "another user" in told[0]
    assert [entry.name for entry in open_to_all.parent.iterdir()] == [open_to_all.name]


@needs_root
def test_a_process_of_root_keeps_the_lock_whoever_else_holds_it(open_to_all: Path) -> None:
    with (
        held_by(NOBODY, open_to_all),
        held_by(0, open_to_all),
        pytest.raises(LockedError),
        lock.locked(open_to_all, timeout=0.2),
    ):
        pytest.fail("two hold the lock")


@needs_root
def test_who_cannot_read_the_lock_any_more_cannot_hold_it(open_to_all: Path) -> None:
    with lock.locked(open_to_all):
        pass
    done = subprocess.run(
        ["cat", open_to_all], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True,
        check=False,
    )  # fmt: skip
    assert b"Permission denied" in done.stderr


def test_a_lock_that_was_replaced_while_waiting_is_opened_anew(path: Path) -> None:
    held = lock.Held(make(path), 5, None)
    path.unlink()
    path.touch()
    held.take()
    with pytest.raises(LockedError), lock.locked(path, timeout=0):
        pytest.fail("two hold the lock")
    held.close()


def make(path: Path) -> Path:
    path.parent.mkdir()
    path.touch()
    return path


def test_a_link_in_the_place_of_the_lock_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    with pytest.raises(NotPermittedError), lock.locked(path):
        pytest.fail("it was taken")
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("number", [28, 30])  # ENOSPC, EROFS
def test_who_holds_it_need_not_be_noted(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", fail)
    with lock.locked(path):
        assert lock.is_held(path)


def test_a_file_system_without_locks_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr(fcntl, "flock", fail)
    told = "Cannot take the lock: No locks available"
    with pytest.raises(PyshellError, match=told), lock.locked(path):
        pytest.fail("it was taken")


def test_the_holder_of_an_equal_inode_on_another_device_is_not_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = lock._read
    inode = make(path).stat().st_ino
    foreign = f"1: FLOCK  ADVISORY  WRITE 4242 ff:fe:{inode} 0 EOF"
    monkeypatch.setattr(lock, "_read", lambda p: foreign if p == "/proc/locks" else read(p))
    assert not lock.is_held(path)
    assert "4242" not in lock.holder(path)


def test_finding_67_who_waits_has_the_lock_before_who_takes_it_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    order: list[str] = []
    waiting = threading.Event()

    def wait() -> None:
        with lock.locked(path, note=lambda text: waiting.set()):
            order.append("waiter")

    waiter = threading.Thread(target=wait)
    with lock.locked(path):
        waiter.start()
        assert waiting.wait(TIME_LIMIT)
    with lock.locked(path):
        order.append("again")
    waiter.join()
    assert order == ["waiter", "again"]


def test_finding_11_a_lock_that_was_lent_is_waited_for_until_the_given_time(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lock"
    taken, released = threading.Event(), threading.Event()

    def other() -> None:
        with lock.locked(path):
            taken.set()
            released.wait(TIME_LIMIT)

    with lock.locked(path, timeout=0, note=lambda text: released.set()) as held:
        with held.lent(time.monotonic() + TIME_LIMIT):
            thread = threading.Thread(target=other)
            thread.start()
            assert taken.wait(TIME_LIMIT)
        assert released.is_set()
        thread.join()
