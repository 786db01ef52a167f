# SPDX-License-Identifier: Apache-2.0
"""Entries of pyshell with one slow part."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterable
from typing import Any

from pyshell import cli, render
from pyshell.lio.operations import base
from pyshell.shell.completion import Candidate, value_sources


def slow_bar() -> None:
    """Show a progress bar until a line was typed ahead, then print that."""
    render.PATIENCE = 0.1
    shown = render.Bar(sys.stderr)
    time.sleep(0.2)
    done, typed = 1, False
    while not typed:
        shown(done, 1000)
        typed = bool(select.select([sys.stdin], [], [], 0.05)[0])
        done += 1
    shown(done, 1000)
    shown.close()
    sys.stdout.write(f"read: {sys.stdin.readline()}")


def slow_devices() -> None:
    """Run pyshell where reading devices for completion is slow."""
    find = value_sources._SOURCES["device"]

    def slow(*given: Any) -> Iterable[Candidate]:
        time.sleep(1.5)
        return find(*given)

    value_sources._SOURCES["device"] = slow
    cli.main()


def slow_steps() -> None:
    """Run pyshell where every step prints itself and is slow."""
    do = base._do

    def slow(lio: Any, operation: base.Operation, **how: Any) -> base.Operation | None:
        sys.stdout.write(f"step: {operation.step()}\n")
        sys.stdout.flush()
        time.sleep(0.6)
        return do(lio, operation, **how)

    base._do = slow
    cli.main()
