# SPDX-License-Identifier: Apache-2.0
"""The ALUA groups of a storage object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import listing, rtslib_objects
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import AluaGroup, StorageObject
from pyshell.lio.operations.storage import CreateAluaGroup, DeleteAluaGroup
from pyshell.lio.settings import ALUA_STATES
from pyshell.tree.command import ALUA_NAME, CHILD, command
from pyshell.tree.facts import shown_facts
from pyshell.tree.groups import Group
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Result
from pyshell.tree.setting_groups import AluaGroupSettings


class AluaGroupsNode(Node):
    """The folder of the ALUA groups."""

    def __init__(self, place: StorageObject, parent: Node) -> None:
        super().__init__("alua", parent)
        self.place = place

    def make_children(self) -> Sequence[Node]:
        """Make the groups, none where the backend has no ALUA."""
        return [AluaGroupNode(group, self) for group in self._groups()]

    def summary(self) -> tuple[str, bool | None]:
        """Count the groups."""
        return f"ALUA Groups: {len(self.drawn_children())}", None

    @command(changes=True, examples=("/backstores/block/disk1/alua create name=standby tag=16",))
    def ui_command_create(
        self,
        name: Annotated[str, ALUA_NAME, "Name of the group."],
        tag: Annotated[int, "Number of the group, as initiators see it: 1 to 65535."],
    ) -> Result:
        """Create an ALUA group. LUNs of the storage object in it share a state."""
        if not rtslib_objects.supports_alua(self.place):
            raise UsageError(
                f"{self.place} cannot have ALUA groups: its backstore leaves ALUA to the device."
            )
        place = AluaGroup(self.place, name)
        create = CreateAluaGroup(place, tag, said=[f"Created ALUA TPG {name}."])
        return Change([create], place.path)

    @command(changes=True)
    def ui_command_delete(self, name: Annotated[str, CHILD, "Name of the group."]) -> Result:
        """Delete an ALUA group. Its LUNs return to the default group."""
        found = [group for group in self._groups() if group.name == name]
        if not found:
            raise NotFoundError(
                f"No such ALUA group: {name} of {self.place}.",
                f"Run 'ls {self.path}' to list them.",
                targetcli="Invalid ALUA group name",
            )
        return Change([DeleteAluaGroup(found[0])], named=[found[0].path])

    def _groups(self) -> list[AluaGroup]:
        if not rtslib_objects.supports_alua(self.place):
            return []
        return listing.alua_groups(self.place)


class AluaGroupNode(Node):
    """An ALUA group."""

    def __init__(self, place: AluaGroup, parent: Node) -> None:
        super().__init__(place.name, parent)
        self.place = place

    def summary(self) -> tuple[str, bool | None]:
        """Tell the state in which the group's LUNs are."""
        text = text_or_none(self.lio.kernel, f"{self.place.folder}/alua_access_state") or ""
        state = ALUA_STATES.get(int(text)) if text.isdigit() else None
        return f"ALUA state: {state or 'unknown'}", state is not None

    def groups(self) -> dict[str, Group]:
        """Return the group's settings."""
        return {"alua": AluaGroupSettings(self.lio, self.place)}

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the ALUA group."""
        from pyshell.config import running

        return shown_facts(running.read_alua_group(self.lio, self.place), secrets=True)
