# SPDX-License-Identifier: Apache-2.0
"""Making one node ACL like another, as members of a group are."""

from __future__ import annotations

from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.luns import MapLun, UnmapLun
from pyshell.lio.operations.settings import Set, snapshot

# What stays an ACL's own: it is in the group already, and a new depth would cut its session.
_OWN = ("tag", "cmdsn_depth")


def likened(lio: Lio, place: NodeAcl, model: NodeAcl) -> list[Operation]:
    """Return what gives an ACL the mapped LUNs, secrets and settings of another in its TPG.

    What is the same is not touched, so that an initiator keeps the disks it has.
    """
    made: list[Operation] = []
    wanted = _mapped(lio, model)
    present = _mapped(lio, place)
    for index, mapping in present.items():
        if wanted.get(index) != mapping:
            made.append(UnmapLun(MappedLun(place, index)))
    for index, mapping in wanted.items():
        lun, protect = mapping
        if present.get(index) != mapping and lun is not None:
            made.append(MapLun(MappedLun(place, index), lun, protect))
    for operation in snapshot(lio, model):
        if isinstance(operation, Set) and operation.file not in _OWN:
            made.append(Set(place, operation.file, operation.value))
    return made


def _mapped(lio: Lio, acl: NodeAcl) -> dict[int, tuple[Lun | None, bool]]:
    """Return what each number shows: the LUN, None where its link is gone, and if protected."""
    return {
        mapped.index: (
            listing.lun_of(mapped),
            text_or_none(lio.kernel, f"{mapped.folder}/write_protect") == "1",
        )
        for mapped in listing.mapped_luns(acl)
    }
