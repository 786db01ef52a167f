# SPDX-License-Identifier: Apache-2.0
"""Asks whether what runs is saved: here where that is soon told, else of a process of its own.

Reading a large target takes a processor for a while, and the prompt has but one among its threads.
"""

from __future__ import annotations

import atexit
import json
import os
from contextlib import suppress

from pyshell.config.store.saved_file import is_unsaved
from pyshell.host import programs
from pyshell.lio import listing
from pyshell.lio.attach import Lio

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
    options = [f"--config-dir={lio.config_dir.absolute()}", "-o", "json"]
    if lio.simulated is not None:
        options.append(f"--simulate={lio.simulated.absolute()}")
    asked = programs.start_pyshell(*options, "status")
    atexit.register(asked.kill)
    try:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, asked.pid, _IDLE)
        told, _ = asked.communicate()
    finally:
        atexit.unregister(asked.kill)
    return not json.loads(told)["result"]["saved"]
