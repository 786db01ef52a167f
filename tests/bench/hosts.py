# SPDX-License-Identifier: Apache-2.0
"""Converges many hosts by the example's Ansible role, each with a simulated target of its own.

Prints for a first run, one that finds nothing to do, and one that changes a setting of each host:
how long it takes, and what pyshell takes on a host. From the root of the checkout:

python -m tests.bench.hosts [--hosts 200] [--luns 500] [--forks 2] [--at-once 20]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from driver import clean_environment
from examples.playbook import HERE, PROGRAMS
from examples.readmes import EXAMPLES

from .shapes import Shape

# What each host calls as pyshell: it notes what the run takes.
_LAUNCHER = """\
#!{python} -IS
import os, sys, time
folder = os.path.dirname(os.path.abspath(sys.argv[0]))
os.environ["PYSHELL_SIMULATE"] = os.environ["PYSHELL_HOME"] = folder + "/target"
child = os.fork()
if not child:
    os.execv("{pyshell}", ["pyshell", *sys.argv[1:]])
start = time.monotonic()
_, status, usage = os.wait4(child, 0)
with open(folder + "/took", "a") as file:
    print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=file)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Used(NamedTuple):
    """What a host's runs of pyshell took: seconds of the processor, and at most so many MiB."""

    seconds: float
    memory: float


class Took(NamedTuple):
    """What a play took, how many hosts it changed, and what pyshell took on each."""

    seconds: float
    changed: int
    used: list[Used]


class Fleet:
    """Hosts in a folder, and the playbook for them."""

    def __init__(self, folder: Path, hosts: int) -> None:
        self._folder = folder / "ansible"
        self._hosts = [folder / f"hosts/h{number}" for number in range(hosts)]
        self._scratch = folder
        shutil.copytree(EXAMPLES / "ansible", self._folder)
        named: dict[str, Any] = {}
        for host in self._hosts:
            (host / "target").mkdir(parents=True, mode=0o700)
            program = host / "run"
            text = _LAUNCHER.format(python=sys.executable, pyshell=PROGRAMS / "pyshell")
            program.write_text(text)
            program.chmod(0o700)
            named[host.name] = {**HERE, "pyshell_target_program": str(program)}
        # JSON is YAML.
        (self._folder / "inventory.yml").write_text(json.dumps({"storage": {"hosts": named}}))

    def wants(self, document: dict[str, Any]) -> None:
        """Set what all hosts are to export."""
        names = ("storage_objects", "targets")
        told = {f"pyshell_target_{name}": document[name] for name in names}
        file = self._folder / "group_vars/storage/target.yml"
        file.write_text(json.dumps(told))

    def converge(self, forks: int) -> Took:
        """Run the playbook. Raises RuntimeError with what it prints if a host fails."""
        home = self._scratch / "home"
        environment = {
            **clean_environment(), "HOME": str(home), "ANSIBLE_HOME": str(home),
            "ANSIBLE_REMOTE_TEMP": str(home / "remote"), "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        started = os.times().elapsed
        done = subprocess.run(
            [PROGRAMS / "ansible-playbook", "site.yml", f"--forks={forks}"], cwd=self._folder,
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = os.times().elapsed - started
        recap = done.stdout.rpartition("PLAY RECAP")[2]
        lines = [line for line in recap.splitlines() if " failed=0 " in line]
        if done.returncode or len(lines) != len(self._hosts):
            raise RuntimeError(done.stdout[-3000:] + done.stderr[-1000:])
        changed = sum(" changed=0 " not in line for line in lines)
        return Took(seconds, changed, list(self._used()))

    def _used(self) -> Iterator[Used]:
        for host in self._hosts:
            file = host / "took"
            runs = [tuple(map(float, line.split())) for line in file.read_text().splitlines()]
            file.unlink()
            yield Used(sum(run[0] for run in runs), max(run[1] for run in runs) / 1024)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hosts", description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--luns", type=int, default=500)
    parser.add_argument("--forks", type=int, default=os.cpu_count() or 2)
    parser.add_argument(
        "--at-once",
        type=int,
        default=20,
        help="hosts of a play: the files of 20 with 500 LUNs take 7 GB [20]",
    )
    options = parser.parse_args()
    took: dict[str, list[Took]] = {}
    with contextlib.suppress(KeyboardInterrupt):  # print what there is
        for begin in range(0, options.hosts, options.at_once):
            count = min(options.at_once, options.hosts - begin)
            for what, one in _passes(Shape(options.luns), count, options.forks):
                took.setdefault(what, []).append(one)
                done = f"hosts {begin} to {begin + count - 1}, {what}: {one.seconds:.0f} s"
                sys.stderr.write(f"{done}\n")
    sys.stdout.write("\n".join(_table(took)) + "\n")
    return 0


def _passes(shape: Shape, hosts: int, forks: int) -> Iterator[tuple[str, Took]]:
    """Converge some hosts three times."""
    document = shape.document()
    with tempfile.TemporaryDirectory(prefix="pyshell-hosts-") as name:
        fleet = Fleet(Path(name), hosts)
        for what in ("first", "unchanged", "one setting changed"):
            if what == "one setting changed":
                document["storage_objects"][0]["attributes"] = {"emulate_caw": 0}
            fleet.wants(document)
            yield what, fleet.converge(forks)


def _table(took: Mapping[str, Sequence[Took]]) -> Iterator[str]:
    heads = ("run", "hosts", "changed", "seconds", "pyshell, seconds per host", "at most", "MiB")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for what, plays in took.items():
        used = [one for play in plays for one in play.used]
        own = [one.seconds for one in used]
        memory = max(one.memory for one in used)
        seconds, changed = sum(p.seconds for p in plays), sum(p.changed for p in plays)
        cells = (
            what, f"{len(used)}", f"{changed}", f"{seconds:.0f}", f"{median(own):.2f}",
            f"{max(own):.2f}", f"{memory:.0f}",
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
