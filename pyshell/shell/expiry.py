# SPDX-License-Identifier: Apache-2.0
"""The timer of a change that is reverted unless it is confirmed: for its processes, not for users.

    pyshell --expire ID OPTIONS               warn, or revert the change at its deadline
    pyshell --expire-after S1,S2… ID OPTIONS  run the former after each of these seconds

The first is what a transient systemd timer runs. The second (`pyshell.shell.detached`) stands for
that timer where there is no systemd. OPTIONS name the target. Both do nothing if the change ID no
longer waits to be confirmed, so it does not matter how often they run. From 15 seconds before the
deadline on, the first stays until the change is reverted; if it is killed or fails, the timer runs
it again.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from pyshell.commands import confirm
from pyshell.config.store import unconfirmed
from pyshell.config.store.unconfirmed import Unconfirmed
from pyshell.errors import NotPermittedError, PyshellError
from pyshell.host import EXPIRE
from pyshell.names import duration_text
from pyshell.shell.deadlines import WARNINGS
from pyshell.shell.options import parse_argv
from pyshell.shell.shell import Shell, open_shell
from pyshell.text import one_line

_LOCK_SECONDS = 600.0
"""How long to wait for a change that is running at the deadline."""
_STAYS = 20.0
"""Seconds before the deadline from which on a process stays until the end."""
_POLL = 0.25

_sleep = time.sleep


def main(words: Sequence[str]) -> int:
    """Run the first with the words after `--expire` and return the exit status."""
    found = parse_argv(words[1:], EXPIRE, {})
    options = found.options
    options.way, options.lock_timeout, options.yes = "timer", _LOCK_SECONDS, True
    streams = (sys.stdout, sys.stderr, sys.stdin)
    shell = open_shell(found.simulate, found.config_dir, options, streams, lambda _: None)
    if not shell.lio.may_change:
        raise NotPermittedError(f"{EXPIRE} needs root.")
    return tick(shell, words[0])


def tick(shell: Shell, name: str) -> int:
    """Warn before the deadline of a change, or revert it after. Returns the exit status."""
    due = list(WARNINGS)
    while (found := unconfirmed.waiting(shell.lio, name)) is not None:
        left = found.left
        if left <= 0:
            return _revert(shell, name)
        if due and left <= due[0]:
            shell.lio.machine.announce(_warning(found))
            due = [one for one in due if one < left]
        elif left > _STAYS:
            break
        if left > _STAYS:
            break
        _sleep(min(_POLL, left))
    return 0


def _warning(found: Unconfirmed) -> str:
    seconds = duration_text(max(math.ceil(found.left), 1))
    return one_line(
        f"In {seconds}, unless you run 'pyshell confirm', this is reverted: {found.what}"
    )


def _revert(shell: Shell, name: str) -> int:
    """Revert a change, and record why if that fails. Returns the exit status."""
    try:
        shell.lio.ready()
        with shell.executor.changing(forced=True, ready=True):
            found = unconfirmed.waiting(shell.lio, name)
            if found is None or found.left > 0:
                return 0  # it was confirmed or undone while this waited for the lock
            return _reverted(shell, found)
    except PyshellError as error:  # the lock: the timer attempts it again
        shell.console.show_error(error)
        shell.lio.machine.log(one_line(f"Not reverted yet: {error}"))
        return error.status


def _reverted(shell: Shell, found: Unconfirmed) -> int:
    lio = shell.lio
    error: PyshellError | None = None
    try:
        found = unconfirmed.advance(lio, found, "reverting", error=found.error)
        shell.executor.take(confirm.expired(shell.root(), found), f"revert of {found.line}")
    except PyshellError as caught:
        error = caught
    if (
        error is None or unconfirmed.waiting(lio, found.id) is None
    ):  # a signal can come when all is done
        return 0
    shell.console.show_error(error)
    with suppress(PyshellError):
        unconfirmed.advance(lio, found, "reverting", error=str(error))
    lio.machine.announce(one_line(f"Could not revert {found.what}: {error}"))
    return error.status
