# SPDX-License-Identifier: Apache-2.0
"""A process that imports the two libraries and reads what a list names once each: a limit.

python -m tests.bench.reading LIST
"""

import contextlib
import os
import sys
from collections.abc import Callable

import configshell
import rtslib_fb

LIBRARIES = (configshell, rtslib_fb)


def main() -> None:
    """Read the files, folders and links."""
    with open(sys.argv[1], encoding="utf-8") as listed:
        named = list(dict.fromkeys(listed.read().splitlines()))
    for line in named:
        kind, _, path = line.partition(" ")
        with contextlib.suppress(OSError):
            READ[kind](path)


def file(path: str) -> None:
    """Read a file."""
    with open(path, encoding="utf-8") as opened:
        opened.read()


READ: dict[str, Callable[[str], object]] = {"file": file, "folder": os.listdir, "link": os.readlink}


if __name__ == "__main__":
    main()
