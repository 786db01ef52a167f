# SPDX-License-Identifier: Apache-2.0
"""The lock that each changing command takes."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import threading
from pathlib import Path

import pytest

from pyshell.errors import LockedError
from pyshell.shell import lock


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
        lock.locked(path, timeout=0.1, tell=told.append),
    ):
        pytest.fail("two hold the lock")
    assert len(told) == 1
    assert f"(pid {os.getpid()}" in told[0]


def test_who_may_not_wait_is_not_told_to(path: Path) -> None:
    told: list[str] = []
    with (
        lock.locked(path),
        pytest.raises(LockedError),
        lock.locked(path, timeout=0, tell=told.append),
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
        with lock.locked(path, timeout=30, tell=lambda _text: waiting.set()):
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
