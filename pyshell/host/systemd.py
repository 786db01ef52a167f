# SPDX-License-Identifier: Apache-2.0
"""The systemd units that restore a target at boot: pyshell's own, and those of other programs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from pyshell.errors import NotFoundError, PyshellError, from_os_error
from pyshell.host import programs

RESTORE = "pyshell-restore.service"
OURS = (RESTORE, "pyshell-missing.path")
OTHERS_RESTORE = (
    "target.service",  # targetcli, on Fedora and its derivatives
    "targetcli.service",  # targetcli, on older distributions
    "rtslib-fb-targetctl.service",  # rtslib, on Debian and its derivatives
)
OTHERS = (*OTHERS_RESTORE, "targetclid.socket", "targetclid.service")  # targetcli's daemon


class Systemd:
    """The host's systemd, or the one of the system whose files lie below `root`."""

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def state(self, unit: str) -> str:
        """Return what `systemctl is-enabled` prints, "" if the unit is not installed."""
        done = self._run("is-enabled", unit)
        state = done.stdout.strip()
        # Older releases report a missing unit on standard error alone.
        return "" if state == "not-found" else state

    def enable(self, units: Sequence[str]) -> None:
        """Have units started at boot; none is started now. Raises PyshellError."""
        self._change("enable", units)

    def disable(self, units: Sequence[str]) -> None:
        """Have units no longer started at boot; none is stopped now. Raises PyshellError."""
        self._change("disable", units)

    def _change(self, act: str, units: Sequence[str]) -> None:
        done = self._run(act, *units)
        if done.returncode:
            reason = done.stderr.strip().replace("\n", " ")
            raise PyshellError(f"'systemctl {act} {' '.join(units)}' failed: {reason}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Without --root, systemctl asks the running manager and reports the change to it.
        where = [] if self._root == "/" else [f"--root={self._root}"]
        try:
            return programs.run("systemctl", *where, *arguments)
        except FileNotFoundError as error:
            raise NotFoundError("This host has no systemd.") from error
        except OSError as error:
            raise from_os_error(error, "run systemctl") from error
