# SPDX-License-Identifier: Apache-2.0
"""The root's command that tells what to do on the other host."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pyshell.errors import NotFoundError
from pyshell.tree.command import BOOL, INITIATOR, WWN, Param, choice, command
from pyshell.tree.common import CommonNode
from pyshell.tree.results import Lines, Result

if TYPE_CHECKING:
    from pyshell.tree.guides.facts import Way
    from pyshell.tree.guides.steps import Step


class GuidingNode(CommonNode):
    """The part of the root that guides."""

    @command(
        "Tell what to do on the other host: from packages to the mounted disk, ready to paste.",
        Param("target", WWN, "Name of an iSCSI target.", required=True),
        Param("initiator", INITIATOR, "Whose host it is; the only one's unless given."),
        Param(
            "system", choice("linux", "windows", "esxi", "freebsd"), "What that host runs.",
            default="linux", named_only=True,
        ),
        Param(
            "show_secrets", BOOL, "With the CHAP secrets; else words stand for them.",
            default=False, named_only=True,
        ),
        details=(
            "A target that listens on all addresses is reached by this host's first address.\n"
            "Where there are several portals, the ways are joined by multipath."
        ),
        examples=(
            "guide iqn.2020-07.192.168.56.101:server",
            "guide iqn.2020-07.192.168.56.101:server iqn.2020-07.192.168.56.105:client"
            " system=windows",
        ),
    )  # fmt: skip
    def ui_command_guide(
        self,
        target: str,
        initiator: str | None = None,
        system: str = "linux",
        show_secrets: bool = False,
    ) -> Result:
        """Tell what to do on the other host."""
        from pyshell.target import listing
        from pyshell.target.fabrics import fabric
        from pyshell.target.places import Target
        from pyshell.tree.guides import facts
        from pyshell.tree.guides.steps import text_lines

        wwn = fabric("iscsi").normalise(target.removeprefix("/iscsi/").rstrip("/")).wwn
        place = Target("iscsi", wwn)
        if not listing.existing(place):
            raise NotFoundError(f"There is no {place}.", "'ls /iscsi' shows them.")
        way = facts.way(self.lio, place, initiator, secrets=show_secrets)
        found = list(_steps_of(system)(way))
        if (way.chap or way.discovery) and not show_secrets:
            self.context.note("show_secrets=true puts the CHAP secrets in, in place of words.")
        return Lines(list(text_lines(found)), _data(way, system, found))


def _steps_of(system: str) -> Callable[[Way], Iterator[Step]]:
    found: Callable[[Way], Iterator[Step]] = import_module(f"pyshell.tree.guides.{system}").steps
    return found


def _data(way: Way, system: str, steps: list[Step]) -> dict[str, Any]:
    from pyshell.tree.guides import linux

    disks = [
        {
            **dataclasses.asdict(disk),
            "by_path": linux.by_path(way, disk),
            "by_id": linux.by_id(way, disk),
        }
        for disk in way.disks
    ]
    return {
        "target": way.target,
        "initiator": way.initiator or None,
        "system": system,
        "portals": way.addresses,
        "chap": way.chap is not None,
        "disks": disks,
        "steps": [dataclasses.asdict(step) for step in steps],
    }
