# SPDX-License-Identifier: Apache-2.0
"""Open the target that commands work on: this host's kernel, or a simulated one in a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell.errors import NotFoundError, NotPermittedError, PyshellError, from_os_error
from pyshell.host import programs
from pyshell.host.machine import Machine
from pyshell.lio.configfs import (
    CONFIGFS,
    Kernel,
    RealKernel,
    changing,
    require_changing,
    text_or_none,
)

if TYPE_CHECKING:
    from pyshell.simulator import Simulator

if TYPE_CHECKING:
    from pyshell.simulator import Simulator

CONFIG_DIR = Path("/etc/target")
_LOCK = Path("/run/targetcli.lock")
_MARK = Path("/run/pyshell/missing")
# They mostly wait for the same: that each processor has seen that something is gone.
_AT_ONCE = 8


ProgressListener = Callable[[int, int], None]
"""Called with the work done and the total, in any unit."""


class Progress:
    """Passes the progress of long work to a listener, if there is one."""

    listener: ProgressListener | None = None

    def __call__(self, done: int, total: int) -> None:
        """Report progress."""
        if self.listener is not None:
            self.listener(done, total)


@dataclass(frozen=True)
class Lio:
    """A storage target that is open for work."""

    kernel: Kernel
    machine: Machine
    config_dir: Path
    """Where the saved configuration lies (`/etc/target` on a real host)."""
    lock_file: Path
    """The advisory lock that every changing command takes."""
    mark_file: Path
    """There while the last restore since the host's start lacks something; units look at it."""
    simulated: Path | None = None
    """The simulator's folder, None on the real kernel."""
    simulator: Simulator | None = field(default=None, compare=False, repr=False)
    progress: Progress = field(default_factory=Progress, compare=False)
    """Where long work tells how far it is."""
    at_once: int = 1
    """How many operations may wait in the kernel at one time."""

    @property
    def root(self) -> str:
        """Return the folder in configfs that holds `core` and the fabrics."""
        return self.kernel.root

    @property
    def run_dir(self) -> Path:
        """Return the folder for what is forgotten when the host, or the simulated one, ends."""
        if self.simulated is not None:
            return self.simulated / "run"
        return self.lock_file.parent / "pyshell"

    @property
    def may_change(self) -> bool:
        """Tell whether this user may change the target: root a real one, all a simulated one."""
        return self.simulated is not None or os.geteuid() == 0

    def ready(self) -> None:
        """See to it that configfs is mounted and the target core is there.

        Raises NotPermittedError for a user who may not bring that about, PyshellError with the
        command that does where it cannot be had.
        """
        if self.simulated is None:
            _ready()

    def prepare_change(self) -> None:
        """Set the kernel's dbroot, without which rtslib refuses to start (field failure 42)."""
        if self.simulated is None and self.may_change:
            _set_dbroot(self.kernel)


def attach(simulate: Path | None = None, config_dir: Path | None = None) -> Lio:
    """Open the simulated target in folder `simulate`, or this host's. Loads and mounts nothing yet.

    Raises PyshellError where the folder holds something else.
    """
    if simulate is None:
        from pyshell.host.real_machine import RealMachine

        lock = _LOCK if _LOCK.parent.is_dir() else Path("/var/run/targetcli.lock")
        folder = config_dir or CONFIG_DIR
        return Lio(RealKernel(), RealMachine(), folder, lock, _MARK, at_once=_AT_ONCE)
    from pyshell.simulator import SimulatedMachine

    found = _open_simulator(simulate)
    return Lio(
        found,
        SimulatedMachine(found),
        config_dir or found.config_dir,
        found.folder / "command.lock",  # `lock` there is the simulated kernel's own
        found.folder / "missing",
        found.folder,
        found,
    )


def _open_simulator(folder: Path) -> Simulator:
    """Open the simulated kernel in `folder` and put it under rtslib. Raises PyshellError."""
    from pyshell.simulator import open_simulator, under_rtslib

    try:
        found = open_simulator(folder)
        found.machine.check()
    except OSError as error:
        raise from_os_error(error, "open the simulated target", path=str(folder)) from error
    except ValueError as error:
        hint = "Fix or remove that file, or name another folder with --simulate=DIR."
        raise PyshellError(str(error), hint) from error
    found.before_act = require_changing
    under_rtslib.attach(found)
    return found


def _ready() -> None:
    """Mount configfs and load the target core if needed.

    rtslib's own mount never names its folder (field failure 73), so this comes before it.
    """
    if not os.path.isdir(CONFIGFS):
        if os.geteuid() != 0:
            raise NotPermittedError(
                "The kernel's storage target is not loaded.", "Run pyshell as root."
            )
        if not os.path.ismount("/sys/kernel/config"):
            if not os.path.isdir("/sys/kernel/config"):
                _run("modprobe", "configfs")
            _run("mount", "-t", "configfs", "none", "/sys/kernel/config")
        if not os.path.isdir(CONFIGFS):
            _run("modprobe", "target_core_mod")
        if not os.path.isdir(CONFIGFS):
            raise NotFoundError(
                f"This kernel has no storage target: {CONFIGFS} is missing.",
                "It needs CONFIG_TARGET_CORE.",
            )


def _set_dbroot(kernel: Kernel) -> None:
    """Point the kernel's dbroot at /etc/target as rtslib would, but quietly, if it differs."""
    try:
        CONFIG_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError:
        return  # a read-only /etc: saving will say so
    place = f"{kernel.root}/dbroot"
    if text_or_none(kernel, place) not in (None, str(CONFIG_DIR)):
        with contextlib.suppress(OSError), changing():
            # It is fixed while devices exist; only persistent reservations live there.
            kernel.write(place, f"{CONFIG_DIR}\n")


def _run(*command: str) -> None:
    line = " ".join(command)
    try:
        done = programs.run(*command)
    except OSError as error:
        raise from_os_error(error, f"run '{line}'") from error
    if done.returncode != 0:
        reason = done.stderr.strip().replace("\n", " ") or f"exit status {done.returncode}"
        raise PyshellError(f"'{line}' failed: {reason}", "Run it by hand and try again.")
