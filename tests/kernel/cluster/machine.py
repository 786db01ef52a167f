# SPDX-License-Identifier: Apache-2.0
"""The guests of the suite: they keep their disks when they are killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import image
from ..debianguest import DebianGuest
from .qmp import Event, Monitor
from .switch import LOOPBACK, Switch

MEMORY = "1G"
SAME_RESET_SECONDS = 2.0


@dataclass(frozen=True)
class Drive:
    """A disk: /dev/disk/by-id/virtio-NAME in the guest. A shared one is another guest's, too."""

    name: str
    file: Path
    shared: bool = False

    def options(self) -> list[str]:
        """Return QEMU's options for it. What is written is in the host's memory at least."""
        lock = ",file.locking=off" if self.shared else ""
        about = f"id={self.name},file={self.file},format=raw,if=none,cache=unsafe{lock}"
        return ["-drive", about, "-device", f"virtio-blk-pci,drive={self.name},serial={self.name}"]


@dataclass(frozen=True)
class Card:
    """A network card, connected to a switch."""

    name: str
    switch: Switch
    hardware_address: str

    def options(self) -> list[str]:
        """Add a port to the switch and return QEMU's options for the card."""
        switch, guest = self.switch.port()
        local = f"local.type=inet,local.host={LOOPBACK},local.port={guest}"
        remote = f"remote.type=inet,remote.host={LOOPBACK},remote.port={switch}"
        return [
            *("-netdev", f"dgram,id=net-{self.name},{local},{remote}"),
            "-device",
            f"virtio-net-pci,id={self.name},netdev=net-{self.name},mac={self.hardware_address}",
        ]


@dataclass
class Hardware:
    """What a guest has next to its root disk."""

    cards: Sequence[Card]
    drives: Sequence[Drive] = ()
    watchdog: bool = False


class Machine(DebianGuest):
    """A guest in a folder of its own: disk, console.N.log of its Nth start, bed."""

    def __init__(self, name: str, folder: Path, disk: Path, hardware: Hardware) -> None:
        self.name = name
        self._folder = folder
        self._starts = 0
        self._past: list[Event] = []
        bed = folder / "bed"
        bed.mkdir(parents=True)
        root = Drive("root", folder / "root.img")
        copy = ["cp", "--sparse=always", "--reflink=auto", str(disk), str(root.file)]
        subprocess.run(copy, check=True)
        self._monitor_path = folder / "qmp"
        watchdog = ["-device", "i6300esb", "-watchdog-action", "reset"]
        super().__init__(
            bed,
            [
                *(word for drive in (root, *hardware.drives) for word in drive.options()),
                *(word for card in hardware.cards for word in card.options()),
                *(watchdog if hardware.watchdog else ()),
                *("-qmp", f"unix:{self._monitor_path},server=on,wait=off"),
            ],
            MEMORY,
        )

    def _started(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        self._console = self._folder / f"console.{self._starts}.log"
        self._monitor_path.unlink(missing_ok=True)
        started = super()._started()
        self._monitor = Monitor(self._monitor_path)
        return started

    def kill(self) -> None:
        """End QEMU at once, as a loss of power ends a machine."""
        if self._qemu.poll() is None:
            self._past += self._monitor.events()
        super().kill()

    def start(self) -> None:
        """Start the killed guest again, with its disks as it left them."""
        self._past.append(Event("START", time.time(), {}))
        self._qemu = self._started()

    def catch_up(self) -> None:
        """Wait until the guest, which was reset or not, has booted and runs commands."""
        self._boots = self._seen_boots()
        self.run(":")

    def freeze(self) -> None:
        """Stop the guest without its notice."""
        os.kill(self._qemu.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the stopped guest."""
        os.kill(self._qemu.pid, signal.SIGCONT)

    def link(self, card: str, *, up: bool) -> None:
        """Plug or unplug the cable of a network card."""
        self._monitor.execute("set_link", name=card, up=up)

    def hang(self, drive: str, *, hung: bool) -> None:
        """Let a disk's writes hang, or let them through again."""
        limits = dict.fromkeys(("bps", "bps_rd", "iops", "iops_rd", "iops_wr"), 0)
        self._monitor.execute("block_set_io_throttle", device=drive, bps_wr=int(hung), **limits)

    def grow(self, drive: str, size: int) -> None:
        """Make a disk larger while it is used."""
        self._monitor.execute("block_resize", device=drive, size=size)

    def events(self) -> list[Event]:
        """Return what QEMU reported of this guest in all its starts."""
        return self._past + self._monitor.events()

    def resets(self, since: float) -> list[Event]:
        """Return the guest's resets after a time; QEMU reports each several times."""
        names = ("RESET", "WATCHDOG", "GUEST_PANICKED")
        found: list[Event] = []
        for event in self.events():
            repeated = found and event.time - found[-1].time < SAME_RESET_SECONDS
            if event.name in names and event.time > since and not repeated:
                found.append(event)
        return found

    def discard(self) -> None:
        """Delete the disk, which is large, once the guest has ended."""
        (self._folder / "root.img").unlink(missing_ok=True)


def blank(path: Path, megabytes: int) -> Path:
    """Create an empty disk."""
    with path.open("wb") as file:
        file.truncate(megabytes << 20)
    return path


def kernel() -> str:
    """Return the release of the guests' kernel."""
    return image.version()
