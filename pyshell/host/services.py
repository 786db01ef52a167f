# SPDX-License-Identifier: Apache-2.0
"""The services of systemd that bring a target back at boot: pyshell's own, and other programs'."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pyshell.errors import NotFoundError, PyshellError, from_os_error
from pyshell.files import jsontext, reading, writing
from pyshell.host import programs
from pyshell.lio.attach import Lio

OURS = ("pyshell-restore.service", "pyshell-missing.path")
OTHERS = (
    "target.service",  # targetcli's, on Fedora and its kin
    "rtslib-fb-targetctl.service",  # rtslib's, on Debian and its kin
    "targetclid.socket",  # targetcli's daemon
    "targetclid.service",
)
# The simulated host is one on which targetcli was used so far.
_SIMULATED = {"target.service": "enabled", **dict.fromkeys(OURS, "disabled")}


class Services(Protocol):
    """What is asked of the host's systemd."""

    def state(self, unit: str) -> str:
        """Return how a unit is installed: enabled, disabled, masked …, "" where it is not."""

    def enable(self, units: Sequence[str]) -> None:
        """Have units started at boot from now on; none is started. Raises PyshellError."""

    def disable(self, units: Sequence[str]) -> None:
        """Have units no longer started at boot; none is stopped. Raises PyshellError."""


class Systemd:
    """The host's systemd, or the one of the system whose files lie below `root`."""

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def state(self, unit: str) -> str:
        """Return how a unit is installed: enabled, disabled, masked …, "" where it is not."""
        done = self._run("is-enabled", unit)
        state = done.stdout.strip()
        # Older releases tell of a missing unit on standard error alone.
        return "" if state == "not-found" else state

    def enable(self, units: Sequence[str]) -> None:
        """Have units started at boot from now on; none is started. Raises PyshellError."""
        self._change("enable", units)

    def disable(self, units: Sequence[str]) -> None:
        """Have units no longer started at boot; none is stopped. Raises PyshellError."""
        self._change("disable", units)

    def _change(self, act: str, units: Sequence[str]) -> None:
        done = self._run(act, *units)
        if done.returncode:
            reason = done.stderr.strip().replace("\n", " ")
            raise PyshellError(f"'systemctl {act} {' '.join(units)}' failed: {reason}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Without --root it would ask the manager that runs, and tell it of the change.
        where = [] if self._root == "/" else [f"--root={self._root}"]
        try:
            return programs.run("systemctl", *where, *arguments)
        except FileNotFoundError as error:
            raise NotFoundError("This host has no systemd.") from error
        except OSError as error:
            raise from_os_error(error, "run systemctl") from error


class SimulatedServices:
    """The simulated host's services, in a file of the simulator's folder."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def state(self, unit: str) -> str:
        """Return how a unit is installed, "" where it is not."""
        return self._read().get(unit, "")

    def enable(self, units: Sequence[str]) -> None:
        """Have units started at boot from now on."""
        self._write(dict.fromkeys(units, "enabled"))

    def disable(self, units: Sequence[str]) -> None:
        """Have units no longer started at boot."""
        self._write(dict.fromkeys(units, "disabled"))

    def _read(self) -> dict[str, str]:
        try:
            found = jsontext.loads(reading.read(self._file, folder_known=True).data)
        except NotFoundError:
            return dict(_SIMULATED)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(s, str) for s in found.values()):
            raise PyshellError(f"{self._file} is damaged.", "Remove it.")
        return found

    def _write(self, states: Mapping[str, str]) -> None:
        text = json.dumps({**self._read(), **states}, indent=2)
        writing.replace(self._file, f"{text}\n".encode())


def services(lio: Lio) -> Services:
    """Return the services of the target's host."""
    if lio.simulated is not None:
        return SimulatedServices(lio.simulated / "services.json")
    return Systemd()
