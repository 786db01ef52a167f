# SPDX-License-Identifier: Apache-2.0
"""The root's command by which pyshell takes over from targetcli at boot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pyshell.config import boot_units
from pyshell.config.store import saved_file
from pyshell.tree.command import command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work

if TYPE_CHECKING:
    from pyshell.config.boot_units import Takeover


@command(changes=True, examples=("takeover", "takeover back=true"))
def takeover(
    node: Node, *, back: Annotated[bool, "Enable the previous units again."] = False
) -> Result:
    """Make pyshell, not targetcli or rtslib, restore the target at boot.

    Enables pyshell's units and disables those of the others. No unit is started or stopped, and
    the running configuration is not changed. --dry-run shows the units.

    With -o json, `changed` is true if anything was changed, or would be.
    """
    wanted = boot_units.back(node.lio) if back else boot_units.forth(node.lio)
    if wanted is None:
        return _told(["There is nothing to revert: pyshell has not taken over."])
    if not back and not (wanted.disable or wanted.enable):
        return _told(["pyshell already restores the target at boot."])

    def run() -> Lines:
        (boot_units.give_back if back else boot_units.take)(node.lio, wanted)
        file = saved_file.default_file(node.lio)
        said = _sentences(wanted, "Disabled {}.", "Enabled {}.")
        if back:
            return _told([*said, "The previous units are restored."], wanted)
        said.append(
            f"From the next boot on, pyshell restores {file}. The running target is not changed."
        )
        if not file.exists():
            others = [f"; {other} is another program's" for other in saved_file.elsewhere(node.lio)]
            said.append(f"Nothing is saved there yet{others[0] if others else ''}.")
        return _told([*said, "'takeover back=true' reverts this."], wanted)

    would = _sentences(wanted, "{} would be disabled", "{} would be enabled")
    return Work(would, run, data=_data(wanted))


def _told(lines: list[str], done: Takeover | None = None) -> Lines:
    return Lines(lines, {"messages": lines, **_data(done)})


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
