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
        if kind is None or not str(arguments[0]).startswith(TARGET):
            return
        if event == "open" and arguments[2] & os.O_PATH:
            return  # a folder that is only gone through
        read.append(f"{kind} {arguments[0]}\n")

    readlink, opened = os.readlink, os.open

    # Python tells of each file and folder that is opened, but of no link, and not in which folder.
    def read_link(path: Any, **how: Any) -> Any:
        if str(path).startswith(TARGET):
            read.append(f"link {path}\n")
        return readlink(path, **how)

    def open_within(path: Any, *how: Any, dir_fd: int | None = None, **named: Any) -> int:
        if dir_fd is not None:
            read.append(f"file {readlink(f'/proc/self/fd/{dir_fd}')}/{path}\n")
        return opened(path, *how, dir_fd=dir_fd, **named)

    sys.addaudithook(note)
    os.readlink, os.open = read_link, open_within
    status = run(sys.argv[2:])
    with open(sys.argv[1], "w", encoding="utf-8") as listed:
        listed.writelines(list(read))
    sys.exit(status)


if __name__ == "__main__":
    main()
