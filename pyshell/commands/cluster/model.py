# SPDX-License-Identifier: Apache-2.0
"""Resources of a cluster and the constraints between them, as Pacemaker has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LOCKS = "locking"
"""The name of the group with the lock managers of shared LVM."""


@dataclass(frozen=True)
class Operation:
    """An operation of a resource: its interval, timeout and the like."""

    name: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Resource:
    """A resource, as the cluster's configuration has it."""

    id: str
    agent: str
    parameters: Mapping[str, str]
    operations: Sequence[Operation]
    about: Sequence[str] = ()
    """Comments."""
    edit: str = ""
    """What to change before use, "" for nothing."""
    promotable: bool = False

    @property
    def whole(self) -> str:
        """Return the name by which constraints know it: that of its clone, if it is one."""
        return f"{self.id}-clone" if self.promotable else self.id

    @property
    def role(self) -> str:
        """Return the role in which others need it, "" for started."""
        return "Promoted" if self.promotable else ""


@dataclass(frozen=True)
class Colocation:
    """A resource that runs only where another one does."""

    id: str
    resource: str
    role: str
    other: str
    other_role: str


@dataclass(frozen=True)
class Order:
    """A resource that starts only after another one is started or promoted."""

    id: str
    first: str
    action: str
    then: str
    then_action: str


@dataclass(frozen=True)
class Cluster:
    """All resources of a target, and the constraints between them."""

    name: str
    target: str
    document: str
    checksum: str | None
    locks: Sequence[Resource]
    """Resources of the whole cluster that run on all nodes."""
    storage: Sequence[Resource]
    members: Sequence[Resource]
    """The resources of the target's group, in the order in which they start."""
    group: str
    """The name of the target's group."""
    colocations: Sequence[Colocation]
    orders: Sequence[Order]
    unknown: Mapping[str, str]
    """Devices that no resource makes available, and why."""
    visible: Mapping[str, str]
    """Devices that need no resource, and why."""
    about: Sequence[str] = ()
    """Comments."""

    @property
    def edits(self) -> list[str]:
        """Return what to change before use."""
        found = (one.edit for one in (*self.storage, *self.members) if one.edit)
        return [*(f"{device}: {why}" for device, why in self.unknown.items()), *found]
