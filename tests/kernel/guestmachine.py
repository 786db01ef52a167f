# SPDX-License-Identifier: Apache-2.0
"""One QEMU guest for one command, on an overlay over this machine's own root."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import image

PREPARE = Path(__file__).with_name("prepare.sh")
LIO_MODULES = (
    "target_core_mod",
    "target_core_iblock",
    "target_core_file",
    "target_core_pscsi",
    "iscsi_target_mod",
    "tcm_loop",
)
# Twenty times what a boot needs on an idle machine of two cores.
BOOT_SECONDS = 240.0
POWER_OFF_SECONDS = 20.0
POLL_SECONDS = 0.1


class BedError(Exception):
    """The guest brought back no exit status: it did not boot, crashed or ran out of time."""


@dataclass(frozen=True)
class Settings:
    """What a guest has beyond a bare host with LIO."""

    modules: Sequence[str] = LIO_MODULES
    # The 20 GiB logical volume /dev/mapper/lee-lee.lv.
    lvm: bool = False
    # The name by which open-iscsi and udev run in it, "" where they do not.
    initiator: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class Guest:
    """A guest that runs one command. `results` gets console.log, stdout, stderr and status.

    `timeout` counts seconds from the command's start; the boot has its own limit. The command
    starts in the current directory, as root, and may write into the results folder, which has
    the same path in the guest and is named there by PYSHELL_BED_RESULTS.
    """

    def __init__(
        self,
        command: Sequence[str],
        results: Path,
        timeout: float,
        settings: Settings | None = None,
    ) -> None:
        self.results = results.absolute()
        self.results.mkdir(parents=True, exist_ok=True)
        self._console = self.results / "console.log"
        self._started = self.results / ".started"
        self._status = self.results / "status"
        for name in ("console.log", "stdout", "stderr", "status", ".started"):
            (self.results / name).unlink(missing_ok=True)
        settings = settings or Settings()
        booted = image.build()
        self._write_script(".command.sh", _command_text(command, self.results, settings))
        self._write_script(".boot.sh", _boot_text(booted, self.results, settings))
        self._timeout = timeout
        self._deadline = time.monotonic() + BOOT_SECONDS
        self._has_started = False
        self._qemu = subprocess.Popen(_qemu_command(booted, self.results), stdin=subprocess.DEVNULL)

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def running(self) -> bool:
        """Say whether the command may still be at work. Out of time, raise BedError."""
        if self._qemu.poll() is not None or self._status.exists():
            return False
        if not self._has_started and self._started.exists():
            self._has_started = True
            self._deadline = time.monotonic() + self._timeout
        if time.monotonic() > self._deadline:
            self.kill()
            act = f"finish within {self._timeout:g}" if self._has_started else "boot in time"
            raise BedError(f"the guest did not {act} seconds\n{self.tail()}")
        return True

    def wait(self) -> int:
        """Wait for the command's end and return its exit status, or raise BedError."""
        while self.running():
            time.sleep(POLL_SECONDS)
        # The guest powers itself off after writing the status; if not, nobody minds.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._qemu.wait(POWER_OFF_SECONDS)
        self.kill()
        if not self._status.exists():
            raise BedError(f"the guest died before its command ended\n{self.tail()}")
        return int(self._status.read_text())

    def tail(self, lines: int = 60) -> str:
        """Return the console's last lines, as an error's text."""
        text = self._console.read_text(errors="replace") if self._console.exists() else ""
        return "\n".join([f"--- end of {self._console}", *text.splitlines()[-lines:]])

    def kill(self) -> None:
        """End the guest at once; do nothing where it is gone already."""
        if self._qemu.poll() is None:
            self._qemu.kill()
            self._qemu.wait()

    def _write_script(self, name: str, text: str) -> None:
        (self.results / name).write_text(text)


def run(
    command: Sequence[str], results: Path, timeout: float, settings: Settings | None = None
) -> int:
    """Run one command in a fresh guest and return its exit status, or raise BedError."""
    with Guest(command, results, timeout, settings) as guest:
        return guest.wait()


def _boot_text(booted: image.Image, results: Path, settings: Settings) -> str:
    variables = {
        "VERSION": booted.version,
        "MODULES": str(booted.modules),
        "RESULTS": str(results),
        "LOAD": " ".join(settings.modules),
        "LVM": "yes" if settings.lvm else "",
        "INITIATOR": settings.initiator,
    }
    assignments = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*assignments, PREPARE.read_text()])


def _command_text(command: Sequence[str], results: Path, settings: Settings) -> str:
    environment = {
        "PATH": image.SEARCH_PATH,
        "HOME": "/run/home",
        "TMPDIR": "/run/tmp",
        "LANG": "C.UTF-8",
        "PYSHELL_IN_GUEST": "1",
        "PYSHELL_BED_RESULTS": str(results),
        **settings.environment,
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    folder = shlex.quote(os.getcwd())
    return "\n".join([*exports, f"cd {folder} && exec {shlex.join(command)}", ""])


def _qemu_command(booted: image.Image, results: Path) -> list[str]:
    return [
        *machine_command(booted, results / "console.log"),
        "-no-reboot",
        *share(Path("/"), "host", readonly=True),
        *share(results, "results"),
    ]


def machine_command(booted: image.Image, console: Path, memory: str = "4G") -> list[str]:
    """Return QEMU's command line for a machine without disks; its serial line goes to a file."""
    options = {
        # No KVM: on nested virtual machines it hangs where it seems to be there.
        "-accel": "tcg,thread=single",
        # The newest features, as of "max", take a quarter more of this machine's processor time.
        "-cpu": "Nehalem",
        # Two would wait for each other's locks while a busy machine runs neither of them.
        "-smp": "1",
        "-m": memory,
        "-display": "none",
        "-serial": f"file:{console}",
        "-kernel": str(booted.kernel),
        "-initrd": str(booted.initramfs),
        # A panic reboots at once, which -no-reboot makes the end of QEMU. On a busy machine the
        # emulated timer ticks too late for the kernel's test of it, which would be a panic, too.
        # Without random addresses QEMU finds what it translated for the program's last run again.
        "-append": "console=ttyS0 quiet panic=-1 oops=panic mitigations=off no_timer_check "
        "norandmaps",
    }
    return [
        # The kernel ends QEMU with its parent, however that one dies.
        *(image.tool("setpriv"), "--pdeathsig", "KILL"),
        # The host's tests wait for what they type at; the guests' have time.
        *(image.tool("nice"), "-n", "5"),
        *(image.tool("qemu-system-x86_64"), "-nodefaults", "-no-user-config"),
        *(word for option in options.items() for word in option),
    ]


def share(folder: Path, tag: str, *, readonly: bool = False) -> tuple[str, str]:
    """Return QEMU's option that lets the guest mount a folder of the host by a tag."""
    about = f"local,path={folder},mount_tag={tag},security_model=none,multidevs=remap"
    return "-virtfs", about + (",readonly=on" if readonly else "")
