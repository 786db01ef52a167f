# SPDX-License-Identifier: Apache-2.0
"""pyshell in the guest, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..commands import run

WIDTH = 101
TIME_LIMIT = 240.0
"""Seconds for one command: much on an emulated processor that has others to serve."""
SCENARIO = Path(__file__).resolve().parents[2] / "data" / "scenario.txt"
# Fabrics that Debian's kernel can load beside those of the walk-through.
MORE_FABRICS = ("vhost", "xen-pvscsi")


def pyshell(
    *arguments: str, stdin: str = "", status: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run pyshell on the real kernel, 101 columns wide; it must return `status`, if given."""
    done = run(
        "env", f"COLUMNS={WIDTH}", sys.executable, "-m", "pyshell", *arguments,
        stdin=stdin, check=False, timeout=TIME_LIMIT,
    )  # fmt: skip
    if status is not None and done.returncode != status:
        text = f"{' '.join(arguments)}\n{stdin}\n{done.stdout}{done.stderr}"
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
