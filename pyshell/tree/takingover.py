# SPDX-License-Identifier: Apache-2.0
"""The root's command by which pyshell takes over from targetcli at boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyshell.tree.command import BOOL, Param, command
from pyshell.tree.common import CommonNode
from pyshell.tree.results import Lines, Result, Work

if TYPE_CHECKING:
    from pyshell.saved.takeover import Takeover


class TakingOverNode(CommonNode):
    """What the root has of this command."""

    @command(
        "Let pyshell bring the target back at boot, instead of targetcli or rtslib.",
        Param("back", BOOL, "Give it back to whom it was taken from.", default=False),
        changes=True,
        details=(
            "It enables pyshell's units and disables those of the others; none is started or "
            "stopped, and what runs stays as it is. With --dry-run it tells which."
        ),
        examples=("takeover", "takeover back=true"),
    )
    def ui_command_takeover(self, back: bool = False) -> Result:
        """Let pyshell bring the target back at boot."""
        from pyshell.saved import locations, takeover

        wanted = takeover.back(self.lio) if back else takeover.forth(self.lio)
        if wanted is None:
            return Lines(["There is nothing to give back: pyshell has taken nothing over."])
        if not back and not (wanted.disable or wanted.enable):
            return Lines(["pyshell brings the target back at boot already."])

        def run() -> Lines:
            (takeover.give_back if back else takeover.take)(self.lio, wanted)
            file = locations.default_file(self.lio)
            said = _sentences(wanted, "Disabled {}.", "Enabled {}.")
            if back:
                return Lines([*said, "What was so before is so again."])
            said.append(f"From the next boot on, pyshell restores {file}. What runs stays.")
            if not file.exists():
                others = [
                    f"; {other} is another program's" for other in locations.elsewhere(self.lio)
                ]
                said.append(f"Nothing is saved there yet{others[0] if others else ''}.")
            return Lines([*said, "takeover back=true gives it back."])

        return Work(_sentences(wanted, "{} would be disabled", "{} would be enabled"), run)


def _sentences(wanted: Takeover, off: str, on: str) -> list[str]:
    return [on.format(unit) for unit in wanted.enable] + [off.format(u) for u in wanted.disable]
