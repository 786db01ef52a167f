# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a real LIO kernel by hand, from the root of the checkout.

python -m tests.kernel.bed run [--lvm] [--initiator] [--modules "A B"] -- COMMAND [ARG...]

In the guest COMMAND runs as root in the same folder, on the host's own files (what it writes there
is thrown away), without its standard input. Several commands in one guest are a script: `sh FILE`.
PYSHELL_BED_KERNEL=trixie takes the kernel of that release of Debian.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from . import image
from .guestmachine import LIO_MODULES, POLL_SECONDS, BedError, Guest, Settings
from .initiator import NAME


def _follow(source: Path, target: BinaryIO) -> Iterator[None]:
    """Copy, at each step, what a growing file has got since the last."""
    done = 0
    while True:
        if source.exists():
            with source.open("rb") as file:
                file.seek(done)
                done += target.write(file.read())
            target.flush()
        yield


def _run_by_hand(options: argparse.Namespace, results: Path) -> int:
    modules = (*LIO_MODULES, *options.modules.split())
    settings = Settings(modules, options.lvm, options.initiator)
    with Guest(options.command, results, options.timeout, settings) as guest:
        streams = [
            _follow(guest.results / "stdout", sys.stdout.buffer),
            _follow(guest.results / "stderr", sys.stderr.buffer),
        ]
        going = True
        while going:
            going = guest.running()
            for stream in streams:
                next(stream)
            time.sleep(POLL_SECONDS)
        return guest.wait()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.kernel.bed", description="Runs commands on a real LIO kernel."
    )
    acts = parser.add_subparsers(dest="act", metavar="{build,run}", required=True)
    acts.add_parser("build", help="only fetch the kernel and build what boots")
    by_hand = acts.add_parser("run", help="run a command, pass on its output and exit status")
    by_hand.add_argument("--lvm", action="store_true", help="make /dev/mapper/lee-lee.lv, 20 GiB")
    by_hand.add_argument(
        "--initiator", nargs="?", const=NAME, default="", metavar="NAME",
        help=f"run open-iscsi and udev, too, as NAME [{NAME}]",
    )  # fmt: skip
    by_hand.add_argument("--modules", default="", metavar="'A B'", help="load these modules too")
    by_hand.add_argument(
        "--timeout", type=float, default=600.0, metavar="SECONDS", help="end it after these [600]"
    )
    by_hand.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="keep there what COMMAND writes to the folder $PYSHELL_BED_RESULTS",
    )
    by_hand.add_argument("command", nargs="+", metavar="COMMAND")
    return parser


def main() -> int:
    """Run the command line and return its exit status."""
    options = _arguments().parse_args()
    try:
        reason = image.missing()
        if reason:
            raise BedError(reason)
        if options.act == "build":
            sys.stdout.write(f"{image.build().initramfs}\n")
            return 0
        with tempfile.TemporaryDirectory(prefix="pyshell-bed-") as scratch:
            return _run_by_hand(options, options.results or Path(scratch))
    except BedError as error:
        sys.stderr.write(f"bed: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
