# SPDX-License-Identifier: Apache-2.0
"""Runs pyshell for the tests: in this process, which is quick, or in one of its own."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import forkserver
import pyshell as package
from foldercopy import Copies, Copy, Snapshot, content, entries
from pyshell import cli
from pyshell.errors import bug_report
from pyshell.lio import Lio, attach
from pyshell.simulator import Simulator, open_simulator

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).with_name("data")
SERVER = "iqn.2020-07.192.168.56.101:server"
CLIENT = "iqn.2020-07.192.168.56.105:client"
TPG = f"/iscsi/{SERVER}/tpg1"
# What whoever makes a fileio storage object, or sets a short secret, is told beside its sentence.
_TOLD_BESIDE = (
    "the cluster does not keep this change",
    "is sparse", "takes all its space", "Its cache is write-back", "password is shorter than 12",
    "is longer than 16 bytes: initiators such as Windows refuse it.",
    "The credentials have no effect: CHAP is off.",
    "CHAP is required: without", "its file systems may be truncated",
    "The running configuration is not saved", "initiators take the two for one disk",
    "The NAA ID is padded with zeros", "Enabled discard (UNMAP): ", "is rounded to whole",
    "Initiators still see the product",
)  # fmt: skip
LONG = os.environ.get("PYSHELL_TEST_LONG", "") not in ("", "0")
"""Whether tests that repeat something at random do so hundreds of times, as `.ci/run` requests."""
TIME_LIMIT = 60
"""Seconds after which a program that a test runs is taken to hang."""


def end(child: Any) -> None:
    """End a program at a pseudo-terminal (pexpect's child), however busy the machine is.

    pexpect itself allows a killed program a tenth of a second to be gone.
    """
    if child.isalive():
        child.kill(signal.SIGKILL)
        child.wait()
    child.close()


@dataclass(frozen=True)
class Ran:
    """What a run of pyshell left."""

    out: str
    err: str
    status: int

    @property
    def lines(self) -> list[str]:
        """Return the lines of standard output."""
        return self.out.splitlines()

    @property
    def bug(self) -> bool:
        """Return whether pyshell reported a bug in itself.

        Names and values in messages cannot look like that: it is a whole line.
        """
        return bug_report(package.__version__) in self.err

    @property
    def json(self) -> Any:
        """Return standard output as the one JSON document that it must be."""
        return json.loads(self.out)

    def done(self, *, noting: str = "") -> Ran:
        """Return this run, which must have ended well and said no more on standard error.

        `noting` begins the one line that it must say there; what a new fileio storage object or a
        short secret is told with is none.
        """
        told = f"exit {self.status}: {self.err}{self.out}"
        assert self.status == 0, told
        notes = self.err.splitlines()
        if noting:
            assert notes, told
            assert notes.pop(0).startswith(noting), told
        assert all(map(_is_told_beside, notes)), told
        return self


def tool(name: str, package: str) -> str:
    """Return the path of a program; skip without it, fail if PYSHELL_REQUIRE_KERNEL is set."""
    found = shutil.which(name)
    if found is not None:
        return found
    reason = f"no {name} here: apt install {package} brings it"
    if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") not in ("", "0"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _is_told_beside(line: str) -> bool:
    return any(words in line for words in _TOLD_BESIDE)


class _Capture(io.TextIOWrapper):
    """A standard stream that keeps what is written to it, as UTF-8."""

    def __init__(self, errors: str, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        """Tell whether to be taken for a terminal."""
        return self._terminal

    def text(self) -> str:
        """Return what was written."""
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


class _Lines(io.TextIOBase):
    """A standard input whose lines are fetched one by one."""

    def __init__(self, lines: Iterable[str], *, keyboard: bool = False) -> None:
        self._lines = iter(lines)
        self._keyboard = keyboard

    def isatty(self) -> bool:
        """Tell whether to be taken for someone who types."""
        return self._keyboard

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Return the next line, "" at the end."""
        return next(self._lines, "")


class Pyshell:
    """pyshell on a simulated target in a folder of the test's own."""

    _known: ClassVar[dict[tuple[str, ...], Snapshot]] = {}
    """What the folder holds after the lines of `prepare`."""

    def __init__(self, folder: Path, copies: Copies | None = None) -> None:
        """`copies` are those that `close` has kept for others."""
        self._folder = folder
        self._prepared: tuple[str, ...] = ()
        self._copies = copies
        self._used: tuple[Snapshot, Copy] | None = None
        self.program = "pyshell"

    def close(self) -> None:
        """Keep the folder to be used again."""
        if self._copies is not None and self._used is not None:
            with suppress(OSError):  # a test may have removed it
                self._copies.keep(*self._used)

    @property
    def folder(self) -> Path:
        """Return the simulator's folder."""
        if self._prepared:
            lines, self._prepared = self._prepared, ()
            snapshot = self._known[lines]
            make = Copy if self._copies is None else self._copies.copy
            self._used = snapshot, make(snapshot, self._folder)
        return self._folder

    def prepare(self, *lines: str) -> None:
        """Run one-liners as `must` does. On a fresh target, copy the outcome of an earlier run.

        For fixtures. All lines prepared on a fresh target before anything else are one run.
        """
        self.prepare_by(lambda: self.must(*lines), *lines)

    def prepare_by(self, build: Callable[[], object], *names: str) -> None:
        """Call `build`, which `names` identify, or copy the outcome of an earlier call."""
        if self._folder.exists():
            build()
            return
        home = str(self._folder.parent)
        known = (*self._prepared, *(name.replace(home, "~") for name in names))
        if known in self._known:
            self._prepared = known
        else:
            build()
            self._known[known] = Snapshot.of(self.folder)

    @property
    def simulator(self) -> Simulator:
        """Return the simulated kernel, to look at or to change behind pyshell's back."""
        return open_simulator(self.folder)

    @property
    def configfs(self) -> Path:
        """Return what is /sys/kernel/config/target on a real host."""
        return self.folder / "configfs" / "target"

    @property
    def config_dir(self) -> Path:
        """Return what is /etc/target on a real host."""
        return self.folder / "etc" / "target"

    @property
    def saved_file(self) -> Path:
        """Return the file that is restored at boot."""
        return self.config_dir / "saveconfig.json"

    @property
    def example(self) -> Path:
        """Return the project's example, as one who cares for its secrets keeps it."""
        found = self._folder.parent / "saveconfig.example.json"
        if not found.exists():
            found.touch(0o600)
            found.write_bytes((ROOT / found.name).read_bytes())
        return found

    def __call__(
        self,
        *arguments: str,
        stdin: str | Iterable[str] = "",
        terminal: bool = False,
        keyboard: bool = False,
    ) -> Ran:
        """Run pyshell in this process; its output, or its input too, may be a terminal's."""
        options = [f"--simulate={self.folder}"]
        return run_here(
            [*options, *arguments],
            stdin,
            self.program,
            terminal=terminal or keyboard,
            keyboard=keyboard,
        )

    def line(self, text: str, *options: str) -> Ran:
        """Run one line as a one-liner whose whole command is one argument."""
        return self(*options, text)

    def batch(self, lines: Iterable[str], *options: str) -> Ran:
        """Run lines from standard input; each is fetched when those before it have run."""
        return self(*options, stdin=(f"{line}\n" for line in lines))

    def give_addresses(self, *addresses: str) -> None:
        """Give the simulated host IPv4 addresses, as the kernel tells of them."""
        lines = "".join(f"     |-- {one}\n        /32 host LOCAL\n" for one in addresses)
        table = self.simulator.machine.file("/proc/net/fib_trie")
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"Local:\n{lines}")

    def must(self, *lines: str) -> list[str]:
        """Run one-liners that must do what they say, quietly; return all their output."""
        return [said for line in lines for said in self.line(line).done().lines]

    def process(
        self,
        *arguments: str,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        python: tuple[str, ...] = (),
    ) -> Ran:
        """Run pyshell in a process of its own: a forked one in the short form without `python`."""
        command = [sys.executable, *python, "-m", "pyshell"]
        if not (python or LONG):
            command = [str(forkserver.program())]
        return run_process([*command, f"--simulate={self.folder}", *arguments], stdin, environment)

    def open(self) -> Lio:
        """Open the target in this process, as a command does, also for rtslib's own objects."""
        from pyshell.lio import rtslib

        lio = attach(self.folder)
        rtslib.work_on(lio)
        return lio

    def tree(self) -> dict[str, str]:
        """Return the whole simulated configfs: mode and text of files, ends of links."""
        return everything_below(self.configfs)

    def files(self) -> dict[str, str]:
        """Return all that the simulator's folder holds, but for who had the lock last."""
        found = everything_below(self.folder)
        found.pop("command.lock", None)
        return found

    def read(self, path: str) -> str:
        """Return the text of a file of the simulated configfs, as it is there."""
        return (self.configfs / path).read_text(encoding="utf-8")

    def document(self) -> Any:
        """Return the saved configuration."""
        return json.loads(self.saved_file.read_text(encoding="utf-8"))


def run_here(
    arguments: list[str],
    stdin: str | Iterable[str] = "",
    program: str = "pyshell",
    *,
    terminal: bool = False,
    keyboard: bool = False,
) -> Ran:
    """Run pyshell in this process, under the name `program`."""
    out = _Capture("strict", terminal=terminal)
    err = _Capture("backslashreplace", terminal=terminal)
    before = sys.argv, sys.stdin, sys.stdout, sys.stderr
    lines = stdin.splitlines(keepends=True) if isinstance(stdin, str) else stdin
    sys.argv, sys.stdin, sys.stdout, sys.stderr = (
        [program],
        _Lines(lines, keyboard=keyboard),
        out,
        err,
    )
    try:
        status = cli.main(arguments)
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = before
    return Ran(out.text(), err.text(), status)


def at_keyboard(arguments: list[str], lines: Callable[[Callable[[], str]], Iterator[str]]) -> None:
    """Run pyshell in this process at a keyboard and a terminal, both streams on the latter.

    `lines` gets a function that returns what was printed since its last call.
    """
    screen = _Capture("backslashreplace", terminal=True)
    seen = 0

    def printed() -> str:
        nonlocal seen
        text = screen.text()
        new, seen = text[seen:], len(text)
        return new

    before = sys.argv, sys.stdin, sys.stdout, sys.stderr
    sys.argv, sys.stdin = ["pyshell"], _Lines(lines(printed), keyboard=True)
    sys.stdout = sys.stderr = screen
    try:
        cli.main(arguments)
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = before


def run_process(
    command: list[str], stdin: str = "", environment: Mapping[str, str] | None = None
) -> Ran:
    """Run a program with a clean environment, in which Python finds this pyshell."""
    done = subprocess.run(
        command,
        input=stdin.encode(),
        capture_output=True,
        env={**clean_environment(), **(environment or {})},
        timeout=TIME_LIMIT,
        check=False,
    )
    return Ran(done.stdout.decode(), done.stderr.decode(), done.returncode)


def clean_environment() -> dict[str, str]:
    """Return what a program of the tests is started with: little, and no home but a test's."""
    kept = ("PATH", "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "COLUMNS")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {**found, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "LC_ALL": "C.UTF-8"}


_LONG = 1 << 20


def everything_below(folder: Path) -> dict[str, str]:
    """Return every path below a folder: mode and text of files, where links lead.

    Of disks' images, which are long, it tells when they were written instead.
    """
    found = {}
    for name, status in entries(str(folder)):
        path, mode = f"{folder}/{name}", status.st_mode
        if stat.S_ISLNK(mode):
            found[name] = f"-> {os.readlink(path)}"
        elif not stat.S_ISREG(mode):
            found[name] = f"{mode:o}"
        elif status.st_size > _LONG:
            found[name] = f"{mode:o} {status.st_size} bytes, written {status.st_mtime_ns}"
        else:
            readable = content(path, status.st_size) if mode & stat.S_IRUSR else b""
            found[name] = f"{mode:o} {readable.decode(errors='surrogateescape')}"
    return found
