# SPDX-License-Identifier: Apache-2.0
"""Counts what named commands import and which files they access, on a simulated target.

Prints the counts beside the recorded ones, which `tests/test_startup.py` compares them with:

python -m tests.bench.start [--renew]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests/data/startup.json"
MORE = 1.1
"""How many times as much as recorded is accepted."""
TARGET = "iqn.2020-07.com.example:t0"
PREPARED = (
    "/backstores/ramdisk create disk1 1M",
    f"/iscsi create {TARGET}",
    f"/iscsi/{TARGET}/tpg1/luns create /backstores/ramdisk/disk1",
    "saveconfig",
)
COMMANDS: Mapping[str, Sequence[str]] = {
    "pwd": ["pwd"],
    "ls": ["ls", "/iscsi"],
    "diff": ["diff"],
    "create": ["/backstores/ramdisk", "create", "disk2", "1M"],
    "complete": [],
}
# The interpreter's own start is left out. Each event is a system call that reaches a file.
_COUNT = """
import json, sys
EVENTS = {"open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
EVENTS |= {"os.link", "os.symlink", "os.chmod", "os.truncate", "os.utime"}
result, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = "pyshell"
before, accesses = set(sys.modules), 0
def note(event, arguments):
    global accesses
    accesses += event in EVENTS
sys.addaudithook(note)
from pyshell.__main__ import start
status = start()
found = {"accesses": accesses, "modules": sorted(set(sys.modules) - before)}
with open(result, "w") as file:
    json.dump(found, file)
sys.exit(status)
"""


class Start(NamedTuple):
    """What a program did from its start to its end."""

    modules: frozenset[str]
    """The modules that it imported."""
    accesses: int
    """How many files and folders it opened, listed or changed."""

    def counts(self) -> dict[str, int]:
        """Return the numbers that are recorded."""
        own = sum(name.partition(".")[0] == "pyshell" for name in self.modules)
        return {"accesses": self.accesses, "modules": len(self.modules), "own modules": own}


def started(arguments: Sequence[str], environment: Mapping[str, str], scratch: Path) -> Start:
    """Run pyshell and return what its start did. Raises AssertionError with its errors."""
    result = scratch / "start.json"
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, str(result), *arguments],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(result.read_text())
    return Start(frozenset(found["modules"]), found["accesses"])


def arguments_of(name: str, simulator: Path) -> list[str]:
    """Return the arguments of a named command; `complete` is Tab in bash."""
    option = f"--simulate={simulator}"
    if name == "complete":
        return ["--complete", "bash", f"pyshell {option} /iscsi/{TARGET}/tpg1/l", "l"]
    return [option, *COMMANDS[name]]


def prepare(simulator: Path, environment: Mapping[str, str], scratch: Path) -> None:
    """Create what the commands are run on, and let Python compile its modules."""
    for line in PREPARED:
        started([f"--simulate={simulator}", *line.split()], environment, scratch)


def measure() -> dict[str, dict[str, int]]:
    """Return the counts of each command."""
    # Always at the same depth: each folder of a path is opened.
    with tempfile.TemporaryDirectory(prefix="pyshell-bench-", dir="/tmp") as scratch:
        return _measured(Path(scratch))


def _measured(scratch: Path) -> dict[str, dict[str, int]]:
    simulator = scratch / "simulator"
    environment = {"HOME": str(scratch), "PATH": "/usr/bin:/bin"}
    prepare(simulator, environment, scratch)
    found = {}
    for name in COMMANDS:
        started(arguments_of(name, simulator), environment, scratch)
        if name == "create":
            started([f"--simulate={simulator}", "undo"], environment, scratch)
        found[name] = started(arguments_of(name, simulator), environment, scratch).counts()
    return found


def python() -> str:
    """Return the release of Python: others have other modules."""
    return "{}.{}".format(*sys.version_info)


def main() -> None:
    """Measure, print, and record if that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="record the counts")
    renew = parser.parse_args().renew
    found = measure()
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"commands": {}}
    for name, counts in found.items():
        before = recorded["commands"].get(name, {})
        told = ", ".join(f"{n} {what} ({before.get(what, '-')})" for what, n in counts.items())
        sys.stdout.write(f"{name}: {told}\n")
    if renew:
        new = {"python": python(), "commands": found}
        RECORDED.write_text(json.dumps(new, indent=2) + "\n")


if __name__ == "__main__":
    main()
