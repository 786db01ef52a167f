# SPDX-License-Identifier: Apache-2.0
"""Runs published programs that call targetcli on a bare Debian with pyshell-targetcli.

python -m tests.kernel.dropin run [PROGRAM ...] [--roles FOLDER] [--targetcli] [--record]
                                  [--results FOLDER]
python -m tests.kernel.dropin tables
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from ..debianguest import BareDebian
from ..guestmachine import BedError
from . import disk, golden
from .programs import BED, PROGRAMS, Program

STEP_SECONDS = 3600.0
APT = "apt-get install -y --no-install-recommends"


def _run(options: argparse.Namespace) -> int:
    reason = disk.missing()
    if reason:
        raise BedError(reason)
    called = golden.TARGETCLI if options.targetcli else golden.PYSHELL
    expected = golden.Golden()
    different: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pyshell-dropin-") as name:
        scratch = Path(name)
        packages = scratch / "packages"
        disk.packages(packages)
        made = disk.build(packages)
        for program in options.programs or PROGRAMS:
            bed = scratch / program
            bed.mkdir()
            shutil.copytree(packages, bed / "packages")
            PROGRAMS[program].prepare(bed, options.roles)
            kept = (options.results or scratch / "results") / called
            came = _in_guest(PROGRAMS[program], called, made, bed, kept / program)
            found = expected.differences(called, program, came)
            different += found
            sys.stdout.write("\n".join([f"{program}: {golden.counted(came)}", *found, ""]))
            sys.stdout.flush()
            if options.record:
                expected.record(called, program, came)
    return int(bool(different) and not options.record)


def _in_guest(program: Program, called: str, made: Path, bed: Path, kept: Path) -> dict[str, str]:
    """Run a program's steps in a guest of its own; keep what each prints in the folder `kept`."""
    kept.mkdir(parents=True, exist_ok=True)
    came: dict[str, str] = {}
    with BareDebian(made, bed) as guest:
        guest.booted()
        for line in (*_installing(called), *program.before):
            guest.run(line)
        names = " ".join((*disk.NAMED, golden.PYSHELL))
        versions = guest.run(f"uname -r; targetcli --version 2>&1; dpkg -l {names} 2>&1 || :")
        (kept / "versions.txt").write_text(versions)
        for number, step in enumerate(program.steps, 1):
            # The status of what fails is in what it prints.
            output = guest.run(f"({step.line}) 2>&1 || :", STEP_SECONDS)
            (kept / f"{number}.txt").write_text(output)
            came |= step.read(output)
    return came


def _installing(called: str) -> list[str]:
    folder = BED / "packages"
    if called == golden.TARGETCLI:
        return [f"{APT} {folder}/archive/targetcli-fb_*.deb"]
    return [f"{APT} {folder}/pyshell_*.deb {folder}/pyshell-targetcli_*.deb"]


def _tables(_options: argparse.Namespace) -> int:
    sys.stdout.write("\n".join([*golden.Golden().tables(), ""]))
    return 0


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.dropin", description=__doc__)
    acts = parser.add_subparsers(metavar="{run,tables}", required=True)
    tables = acts.add_parser("tables", help="print the tables of docs/targetcli.md")
    tables.set_defaults(act=_tables)
    run = acts.add_parser("run", help="run all programs, or those named")
    run.set_defaults(act=_run)
    run.add_argument("programs", nargs="*", metavar="PROGRAM", choices=[*PROGRAMS, []])
    run.add_argument("--roles", type=Path, metavar="FOLDER", help="checkouts of the Ansible roles")
    run.add_argument("--targetcli", action="store_true", help="run Debian's targetcli-fb instead")
    run.add_argument("--record", action="store_true", help="change the golden list")
    run.add_argument("--results", type=Path, metavar="FOLDER", help="keep what the tests print")
    options = parser.parse_args()
    try:
        status: int = options.act(options)
    except (BedError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
