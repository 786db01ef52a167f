# SPDX-License-Identifier: Apache-2.0
"""Runs a pyshell command line and lists what it reads of configfs, in that order: kind and path.

python -m tests.bench.tracing LIST COMMAND...
"""

import os
import sys
from typing import Any

TARGET = "/sys/kernel/config/target"
KINDS = {"open": "file", "os.scandir": "folder", "os.listdir": "folder"}


def main() -> None:
    """Run the command and write the list."""
    from pyshell.cli import main as run

    read: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        kind = KINDS.get(event)
        if kind is not None and str(arguments[0]).startswith(TARGET):
            read.append(f"{kind} {arguments[0]}\n")

    readlink = os.readlink

    def noted(path: Any, **how: Any) -> Any:
        # Python tells of each file and folder that is opened, but of no link.
        if str(path).startswith(TARGET):
            read.append(f"link {path}\n")
        return readlink(path, **how)

    sys.addaudithook(note)
    os.readlink = noted
    status = run(sys.argv[2:])
    with open(sys.argv[1], "w", encoding="utf-8") as listed:
        listed.writelines(list(read))
    sys.exit(status)


if __name__ == "__main__":
    main()
