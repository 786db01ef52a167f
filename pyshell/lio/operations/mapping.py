# SPDX-License-Identifier: Apache-2.0
"""Operations on LUNs, node ACLs and mapped LUNs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from pyshell import names
from pyshell.errors import ConflictError, NotFoundError, PyshellError, UsageError
from pyshell.lio import Lio, listing, settings
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.identifiers import (
    DEFAULT_GROUP,
    Identifier,
    Lun,
    MappedLun,
    NodeAcl,
    StorageObject,
    Tpg,
)
from pyshell.lio.operations.base import (
    Creation,
    Deletion,
    Foreseen,
    ObjectOperation,
    Operation,
    Several,
    exists,
    missing,
    must_exist,
    or_put_back,
)
from pyshell.lio.operations.setters import Set, snapshot


@dataclass
class _LinkDeletion(Deletion):
    """Deletes an object with a link, which is restored if the deletion fails half-way."""

    half_done: ClassVar[str]
    """What the object does without its link."""

    def delete(self, lio: Lio, again: Sequence[Operation]) -> None:
        with or_put_back(f"{self.place} {self.half_done}", lambda: _relink(lio, again)):
            super().delete(lio, again)

    def do_for_good(self, lio: Lio) -> Operation | None:
        return self.do(lio)


@dataclass
class DeleteLun(_LinkDeletion):
    """Delete a LUN that no ACL maps. The storage object stays."""

    half_done = "exports nothing now"
    # It waits for I/O in progress and for an RCU grace period.
    waits: ClassVar[bool] = True
    place: Lun

    @property
    def disconnects(self) -> Tpg | NodeAcl | None:
        return self.place.tpg

    def again(self, lio: Lio) -> list[Operation]:
        alias, target = listing.link_of(self.place.folder) or (None, None)
        exported = listing.exported_by(self.place, target)
        if exported is None:
            return []
        group = listing.alua_group_of(lio, self.place)
        moved = [] if group in (None, DEFAULT_GROUP) else [SetLunAluaGroup(self.place, group)]
        return [CreateLun(self.place, exported, alias), *moved]


@dataclass
class CreateLun(Creation):
    """Export a storage object as a LUN of a TPG."""

    deletion = DeleteLun
    # The kernel waits 15 ms or so, see docs/benchmark.md.
    waits: ClassVar[bool] = True
    place: Lun
    storage_object: StorageObject
    alias: str | None = None
    """Name of the link in configfs, generated if None."""

    def needs(self) -> Sequence[Identifier]:
        return [self.place.tpg, self.storage_object]

    def check_further(self, lio: Lio, foreseen: Foreseen) -> None:
        names.lun(self.place.index)
        _check_alias(self.alias)

    def is_done(self, lio: Lio) -> bool:
        return listing.storage_object_of(self.place) == self.storage_object

    def create(self, lio: Lio) -> None:
        from pyshell.lio import rtslib_objects

        rtslib_objects.create_lun(self.place, self.storage_object, self.alias)

    def link(self) -> None:
        """Create the missing link of an existing LUN."""
        from pyshell.lio import rtslib_objects

        rtslib_objects.link_lun(self.place, self.storage_object, self.alias)


@dataclass
class SetLunAluaGroup(ObjectOperation):
    """Put a LUN into an ALUA group of its storage object."""

    place: Lun
    name: str

    def step(self) -> str:
        return f"put {self.place} into ALUA group {self.name}"

    def do(self, lio: Lio) -> Operation | None:
        """Write it if it differs: rtslib's setter hides the kernel's refusal."""
        before = listing.alua_group_of(lio, self.place)
        if before == self.name or (before is None and self.name == DEFAULT_GROUP):
            return None
        if before is None:
            raise PyshellError(
                f"{self.place} has no ALUA groups: its backstore does not support them"
            )
        lio.kernel.write(f"{self.place.folder}/alua_tg_pt_gp", self.name)
        if listing.alua_group_of(lio, self.place) != self.name:
            raise NotFoundError(
                f"The kernel knows no ALUA group {self.name} of that storage object"
            )
        return SetLunAluaGroup(self.place, before)


@dataclass
class DeleteNodeAcl(Deletion):
    """Delete a node ACL that has no mapped LUNs. Its session is disconnected.

    The kernel waits forever, beyond any signal, for the nexus that an ACL stands for: so the nexus
    is unset first, which the kernel refuses while there are LUNs.
    """

    place: NodeAcl

    @property
    def disconnects(self) -> Tpg | NodeAcl | None:
        return self.place

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        if not foreseen.exists(self.place.folder):
            raise missing(f"No such node ACL: {self.place.wwn}", self.place)
        super().check(lio, foreseen)

    def again(self, lio: Lio) -> list[Operation]:
        if _is_nexus(lio, self.place):
            return [Several([])]  # such an ACL is not to be created again
        return [CreateNodeAcl(self.place), *snapshot(lio, self.place)]

    def delete(self, lio: Lio, again: Sequence[Operation]) -> None:
        if not _is_nexus(lio, self.place):
            super().delete(lio, again)
            return
        file = f"{self.place.tpg.folder}/nexus"
        nexus = lio.kernel.read(file).strip()
        lio.kernel.write(file, "NULL")
        with or_put_back(
            f"{self.place.tpg} has no nexus now", lambda: lio.kernel.write(file, nexus)
        ):
            super().delete(lio, again)
        lio.kernel.write(file, nexus)


@dataclass
class EndSession(ObjectOperation):
    """End the session of an ACL that is to be deleted, and refuse its initiator's next login.

    A queue depth that differs ends it. The initiator would be logged in again within a second or
    so: it must authenticate, and by a name that it does not know.
    """

    place: NodeAcl

    @property
    def disconnects(self) -> Tpg | NodeAcl | None:
        return self.place

    def step(self) -> str:
        return f"end the session of {self.place}"

    def do(self, lio: Lio) -> Operation | None:
        """Write what the fabric has of it; other sessions than iSCSI's end with the ACL."""
        depth = text_or_none(lio.kernel, f"{self.place.folder}/cmdsn_depth")
        if depth is None:
            return None
        wanted = {"attrib/authentication": "1"}
        with suppress(OSError):
            if settings.read(lio.kernel, self.place.folder, "auth/userid"):
                from secrets import token_hex  # few TPGs need it

                wanted["auth/userid"] = token_hex(16)
        wanted["cmdsn_depth"] = "2" if depth == "1" else str(int(depth) - 1)
        files = [file for file in wanted if os.path.exists(f"{self.place.folder}/{file}")]
        return Several([Set(self.place, file, wanted[file]) for file in files]).do(lio)


def _is_nexus(lio: Lio, acl: NodeAcl) -> bool:
    """Return whether an ACL has the name of the initiator that its TPG stands for."""
    nexus = text_or_none(lio.kernel, f"{acl.tpg.folder}/nexus")
    return nexus is not None and nexus == os.path.basename(acl.folder)


@dataclass
class CreateNodeAcl(Creation):
    """Let an initiator log in to a TPG."""

    deletion = DeleteNodeAcl
    place: NodeAcl

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place.tpg)
        if not self.place.tpg.target.fabric.has("acls"):
            raise UsageError(f"The fabric {self.place.tpg.target.fabric_name} has no ACLs")
        if _is_nexus(lio, self.place):
            raise ConflictError(
                f"{self.place.wwn} is the TPG's own nexus, which needs no node ACL",
                "The kernel would wait for ever when such an ACL is deleted.",
                path=self.place.folder,
            )
        if foreseen.exists(self.place.folder):
            raise exists(f"A node ACL for {self.place.wwn} already exists", self.place)
        super().check(lio, foreseen)


@dataclass
class UnmapLun(_LinkDeletion):
    """Delete a mapped LUN."""

    half_done = "shows nothing now"
    place: MappedLun

    @property
    def disconnects(self) -> Tpg | NodeAcl | None:
        return self.place.acl

    def again(self, lio: Lio) -> list[Operation]:
        alias, target = listing.link_of(self.place.folder) or (None, None)
        lun = listing.mapped_by(self.place, target)
        if lun is None:
            return []
        return [MapLun(self.place, lun, _is_protected(lio, self.place), alias)]


@dataclass
class MapLun(Creation):
    """Show a LUN of the TPG to one initiator, by a number of its own."""

    deletion = UnmapLun
    place: MappedLun
    lun: Lun
    write_protect: bool = False
    alias: str | None = None
    """Name of the link in configfs, generated if None."""

    def step(self) -> str:
        return f"map {self.lun} as {self.place.index} for {self.place.acl.wwn}"

    def needs(self) -> Sequence[Identifier]:
        return [self.place.acl, self.lun]

    def check_further(self, lio: Lio, foreseen: Foreseen) -> None:
        names.lun(self.place.index)
        _check_alias(self.alias)

    def is_done(self, lio: Lio) -> bool:
        protected = _is_protected(lio, self.place)
        return listing.lun_of(self.place) == self.lun and protected == self.write_protect

    def create(self, lio: Lio) -> None:
        """Create it through rtslib and read the write protection back (field failure 72)."""
        from pyshell.lio import rtslib_objects

        made = rtslib_objects.create_mapped_lun(
            self.place, self.lun, self.alias, write_protect=self.write_protect
        )
        if bool(made.write_protect) != self.write_protect:
            raise PyshellError("The kernel did not set the write protection as requested")

    def link(self) -> None:
        """Create the missing link of an existing mapped LUN."""
        from pyshell.lio import rtslib_objects

        rtslib_objects.link_mapped_lun(
            self.place, self.lun, self.alias, write_protect=self.write_protect
        )


def _is_protected(lio: Lio, mapped: MappedLun) -> bool:
    return is_on(lio.kernel, f"{mapped.folder}/write_protect")


def _relink(lio: Lio, again: Sequence[Operation]) -> None:
    """Complete a LUN or mapped LUN whose deletion ended after its link was removed."""
    for operation in again:
        if not isinstance(operation, CreateLun | MapLun):
            operation.do(lio)
        elif listing.half_made(lio, operation.place):
            operation.link()
        else:
            return


def free_lun(tpg: Tpg, wanted: int | None = None) -> int:
    """Return `wanted`, else the lowest number that no LUN of the TPG has."""
    if wanted is not None:
        return wanted
    return listing.lowest_free({lun.index for lun in listing.luns(tpg)})


def _check_alias(alias: str | None) -> None:
    """Raise UsageError if an alias, which names a link in configfs, would lead elsewhere."""
    if alias:
        names.path_part(alias)


# Settings that are not copied: the group, which is the same, and the depth, which would end the
# session.
_OWN = ("tag", "cmdsn_depth")


def likened(lio: Lio, place: NodeAcl, model: NodeAcl) -> list[Operation]:
    """Return operations that copy mapped LUNs, secrets and settings of another ACL of the TPG.

    Equal mappings are not changed: the initiator keeps those disks.
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
    """Return each number's LUN, None if its link is missing, and whether it is protected."""
    return {
        mapped.index: (
            listing.lun_of(mapped),
            _is_protected(lio, mapped),
        )
        for mapped in listing.mapped_luns(acl)
    }


def remove_lun(lun: Lun) -> list[Operation]:
    """Return operations that delete a LUN and its mappings."""
    unmap: list[Operation] = [UnmapLun(mapped) for mapped in listing.mappings_of(lun)]
    return [*unmap, DeleteLun(lun)]


def remove_node_acl(acl: NodeAcl) -> list[Operation]:
    """Return operations that delete a node ACL and its mapped LUNs."""
    unmap: list[Operation] = [UnmapLun(mapped) for mapped in listing.mapped_luns(acl)]
    return [*unmap, DeleteNodeAcl(acl)]
