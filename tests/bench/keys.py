# SPDX-License-Identifier: Apache-2.0
"""Measures the time from a key to what it shows, on a simulated target with very many LUNs.

    python -m tests.bench.keys [LUNS]

A real pseudo-terminal is typed at: what is measured is the whole way, from the key to the bytes
that draw the menu. The target's folders are made by hand, with the files that a menu looks at:
through the simulator they would take an hour.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pexpect

from driver import SERVER, TPG, Pyshell, clean_environment, end

TIMES = 40
MENUS = {
    "commands": (f"{TPG}/luns ", b"Change the current path."),
    "commands, filtered by a typed letter": (f"{TPG}/luns cr", b"ate "),
    "parameters": (f"{TPG}/luns create ", b"add_mapped_luns="),
    "parameters, filtered by a typed letter": (f"{TPG}/luns create add", b"_mapped_luns="),
    "settings": (f"{TPG} set attribute ", b"authentication="),
}
VALUES = (f"{TPG}/luns delete ", b"lun=")


@dataclass(frozen=True)
class Taken:
    """Seconds from a key to what it shows, and those for which pyshell's main thread ran.

    Where other programs keep the machine busy, the second tells what the first would be without.
    """

    wall: float
    ran: float


class Keyboard:
    """pyshell at a pseudo-terminal, with a clock."""

    def __init__(self, folder: Path) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "pyshell", f"--simulate={folder}"],
            env={**clean_environment(), "TERM": "xterm"},
            dimensions=(50, 120),
            timeout=60,
        )
        self.child.delaybeforesend = None
        self.child.expect_exact(b"/> ")
        self.quiet(1.0)

    def quiet(self, seconds: float = 0.15) -> None:
        """Wait until nothing has been drawn for a while."""
        while True:
            try:
                self.child.read_nonblocking(65536, seconds)
            except pexpect.TIMEOUT:
                return

    def ran(self) -> float:
        """Return the seconds for which pyshell's main thread has been on a processor."""
        text = Path(f"/proc/{self.child.pid}/schedstat").read_text(encoding="ascii")
        return int(text.split()[0]) / 1e9

    def until(self, keys: str, shown: bytes) -> Taken:
        """Press keys and return the seconds until `shown` is drawn."""
        seen = b""
        begun, ran = time.perf_counter(), self.ran()
        self.child.send(keys)
        while shown not in seen:
            seen += self.child.read_nonblocking(65536, 60)
        return Taken(time.perf_counter() - begun, self.ran() - ran)

    def clear(self) -> None:
        """Drop the line, and wait until the prompt is there again."""
        self.child.send("\x03")
        self.quiet()


def menu(keyboard: Keyboard, line: str, shown: bytes) -> list[Taken]:
    """Return how long a menu took, each time."""
    taken = []
    for _ in range(TIMES):
        keyboard.child.send(line)
        keyboard.quiet()
        taken.append(keyboard.until("\t", shown))
        keyboard.clear()
    return taken


def typing(keyboard: Keyboard, line: str, *, menu_first: bool = True) -> list[Taken]:
    """Return how long characters took to be shown, while a menu's values were being read."""
    taken = []
    for _ in range(TIMES // 4):
        keyboard.child.send(line)
        keyboard.quiet()
        if menu_first:
            keyboard.child.send("\t")
        taken += [keyboard.until(letter, letter.encode()) for letter in "QZJK"]
        keyboard.clear()
    return taken


def build(folder: Path, count: int) -> None:
    """Make a simulated target with `count` LUNs, each of a storage object of its own."""
    pyshell = Pyshell(folder)
    for line in (f"/iscsi create {SERVER}", "/backstores/ramdisk create d0 1M"):
        assert pyshell.process(line).status == 0
    core = pyshell.configfs / "core"
    first = next(core.glob("rd_mcp_*/d0"))
    luns = pyshell.configfs / "iscsi" / SERVER / "tpgt_1" / "lun"
    for number in range(count):
        made = core / f"rd_mcp_{number}" / f"d{number}"
        if number:
            made.mkdir(parents=True)
            for name in ("enable", "info", "udev_path", "alias"):
                shutil.copy2(first / name, made / name)
        lun = luns / f"lun_{number}"
        lun.mkdir()
        (lun / "alua_tg_pt_gp").write_text("TG Port Alias: default_tg_pt_gp\n", encoding="ascii")
        (lun / "0123456789").symlink_to(os.path.relpath(made, lun))


def told(name: str, taken: Sequence[Taken]) -> str:
    """Return a line of the result, in milliseconds."""
    wall = [one.wall for one in taken]
    columns = (
        statistics.median(wall),
        _p95(wall),
        max(wall),
        statistics.median(one.ran for one in taken),
        _p95([one.ran for one in taken]),
    )
    return f"{name:<28}" + "".join(f"{seconds * 1e3:>10.1f}" for seconds in columns)


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[18]


def main() -> None:
    """Build, measure, and print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pyshell-keys-", dir=base) as made:
        folder = Path(made) / "simulator"
        build(folder, count)
        keyboard = Keyboard(folder)
        print(f"{count} LUNs, {TIMES} times each; milliseconds")  # noqa: T201
        heads = ("median", "p95", "worst", "cpu", "cpu p95")
        print(f"{'':<28}" + "".join(f"{head:>10}" for head in heads))  # noqa: T201
        print(told("a letter, at rest", typing(keyboard, "ls ", menu_first=False)))  # noqa: T201
        for name, (line, shown) in MENUS.items():
            print(told(f"menu of {name}", menu(keyboard, line, shown)))  # noqa: T201
        line, _ = VALUES
        print(told("typing while LUNs are read", typing(keyboard, line)))  # noqa: T201
        print(told("menu of LUNs", menu(keyboard, line, b"ramdisk/d0")))  # noqa: T201
        end(keyboard.child)


if __name__ == "__main__":
    main()
