# SPDX-License-Identifier: Apache-2.0
"""The root's command `takeover`: pyshell's units restore the target at boot, not another program's.

The units that were disabled are recorded beside the saved configuration, so that they can be
enabled again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pyshell.config import store
from pyshell.errors import NotFoundError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.host import Services
from pyshell.host.programs import OTHERS, OURS
from pyshell.lio import Lio
from pyshell.lio.operations.base import Irreversible
from pyshell.tree.command import command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work

FILE = "pyshell-takeover.json"


@dataclass(frozen=True)
class Takeover:
    """Units to disable and to enable; none that are so already."""

    disable: tuple[str, ...]
    enable: tuple[str, ...]


@command(changes=True, examples=("takeover", "takeover back=true"), in_candidate="refused")
def takeover(
    node: Node, *, back: Annotated[bool, "Enable the previous units again."] = False
) -> Result:
    """Make pyshell, not targetcli or rtslib, restore the target at boot.

    Enables pyshell's units and disables those of the others. No unit is started or stopped, and
    the running configuration is not changed. --dry-run shows the units.

    With -o json, `changed` is true if anything was changed, or would be.
    """
    wanted = reversal(node.lio) if back else planned(node.lio)
    if wanted is None:
        return _told(["There is nothing to revert: pyshell has not taken over."])
    if not back and not (wanted.disable or wanted.enable):
        return _told(["pyshell already restores the target at boot."])

    def run() -> Lines:
        (give_back if back else take)(node.lio, wanted)
        file = store.default_file(node.lio)
        said = _sentences(wanted, "Disabled {}.", "Enabled {}.")
        if back:
            return _told([*said, "The previous units are restored."], wanted)
        said.append(
            f"From the next boot on, pyshell restores {file}. The running target is not changed."
        )
        if not file.exists():
            others = [f"; {other} is another program's" for other in store.elsewhere(node.lio)]
            said.append(f"Nothing is saved there yet{others[0] if others else ''}.")
        return _told([*said, "'takeover back=true' reverts this."], wanted)

    would = _sentences(wanted, "{} would be disabled", "{} would be enabled")
    reverted = "'takeover' does it again." if back else "'takeover back=true' reverts it."
    kept = Irreversible("it changed which units restore the target at boot", reverted)
    return Work(would, run, data=_data(wanted), undone_by=[kept])


def _told(lines: list[str], done: Takeover | None = None) -> Lines:
    return Lines(lines, {"messages": lines, **_data(done)}, form="sentences")


def _data(wanted: Takeover | None) -> dict[str, Any]:
    """Return for `-o json` what is switched, or would be."""
    if wanted is None:
        return {"changed": False, "enabled": [], "disabled": []}
    return {
        "changed": bool(wanted.enable or wanted.disable),
        "enabled": list(wanted.enable),
        "disabled": list(wanted.disable),
    }


def _sentences(wanted: Takeover, off: str, on: str) -> list[str]:
    return [on.format(unit) for unit in wanted.enable] + [off.format(u) for u in wanted.disable]


def planned(lio: Lio) -> Takeover:
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


def reversal(lio: Lio) -> Takeover | None:
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
    with os_errors(f"remove {_file(lio)}"):
        _file(lio).unlink(missing_ok=True)


def _switch(found: Services, wanted: Takeover) -> None:
    if wanted.enable:
        found.enable(wanted.enable)
    if wanted.disable:
        found.disable(wanted.disable)


def _remembered(lio: Lio) -> list[str] | None:
    """Return the units that were disabled, None if there was no takeover."""
    try:
        found = reading.parse_json(reading.read(_file(lio)).data)
    except NotFoundError:
        return None
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise PyshellError(f"{_file(lio)} is damaged.", "Remove it.")
    return [str(unit) for unit in found]


def _file(lio: Lio) -> Path:
    return lio.config_dir / FILE
