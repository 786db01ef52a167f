# SPDX-License-Identifier: Apache-2.0
"""The timer of an unconfirmed change where there is no systemd: see `pyshell.shell.expiry`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from pyshell.config.store import unconfirmed
from pyshell.host import EXPIRE, EXPIRE_AFTER, programs
from pyshell.lio import attach
from pyshell.shell.options import parse_argv

_POLL = 0.25


def main(delays: str, words: Sequence[str]) -> int:
    """Run `pyshell --expire WORDS` after each delay ("S1,S2…"), in the background.

    Returns 0 when the timer runs. Its process ends when the change no longer waits.
    """
    found = parse_argv(words[1:], EXPIRE_AFTER, {})
    lio = attach(found.simulate, found.config_dir)
    started = unconfirmed.clock()
    if os.fork():
        return 0
    for seconds in map(int, delays.split(",")):
        while unconfirmed.clock() < started + seconds:
            time.sleep(_POLL)
            if unconfirmed.waiting(lio, words[0], starting=True) is None:
                os._exit(0)
        with suppress(OSError):
            programs.start_pyshell(EXPIRE, *words).communicate()
    os._exit(0)
