# SPDX-License-Identifier: Apache-2.0
"""How the target stands, as the toolbar tells it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path

from pyshell.config.store import saved_file
from pyshell.lio.attach import Lio
from pyshell.shell.lock import is_held, last_holder
from pyshell.shell.shell import Shell


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
    menu: tuple[int, int] | None = None
    """How many entries the menu has, after which of them is selected, 0 for none."""
    changed_by: str = ""
    """Who else changed the target since the last command, "" for nobody."""


@dataclass(frozen=True)
class Unchanged:
    """When the last change was made, as the lock's file tells."""

    stamp: int

    @classmethod
    def now(cls, lio: Lio) -> Unchanged:
        """Return the state of now."""
        return cls(_stamp(lio.lock_file))


def at_once(shell: Shell) -> Status:
    """Return what is known without a look at the target."""
    return Status(
        host=socket.gethostname().partition(".")[0],
        simulated=shell.lio.simulated is not None,
        read_only=not shell.lio.may_change,
        unsaved=shell.unsaved and not shell.compat,
        partly_restored=shell.lio.mark_file.exists(),
    )


def look(shell: Shell, lio: Lio, since: Unchanged) -> Status:
    """Look at the target; `since` is the moment from which changes of others count."""
    from pyshell.lio.sessions import sessions

    count = sum(1 for _ in sessions(lio))
    return replace(at_once(shell), sessions=count, changed_by=_others(lio, since))


class Difference:
    """Whether what runs is other than what is saved, whoever changed it, and before this session.

    That takes its time, so it is looked at anew only where a change may have been made since.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._found: bool | None = None
        self._of: tuple[int, int] | None = None

    def known(self) -> bool | None:
        """Tell whether they differ now, None if that is not known."""
        if self._found is None or self._of != self._stamps() or self._shell.compat:
            return None
        return self._found

    def look(self, lio: Lio) -> None:
        """Compare them where that is not known. Raises PyshellError where it cannot be."""
        from pyshell.prompt.comparing import differs

        stamps = self._stamps()
        if stamps == self._of or self._shell.compat:
            return
        if is_held(lio.lock_file):
            return  # a change is under way, and leaves no later trace than its beginning
        self._of, self._found = stamps, None  # what cannot be compared is not tried again
        self._found = differs(lio)

    def _stamps(self) -> tuple[int, int]:
        lio = self._shell.lio
        return _stamp(lio.lock_file), _stamp(saved_file.default_file(lio))


def _others(lio: Lio, since: Unchanged) -> str:
    if _stamp(lio.lock_file) == since.stamp:
        return ""
    holder = last_holder(lio.lock_file)
    if holder is None:
        return "another program"  # targetcli leaves no name
    return "" if holder == os.getpid() else f"pid {holder}"


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
