# SPDX-License-Identifier: Apache-2.0
"""Tries a core of the tests with the libraries of distributions, and a kernel with the oldest.

python -m tests.versions [NAME …]

Without names, all sets: those of distributions (`sets.py`), and the newest libraries with each
release of Python that no distribution's set has. All other tests run with the newest libraries and
one Python. A distribution's Python that is not on this machine is replaced by the next one before
it. Some tests on a newer kernel run with the oldest libraries that pyproject.toml allows; their
name is `kernel`. What is not to be had here is told. Exit status 1 if a run failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from . import kernels
from .kernels import KernelOutcome
from .pythons import find, nearest, own, wanted
from .runs import Outcome, Run, carry_out
from .sets import choose, libraries

# So many runs at once, each of one processor.
AT_ONCE = 2


def plan(names: Sequence[str]) -> tuple[list[Run], list[str]]:
    """Return what is to be run, and the sets whose release of Python is not to be had."""
    runs, missing = [], []
    for name, chosen in choose(wanted(), own()).items():
        if name not in names:
            continue
        is_distribution = not name.startswith("newest")
        release = nearest(chosen.python) if is_distribution else chosen.python
        path = find(release) if release else None
        if release and path:
            runs.append(Run(name, chosen, release, path))
        else:
            missing.append(name)
    return runs, missing


def table(outcomes: Sequence[Outcome], missing: Sequence[str]) -> Iterator[str]:
    """Yield the lines of what was tried, and of what was not."""
    rows = [["set", "Python", *(one.name for one in libraries()), "tests"]]
    for one in outcomes:
        told = ("passed: " if one.passed else "FAILED: ") + one.told
        release = one.run.release
        if release != one.run.libraries.python:
            release = f"{release} (for {one.run.libraries.python})"
        rows.append([one.run.name, release, *one.versions, told])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    for name in missing:
        yield f"{name}: NOT TRIED, its Python is not on this machine"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what can be run here and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.versions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = [*choose(wanted(), own()), "kernel"]
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(known))
    names = parser.parse_args(arguments).names or known
    if unknown := set(names) - set(known):
        parser.error(f"no such set: {', '.join(sorted(unknown))}")
    os.environ.pop("PYSHELL_REQUIRE_KERNEL", None)
    os.environ.pop("PYSHELL_TEST_LONG", None)  # what differs by library is in the short form
    runs, missing = plan(names)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        on_kernels = [pool.submit(kernels.carry_out)] if "kernel" in names else []
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
