# SPDX-License-Identifier: Apache-2.0
"""The kernel's storage target.

`attach` opens the one that commands work on: this host's, or a simulated one in a folder.
`identifiers` name every object and its folder in configfs; `listing` reads them cheaply;
`operations` change them through rtslib, which only `rtslib` and its three companions import. They
are imported when an operation is carried out: commands that only read do not need them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell.errors import NotFoundError, NotPermittedError, PyshellError, from_os_error
from pyshell.files import writing
from pyshell.host import Machine
from pyshell.lio.configfs import (
    CONFIGFS,
    Kernel,
    RealKernel,
    changing,
    require_changing,
    set_page_size,
    text_or_none,
)

if TYPE_CHECKING:
    from pyshell.simulator import SimulatedPort, Simulator

CONFIG_DIR = Path("/etc/target")
_LOCK = Path("/run/targetcli.lock")
_MARK = Path("/run/pyshell/missing")
# Deletions mostly wait for RCU grace periods, which several of them can share.
_AT_ONCE = 8
DBROOT_FOLDERS = {
    "pr": "initiators cannot register for persistent reservations, as clusters do",
    "alua": "the kernel cannot write ALUA states",
}
"""The folders in the kernel's dbroot, and what happens without them.

The kernel writes registrations of persistent reservations to `pr/aptpl_SERIAL`, and ALUA states to
files below `alua/`; it creates no folder. Without `pr`, it registers the initiator and yet fails
the command with LOGICAL UNIT COMMUNICATION FAILURE, also without APTPL: such a registration empties
the file (Linux 6.1 and 6.12, core_scsi3_update_and_write_aptpl).
"""

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
    """The folder of the saved configuration (`/etc/target` on a real host)."""
    lock_file: Path
    """The advisory lock that every changing command takes."""
    mark_file: Path
    """Exists while the last restore since boot is incomplete; systemd units check it."""
    simulated: Path | None = None
    """The simulator's folder, None on the real kernel."""
    simulator: Simulator | None = field(default=None, compare=False, repr=False)
    """The simulated kernel, also of a candidate; None on the real kernel."""
    candidate_folder: Path | None = None
    """The folder of a candidate, a copy of a target to prepare changes in; None for a target.

    A candidate writes nothing outside it.
    """
    progress: Progress = field(default_factory=Progress, compare=False)
    """Receives the progress of long work."""
    at_once: int = 1
    """The number of operations that run in the kernel at the same time."""

    @property
    def root(self) -> str:
        """Return the folder in configfs that holds `core` and the fabrics."""
        return self.kernel.root

    @property
    def run_dir(self) -> Path:
        """Return the folder for state that does not survive a reboot."""
        if self.candidate_folder is not None:
            return self.candidate_folder / "run"
        if self.simulated is not None:
            return self.simulated / "run"
        return self.lock_file.parent / "pyshell"

    @property
    def is_candidate(self) -> bool:
        """Return whether it is a copy of a target to prepare changes in."""
        return self.candidate_folder is not None

    @property
    def may_change(self) -> bool:
        """Return whether this user can change the target: a real one requires root."""
        return self.simulated is not None or os.geteuid() == 0

    def ready(self) -> None:
        """Make sure that configfs is mounted and the target core is loaded.

        Raises NotPermittedError if that requires root, PyshellError with the command that failed.
        """
        if self.simulated is None:
            _ready()

    def prepare_change(self) -> list[str]:
        """Set the kernel's dbroot, without which rtslib refuses to start (field failure 42).

        Creates the folders in it, and returns why that failed, as sentences.
        """
        if not self.may_change or self.is_candidate:
            return []
        if self.simulated is None:
            _set_dbroot(self.kernel)
        return self._create_dbroot_folders()

    @property
    def dbroot(self) -> str:
        """Return the folder in which the kernel keeps what survives a reboot."""
        return text_or_none(self.kernel, f"{self.root}/dbroot") or "/var/target"  # without the file

    def dbroot_folder(self, name: str) -> Path:
        """Return where one of `DBROOT_FOLDERS` can be opened; a candidate has none."""
        if self.candidate_folder is not None:
            return self.candidate_folder / "dbroot" / name
        return self.machine.host_file(f"{self.dbroot}/{name}")

    def _create_dbroot_folders(self) -> list[str]:
        """Create missing folders, accessible to root only; return why that failed."""
        failed = []
        root = self.dbroot
        for name, effect in DBROOT_FOLDERS.items():
            missing = self.machine.host_file(f"{root}/{name}")
            if os.path.isdir(missing):
                continue
            try:
                writing.make_folder(missing)
            except PyshellError as error:
                reason = error.message.rstrip(".")
                failed.append(f"{reason}. Without {missing}, {effect}. {error.hint}".rstrip())
        return failed


def attach(simulate: Path | None = None, config_dir: Path | None = None) -> Lio:
    """Open the simulated target in folder `simulate`, or this host's. Loads and mounts nothing yet.

    Raises PyshellError if the folder contains something else.
    """
    if simulate is None:
        from pyshell.host.real_machine import RealMachine

        lock = _LOCK if _LOCK.parent.is_dir() else Path("/var/run/targetcli.lock")
        folder = config_dir or CONFIG_DIR
        set_page_size()
        return Lio(RealKernel(), RealMachine(), folder, lock, _MARK, at_once=_AT_ONCE)
    from pyshell.simulator.simulated_machine import SimulatedMachine

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


def open_candidate(
    of: Lio, folder: Path, ports: Sequence[SimulatedPort], held: Collection[str]
) -> Lio:
    """Return an empty candidate of a target in a new folder.

    `ports` are those of the host's adapters, `held` the kernel's names of the devices that the
    target holds.
    """
    from pyshell.lio import fabrics, listing
    from pyshell.simulator import Simulator, candidate_host, create, hardware

    folder = Path(os.path.realpath(folder))  # as rtslib compares paths with the targets of links
    machine = of.machine
    offered = {*fabrics.loadable(machine), *(found.name for found in listing.fabrics_in_use(of))}
    table = hardware.HardwareTable(
        devices=(),
        links={},
        fabrics=tuple(sorted(offered)),
        cpus=machine.cpus(),
        memory=machine.memory(),
        ports=tuple(ports),
        ipv6=any(":" in address for address in machine.addresses()),
        addresses=machine.addresses(),
        handlers={},
    )
    known = candidate_host.CandidateHardware(folder, machine, table, held)
    found = Simulator(folder, known, lean=True)
    create(found)
    found.before_change = require_changing
    return replace(
        of,
        kernel=found,
        machine=candidate_host.CandidateMachine(machine, known, found),
        lock_file=folder / "command.lock",
        mark_file=folder / "missing",
        simulator=found,
        candidate_folder=folder,
        at_once=1,
    )


def _open_simulator(folder: Path) -> Simulator:
    """Open the simulated kernel in `folder`. Raises PyshellError."""
    from pyshell.simulator import open_simulator

    try:
        found = open_simulator(folder)
        found.machine.table()
    except OSError as error:
        failed = from_os_error(error, "open the simulated target", path=str(folder))
        if isinstance(failed, NotFoundError) and not os.path.exists(folder / "machine.json"):
            failed.hint = (
                "Copy machine.json from another one: 'pyshell --simulate=DIR ls' with a new folder"
                " creates one."
            )
        raise failed from error
    except ValueError as error:
        hint = "Fix or remove that file, or name another folder with --simulate=DIR."
        raise PyshellError(str(error), hint) from error
    found.before_change = require_changing
    set_page_size(found.page_size)
    return found


def _ready() -> None:
    """Mount configfs and load the target core if needed.

    rtslib's own mount command lacks the mount point (field failure 73), so this runs first.
    """
    if not os.path.isdir(CONFIGFS):
        if os.geteuid() != 0:
            raise NotPermittedError(
                "Cannot see the kernel's storage target: it is not loaded, or only root can see"
                " it.",
                "Run pyshell as root.",
            )
        from pyshell.host import programs  # mostly, it is loaded

        if not os.path.ismount("/sys/kernel/config"):
            if not os.path.isdir("/sys/kernel/config"):
                programs.run_checked("modprobe", "configfs")
            programs.run_checked("mount", "-t", "configfs", "none", "/sys/kernel/config")
        if not os.path.isdir(CONFIGFS):
            programs.run_checked("modprobe", "target_core_mod")
        if not os.path.isdir(CONFIGFS):
            raise NotFoundError(
                f"This kernel has no storage target: {CONFIGFS} is missing.",
                "A kernel with CONFIG_TARGET_CORE is required.",
            )


def _set_dbroot(kernel: Kernel) -> None:
    """Set the kernel's dbroot to /etc/target as rtslib would, but without its messages."""
    try:
        CONFIG_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError:
        return  # a read-only /etc: saving will report it
    file = f"{kernel.root}/dbroot"
    if text_or_none(kernel, file) not in (None, str(CONFIG_DIR)):
        with contextlib.suppress(OSError), changing():
            # The kernel refuses while devices exist; only persistent reservations are stored there.
            kernel.write(file, f"{CONFIG_DIR}\n")
