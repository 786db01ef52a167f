# SPDX-License-Identifier: Apache-2.0
"""Runs the storage test suite's files for targetcli against pyshell, each in a guest of its own.

python -m tests.kernel.sts run [FILE ...] [--only TEXT] [--record] [--targetcli] [--results FOLDER]
python -m tests.kernel.sts tables
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from .. import image, peer, stslibs
from ..guestmachine import BedError, Settings
from ..guestmachine import run as run_guest
from ..initiator import NAME
from . import golden, suite

GUEST_SECONDS = 5400.0
OUTCOMES = "outcomes.json"


def _run(options: argparse.Namespace) -> int:
    names = options.files or list(suite.FILES)
    tools = {tool: of for name in names for tool, of in suite.FILES[name].tools.items()}
    reason = image.missing({"iscsid": "open-iscsi", "udevadm": "udev", **tools})
    if reason:
        raise BedError(reason)
    environment = {"PYSHELL_STS": str(stslibs.build().folder)}
    if options.targetcli:
        environment["PYSHELL_PEER"] = str(peer.build())
    settings = Settings(initiator=NAME, environment=environment)
    expected = golden.Golden()
    different: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pyshell-sts-") as scratch:
        for name in names:
            came = _in_guest(name, options, settings, Path(scratch))
            found = expected.differences(name, came)
            different += found
            sys.stdout.write("\n".join([f"{name}: {golden.counted(came.values())}", *found, ""]))
            sys.stdout.flush()
            if options.record:
                expected.record(name, came)
    return int(bool(different) and not options.record)


def _in_guest(
    name: str, options: argparse.Namespace, settings: Settings, scratch: Path
) -> dict[str, str]:
    results = (options.results or scratch) / name
    command = [sys.executable, "-m", str(__package__), "here", name]
    if options.only:
        command += ["--only", options.only]
    if options.targetcli:
        command += ["--targetcli"]
    status = run_guest(command, results, GUEST_SECONDS, settings)
    if status:
        raise BedError(f"{name}: status {status}\n{(results / 'stderr').read_text()}")
    came: dict[str, str] = json.loads((results / OUTCOMES).read_text())
    return came


def _here(options: argparse.Namespace) -> int:
    """Run a file's tests on this kernel, in a guest."""
    kept = Path(os.environ["PYSHELL_BED_RESULTS"])
    program = suite.TARGETCLI if options.targetcli else suite.PYSHELL
    came = suite.run(options.files[0], program, kept, options.only)
    (kept / OUTCOMES).write_text(json.dumps(came, indent=1))
    return 0


def _tables(_options: argparse.Namespace) -> int:
    sys.stdout.write("\n".join([*golden.Golden().tables(), ""]))
    return 0


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.sts", description=__doc__)
    acts = parser.add_subparsers(metavar="{run,tables}", required=True)
    tables = acts.add_parser("tables", help="print the tables of docs/targetcli.md")
    tables.set_defaults(act=_tables)
    # A guest is started with `here`.
    for one, act in ((acts.add_parser("run", help="run all files, or those named"), _run),
                     (acts.add_parser("here"), _here)):  # fmt: skip
        one.set_defaults(act=act)
        one.add_argument("files", nargs="*", metavar="FILE", choices=[*suite.FILES, []])
        one.add_argument("--only", default="", metavar="TEXT", help="as -k of pytest")
        one.add_argument("--targetcli", action="store_true", help="run targetcli 3.0.2 itself")
        one.add_argument("--record", action="store_true", help="change the golden list")
        one.add_argument("--results", type=Path, metavar="FOLDER", help="keep the guests' files")
    options = parser.parse_args()
    if options.act is _run and options.targetcli and options.record:
        parser.error("the golden list is pyshell's: --record cannot be combined with --targetcli")
    try:
        status: int = options.act(options)
    except BedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
