# SPDX-License-Identifier: Apache-2.0
"""Runs a program and tells what it took: seconds, peak memory, system calls."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

_TRACING = Path("/sys/kernel/tracing")
_CALLS = _TRACING / "events/raw_syscalls/sys_enter"
# A trigger of the kernel: how often each process made each call.
_COUNT = "hist:keys=common_pid,id:size=16384"
_COUNTED = re.compile(r"common_pid: +(\d+), id: +(\d+) } hitcount: +(\d+)")
# x86-64's gettimeofday, time, futex and clock_gettime.
_BY_CHANCE = frozenset({96, 201, 202, 228})


@dataclass(frozen=True)
class Took:
    """What a program took."""

    seconds: float
    memory: int
    """Peak, in bytes."""


class TooLongError(Exception):
    """A program was not done in its time."""


@functools.cache
def _worker() -> ProcessPoolExecutor:
    """Return a process that starts programs, as the kernel counts its memory as theirs, too."""
    pool = ProcessPoolExecutor(1, get_context("fork"))
    pool.submit(os.getpid).result()  # it begins now, while this process is small
    return pool


def run(command: Sequence[str], limit: float | None = None) -> Took:
    """Run a program. Raises AssertionError with its output where it fails, TooLongError."""
    return _worker().submit(_run, command, limit, dict(os.environ)).result()


def _run(command: Sequence[str], limit: float | None, environment: dict[str, str]) -> Took:
    with tempfile.TemporaryFile("w+") as said:
        start = time.monotonic()
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG if limit else 0)
            seconds = time.monotonic() - start
            if pid:
                break
            if limit and seconds > limit:
                process.kill()
                process.wait()
                raise TooLongError(f"{' '.join(command)} took more than {limit:g} seconds")
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise AssertionError(f"{' '.join(command)}: {process.returncode}\n{said.read()}")
        return Took(seconds, usage.ru_maxrss * 1024)


def median_of(took: Sequence[Took]) -> Took:
    """Return the median of several runs."""
    return Took(median(one.seconds for one in took), max(one.memory for one in took))


def system_calls(command: Sequence[str]) -> int:
    """Return how many system calls a program and its children make. Raises AssertionError.

    The kernel counts them, without stopping at each as strace does; this needs root.

    Those by which threads wait for each other are left out, as their number is chance, and those
    that read a clock: they are system calls only while the kernel does not trust the processor's
    counter. With the clock source acpi_pm, `pwd` makes 2,705 of them, with tsc none.
    """
    _worker()
    if not _CALLS.exists():
        run(["mount", "-t", "tracefs", "tracefs", str(_TRACING)])
    last = int(Path("/proc/loadavg").read_text().split()[-1])  # the newest process
    trigger = _CALLS / "trigger"
    trigger.write_text(_COUNT)
    try:
        run(command)
        text = (_CALLS / "hist").read_text()
    finally:
        trigger.write_text(f"!{_COUNT}")
    assert "Dropped: 0" in text, text[-200:]
    found = [tuple(map(int, numbers)) for numbers in _COUNTED.findall(text)]
    return sum(count for pid, call, count in found if pid > last and call not in _BY_CHANCE)
