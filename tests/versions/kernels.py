# SPDX-License-Identifier: Apache-2.0
"""One run on a newer kernel: that of another release of Debian than this machine's."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from kernel import image
from pyproject import ROOT

from .runs import PYTEST, Told

RELEASE = "trixie"
# The walk-through as a batch; with open-iscsi, bytes written, the target cleared and restored.
FILE = "kernel/guest/test_scenario.py"
CHOICE = "batch or bytes"


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
    tests = [str(ROOT / "tests" / FILE), "-k", CHOICE]
    found = Told.by([sys.executable, *PYTEST, *tests], {"PYSHELL_REQUIRE_KERNEL": "1"})
    told = f"Linux {version}: {'passed' if found.passed else 'FAILED'}: {found.last}"
    return KernelOutcome(found.passed, told, found.output)
