# SPDX-License-Identifier: Apache-2.0
"""The start of the program: `pyshell` as pip installs it, and `python -m pyshell`."""

import contextlib
import gc
import os
import site
import sys

_SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def start() -> int:
    """Run pyshell; as root, import from folders that no other user has chosen.

    Python reads `PYTHONPATH` and the user's own packages before it runs pyshell, so this is the
    second line of defence; the first is the `-I` of the installed launchers.
    """
    if os.geteuid() == 0:
        sys.path[:] = _trusted(sys.path)
        os.environ["PATH"] = _SEARCH_PATH  # libraries look programs up in it, too
        os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS", None)  # root asks the system's own bus alone
        if os.getppid() != 1 and os.environ.get("PYSHELL_WAY") == "boot":
            del os.environ["PYSHELL_WAY"]  # only systemd's own units run at boot
    from pyshell.cli import main

    status = main()
    # The process ends: searching all objects for cycles would take a tenth of a one-liner's time.
    gc.freeze()
    return status


def _trusted(entries: list[str]) -> list[str]:
    """Return the import path without relative folders, the current one, and `PYTHONPATH`'s."""
    chosen: set[str] = set()
    with contextlib.suppress(FileNotFoundError):  # the current folder was removed
        named = ["", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        chosen.update(os.path.abspath(name) for name in named)
    own = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    if os.path.isdir(own) and os.stat(own).st_uid != 0:  # as sudo keeps HOME on some systems
        chosen.add(own)
    return [entry for entry in entries if os.path.isabs(entry) and entry not in chosen]


if __name__ == "__main__":
    sys.exit(start())
