# SPDX-License-Identifier: Apache-2.0
"""What takes a shared disk back: its own objects, and those that are left with nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyshell.commands.share.chap_options import is_enforced
from pyshell.commands.share.storage import ISCSI, initiator_named
from pyshell.errors import NotFoundError
from pyshell.lio import impact, listing
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, Target
from pyshell.lio.operations import removal
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import DeleteLun, DeleteNodeAcl, UnmapLun
from pyshell.lio.operations.storage import DeleteStorageObject
from pyshell.lio.operations.targets import DeleteTarget
from pyshell.tree.exports import nearest, storage_object_on
from pyshell.tree.results import Change, Result

if TYPE_CHECKING:
    from pyshell.tree.node import Node


def unshared(node: Node, device: str, initiators: Sequence[str] | None) -> Result:
    """Return what takes a disk back, from some initiators or all. Raises NotFoundError."""
    exported = storage_object_on(node, device)
    every = listing.luns_of(exported) if exported is not None else []
    luns = [lun for lun in every if lun.tpg.target.fabric_name == ISCSI]
    if exported is None or not luns:
        near = nearest(node, device) if exported is None else ""
        raise NotFoundError(f"{device} is not shared.", near or "'ls /iscsi' shows what is.")
    if initiators is not None:
        initiators = [initiator_named(node.lio, name) for name in initiators]
    unmapped = _unmapped(luns, initiators)
    if initiators is not None and not unmapped:
        raise NotFoundError(f"{device} is not shared to {', '.join(initiators)}.")
    gone = [lun for lun in luns if _is_left_unseen(lun, unmapped, initiators)]
    operations = _removal(unmapped, gone)
    kept = [lun for lun in every if lun not in gone]
    if not kept:
        operations += removal.alone(exported)
    for operation in operations:
        _say(operation)
    foreign = [lun for lun in kept if lun not in luns]
    notes = [f"{exported.path} stays: {foreign[0].path} exports it."] if foreign else []
    notes += _chap_that_stays(node, unmapped, gone, operations)
    return Change(
        operations,
        note=" ".join(notes),
        named=[mapped.path for mapped in unmapped] if initiators is not None else (),
        data={"cut": impact.cut(node.lio, operations)},
    )


def _chap_that_stays(
    node: Node,
    unmapped: Sequence[MappedLun],
    gone: Sequence[Lun],
    operations: Sequence[Operation],
) -> list[str]:
    """Return which of the TPGs that lose something want CHAP as before."""
    deleted = [o.place for o in operations if isinstance(o, DeleteTarget)]
    tpgs = dict.fromkeys([*(m.acl.tpg for m in unmapped), *(u.tpg for u in gone)])
    return [
        f"{tpg} still wants CHAP: '{tpg.path} set attribute authentication=0' ends that."
        for tpg in tpgs
        if tpg.target not in deleted and is_enforced(node.lio, tpg)
    ]


def _unmapped(luns: Sequence[Lun], initiators: Sequence[str] | None) -> list[MappedLun]:
    """Return the mappings that go."""
    mappings = [mapped for lun in luns for mapped in listing.mappings_of(lun)]
    if initiators is None:
        return mappings
    return [mapped for mapped in mappings if mapped.acl.wwn in initiators]


def _is_left_unseen(
    lun: Lun, unmapped: Sequence[MappedLun], initiators: Sequence[str] | None
) -> bool:
    """Tell whether a LUN goes: where only some initiators lose it, once none is left."""
    return initiators is None or all(m in unmapped for m in listing.mappings_of(lun))


def _removal(unmapped: Sequence[MappedLun], gone: Sequence[Lun]) -> list[Operation]:
    """Return what deletes mappings, LUNs, and the ACLs and targets that are left with nothing."""
    acls = dict.fromkeys(mapped.acl for mapped in unmapped)
    emptied = [acl for acl in acls if all(m in unmapped for m in listing.mapped_luns(acl))]
    made: list[Operation] = []
    places = dict.fromkeys([*(m.acl.tpg.target for m in unmapped), *(u.tpg.target for u in gone)])
    for target in places:
        if _is_emptied(target, gone, emptied):
            made += removal.of_target(target)
            continue
        made += [UnmapLun(mapped) for mapped in unmapped if mapped.acl.tpg.target == target]
        made += [DeleteNodeAcl(acl) for acl in emptied if acl.tpg.target == target]
        made += [DeleteLun(lun) for lun in gone if lun.tpg.target == target]
    return made


def _is_emptied(target: Target, gone: Sequence[Lun], emptied: Sequence[NodeAcl]) -> bool:
    """Tell whether a target exports nothing and lets nobody in once these are gone."""
    return all(
        all(lun in gone for lun in listing.luns(tpg))
        and all(acl in emptied for acl in listing.node_acls(tpg))
        for tpg in listing.tpgs(target)
    )


def _say(operation: Operation) -> None:
    if isinstance(operation, DeleteLun):
        operation.said = [f"Deleted LUN {operation.place.index}."]
    elif isinstance(operation, DeleteNodeAcl):
        operation.said = [f"Deleted Node ACL {operation.place.wwn}."]
    elif isinstance(operation, DeleteTarget):
        operation.said = [f"Deleted Target {operation.place.wwn}."]
    elif isinstance(operation, DeleteStorageObject):
        operation.said = [f"Deleted storage object {operation.place.name}."]
