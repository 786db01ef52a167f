# SPDX-License-Identifier: Apache-2.0
"""pyshell in the guest: forked from one that has imported all, or started as a user starts it."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyshell import cli

from ..commands import run
from ..forked import Forked, modules_of_pyshell

WIDTH = 101
TIME_LIMIT = 240.0
"""Seconds for one command: much on an emulated processor that has others to serve."""
SCENARIO = Path(__file__).resolve().parents[2] / "data" / "scenario.txt"
# Fabrics that Debian's kernel can load beside those of the walk-through.
MORE_FABRICS = ("vhost", "xen-pvscsi")


@functools.cache
def _forked() -> Forked:
    folder = Path(tempfile.mkdtemp(prefix="forked-"))
    return Forked(sys.executable, "pyshell.cli:main", modules_of_pyshell(), "pyshell", folder)


def pyshell(
    *arguments: str, stdin: str = "", status: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run pyshell on the real kernel, 101 columns wide; it must return `status`, if given.

    Not started but forked from one that has imported all: a start takes seconds here.
    """
    environment = {**os.environ, "COLUMNS": str(WIDTH)}
    ran = _forked().run(arguments, Path.cwd(), stdin, environment, int(TIME_LIMIT))
    return _with_status(status, subprocess.CompletedProcess(["pyshell", *arguments], *ran), stdin)


def started(
    *arguments: str, stdin: str = "", status: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Do the same with a program that is started as a user's is."""
    done = run(
        "env", f"COLUMNS={WIDTH}", sys.executable, "-m", "pyshell", *arguments,
        stdin=stdin, check=False, timeout=TIME_LIMIT,
    )  # fmt: skip
    return _with_status(status, done, stdin)


def _with_status(
    status: int | None, done: subprocess.CompletedProcess[str], stdin: str
) -> subprocess.CompletedProcess[str]:
    if status is not None and done.returncode != status:
        text = f"{done.args}\n{stdin}\n{done.stdout}{done.stderr}"
        raise AssertionError(f"status {done.returncode}, not {status}: {text}")
    return done


def batch(*lines: str, config: Path | None = None) -> str:
    """Run lines in one process, all of which must succeed, and return what they print."""
    options = ("--config-dir", str(config)) if config else ()
    return pyshell(*options, stdin="\n".join([*lines, ""])).stdout


def scenario() -> list[tuple[str, str]]:
    """Return the walk-through: each command with its output on this kernel."""
    steps: list[tuple[str, str]] = []
    for line in SCENARIO.read_text().splitlines(keepends=True):
        if line.startswith("/> "):
            steps.append((line[3:].rstrip("\n"), ""))
        else:
            steps[-1] = (steps[-1][0], steps[-1][1] + _on_this_kernel(line))
    return steps


def _on_this_kernel(line: str) -> str:
    if not line.startswith("  o- loopback "):
        return line
    added = line
    for name in MORE_FABRICS:
        dots = "." * (WIDTH - len(f"  o- {name}  [Targets: 0]"))
        added += f"  o- {name} {dots} [Targets: 0]\n"
    return added


def killed_after(seconds: float, *words: str) -> None:
    """Run pyshell in a process of its own, which is killed after some time."""
    child = os.fork()
    if child == 0:
        try:
            cli.main([*words])
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
