# SPDX-License-Identifier: Apache-2.0
"""`share` and `unshare`: export a disk to initiators in one command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pyshell import names
from pyshell.commands.share.chap_options import Chap, is_enforced
from pyshell.commands.share.sharing import ISCSI, Sharing, initiator_named
from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import listing
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, Target
from pyshell.lio.operations import disturbance
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import DeleteLun, DeleteNodeAcl, UnmapLun
from pyshell.lio.operations.storage import DeleteStorageObject, remove_unexported
from pyshell.lio.operations.targets import DeleteTarget, remove_target
from pyshell.lio.settings import has_credentials
from pyshell.tree.backstores import CompanyId, Product, Revision, Serial, Vendor
from pyshell.tree.command import (
    DISK,
    LUN,
    SECRET,
    SIZE,
    SO_NAME,
    TARGET,
    ValueType,
    choice,
    command,
)
from pyshell.tree.luns import nearest, storage_object_on
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Result

if TYPE_CHECKING:
    from pyshell.tree.node import Node


def _portals(text: str) -> tuple[tuple[str, int], ...]:
    return tuple(names.portal(part) for part in text.split(",") if part)


def _words(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part for part in text.split(",") if part))
    if not found:
        raise UsageError("It is empty.", "Give the name of an initiator.")
    return found


INITIATORS = ValueType("wwn,...", _words, source="initiator")
PORTALS = ValueType("address[:port],...", _portals)
_DEVICE_HELP = "Path of a block device or image file, or path or name of a storage object."
_SECRET_HELP = "password=- asks for it, password=@FILE reads it from a file."  # noqa: S105


@command(
    changes=True,
    examples=(
        "share /dev/mapper/lee-lee.lv to=iqn.2020-07.192.168.56.105:client",
        "share /srv/disk2.img to=iqn.2020-07.192.168.56.105:client size=10G",
    ),
)
def share(
    node: Node,
    device: Annotated[str, DISK, _DEVICE_HELP],
    to: Annotated[tuple[str, ...], INITIATORS, "Names of the initiators, separated by commas."],
    *,
    target: Annotated[str | None, TARGET, "Name of the target; created if missing."] = None,
    name: Annotated[str | None, SO_NAME, "Name of a new storage object."] = None,
    lun: Annotated[int | None, LUN, "Number of the LUN. Default: the lowest free one."] = None,
    readonly: Annotated[
        bool | None,
        "Give these initiators read-only access. Default: read-write for a new mapping, unless the"
        " storage object is read-only.",
    ] = None,
    discard: Annotated[
        bool | None,
        "Let initiators free unused blocks (UNMAP). Default: by the preference enable_discard, for"
        " a new storage object whose device can free them.",
    ] = None,
    portal: Annotated[
        tuple[tuple[str, int], ...], PORTALS, "Portals to listen on, separated by commas."
    ] = (),
    size: Annotated[int | None, SIZE, "Size of a new image file."] = None,
    vendor: Vendor = None,
    product: Product = None,
    revision: Revision = None,
    company_id: CompanyId = None,
    wwn: Serial = None,
    chap: Annotated[
        str | None,
        choice("oneway", "mutual"),
        "Generate missing CHAP secrets: the initiator's, or both.",
    ] = None,
    userid: Annotated[str | None, "CHAP name of the initiator. Default: its name."] = None,
    password: Annotated[str | None, f"CHAP secret of the initiator. {_SECRET_HELP}", SECRET] = None,
    mutual_userid: Annotated[str | None, "CHAP name of the target. Default: its name."] = None,
    mutual_password: Annotated[str | None, "CHAP secret of the target.", SECRET] = None,
) -> Result:
    """Export a disk over iSCSI in one line, all or nothing.

    Existing objects are used; running it again changes nothing.

    Storage object: the existing one on the device, or else a new one (block, or fileio for an image
    file), named after the last part of the device's path.

    Discard: a new storage object whose device can free blocks offers it to initiators
    (emulate_tpu); an image file only if its space is not fully allocated. With the
    preference enable_discard=false, none does. An existing storage object is only changed by
    discard=.

    Target: the one that already exports it; otherwise the only iSCSI target (if there
    are several, target= is needed); if there is none, a new one named after this host and the
    storage object. TPG: the one that exports the disk,
    otherwise the first.

    Portals: those given. Without portal=, a new target gets the default portal; if another target's
    portals conflict with that, it gets the portals of the other targets.

    The disk is mapped for the named initiators only, under the LUN's number if that is free. share
    gives them access to no other disk; access that they already have stays.
    """
    credentials = Chap(
        chap or "", userid or "", password or "", mutual_userid or "", mutual_password or ""
    )
    named = [node.accepted(initiator_named(node.lio, one)) for one in to]
    initiators = tuple(dict.fromkeys(named))
    credentials.check(initiators)
    identity = {
        "vendor": vendor, "product": product, "revision": revision, "company_id": company_id,
        "wwn": wwn,
    }  # fmt: skip
    return Sharing(
        node,
        device,
        initiators,
        target,
        name,
        lun,
        portal,
        size,
        identity,
        credentials,
        readonly,
        discard,
    ).result()


@command(changes=True, examples=("unshare /dev/mapper/lee-lee.lv",))
def unshare(
    node: Node,
    device: Annotated[str, DISK, _DEVICE_HELP],
    to: Annotated[
        tuple[str, ...] | None,
        INITIATORS,
        "Stop exporting it to these initiators only. Default: all.",
    ] = None,
) -> Result:
    """Stop exporting a disk. The device or image file is kept.

    The data of a ramdisk is lost. It works for any export, not only for those created by share.

    The disk's LUNs and mappings over iSCSI are deleted. Then node ACLs that are left without a disk
    and a target that is left without LUNs and initiators are deleted. The storage object is deleted
    unless something else exports it. Objects that were empty before are kept.
    """
    exported = storage_object_on(node, device)
    every = listing.luns_of(node.lio, exported) if exported is not None else []
    luns = [lun for lun in every if lun.tpg.target.fabric_name == ISCSI]
    if exported is None or not luns:
        is_free = storage_object_on(node, f"/dev/{device}") is None
        near = nearest(node, device, devices=not is_free) if exported is None else ""
        raise NotFoundError(f"{device} is not shared.", near or "'ls /iscsi' shows what is.")
    initiators = [initiator_named(node.lio, name).wwn for name in to] if to is not None else None
    unmapped = _unmapped(luns, initiators)
    if initiators is not None and not unmapped:
        raise NotFoundError(f"{device} is not shared to {', '.join(initiators)}.")
    gone = [lun for lun in luns if _is_left_unseen(lun, unmapped, initiators)]
    operations = _removal(unmapped, gone)
    kept = [lun for lun in every if lun not in gone]
    if not kept:
        operations += remove_unexported(exported)
    for operation in operations:
        _say(operation)
    foreign = [lun for lun in kept if lun not in luns]
    notes = [f"{exported.path} stays: {foreign[0].path} exports it."] if foreign else []
    notes += _chap_that_stays(node, unmapped, gone, operations)
    return Change(
        operations,
        note=" ".join(notes),
        named=[mapped.path for mapped in unmapped] if initiators is not None else (),
        data={"cut": disturbance.cut(node.lio, operations)},
    )


def _chap_that_stays(
    node: Node,
    unmapped: Sequence[MappedLun],
    gone: Sequence[Lun],
    operations: Sequence[Operation],
) -> list[str]:
    """Return notes on affected TPGs that still require CHAP, with which nobody logs in."""
    deleted = [o.place for o in operations if isinstance(o, DeleteTarget | DeleteNodeAcl)]
    tpgs = dict.fromkeys([*(m.acl.tpg for m in unmapped), *(u.tpg for u in gone)])
    return [
        f"{tpg} still requires CHAP: '{tpg.path} set attribute authentication=0' ends that."
        for tpg in tpgs
        if tpg.target not in deleted
        and is_enforced(node.lio, tpg)
        and not any(
            has_credentials(node.lio.kernel, acl.folder)
            for acl in listing.node_acls(tpg)
            if acl not in deleted
        )
    ]


def _unmapped(luns: Sequence[Lun], initiators: Sequence[str] | None) -> list[MappedLun]:
    """Return the mappings to delete."""
    mappings = [mapped for lun in luns for mapped in listing.mappings_of(lun)]
    if initiators is None:
        return mappings
    return [mapped for mapped in mappings if mapped.acl.wwn in initiators]


def _is_left_unseen(
    lun: Lun, unmapped: Sequence[MappedLun], initiators: Sequence[str] | None
) -> bool:
    """Return whether to delete a LUN: not if initiators keep it."""
    return initiators is None or all(m in unmapped for m in listing.mappings_of(lun))


def _removal(unmapped: Sequence[MappedLun], gone: Sequence[Lun]) -> list[Operation]:
    """Return the operations that delete mappings, LUNs, and ACLs and targets left empty."""
    acls = dict.fromkeys(mapped.acl for mapped in unmapped)
    emptied = [acl for acl in acls if all(m in unmapped for m in listing.mapped_luns(acl))]
    made: list[Operation] = []
    places = dict.fromkeys([*(m.acl.tpg.target for m in unmapped), *(u.tpg.target for u in gone)])
    for target in places:
        if _is_emptied(target, gone, emptied):
            made += remove_target(target)
            continue
        made += [UnmapLun(mapped) for mapped in unmapped if mapped.acl.tpg.target == target]
        made += [DeleteNodeAcl(acl) for acl in emptied if acl.tpg.target == target]
        made += [DeleteLun(lun) for lun in gone if lun.tpg.target == target]
    return made


def _is_emptied(target: Target, gone: Sequence[Lun], emptied: Sequence[NodeAcl]) -> bool:
    """Return whether a target has no LUNs and ACLs once these are deleted."""
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
