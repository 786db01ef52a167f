# SPDX-License-Identifier: Apache-2.0
"""Runs programs for tests in the guest, each with a time limit and an error that shows all."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# The guest's processors are emulated, and share the host's with other guests and tests: what takes
# a second elsewhere may take twenty here.
COMMAND_SECONDS = 120.0


def run(
    *command: str,
    stdin: str = "",
    timeout: float = COMMAND_SECONDS,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return its status and both outputs.

    With `check`, a status other than 0 is an AssertionError that shows them.
    """
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )
    if check and done.returncode:
        text = f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}"
        raise AssertionError(text)
    return done


def wait_for(what: str, probe: Callable[[], T | None], timeout: float = COMMAND_SECONDS) -> T:
    """Ask until the answer is true, and return it; `what` names it in the TimeoutError."""
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} seconds for {what}")
        time.sleep(0.1)
