# SPDX-License-Identifier: Apache-2.0
"""Commands that only read: they change nothing, whatever is there and whoever works beside them.

The second part runs a reader beside a writer. Here it is short; all of it takes some minutes:

    PYSHELL_TEST_READS=10000 python -m pytest tests/test_reading.py -k beside
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO

import pytest
import rtslib_fb

from driver import CLIENT, SERVER, TPG, Pyshell, clean_environment
from pyshell.lio import rtslib_objects
from pyshell.lio.identifiers import StorageObject
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell
from pyshell.simulator import Simulator
from pyshell.tree.node import Node
from pyshell.tree.root import RootNode

ACL = f"{TPG}/acls/{CLIENT}"
READS = int(os.environ.get("PYSHELL_TEST_READS", "60"))
# Commands with arguments of their own; the others are run on every node that has them.
WITH_ARGUMENTS = [
    "get attribute", "get global", "help create", "help topics", f"guide {SERVER} {CLIENT}",
    f"guide {SERVER} {CLIENT}", "check", "diff", "diff 1 running", "export show_secrets=true",
    "ls / 2", "bookmarks show", "revisions", "metrics", "graph", "graph /tmp/none.svg --dry-run",
]  # fmt: skip
# What stays until it is told to end, and what needs a terminal.
ENDLESS = frozenset({"top", "exit"})


@pytest.fixture
def rich(exported: Pyshell) -> Pyshell:
    """Return pyshell with objects of every kind, those half made among them."""
    table = exported.folder / "machine.json"
    assert exported.simulator.configfs
    machine = json.loads(table.read_text(encoding="utf-8"))
    machine["handlers"] = {"file": "A path\n"}
    table.write_text(json.dumps(machine), encoding="utf-8")
    exported.must(
        "/backstores/fileio create image /srv/image.img 1M",
        "/backstores/ramdisk create memory 1M",
        "/backstores/ramdisk/memory/alua create group 5",
        "/backstores/user:file create name=disk size=16M cfgstring=/srv/disk.img",
        f"{TPG}/luns create /backstores/fileio/image 7",
        f"{TPG}/luns create /backstores/user:file/disk 9",
        f"{ACL} set auth userid=me password=secret1secret1",
        "/loopback create naa.5001405000000001",
        "/loopback/naa.5001405000000001/luns create /backstores/ramdisk/memory",
        "saveconfig",
    )
    exported("/backstores/pscsi", "create", "raw", "/dev/sdc")
    for folder in ("core/pscsi_70", "core/user_71", "core/user_72", "core/user_72/half"):
        exported.simulator.mkdir(str(exported.configfs / folder))
    half = exported.configfs / "iscsi" / SERVER / "tpgt_1" / "lun" / "lun_20"
    exported.simulator.mkdir(str(half))
    return exported


def nodes(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    yield node
    for child in node.children:
        assert isinstance(child, Node)
        yield from nodes(child)


def reading_lines(pyshell: Pyshell) -> list[str]:
    """Return a line for each reading command of each node that needs no argument."""
    lio, none = pyshell.open(), pyshell.folder / "none"
    streams = io.StringIO(), io.StringIO(), io.StringIO()
    shell = Shell(lio, Preferences(none, none, print), Options(), *streams)
    found = []
    for node in nodes(RootNode(shell)):
        for name, described in node.commands().items():
            needs = any(param.required for param in described.params)
            if not described.changes and not needs and name not in ENDLESS:
                found.append(f"{node.path} {name}")
    return found


def test_finding_55_no_reading_command_changes_the_kernels_configuration(
    rich: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [*reading_lines(rich), *WITH_ARGUMENTS, "saveconfig", "status", "doctor"]
    completions = [("--complete", f"{path} ") for path in ("/backstores/pscsi/raw", f"{TPG}/luns")]
    acts: list[tuple[str, str]] = []

    def refused(name: str) -> Callable[..., None]:
        def act(simulator: Simulator, path: str, *rest: str) -> None:
            acts.append((name, path))
            raise OSError(errno.EIO, "refused", path)

        return act

    for name in ("mkdir", "rmdir", "unlink", "write", "symlink"):
        monkeypatch.setattr(Simulator, name, refused(name))
    before = rich.tree()
    assert len(lines) > 100
    for line in lines:
        ran = rich.line(line)
        assert acts == [], line
        assert "Traceback" not in ran.err, line
        assert "Command not found" not in ran.err, line
    for words in completions:
        rich(*words)
        assert acts == [], words
    assert rich.tree() == before


def test_finding_55_who_only_reads_is_refused_a_change_by_the_access_itself(
    rich: Pyshell,
) -> None:
    lio, before = rich.open(), rich.tree()
    folder = str(rich.configfs / "core" / "pscsi_70")
    for act in (
        lambda: lio.kernel.rmdir(folder),
        lambda: lio.kernel.mkdir(f"{folder}/x"),
        lambda: rtslib_objects.found(StorageObject("pscsi", "raw", 70, lio.root)).delete(),
        lambda: rtslib_fb.PSCSIStorageObject("raw", index=70),
    ):
        with pytest.raises(PermissionError):
            act()
    assert rich.tree() == before


WRITES = [
    "/backstores/ramdisk create w1 1M", "/backstores/ramdisk/w1/alua create wg 7",
    "/backstores/user:file create w2 16M /srv/w2.img", "/backstores/pscsi create w3 /dev/st0",
    f"{TPG}/luns create /backstores/ramdisk/w1 30", f"{TPG}/acls create {CLIENT}w",
    f"{TPG}/luns delete 30", f"{TPG}/acls delete {CLIENT}w", "/iscsi create iqn.2020-07.com.w:w",
    "/iscsi delete iqn.2020-07.com.w:w", "/backstores/pscsi delete w3",
    "/backstores/user:file delete w2", "/backstores/ramdisk delete w1",
]  # fmt: skip
BESIDE = [
    "ls", "status", "metrics", "export", "graph", "doctor", "diff", "check", "saveconfig",
    "sessions", "/backstores ls", "/backstores/pscsi ls", f"{TPG} ls", f"guide {SERVER} {CLIENT}",
    "-o json ls", f"{TPG}/acls ls", "/backstores/ramdisk ls", "revisions", f"trace {CLIENT}",
]  # fmt: skip


def test_finding_55_a_reader_beside_a_writer_disturbs_nothing(rich: Pyshell) -> None:
    command = [sys.executable, "-m", "pyshell", f"--simulate={rich.folder}", "-f", "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clean_environment(),
        text=True,
    ) as writer:
        rounds = Rounds(writer)
        try:
            for line in itertools.islice(itertools.cycle(BESIDE), READS):
                ran = rich(*line.split())
                assert "Traceback" not in ran.err, (line, ran.err)
                findings = 3 if line.split()[0] in ("diff", "doctor", "check", "trace") else 1
                assert ran.status in range(findings), (line, ran)
                assert writer.poll() is None, rounds.told()
        finally:
            rounds.end()
    assert writer.returncode == 0, rounds.told()
    assert not [line for line in rounds.said if "Traceback" in line or "Cannot" in line]
    assert rounds.done > 0


class Rounds:
    """Gives a writer one round of its commands after the other until it is to end."""

    def __init__(self, writer: subprocess.Popen[str]) -> None:
        self.said: list[str] = []
        self.done = 0
        self._ended = threading.Event()
        self._writer = writer
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Let the round at work be the last; return when the writer is gone."""
        self._ended.set()
        self._thread.join()

    def told(self) -> str:
        """Return the last of what the writer said."""
        return "".join(self.said[-5:])

    def _run(self) -> None:
        assert self._writer.stdin is not None
        assert self._writer.stdout is not None
        with self._writer.stdin as lines, contextlib.suppress(BrokenPipeError):
            self._begin(lines)
            for line in self._writer.stdout:
                self.said.append(line)
                if "Deleted storage object w1" in line:
                    self.done += 1
                    if self._ended.is_set():
                        break
                    self._begin(lines)
        self.said += self._writer.stdout

    def _begin(self, lines: IO[str]) -> None:
        lines.write("".join(f"{line}\n" for line in WRITES))
        lines.flush()
