# SPDX-License-Identifier: Apache-2.0
"""Measures in a guest and prints the tables. From the root of the checkout:

python -m tests.bench [--runs 3] [--peer-seconds 300] [100 300 1000 100x10]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from kernel import image, peer
from kernel.guestmachine import BedError, run

from . import folders, simulated, table
from .shapes import shape_of

SHAPES = ("100", "300", "1000", "100x10")
HOURS = 6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of which the median counts [3]")
    parser.add_argument(
        "--peer-seconds", type=float, default=300, help="limit for targetcli and rtslib; 0: neither"
    )
    parser.add_argument("--simulate", action="store_true", help="a quick look, without a guest")
    parser.add_argument("--results", type=Path, help="keep what the guest wrote there")
    parser.add_argument("--figures", type=Path, help="print the tables of an earlier run's file")
    parser.add_argument("shapes", nargs="*", default=SHAPES, help="LUNS or TARGETSxLUNS")
    options = parser.parse_args()
    if options.figures:
        _print(options.figures)
        return 0
    if options.simulate:
        found = simulated.measure([shape_of(text) for text in options.shapes])
        for line in table.quick(found):
            sys.stdout.write(f"{line}\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="pyshell-bench-") as scratch:
        return _measure(options, options.results or Path(scratch))


def _measure(options: argparse.Namespace, results: Path) -> int:
    reason = image.missing({"dbus-daemon": "dbus"})
    if reason:
        sys.stderr.write(f"bench: {reason}\n")
        return 1
    command = [sys.executable, "-m", "tests.bench.inside", "--runs", str(options.runs)]
    results.mkdir(parents=True, exist_ok=True)
    for folder in folders.own():
        folders.pack(folder, results)
    if options.peer_seconds:
        python = peer.build()
        folders.pack(python.parent.parent, results)
        command += ["--peer", str(python), "--peer-seconds", str(options.peer_seconds)]
    try:
        status = run([*command, *options.shapes], results, HOURS * 3600)
    except BedError as error:
        sys.stderr.write(f"bench: {error}\n")
        status = 1
    if status:
        sys.stderr.write((results / "stderr").read_text())
    if (results / "figures.json").exists():
        _print(results / "figures.json")
    return status


def _print(figures: Path) -> None:
    for line in table.lines(json.loads(figures.read_text())):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
