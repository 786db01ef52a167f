# SPDX-License-Identifier: Apache-2.0
"""A process that imports the two libraries and reads the files of a list once each: a limit.

python -m tests.bench.reading LIST
"""

import sys

import configshell_fb
import rtslib_fb

LIBRARIES = (configshell_fb, rtslib_fb)


def main() -> None:
    """Read the files."""
    with open(sys.argv[1], encoding="utf-8") as listed:
        paths = list(dict.fromkeys(listed.read().splitlines()))
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                file.read()
        except OSError:
            continue


if __name__ == "__main__":
    main()
