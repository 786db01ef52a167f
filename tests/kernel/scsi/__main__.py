# SPDX-License-Identifier: Apache-2.0
"""Compares what initiators see of LIO with the golden list, each disk in a guest of its own.

python -m tests.kernel.scsi run [DISK ...] [--family NAME ...] [--record] [--results FOLDER]
python -m tests.kernel.scsi page
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from .. import image, lio
from ..guestmachine import BedError, Settings
from ..guestmachine import run as run_guest
from . import page, rows, sg, testcu
from .golden import Golden

# On a machine that does other work, too, a disk takes ten times what it takes on an idle one.
GUEST_SECONDS = 5400.0
OUTCOMES = "outcomes.json"
SG = "sg3_utils"


def _run(options: argparse.Namespace) -> int:
    reason = image.missing({**testcu.TOOLS, **sg.TOOLS})
    if reason:
        raise BedError(reason)
    lists = {"testcu": Golden("testcu"), "sg": Golden("sg")}
    different: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pyshell-scsi-") as scratch:
        for row in options.rows or list(rows.ROWS):
            for name, came in _in_guest(row, options, Path(scratch)).items():
                found = lists[name].differences(row, came)
                different += found
                sys.stdout.write("\n".join([f"{row}: {name}: {len(came)} results", *found, ""]))
                sys.stdout.flush()
                if options.record:
                    lists[name].record(row, came)
    return int(bool(different) and not options.record)


def _in_guest(row: str, options: argparse.Namespace, scratch: Path) -> dict[str, dict[str, str]]:
    results = (options.results or scratch) / row
    chosen = [word for family in options.family for word in ("--family", family)]
    command = [sys.executable, "-m", str(__package__), "here", row, *chosen]
    status = run_guest(command, results, GUEST_SECONDS, Settings())
    if status:
        raise BedError(f"{row}: status {status}\n{(results / 'stderr').read_text()}")
    came: dict[str, dict[str, str]] = json.loads((results / OUTCOMES).read_text())
    return came


def _here(options: argparse.Namespace) -> int:
    """Run a row's tests on this kernel, in a guest."""
    row = rows.ROWS[options.rows[0]]
    kept = Path(os.environ["PYSHELL_BED_RESULTS"])
    came: dict[str, dict[str, str]] = {"testcu": {}, "sg": {}}
    lio.clear()
    with rows.exported(row) as urls:
        for family, names in testcu.tests().items():
            if not options.family or family in options.family:
                came["testcu"] |= testcu.run_family(family, names, urls, kept)
        if not options.family or SG in options.family:
            came["sg"] = sg.look(row)
    (kept / OUTCOMES).write_text(json.dumps(came, indent=1))
    return 0


def _page(_options: argparse.Namespace) -> int:
    page.FILE.write_text(page.text(), encoding="utf-8")
    return 0


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.scsi", description=__doc__)
    acts = parser.add_subparsers(metavar="{run,page}", required=True)
    acts.add_parser("page", help="generate docs/conformance.md").set_defaults(act=_page)
    # A guest is started with `here`.
    for one, act in (
        (acts.add_parser("run", help="test all disks, or those named"), _run),
        (acts.add_parser("here"), _here),
    ):
        one.set_defaults(act=act)
        one.add_argument("rows", nargs="*", metavar="DISK", choices=[*rows.ROWS, []])
        one.add_argument(
            "--family",
            action="append",
            default=[],
            metavar="NAME",
            help=f"such as SCSI.Inquiry, or {SG}",
        )
        one.add_argument("--record", action="store_true", help="change the golden lists")
        one.add_argument("--results", type=Path, metavar="FOLDER", help="keep the guests' files")
    options = parser.parse_args()
    try:
        status: int = options.act(options)
    except BedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
