# SPDX-License-Identifier: Apache-2.0
"""What is recorded of a command that is killed (-9): `undo` and `history` know of it."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, LONG, SERVER, TPG, Pyshell
from foldercopy import Copy, Snapshot
from pyshell.config.running import read_running
from pyshell.config.store import undo
from pyshell.config.store.change_log import ChangeLog
from pyshell.simulator import Simulator

OTHER = "iqn.2020-07.com.example:other"
KILLS = 100 if os.environ.get("PYSHELL_TEST_FAULTS") == "all" else 10 if LONG else 4
"""How often each command is killed."""
RENAMED = "iqn.2020-07.com.example:renamed"
COMMANDS = {
    "share": [f"share /dev/sdb to={CLIENT}"],
    "delete": [f"/iscsi delete {SERVER}"],
    "clear": ["clearconfig confirm=true"],
    "rename": ["/backstores/ramdisk/disk rename renamed force=true"],
    "commit": [
        "begin",
        "/backstores/ramdisk create more 1M",
        f"{TPG}/luns create /backstores/ramdisk/more",
        f"{TPG}/acls/{CLIENT} rename {RENAMED}",
        f"{TPG} set attribute login_timeout=20",
        "commit",
    ],
    "rename target": [f"/iscsi/{SERVER} rename {RENAMED}"],
    "apply": ["apply saved prune=true"],
    "rollback": ["rollback saved"],
    "undo": ["undo"],
    "undo several": ["undo 2"],
    "redo": ["redo"],
}
"""The lines of each; the last one changes the target."""
RETURNING = ("apply", "clear", "commit", "rename", "rename target", "rollback")
"""Those that record the configuration before them."""
UNSAVED = [
    f"/iscsi create {OTHER}",
    f"/iscsi delete {SERVER}",
    "/backstores/ramdisk create more 1M",
]
"""What `apply saved` and `rollback saved` take back."""


@contextmanager
def dying_before(acts: int, folder: Path) -> Iterator[None]:
    """Let this process be killed before it does one more than so many acts on a kernel.

    The copy of a candidate is another one.
    """
    left = acts
    act = Simulator._act

    @contextmanager
    def counted(simulator: Simulator, path: str) -> Iterator[str]:
        nonlocal left
        if simulator.folder.samefile(folder):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
        with act(simulator, path) as rel:
            yield rel

    Simulator._act = counted  # type: ignore[method-assign,assignment]
    yield


def killed(pyshell: Pyshell, lines: list[str], acts: int) -> bool:
    """Run lines in a process that is killed after so many acts; tell whether it came to that."""
    child = os.fork()
    if child == 0:
        try:
            with dying_before(acts, pyshell.folder):
                if len(lines) == 1:
                    pyshell.line(*lines)
                else:
                    pyshell.batch(lines)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.fixture
def target(pyshell: Pyshell) -> Pyshell:
    """Return a saved target with four changes, and one more that is undone."""
    pyshell.prepare(
        f"/iscsi create {SERVER}",
        "/backstores/ramdisk create disk 1M",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create /backstores/ramdisk/disk",
        "saveconfig",
        f"/iscsi create {OTHER}",
        "undo",
    )
    return pyshell


def recorded(pyshell: Pyshell) -> list[dict[str, Any]]:
    """Return the changes that `history` lists, the newest first."""
    found: list[dict[str, Any]] = pyshell("history", "-o", "json").done().json["result"]
    return found


def newest(pyshell: Pyshell) -> dict[str, Any]:
    return recorded(pyshell)[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_is_found_and_not_passed_over(target: Pyshell, name: str) -> None:
    dice = random.Random(name)
    lines = COMMANDS[name]
    line = lines[-1]
    hit = 0
    if name in ("apply", "rollback"):
        target.must(*UNSAVED)
    kept = Copy(Snapshot.of(target.folder), target.folder)
    before, configuration = target.tree(), read_running(target.open())
    for _ in range(KILLS):
        kept.restore()
        if not killed(target, lines, dice.randint(1, 25)):
            assert line in {one["command"] for one in recorded(target)[:2]}  # a save may follow
        elif target.tree() != before:
            hit += 1
            found = newest(target)
            assert (found["command"], found["state"]) == (line, "unfinished")
            assert f"'{line}' of " in target("doctor").out
            if name in RETURNING:
                target("undo").done(noting=f"pyshell was killed during '{line}'.")
                assert read_running(target.open()) == configuration
            else:
                ran = target("undo", "--dry-run")
                assert ran.status == 5
                assert f"Cannot undo '{line}': pyshell ended before the command did" in ran.err
                target.must("undo skip=true")
        target.must(f"apply {target.saved_file} prune=true")
        assert newest(target)["state"] == "done"
        numbers = [entry.number for entry in ChangeLog(target.open()).read()[0]]
        assert numbers == sorted(set(numbers))
    assert hit > 0


def test_a_command_that_was_killed_after_its_last_step_is_done(target: Pyshell) -> None:
    """The record of how to undo it is written before the log."""
    log = ChangeLog(target.open())
    before = log.file.read_text()
    target.must("/backstores/ramdisk create late 1M")
    log.file.write_text(before)
    assert newest(target)["state"] == "done"
    target.must("undo")
    assert newest(target)["command"] == "undo"
    assert [entry.number for entry in log.read()[0]][-2:] == [8, 9]


def test_an_undo_killed_between_its_records_says_so(target: Pyshell) -> None:
    """Those records that have moved are undone, and the others are still to be undone."""
    lio = target.open()
    head = undo.Head(8, "undo 3", undo.read(lio, 3).about)
    undo.begin(lio, head)
    undo.move_undone(lio, 4, undo.Undone(8, 4))
    assert undo.numbers(lio) == [1, 2, 3, 8]
    ran = target("undo")
    assert (ran.status, "Cannot undo 'undo 3'" in ran.err) == (5, True)
    target.must("undo skip=true")
    assert undo.numbers(lio) == [1, 2, 3]
