# SPDX-License-Identifier: Apache-2.0
"""Tries a core of the tests with the oldest libraries, other releases of Python, a newer kernel.

python -m tests.versions [--only RELEASE]

The Python that runs this gets the oldest libraries that pyproject.toml allows, as its newest are
what all tests run with; each other release that is on this machine gets the newest. The
walk-through's tests run on a newer kernel, unless one Python alone is asked for. What is not to be
had here is told. Exit status 1 if a run failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from . import kernels
from .kernels import KernelOutcome
from .pythons import find, own, wanted
from .runs import Outcome, Run, carry_out, libraries

# So many runs at once, each of one processor.
AT_ONCE = 2


def plan(releases: Sequence[str]) -> tuple[list[Run], list[str]]:
    """Return what is to be run, and the releases that are not to be had."""
    found = {release: find(release) for release in releases}
    runs = [Run(release, path, release == own()) for release, path in found.items() if path]
    return runs, [release for release, path in found.items() if path is None]


def table(outcomes: Sequence[Outcome], missing: Sequence[str]) -> Iterator[str]:
    """Yield the lines of what was tried, and of what was not."""
    rows = [["Python", "libraries", *(one.name for one in libraries()), "tests"]]
    for one in outcomes:
        age = "oldest" if one.run.lowest else "newest"
        told = ("passed: " if one.passed else "FAILED: ") + one.told
        rows.append([one.run.release, age, *one.versions, told])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    for release in missing:
        yield f"Python {release}: NOT TRIED, there is none on this machine"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what can be run here and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    parser.add_argument("--only", metavar="RELEASE", choices=wanted(), help="this Python alone")
    options = parser.parse_args(arguments)
    os.environ.pop("PYSHELL_REQUIRE_KERNEL", None)
    runs, missing = plan([options.only] if options.only else wanted())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        on_kernels = [] if options.only else [pool.submit(kernels.carry_out)]
        outcomes = list(pool.map(carry_out, runs))
        booted = [one.result() for one in on_kernels]
    both: list[Outcome | KernelOutcome] = [*outcomes, *booted]
    for one in both:
        sys.stdout.write(one.output)
    lines = [*table(outcomes, missing), *(one.told for one in booted)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0 if all(one.passed for one in both) else 1


if __name__ == "__main__":
    sys.exit(main())
