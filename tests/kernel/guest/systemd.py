# SPDX-License-Identifier: Apache-2.0
"""systemd in the guest: as process 1 of a namespace, with udev, the journal and pyshell's units.

The guest's own process 1 is the bed's. This one has few units, so that it is up in seconds; they
come from Debian and from packaging/, unchanged but for drop-ins.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..commands import run, wait_for

PACKAGING = Path(__file__).parents[3] / "packaging"
UNITS = Path("/run/test-units")
RULES = Path("/run/udev/rules.d")
PROGRAM = Path("/usr/bin/pyshell")
_LINE_SECONDS = 180.0
_SYSTEMD = "/lib/systemd/systemd"
_DEBIANS = (
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-journald-dev-log.socket",
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
)
_BARE = "[Unit]\nDefaultDependencies=no\n"
_TARGETS = ("sysinit", "basic", "paths", "shutdown", "network-online")
_BOOT = """\
[Unit]
Wants=systemd-journald.service systemd-udevd.service pyshell-restore.service pyshell-missing.path
After=systemd-journald.service systemd-udevd.service
"""
_QUICKER = """\
[Service]
ExecStart=
ExecStart=/usr/bin/pyshell --lock-timeout=60 restoreconfig wait={wait}
"""


class Systemd:
    """A running systemd, asked by its own programs."""

    def __init__(self, pid: int) -> None:
        self.enter = ("nsenter", "-t", str(pid), "-p", "-m")
        """The words before a command that is to run beside systemd: it answers nobody else."""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run systemctl, whatever it returns."""
        return run(*self.enter, "systemctl", "--no-pager", *arguments, check=False)

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell beside systemd; it must succeed."""
        return run(*self.enter, "sh", "-c", line, timeout=_LINE_SECONDS)

    def state(self, unit: str) -> str:
        """Return a unit's state: active, activating, inactive, failed."""
        return self("is-active", unit).stdout.strip()

    def journal(self, *units: str) -> str:
        """Return what units said, each line with its priority."""
        chosen = [f"--unit={unit}" for unit in units]
        words = ("journalctl", "--no-pager", "-o", "json", "--output-fields=PRIORITY,MESSAGE")
        return run(*self.enter, *words, *chosen).stdout


@contextlib.contextmanager
def booted(wait: int, more: Sequence[str] = ()) -> Iterator[Systemd]:
    """Boot systemd with pyshell's units, whose restore waits so many seconds.

    `more` of Debian's units are there, and not started.
    """
    _lay_out(wait, more)
    # Settings of the host's own, as its name, are left to the bed: hence --uts.
    command = ["unshare", "--pid", "--mount", "--uts", "--fork", "--mount-proc"]
    environment = {
        "PATH": os.environ["PATH"],
        "container": "bed",
        "SYSTEMD_UNIT_PATH": str(UNITS),
        "SYSTEMD_LOG_TARGET": "journal",
    }
    above = subprocess.Popen(
        [*command, "--propagation", "unchanged", _SYSTEMD, "--system"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pid = wait_for("process 1", lambda: _child(above.pid))
    try:
        found = Systemd(pid)
        wait_for("systemd", lambda: found("is-active", "systemd-udevd.service").returncode == 0)
        yield found
    finally:
        os.kill(pid, signal.SIGKILL)  # and with it all that it started
        above.wait()
        for left in (UNITS, RULES, Path("/run/udev"), Path("/run/systemd")):
            shutil.rmtree(left, ignore_errors=True)
        PROGRAM.unlink()


def _child(pid: int) -> int:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return int(text.split()[0]) if text.strip() else 0


def _lay_out(wait: int, more: Sequence[str]) -> None:
    """Put the units, the udev rule and the program where they belong."""
    shutil.copytree(PACKAGING / "systemd", UNITS)
    for name in (*_DEBIANS, *more):
        (UNITS / name).symlink_to(Path("/lib/systemd/system") / name)
    for name in _TARGETS:
        (UNITS / f"{name}.target").write_text(_BARE)
    (UNITS / "default.target").write_text(_BOOT)
    dropin = UNITS / "pyshell-restore.service.d"
    dropin.mkdir()
    (dropin / "wait.conf").write_text(_QUICKER.format(wait=wait))
    RULES.mkdir(parents=True)
    for rule in (PACKAGING / "udev").iterdir():
        shutil.copy(rule, RULES)
    PROGRAM.write_text(f'#!/bin/sh\nexec {sys.executable} -m pyshell "$@"\n')
    PROGRAM.chmod(0o755)
