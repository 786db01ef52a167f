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
from pathlib import Path

import pexpect

from driver import SERVER, TPG, Pyshell, clean_environment

TIMES = 20
LIMIT = 0.050
"""Seconds that a menu may take, at the 95th percentile."""
MENUS = {
    "commands": (f"{TPG}/luns ", b"Change the current path."),
    "commands by letter": (f"{TPG}/luns cr", b"ate "),
    "parameters": (f"{TPG}/luns create ", b"add_mapped_luns="),
    "parameters by letter": (f"{TPG}/luns create add", b"_mapped_luns="),
    "settings": (f"{TPG} set attribute ", b"authentication="),
}
VALUES = (f"{TPG}/luns delete ", b"lun=")


class Keyboard:
    """pyshell at a pseudo-terminal, with a clock."""

    def __init__(self, folder: Path) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "pyshell", f"--simulate={folder}"],
            env={**clean_environment(), "TERM": "xterm", "PYSHELL_HOME": str(folder.parent)},
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

    def until(self, keys: str, shown: bytes) -> float:
        """Press keys and return the seconds until `shown` is drawn."""
        seen = b""
        begun = time.perf_counter()
        self.child.send(keys)
        while shown not in seen:
            seen += self.child.read_nonblocking(65536, 60)
        return time.perf_counter() - begun

    def clear(self) -> None:
        """Drop the line, and wait until the prompt is there again."""
        self.child.send("\x03")
        self.quiet()


def menu(keyboard: Keyboard, line: str, shown: bytes) -> list[float]:
    """Return how long a menu took, each time."""
    taken = []
    for _ in range(TIMES):
        keyboard.child.send(line)
        keyboard.quiet()
        taken.append(keyboard.until("\t", shown))
        keyboard.clear()
    return taken


def typing(keyboard: Keyboard, line: str, *, menu_first: bool = True) -> list[float]:
    """Return how long characters took to be shown, while a menu's values were being read."""
    taken = []
    for _ in range(TIMES // 4):
        keyboard.child.send(line)
        keyboard.quiet()
        if menu_first:
            keyboard.child.send("\t")
        taken += [keyboard.until(letter, letter.encode()) for letter in "zyxw"]
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


def told(name: str, taken: Sequence[float]) -> str:
    """Return a line of the result, in milliseconds."""
    p95 = statistics.quantiles(taken, n=20)[18]
    worst = max(taken)
    return f"{name:<32} {statistics.median(taken) * 1e3:8.1f} {p95 * 1e3:8.1f} {worst * 1e3:8.1f}"


def main() -> None:
    """Build, measure, and print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pyshell-keys-", dir=base) as made:
        folder = Path(made) / "simulator"
        build(folder, count)
        keyboard = Keyboard(folder)
        print(f"{count} LUNs, {TIMES} times each; milliseconds")  # noqa: T201
        print(f"{'':<32} {'median':>8} {'p95':>8} {'worst':>8}")  # noqa: T201
        print(told("a letter, at rest", typing(keyboard, "ls ", menu_first=False)))  # noqa: T201
        for name, (line, shown) in MENUS.items():
            print(told(f"menu of {name}", menu(keyboard, line, shown)))  # noqa: T201
        line, _ = VALUES
        print(told("typing while LUNs are read", typing(keyboard, line)))  # noqa: T201
        print(told("menu of LUNs", menu(keyboard, line, b"lun0")))  # noqa: T201
        keyboard.child.close(force=True)


if __name__ == "__main__":
    main()
