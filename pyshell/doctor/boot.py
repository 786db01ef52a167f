# SPDX-License-Identifier: Apache-2.0
"""Whether the saved configuration comes back at boot."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyshell.config.store import locations
from pyshell.doctor.findings import Finding, unseen, warning
from pyshell.lio import listing
from pyshell.lio.attach import Lio

UNIT = "pyshell-restore.service"
# Units of others that restore the same file.
_OTHERS = ("target.service", "targetcli.service", "rtslib-fb-targetctl.service")
_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def check(lio: Lio) -> Iterator[Finding]:
    """Yield what speaks against a restore at boot."""
    if not (locations.default_file(lio).exists() or listing.storage_objects()):
        return  # there is nothing to restore
    if not lio.machine.host_file("/run/systemd/system").is_dir():
        yield unseen("boot", "systemd does not run here: see to the restore at boot yourself")
        return
    enabled = [unit for unit in (UNIT, *_OTHERS) if _is_enabled(lio, unit)]
    if not enabled:
        own = _is_installed(lio, UNIT)
        present = [unit for unit in (UNIT, *_OTHERS) if _is_installed(lio, unit)]
        told = "no unit restores the saved configuration at boot: all exports end with this run"
        if present:
            yield warning(UNIT if own else present[0], told, f"systemctl enable {present[0]}")
        else:
            yield warning(UNIT, f"{told}; packaging/systemd of pyshell has the unit")
    if UNIT in enabled and len(enabled) > 1:
        yield warning(
            enabled[1],
            f"both {UNIT} and {enabled[1]} restore at boot: the second fails on what is there",
            choices=[f"systemctl disable {enabled[1]}"],
        )


def _is_enabled(lio: Lio, unit: str) -> bool:
    for folder in _FOLDERS:
        place = lio.machine.host_file(folder)
        if any(os.path.lexists(wants / unit) for wants in place.glob("*.wants")):
            return True
    return False


def _is_installed(lio: Lio, unit: str) -> bool:
    return any(lio.machine.host_file(f"{folder}/{unit}").is_file() for folder in _FOLDERS)
