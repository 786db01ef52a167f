# SPDX-License-Identifier: Apache-2.0
"""Runs a pyshell command line and lists the files of configfs in the order in which it opens them.

python -m tests.bench.tracing LIST COMMAND...
"""

import sys
from typing import Any

TARGET = "/sys/kernel/config/target"


def main() -> None:
    """Run the command and write the list."""
    from pyshell.cli import main as run

    opened: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(TARGET):
            opened.append(str(arguments[0]))

    sys.addaudithook(note)
    status = run(sys.argv[2:])
    with open(sys.argv[1], "w", encoding="utf-8") as listed:
        listed.writelines(f"{path}\n" for path in list(opened))
    sys.exit(status)


if __name__ == "__main__":
    main()
