# SPDX-License-Identifier: Apache-2.0
"""One run with the oldest libraries, on a newer kernel: that of another release of Debian."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from kernel import image
from pyproject import ROOT

from .pythons import own
from .runs import PYTEST, Run, RunError, Told, environment
from .sets import oldest

RELEASE = "trixie"
FILES = ("kernel/guest/test_scenario.py", "kernel/guest/test_contract.py")
# The walk-through as a batch; with open-iscsi, bytes written, the target cleared and restored; the
# contract of targetcli, call by call.
CHOICE = "batch or bytes or contract"


@dataclass(frozen=True)
class KernelOutcome:
    """What came of it; where that kernel cannot be booted here, `told` says that it was not."""

    passed: bool
    told: str
    output: str = ""


def carry_out() -> KernelOutcome:
    """Boot it and run the tests."""
    os.environ["PYSHELL_BED_KERNEL"] = RELEASE  # the bed's modules and its guests read it
    try:
        reason = image.missing()
        if reason:
            return KernelOutcome(True, f"Linux of Debian {RELEASE}: NOT TRIED, {reason}")
        return _tried(image.version())
    finally:
        del os.environ["PYSHELL_BED_KERNEL"]


def _tried(version: str) -> KernelOutcome:
    release = own()
    run = Run("oldest", oldest(release), release, Path(sys.executable))
    told = f"Linux {version} and the oldest libraries"
    try:
        python = environment(run)
    except RunError as error:
        return KernelOutcome(False, f"{told}: not installed", str(error))
    tests = [*(str(ROOT / "tests" / name) for name in FILES), "-k", CHOICE]
    found = Told.by([str(python), *PYTEST, *tests], {"PYSHELL_REQUIRE_KERNEL": "1"})
    passed = "passed" if found.passed else "FAILED"
    return KernelOutcome(found.passed, f"{told}: {passed}: {found.last}", found.output)
