# SPDX-License-Identifier: Apache-2.0
"""Commands that bring a configuration to another one, killed (-9) at any step.

The kernel does each act whole or not at all, so the simulated one is killed between two acts; saves
are killed at any instant in `test_bootfile`, and applies on the real kernel in its own tests.
"""

from __future__ import annotations

import json
import os
import random
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driver import LONG, Pyshell
from pyshell.simulator import Simulator

KILLS = 67 if LONG else 8
"""How often each command is killed."""


@pytest.fixture
def two(pyshell: Pyshell) -> tuple[Path, Path]:
    """Return two files that differ in every way; the first runs, is saved and is revision 1."""
    first, second = pyshell.example, pyshell.folder.parent / "second.json"
    document = json.loads(first.read_text())
    document["storage_objects"][0]["dev"] = "/dev/sdb"
    document["storage_objects"].append({"name": "new", "plugin": "ramdisk", "size": 1 << 20})
    tpg = document["targets"][0]["tpgs"][0]
    tpg["luns"].append({"index": 5, "storage_object": "/backstores/ramdisk/new"})
    tpg["attributes"]["login_timeout"] = 20
    tpg["node_acls"][0]["mapped_luns"].pop()
    del document["targets"][1]
    second.touch(0o600)
    second.write_text(json.dumps(document))
    pyshell.must(f"apply {second}", "saveconfig", f"apply {first} prune=true", "saveconfig")
    pyshell.must(f"apply {second} prune=true", "saveconfig")
    return first, second


@contextmanager
def dying_after(acts: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process be killed once it has done so many acts on the simulated kernel."""
    left = acts
    act = Simulator._act

    @contextmanager
    def counted(simulator: Simulator, path: str) -> Iterator[str]:
        nonlocal left
        with act(simulator, path) as rel:
            yield rel
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(Simulator, "_act", counted)
        yield


def killed(pyshell: Pyshell, line: str, acts: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run a line in a process that is killed after so many acts; tell whether it came to that."""
    child = os.fork()
    if child == 0:
        try:
            with dying_after(acts, monkeypatch):
                pyshell.line(line)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize(
    "line", ["apply {first} prune=true", "restoreconfig {first} clear_existing=true", "rollback 2"]
)
def test_after_a_kill_the_file_is_whole_and_the_next_apply_converges(
    pyshell: Pyshell, two: tuple[Path, Path], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(line)
    first, second = two
    saved = pyshell.saved_file.read_bytes()
    hit = 0
    for _ in range(KILLS):
        hit += killed(pyshell, line.format(first=first), dice.randint(1, 45), monkeypatch)
        assert pyshell.saved_file.read_bytes() == saved
        assert stat.S_IMODE(pyshell.saved_file.stat().st_mode) == 0o600
        assert pyshell.line(f"apply {second} prune=true").status == 0  # it notes what was killed
        assert pyshell("diff", "running", str(second)).done().out == ""
    assert hit > KILLS // 3
