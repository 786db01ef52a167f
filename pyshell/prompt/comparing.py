# SPDX-License-Identifier: Apache-2.0
"""Asks whether what runs is saved: here where that is soon told, else of a process of its own.

Reading a large target takes a processor for a while, and the prompt has but one among its threads.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pyshell
from pyshell.saved.unsaved import is_unsaved
from pyshell.target import listing
from pyshell.target.attach import Lio

LARGE = 200
"""With how many storage objects a target is large."""
_IDLE = 19
"""The least priority that there is."""


def differs(lio: Lio) -> bool:
    """Tell whether what runs is other than what is saved. Raises where that cannot be told."""
    if len(listing.storage_objects()) < LARGE:
        return is_unsaved(lio)
    return asked_of_another(lio)


def asked_of_another(lio: Lio) -> bool:
    """Tell the same, as another pyshell finds it while nobody else wants the processor."""
    command = [sys.executable, "-m", "pyshell", f"--config-dir={lio.config_dir}", "-o", "json"]
    if lio.simulated is not None:
        command.append(f"--simulate={lio.simulated}")
    place = str(Path(pyshell.__file__).parents[1])
    asked = subprocess.Popen(
        [*command, "status"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": place},
        start_new_session=True,  # Ctrl-C at the prompt is not meant for it
    )
    atexit.register(asked.kill)
    try:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, asked.pid, _IDLE)
        told, _ = asked.communicate()
    finally:
        atexit.unregister(asked.kill)
    return not json.loads(told)["result"]["saved"]
