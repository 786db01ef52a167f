# SPDX-License-Identifier: Apache-2.0
"""The ALUA groups of a storage object."""

from __future__ import annotations

from collections.abc import Sequence

from pyshell.target import handles, listing
from pyshell.target.kernel import text_or_none
from pyshell.target.places import AluaGroup, StorageObject
from pyshell.target.settings import ALUA_STATES
from pyshell.tree import describing
from pyshell.tree.common import CommonNode
from pyshell.tree.groups import Group
from pyshell.tree.kernelgroups import FilesGroup
from pyshell.tree.node import Node


class AluaGroupsNode(CommonNode):
    """The folder of the ALUA groups."""

    def __init__(self, place: StorageObject, parent: Node) -> None:
        super().__init__("alua", parent)
        self.place = place

    def make_children(self) -> Sequence[Node]:
        """Make the groups, none where the backend has no ALUA."""
        return [AluaGroupNode(group, self) for group in self._groups()]

    def summary(self) -> tuple[str, bool | None]:
        """Count the groups."""
        return f"ALUA Groups: {len(self._groups())}", None

    def _groups(self) -> list[AluaGroup]:
        if not handles.supports_alua(self.place):
            return []
        return listing.alua_groups(self.place)


class AluaGroupNode(CommonNode):
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
        return {"alua": FilesGroup(self.lio, self.place, describing.ALUA_GROUP)}
