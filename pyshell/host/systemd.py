# SPDX-License-Identifier: Apache-2.0
"""The systemd units that restore a target at boot: pyshell's own, and those of other programs."""

from __future__ import annotations

from collections.abc import Sequence

from pyshell.errors import NotFoundError, os_errors
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

    @property
    def _systemctl(self) -> list[str]:
        if not programs.has("systemctl"):
            raise NotFoundError("This host has no systemd.")
        # Without --root, systemctl asks the running manager and reports changes to it.
        return ["systemctl"] if self._root == "/" else ["systemctl", f"--root={self._root}"]

    def state(self, unit: str) -> str:
        """Return what `systemctl is-enabled` prints, "" if the unit is not installed."""
        with os_errors("run systemctl"):
            done = programs.run(*self._systemctl, "is-enabled", unit)
        state = done.stdout.strip()
        # Older releases report a missing unit on standard error alone.
        return "" if state == "not-found" else state

    def enable(self, units: Sequence[str]) -> None:
        """Have units started at boot; none is started now. Raises PyshellError."""
        programs.run_checked(*self._systemctl, "enable", *units)

    def disable(self, units: Sequence[str]) -> None:
        """Have units no longer started at boot; none is stopped now. Raises PyshellError."""
        programs.run_checked(*self._systemctl, "disable", *units)
