# SPDX-License-Identifier: Apache-2.0
"""The root's command `takeover`: pyshell's units restore the target at boot, not another program's.

The units that were disabled are recorded beside the saved configuration, so that they can be
enabled again. If their program has its saved file in another folder, as Debian's rtslib does, that
file is copied, and copied back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pyshell.config import document_file, store
from pyshell.errors import NotFoundError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.host import Services
from pyshell.host.programs import OTHERS, OTHERS_RESTORE, OURS
from pyshell.lio import Lio
from pyshell.lio.operations.base import Irreversible
from pyshell.tree.command import command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work

FILE = "pyshell-takeover.json"


@dataclass(frozen=True)
class Copy:
    """A saved configuration to copy."""

    source: Path
    to: Path


@dataclass(frozen=True)
class Takeover:
    """Units to disable and to enable, none that are so already, and the file to copy before."""

    disable: tuple[str, ...]
    enable: tuple[str, ...]
    copy: Copy | None = None
    gone: tuple[str, ...] = ()
    """Units to enable that are no longer installed."""


@dataclass(frozen=True)
class _Record:
    """What a takeover changed: the units it disabled, and the file it copied."""

    units: tuple[str, ...] = ()
    copied: Path | None = None

    def to_json(self) -> dict[str, Any]:
        return {"units": [*self.units], "copied": self.copied and str(self.copied)}


@command(changes=True, examples=("takeover", "takeover back=true"), in_candidate="refused")
def takeover(
    node: Node,
    *,
    back: Annotated[
        bool, "Enable the previous units again, and copy the saved configuration back."
    ] = False,
) -> Result:
    """Make pyshell, not targetcli or rtslib, restore the target at boot.

    Enables pyshell's units and disables those of the others. No unit is started or stopped, and
    the running configuration is not changed. If nothing is saved in /etc/target, the saved
    configuration of the disabled program is copied from its own folder, as of Debian's
    /etc/rtslib-fb-target; back=true copies the present one there, and keeps the replaced file as a
    backup. --dry-run shows the units.

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
        said = _sentences(wanted, "Disabled {}.", "Enabled {}.", "Copied {} to {}.")
        if back:
            said += [f"{unit} is not installed: it was not enabled." for unit in wanted.gone]
            return _told([*said, "The previous units are restored."], wanted)
        said.append(
            f"From the next boot on, pyshell restores {file}. The running target is not changed."
        )
        if not file.exists():
            others = [f"; {other} is another program's" for other in store.elsewhere(node.lio)]
            said.append(f"Nothing is saved there yet{others[0] if others else ''}.")
        return _told([*said, "'takeover back=true' reverts this."], wanted)

    would = _sentences(
        wanted, "{} would be disabled", "{} would be enabled", "{} would be copied to {}"
    )
    reverted = "'takeover' does it again." if back else "'takeover back=true' reverts it."
    kept = Irreversible("it changed which units restore the target at boot", reverted)
    return Work(would, run, data=_data(wanted), undone_by=[kept])


def _told(lines: list[str], done: Takeover | None = None) -> Lines:
    return Lines(lines, {"messages": lines, **_data(done)}, form="sentences")


def _data(wanted: Takeover | None) -> dict[str, Any]:
    """Return for `-o json` what is switched, or would be."""
    if wanted is None:
        return {"changed": False, "copied": None, "enabled": [], "disabled": []}
    return {
        "changed": bool(wanted.enable or wanted.disable or wanted.copy),
        "copied": str(wanted.copy.to) if wanted.copy else None,
        "enabled": list(wanted.enable),
        "disabled": list(wanted.disable),
    }


def _sentences(wanted: Takeover, off: str, on: str, copied: str) -> list[str]:
    return [
        *([copied.format(wanted.copy.source, wanted.copy.to)] if wanted.copy else []),
        *(on.format(unit) for unit in wanted.enable),
        *(off.format(unit) for unit in wanted.disable),
    ]


def planned(lio: Lio) -> Takeover:
    """Return what a takeover changes. Raises NotFoundError if pyshell's units are missing."""
    found = lio.machine.services()
    for unit in OURS:
        if not found.state(unit):
            raise NotFoundError(
                f"The unit {unit} is not installed.",
                "Install the files of packaging/systemd and packaging/udev first.",
            )
    disable = tuple(unit for unit in OTHERS if found.state(unit) == "enabled")
    enable = tuple(unit for unit in OURS if found.state(unit) != "enabled")
    return Takeover(disable, enable, _to_copy(lio, disable))


def _to_copy(lio: Lio, disable: Iterable[str]) -> Copy | None:
    """Return how to copy what the disabled units would restore. Raises PyshellError.

    They restore a file of their own only if the boot file is missing: on some distributions, it is
    the same.
    """
    file = store.default_file(lio)
    if os.path.lexists(file) or not set(disable) & {*OTHERS_RESTORE}:
        return None
    for source in store.elsewhere(lio):
        document_file.load_trusted(source)
        return Copy(source, file)
    return None


def reversal(lio: Lio) -> Takeover | None:
    """Return what undoes a takeover, None if there was none."""
    record = _remembered(lio)
    if record is None:
        return None
    found = lio.machine.services()
    states = {unit: found.state(unit) for unit in OTHERS if unit in record.units}
    return Takeover(
        tuple(unit for unit in OURS if found.state(unit) == "enabled"),
        tuple(unit for unit, state in states.items() if state not in ("enabled", "")),
        _to_copy_back(lio, record.copied) if record.copied else None,
        tuple(unit for unit, state in states.items() if not state),
    )


def _to_copy_back(lio: Lio, to: Path) -> Copy | None:
    file = store.default_file(lio)
    if not file.exists():
        return None
    data = document_file.load_trusted(file).data
    same = to.is_file() and document_file.read_file(to).data == data
    return None if same else Copy(file, to)


def take(lio: Lio, wanted: Takeover) -> None:
    """Copy the file, disable and enable units; what is changed is recorded first."""
    before = _remembered(lio) or _Record()
    record = _Record(
        tuple(dict.fromkeys([*before.units, *wanted.disable])),
        wanted.copy.source if wanted.copy else before.copied,
    )
    writing.make_folder(lio.config_dir)
    writing.replace(_file(lio), (json.dumps(record.to_json()) + "\n").encode())
    _copy(wanted.copy)
    _switch(lio.machine.services(), wanted)


def give_back(lio: Lio, wanted: Takeover) -> None:
    """Copy the file back, enable and disable units, and remove the record."""
    _copy(wanted.copy)
    _switch(lio.machine.services(), wanted)
    with os_errors(f"remove {_file(lio)}"):
        _file(lio).unlink(missing_ok=True)


def _copy(wanted: Copy | None) -> None:
    """Copy a file. The one that it replaces is kept as a backup; no older backup is removed."""
    if wanted is None:
        return
    data = document_file.load_trusted(wanted.source).data
    writing.make_folder(wanted.to.parent)
    if wanted.to.exists():
        with os_errors(f"back up {wanted.to}"):
            kept = len(document_file.backups(wanted.to))
        document_file.back_up(wanted.to, kept + 1)
    writing.replace(wanted.to, data)


def _switch(found: Services, wanted: Takeover) -> None:
    if wanted.enable:
        found.enable(wanted.enable)
    if wanted.disable:
        found.disable(wanted.disable)


def _remembered(lio: Lio) -> _Record | None:
    """Return what a takeover changed, None if there was none."""
    try:
        found = _record(lio, reading.parse_json(reading.read(_file(lio)).data))
    except NotFoundError:
        return None
    except ValueError:
        found = None
    if found is None:
        raise PyshellError(f"{_file(lio)} is damaged.", "Remove it.")
    return found


def _record(lio: Lio, data: Any) -> _Record | None:
    """Return the record in the data of its file, None if it is not valid."""
    if not isinstance(data, dict) or not isinstance(data.get("units"), list):
        return None
    named = data.get("copied")
    known = {str(path): path for path in store.known_files(lio)}
    if named is not None and (not isinstance(named, str) or named not in known):
        return None
    units = tuple(str(unit) for unit in data["units"])
    return _Record(units, known[named] if named is not None else None)


def _file(lio: Lio) -> Path:
    return lio.config_dir / FILE
