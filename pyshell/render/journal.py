# SPDX-License-Identifier: Apache-2.0
"""What is printed into systemd's journal: each line begins with its priority, as <3>."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

ERROR = 3
WARNING = 4
NOTICE = 5


def is_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a stream is the one that systemd connected to the journal."""
    named = environment.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return named == f"{found.st_dev}:{found.st_ino}"


def prioritised(line: str, priority: int) -> str:
    """Return a line as the journal takes it."""
    return f"<{priority}>{line}"
