# SPDX-License-Identifier: Apache-2.0
"""A guest with a bare Debian on a disk of its own, started by its own systemd, which may reboot."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from typing_extensions import Self

from . import image
from .commands import wait_for
from .guestmachine import BOOT_SECONDS, BedError, machine_command, share

START = image.Start(
    Path(__file__).with_name("debian_init.sh"),
    ("virtio_pci", "virtio_blk", "ext4", "9p", "9pnet_virtio"),
)
AGENT = Path(__file__).with_name("debian_agent.sh")
COMMAND_SECONDS = 400.0
# /dev/vdb: room for the scenario's volume; sparse.
DATA_BYTES = 21 << 30


class DebianGuest:
    """A guest whose agent runs lines of shell. `bed` is /bed there, `machine` QEMU's options."""

    def __init__(self, bed: Path, machine: Sequence[str], memory: str = "4G") -> None:
        self.bed = bed
        self._machine = machine
        self._memory = memory
        self._asked = 0
        self._boots = 0
        self._console = bed / "console.log"
        shutil.copy(AGENT, bed / "agent.sh")
        self._qemu = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End QEMU at once, as a loss of power ends a machine."""
        self._qemu.kill()
        self._qemu.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        booted = image.build(START)
        command = [
            *machine_command(booted, self._console, self._memory),
            *self._machine,
            *share(booted.modules.parent, "modules", readonly=True),
            *share(self.bed, "bed"),
        ]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def booted(self, seconds: float = BOOT_SECONDS) -> str:
        """Wait until the next boot is complete and return systemd's word on it."""
        self._boots += 1
        self._wait("its boot", lambda: self._seen_boots() >= self._boots, seconds)
        return self.run("systemctl is-system-running --wait || :").strip()

    def reboot(self) -> str:
        """Reboot as its administrator would, and wait for that as `booted` does."""
        self._ask("systemctl reboot")  # which may end what would tell of its end
        return self.booted(2 * BOOT_SECONDS)  # it also shuts down, for up to 90 seconds a unit

    def run(self, line: str, seconds: float = COMMAND_SECONDS) -> str:
        """Run a line of shell, which must succeed, and return what it prints."""
        ask = self._ask(line)
        status = ask.with_suffix(".status")
        self._wait(line, status.exists, seconds)
        out, err = (ask.with_suffix(end).read_text(errors="replace") for end in (".out", ".err"))
        if int(status.read_text()):
            raise AssertionError(f"{line}: status {status.read_text()}{out}{err}")
        return out

    def _ask(self, line: str) -> Path:
        """Let the agent run a line of shell; its files have the returned name."""
        self._asked += 1
        ask = self.bed / str(self._asked)
        ask.with_suffix(".new").write_text(line + "\n")
        ask.with_suffix(".new").rename(ask.with_suffix(".command"))
        return ask

    def _seen_boots(self) -> int:
        seen = self.bed / "boots"
        return len(seen.read_text().splitlines()) if seen.exists() else 0

    def _wait(self, what: str, probe: Callable[[], bool], seconds: float) -> None:
        try:
            wait_for(what, lambda: probe() or self._qemu.poll() is not None, seconds)
        except TimeoutError as error:
            raise BedError(f"{error}\n{self._tail()}") from error
        if not probe():
            raise BedError(f"the guest died during {what}\n{self._tail()}")

    def _tail(self) -> str:
        path = self._console
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join([f"--- end of {path}", *text.splitlines()[-60:]])


class BareDebian(DebianGuest):
    """A guest that leaves its disk as it was, and has another for the scenario's volume."""

    def __init__(self, disk: Path, bed: Path) -> None:
        self._data = bed.with_name(bed.name + ".data")
        with self._data.open("wb") as file:
            file.truncate(DATA_BYTES)
        drives = (
            f"file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe",
            f"file={self._data},format=raw,if=virtio,cache=unsafe,discard=unmap",
        )
        super().__init__(bed, [word for drive in drives for word in ("-drive", drive)])

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._data.unlink()
