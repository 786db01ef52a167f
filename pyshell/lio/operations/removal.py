# SPDX-License-Identifier: Apache-2.0
"""Deleting an object together with what hangs on it, as lists of operations, innermost first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import (
    DEFAULT_GROUP,
    AluaGroup,
    Identifier,
    Lun,
    MappedLun,
    NodeAcl,
    Portal,
    StorageObject,
    Target,
    Tpg,
)
from pyshell.lio.operations.base import Deletion, Foreseen, Operation
from pyshell.lio.operations.mapping import DeleteLun, DeleteNodeAcl, UnmapLun
from pyshell.lio.operations.setters import SetEnabled
from pyshell.lio.operations.storage import DeleteAluaGroup, DeleteStorageObject
from pyshell.lio.operations.targets import DeletePortal, DeleteTarget, DeleteTpg


def of_lun(lun: Lun) -> list[Operation]:
    """Return what deletes a LUN and its mappings."""
    unmap: list[Operation] = [UnmapLun(mapped) for mapped in listing.mappings_of(lun)]
    return [*unmap, DeleteLun(lun)]


def of_node_acl(acl: NodeAcl) -> list[Operation]:
    """Return what deletes a node ACL and its mapped LUNs."""
    unmap: list[Operation] = [UnmapLun(mapped) for mapped in listing.mapped_luns(acl)]
    return [*unmap, DeleteNodeAcl(acl)]


def of_tpg(tpg: Tpg) -> list[Operation]:
    """Return what disables and deletes a TPG with its ACLs, LUNs and portals."""
    made = disabled(tpg)
    acls = listing.node_acls(tpg)
    made += [UnmapLun(mapped) for acl in acls for mapped in listing.mapped_luns(acl)]
    luns: list[Operation] = [DeleteLun(lun) for lun in listing.luns(tpg)]
    unmapped: list[Operation] = [DeleteNodeAcl(acl) for acl in acls]
    # An ACL that stands for the TPG's nexus can only go when no LUN holds that any more.
    made += [*luns, *unmapped] if tpg.target.fabric.has("nexus") else [*unmapped, *luns]
    made += [DeletePortal(portal) for portal in listing.portals(tpg)]
    return [*made, DeleteTpg(tpg)]


def disabled(tpg: Tpg) -> list[Operation]:
    """Return the operation that disables a TPG and so ends its sessions, if it can be disabled."""
    return [SetEnabled(tpg, False)] if os.path.exists(f"{tpg.folder}/enable") else []


def of_target(target: Target) -> list[Operation]:
    """Return what deletes a target with all its TPGs."""
    made: list[Operation] = []
    for tpg in listing.tpgs(target):
        made += of_tpg(tpg)
    return [*made, DeleteTarget(target)]


def of_targets(targets: Sequence[Target]) -> list[Operation]:
    """Return what deletes targets of one fabric, kind by kind: so LUNs of all go at once."""
    found = [operation for target in targets for operation in of_target(target)]
    nexus = any(target.fabric.has("nexus") for target in targets)
    luns_and_acls = (DeleteLun, DeleteNodeAcl) if nexus else (DeleteNodeAcl, DeleteLun)
    kinds = (SetEnabled, UnmapLun, *luns_and_acls, DeletePortal, DeleteTpg, DeleteTarget)
    return sorted(found, key=lambda operation: kinds.index(type(operation)))


def of_storage_object(lio: Lio, place: StorageObject) -> list[Operation]:
    """Return what deletes a storage object with every LUN that exports it."""
    made: list[Operation] = []
    for lun in listing.luns_of(lio, place):
        made += of_lun(lun)
    return [*made, *alone(place)]


def alone(place: StorageObject) -> list[Operation]:
    """Return what deletes a storage object that no LUN exports (any more), with its ALUA groups."""
    groups = [group for group in listing.alua_groups(place) if group.name != DEFAULT_GROUP]
    made: list[Operation] = [DeleteAluaGroup(group) for group in groups]
    return [*made, DeleteStorageObject(place)]


def left_below(lio: Lio, operations: Iterable[Operation]) -> Identifier | None:
    """Return an object that depends on one to be deleted and that no operation before deletes."""
    foreseen = Foreseen(lio)
    for operation in operations:
        if not isinstance(operation, Deletion):
            continue
        for place in _dependents(lio, operation.place):
            if foreseen.exists(place.folder):
                return place
        foreseen.remove(operation.place.folder)
    return None


DELETE: Mapping[type[Identifier], Callable[[Any], Operation]] = {
    StorageObject: DeleteStorageObject,
    AluaGroup: DeleteAluaGroup,
    Target: DeleteTarget,
    Tpg: DeleteTpg,
    Lun: DeleteLun,
    Portal: DeletePortal,
    NodeAcl: DeleteNodeAcl,
    MappedLun: UnmapLun,
}
"""The operation that deletes an object, by its type."""


def _dependents(lio: Lio, place: Identifier) -> Sequence[Identifier]:
    """Return the objects that are below another one or made of it."""
    rule = _DEPENDENTS.get(type(place))
    return rule(lio, place) if rule is not None else ()


_DEPENDENTS: Mapping[type[Identifier], Callable[[Lio, Any], Sequence[Identifier]]] = {
    Target: lambda _, target: listing.tpgs(target),
    Tpg: lambda _, tpg: [*listing.node_acls(tpg), *listing.luns(tpg), *listing.portals(tpg)],
    Lun: lambda _, lun: listing.mappings_of(lun),
    NodeAcl: lambda _, acl: listing.mapped_luns(acl),
    StorageObject: listing.luns_of,
}
