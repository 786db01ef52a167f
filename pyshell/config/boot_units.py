# SPDX-License-Identifier: Apache-2.0
"""Let pyshell's units restore the target at boot instead of another program's, or switch back.

The units that were disabled are recorded beside the saved configuration, so that they can be
enabled again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pyshell.errors import NotFoundError, PyshellError, from_os_error
from pyshell.files import jsontext, reading, writing
from pyshell.host.machine import Services
from pyshell.host.systemd import OTHERS, OURS
from pyshell.lio.attach import Lio

FILE = "pyshell-takeover.json"


@dataclass(frozen=True)
class Takeover:
    """Units to disable and to enable; none that are so already."""

    disable: tuple[str, ...]
    enable: tuple[str, ...]


def forth(lio: Lio) -> Takeover:
    """Return what a takeover changes. Raises NotFoundError if pyshell's units are missing."""
    found = lio.machine.services()
    for unit in OURS:
        if not found.state(unit):
            raise NotFoundError(
                f"The unit {unit} is not installed.",
                "Install the files of packaging/systemd and packaging/udev first.",
            )
    return Takeover(
        tuple(unit for unit in OTHERS if found.state(unit) == "enabled"),
        tuple(unit for unit in OURS if found.state(unit) != "enabled"),
    )


def back(lio: Lio) -> Takeover | None:
    """Return what undoes a takeover, None if there was none."""
    remembered = _remembered(lio)
    if remembered is None:
        return None
    found = lio.machine.services()
    return Takeover(
        tuple(unit for unit in OURS if found.state(unit) == "enabled"),
        tuple(unit for unit in OTHERS if unit in remembered and found.state(unit) != "enabled"),
    )


def take(lio: Lio, wanted: Takeover) -> None:
    """Disable and enable units; the disabled ones are recorded first."""
    units = dict.fromkeys([*(_remembered(lio) or ()), *wanted.disable])
    writing.make_folder(lio.config_dir)
    writing.replace(_file(lio), (json.dumps([*units]) + "\n").encode())
    _switch(lio.machine.services(), wanted)


def give_back(lio: Lio, wanted: Takeover) -> None:
    """Enable and disable units, and remove the record."""
    _switch(lio.machine.services(), wanted)
    try:
        _file(lio).unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, f"remove {_file(lio)}") from error


def _switch(found: Services, wanted: Takeover) -> None:
    if wanted.enable:
        found.enable(wanted.enable)
    if wanted.disable:
        found.disable(wanted.disable)


def _remembered(lio: Lio) -> list[str] | None:
    """Return the units that were disabled, None if there was no takeover."""
    try:
        found = jsontext.loads(reading.read(_file(lio)).data)
    except NotFoundError:
        return None
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise PyshellError(f"{_file(lio)} is damaged.", "Remove it.")
    return [str(unit) for unit in found]


def _file(lio: Lio) -> Path:
    return lio.config_dir / FILE
