# SPDX-License-Identifier: Apache-2.0
"""How the target stands, as the toolbar tells it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from pyshell.shell.lock import last_holder
from pyshell.shell.shell import Shell
from pyshell.target.attach import Lio


@dataclass(frozen=True)
class Status:
    """What the toolbar tells of."""

    host: str = ""
    simulated: bool = False
    read_only: bool = False
    unsaved: bool = False
    partly_restored: bool = False
    sessions: int = 0
    reading: bool = False
    """Whether a menu waits for what is being read."""
    changed_by: str = ""
    """Who else changed the target since the last command, "" for nobody."""


@dataclass(frozen=True)
class Unchanged:
    """When the last change was made, as the lock's file tells."""

    stamp: int

    @classmethod
    def now(cls, lio: Lio) -> Unchanged:
        """Return the state of now."""
        return cls(_stamp(lio))


def at_once(shell: Shell) -> Status:
    """Return what is known without a look at the target."""
    return Status(
        host=socket.gethostname().partition(".")[0],
        simulated=shell.lio.simulated is not None,
        read_only=not shell.lio.may_change,
        unsaved=shell.unsaved and not shell.compat,
        partly_restored=shell.lio.mark_file.exists(),
    )


def look(shell: Shell, since: Unchanged) -> Status:
    """Look at the target; `since` is the moment from which changes of others count."""
    from dataclasses import replace

    from pyshell.target.sessions import sessions

    count = sum(1 for _ in sessions(shell.lio))
    return replace(at_once(shell), sessions=count, changed_by=_others(shell.lio, since))


def _others(lio: Lio, since: Unchanged) -> str:
    if _stamp(lio) == since.stamp:
        return ""
    holder = last_holder(lio.lock_file)
    if holder is None:
        return "another program"  # targetcli leaves no name
    return "" if holder == os.getpid() else f"pid {holder}"


def _stamp(lio: Lio) -> int:
    try:
        return lio.lock_file.stat().st_mtime_ns
    except OSError:
        return 0
