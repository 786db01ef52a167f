# SPDX-License-Identifier: Apache-2.0
"""Does to a cluster of two nodes what an initiator must survive, and records what it saw.

python -m tests.kernel.cluster run [a|b|c|d|e|f|stock ...] [--kills N] [--results FOLDER]
python -m tests.kernel.cluster page FOLDER

a: kill -9 of the active node. b: it stands still (SIGSTOP), and wakes up after the takeover.
c: the link between the nodes is unplugged. d: the document gets an ACL and the disk grows.
e: the disk hangs when the export is to move. f: an APTPL registration survives a takeover.
stock: the stock resource agents get an ACL, for comparison with d.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ..guestmachine import BedError
from . import disk, layout, machine, page, record
from .cluster import AGENT, Cluster, Setup
from .scenarios import ROUNDS, SCENARIOS

NEEDED_BYTES = 8 << 30


def _log(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}\n")
    sys.stdout.flush()


def _run(options: argparse.Namespace, folder: Path) -> int:
    reason = disk.missing()
    if reason:
        raise BedError(reason)
    setup = Setup(folder, disk.build(), layout.Times(), options.agent, _log)
    passed = True
    with Cluster(setup) as cluster:
        try:
            cluster.login()
            about = _about(cluster)
            for name in options.scenarios or sorted(SCENARIOS):
                passed = _rounds(name, cluster, options, about) and passed
        finally:
            cluster.keep_logs()
    return int(not passed)


def _rounds(
    name: str, cluster: Cluster, options: argparse.Namespace, about: dict[str, object]
) -> bool:
    records: list[dict[str, Any]] = []
    count = options.kills if name == "a" and options.kills else options.rounds or ROUNDS[name]
    for number in range(1, count + 1):
        records.append(SCENARIOS[name](cluster, number))
        _log(record.line(records[-1]))
        record.keep(cluster.setup.folder / f"{name}.json", about, records)
    return all(one["passed"] for one in records)


def _about(cluster: Cluster) -> dict[str, object]:
    """Return what the records are of: versions and times."""
    node = cluster.nodes[0]
    shown = node.run(f"dpkg-query -W -f '${{Package}} ${{Version}}\\n' {' '.join(disk.NAMED)}")
    versions = dict(line.split() for line in shown.splitlines())
    versions["linux"] = machine.kernel()
    versions["drbd"] = node.run("cat /sys/module/drbd/version").strip()
    command = ["git", "-C", str(disk.ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": record.moment(time.time()),
        "commit": commit,
        "agent": node.run(f"sha256sum {AGENT}").split()[0],
        "versions": versions,
        "times": vars(cluster.setup.times),
    }


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.kernel.cluster", description=(__doc__ or "").split("\n", 1)[0]
    )
    acts = parser.add_subparsers(dest="act", metavar="{run,page}", required=True)
    run = acts.add_parser("run", help="run scenarios on a cluster in three guests")
    run.add_argument("scenarios", nargs="*", choices=[[], *sorted(SCENARIOS)], metavar="SCENARIO")
    run.add_argument("--kills", type=int, metavar="N", help="rounds of a [20]")
    run.add_argument("--rounds", type=int, metavar="N", help="rounds of each other scenario")
    run.add_argument("--results", type=Path, metavar="FOLDER", help="keep records and logs there")
    run.add_argument(
        "--agent", type=Path, metavar="FILE", help="test this resource agent, not the package's"
    )
    shown = acts.add_parser("page", help="print a table of the records in a folder")
    shown.add_argument("folder", type=Path, metavar="FOLDER")
    return parser


def main() -> int:
    """Run the command line and return its exit status."""
    options = _arguments().parse_args()
    if options.act == "page":
        sys.stdout.write(page.text(options.folder))
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix="pyshell-cluster-") as scratch:
            folder = (options.results or Path(scratch)).absolute()
            return _run(options, folder)
    except BedError as error:
        sys.stderr.write(f"cluster: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
