# SPDX-License-Identifier: Apache-2.0
"""One run on a newer kernel: that of another release of Debian than this machine's."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from kernel import image
from pyproject import ROOT

RELEASE = "trixie"
# The walk-through as a batch; with open-iscsi, bytes written, the target cleared and restored.
FILE = "kernel/guest/test_scenario.py"
CHOICE = "batch or bytes"
RUN_SECONDS = 900


@dataclass(frozen=True)
class KernelOutcome:
    """What came of it; where that kernel cannot be booted here, `told` says that it was not."""

    passed: bool
    told: str
    output: str = ""


def carry_out() -> KernelOutcome:
    """Boot it and run the walk-through's tests."""
    os.environ["PYSHELL_BED_KERNEL"] = RELEASE  # the bed's modules and its guests read it
    try:
        reason = image.missing()
        if reason:
            return KernelOutcome(True, f"Linux of Debian {RELEASE}: NOT TRIED, {reason}")
        return _tried(image.version())
    finally:
        del os.environ["PYSHELL_BED_KERNEL"]


def _tried(version: str) -> KernelOutcome:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(ROOT / "tests" / FILE), "-k", CHOICE],
        cwd=ROOT, env={**os.environ, "PYSHELL_REQUIRE_KERNEL": "1"},
        capture_output=True, text=True, check=False, timeout=RUN_SECONDS,
    )  # fmt: skip
    (*_, last) = done.stdout.splitlines() or [f"status {done.returncode}"]
    passed = done.returncode == 0
    told = f"Linux {version}: {'passed' if passed else 'FAILED'}: {last}"
    return KernelOutcome(passed, told, "" if passed else done.stdout + done.stderr)
