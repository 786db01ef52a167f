# SPDX-License-Identifier: Apache-2.0
"""Operations on targets, TPGs and their portals."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pyshell.errors import BusyError, ExistsError, PyshellError
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import text_or_none
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import NodeAcl, Portal, Target, Tpg
from pyshell.lio.operations.base import (
    Creation,
    Deletion,
    Foreseen,
    ObjectOperation,
    Operation,
    exists,
    missing,
    must_exist,
    or_put_back,
)
from pyshell.lio.operations.mapping import DeleteLun, DeleteNodeAcl, UnmapLun
from pyshell.lio.operations.setters import Set, SetEnabled, snapshot
from pyshell.names import WILDCARD_V4, WILDCARD_V6, tpg_tag


@dataclass
class UseFabric(Operation):
    """Load a fabric: create its folder in configfs, for which rtslib loads the module."""

    fabric: Fabric

    def step(self) -> str:
        return f"load fabric {self.fabric.name}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Note that the fabric's folder will be there."""
        foreseen.make(self.fabric.folder)

    def do(self, lio: Lio) -> Operation | None:
        """Let rtslib load what is needed; a loaded fabric stays, it has no effect by itself."""
        self.fabric.load()
        return None


@dataclass
class DeleteTarget(Deletion):
    """Delete a target that has no TPGs."""

    place: Target

    def again(self, lio: Lio) -> list[Operation]:
        return [CreateTarget(self.place), *snapshot(lio, self.place)]


@dataclass
class CreateTarget(Creation):
    """Create a target, loading its fabric's module if needed."""

    hints: ClassVar[Mapping[int, str]] = {
        errno.EINVAL: "The fabric's driver refused the name: see 'info' there."
    }
    deletion = DeleteTarget
    place: Target

    def check_further(self, lio: Lio, foreseen: Foreseen) -> None:
        self.place.fabric.check_port(lio, self.place.wwn)
        foreseen.make(self.place.fabric.folder)

    def hint(self, number: int) -> str:
        """Return what the fabric's driver may have against the name."""
        return self.place.fabric.refusal(number) or super().hint(number)


@dataclass
class DeleteTpg(Deletion):
    """Delete a TPG that has no LUNs, portals and ACLs."""

    place: Tpg

    @property
    def disconnects(self) -> Tpg | NodeAcl | None:
        return self.place

    def again(self, lio: Lio) -> list[Operation]:
        nexus = text_or_none(lio.kernel, f"{self.place.folder}/nexus")
        again: list[Operation] = [CreateTpg(self.place), *snapshot(lio, self.place)]
        return [*again, SetNexus(self.place, nexus)] if nexus else again

    def delete(self, lio: Lio, again: Sequence[Operation]) -> None:
        nexus = text_or_none(lio.kernel, f"{self.place.folder}/nexus")
        enabled = text_or_none(lio.kernel, f"{self.place.folder}/enable")

        def put_back() -> None:
            for file, value in (("nexus", nexus), ("enable", enabled)):
                if value and text_or_none(lio.kernel, f"{self.place.folder}/{file}") != value:
                    lio.kernel.write(f"{self.place.folder}/{file}", value)

        with or_put_back(f"{self.place} is disabled or has lost its nexus", put_back):
            if nexus:
                lio.kernel.write(f"{self.place.folder}/nexus", "NULL")
            super().delete(lio, again)


@dataclass
class CreateTpg(Creation):
    """Create a TPG; it is not enabled yet."""

    deletion = DeleteTpg
    place: Tpg

    def check_further(self, lio: Lio, foreseen: Foreseen) -> None:
        tpg_tag(self.place.tag, self.place.target.fabric.tags)
        if not self.place.target.fabric.has("tpgts"):
            others = [tpg for tpg in listing.tpgs(self.place.target) if foreseen.exists(tpg.folder)]
            if others:
                raise ExistsError(
                    f"{self.place.target} already has its only TPG",
                    targetcli="Target cannot have multiple TPGs",
                )

    def hint(self, number: int) -> str:
        """Return what the fabric's driver may lack."""
        return self.place.target.fabric.refusal(number)


@dataclass
class SetNexus(ObjectOperation):
    """Give a TPG the nexus WWN that it had, or a generated one if it has none.

    Deleting a TPG is undone with it, and a TPG completed whose creation was killed.
    """

    hints: ClassVar[Mapping[int, str]] = Set.hints
    place: Tpg
    wwn: str = ""

    def step(self) -> str:
        return f"set the nexus of {self.place}"

    def do(self, lio: Lio) -> Operation | None:
        """Write it after unsetting the one that rtslib generated."""
        file = f"{self.place.folder}/nexus"
        before = text_or_none(lio.kernel, file)
        if not self.wwn:
            if not before:
                from pyshell.lio import rtslib_objects

                rtslib_objects.found(self.place)._set_nexus()
            return None
        if before == self.wwn:
            return None
        if before:
            lio.kernel.write(file, "NULL")

        def put_back() -> None:
            if before:
                lio.kernel.write(file, before)

        with or_put_back(f"{self.place} has no nexus now", put_back):
            lio.kernel.write(file, self.wwn)
        return None


@dataclass
class DeletePortal(Deletion):
    """Delete a network portal: the kernel stops listening, and sessions continue."""

    place: Portal

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        if not foreseen.exists(self.place.folder):
            raise missing(f"No such portal: {self.place.path}", self.place)
        super().check(lio, foreseen)

    def again(self, lio: Lio) -> list[Operation]:
        return [CreatePortal(self.place), *snapshot(lio, self.place)]


@dataclass
class CreatePortal(Creation):
    """Create a network portal."""

    hints: ClassVar[Mapping[int, str]] = {
        errno.EINVAL: "Is it an address, and not taken by another TPG of the target?",
        errno.EADDRNOTAVAIL: "'ip address' lists this host's addresses.",
        errno.EADDRINUSE: "Another program listens there: 'ss -ltnp' names it.",
    }
    deletion = DeletePortal
    place: Portal

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place.tpg)
        _check_taken(self.place, foreseen)
        foreseen.add_portal(self.place)

    def is_done(self, lio: Lio) -> bool:
        """Return whether this TPG listens there, however the address is spelt."""
        return listing.portal(self.place.tpg, self.place.address, self.place.port) is not None

    def hint(self, number: int) -> str:
        """Return what else an IPv6 address needs."""
        if number != errno.EINVAL:
            return super().hint(number)
        present = listing.portals_at(self.place.tpg.target.fabric, self.place.port)
        taken = listing.portal_obstacle(self.place, present)
        if taken is not None:
            return f"{taken.path} already listens there: delete it first, or take another port."
        if ":" not in self.place.address:
            return super().hint(number)
        import ipaddress  # only an error needs it

        if ipaddress.ip_address(self.place.address).is_link_local:
            return "Link-local addresses cannot be used: a portal has no zone. Give another one."
        return "Is IPv6 on ('ip -6 address'), and the address not taken by another TPG?"


@dataclass
class CreateDefaultPortal(CreatePortal):
    """Create the portal that every new TPG gets, unless another portal is in its way.

    In that case, that is reported instead of `said`, as targetcli does.
    """

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that the TPG will exist; conflicts are found by trying."""
        must_exist(foreseen, self.place.tpg)

    def do(self, lio: Lio) -> Operation | None:
        """Create it if the kernel allows it; raise if no portal explains the refusal."""
        present = listing.portals_at(self.place.tpg.target.fabric, self.place.port)
        taken = listing.portal_obstacle(self.place, present) or listing.portal_in_place_of(
            self.place, present
        )
        if taken is None:
            from pyshell.lio.rtslib import RTSLibError

            try:
                return super().do(lio)
            except RTSLibError:
                if self.place.address != WILDCARD_V6:
                    raise
                return self._listen_on_ipv4()
        self.said = [
            "Default portal not created, TPGs within a target cannot share ip:port."
            if taken.tpg.target == self.place.tpg.target
            else f"Default portal not created, {taken.path} listens on that port:"
            " 'portals create ADDRESS' gives the new TPG one of its own."
        ]
        return None

    def _listen_on_ipv4(self) -> Operation:
        """Create the IPv4 wildcard if the IPv6 one is refused, and say so (field failure 61)."""
        place = Portal(self.place.tpg, WILDCARD_V4, self.place.port)
        from pyshell.lio import rtslib_objects

        rtslib_objects.create(place)
        self.said = [
            *(line.replace(f"({WILDCARD_V6})", f"({WILDCARD_V4})") for line in self.said),
            f"{WILDCARD_V6} was refused, probably because IPv6 is off: the portal is IPv4 only.",
        ]
        return DeletePortal(place)


def _check_taken(place: Portal, foreseen: Foreseen) -> None:
    """Raise if a portal keeps the kernel from adding `place`."""
    present = foreseen.portals_at(place.tpg.target.fabric, place.port)
    other = listing.portal_obstacle(place, present)
    if other is None:
        return
    if listing.same_address(other.address, place.address):
        if other.tpg == place.tpg:
            raise exists(f"Portal {other.name} already exists", other)
        raise ExistsError(
            f"Portal {other.name} belongs to TPG {other.tpg.tag} of this target",
            "Two TPGs of a target cannot share an address and port.",
            path=other.folder,
        )
    if listing.is_wildcard(other.address):
        why = "listens on all addresses already"
    else:
        why = "is in the way: the kernel adds no wildcard next to it"
    whose = "" if other.tpg == place.tpg else f" of {other.tpg}"
    refused = "Could not create NetworkPortal in configFS"
    raise BusyError(
        f"Portal {other.name}{whose} {why}",
        f"First: {other.tpg.path}/portals delete {other.address} {other.port}",
        path=other.folder,
        targetcli=f"{refused}: [Errno 22] Invalid argument: '{place.folder}'",
    )


def free_tag(target: Target) -> int:
    """Return the lowest TPG tag that is free, from 1. Raises PyshellError if none is."""
    taken = {tpg.tag for tpg in listing.tpgs(target)}
    tag = listing.lowest_free(taken, start=1)
    if tag not in target.fabric.tags:
        raise PyshellError(f"{target} has no free TPG tag")
    return tag


def remove_tpg(tpg: Tpg) -> list[Operation]:
    """Return operations that disable and delete a TPG with its ACLs, LUNs and portals."""
    made = disable_tpg(tpg)
    acls = listing.node_acls(tpg)
    made += [UnmapLun(mapped) for acl in acls for mapped in listing.mapped_luns(acl)]
    luns: list[Operation] = [DeleteLun(lun) for lun in listing.luns(tpg)]
    unmapped: list[Operation] = [DeleteNodeAcl(acl) for acl in acls]
    # An ACL named like the TPG's nexus can be deleted only after the LUNs, which use the nexus.
    made += [*luns, *unmapped] if tpg.target.fabric.has("nexus") else [*unmapped, *luns]
    made += [DeletePortal(portal) for portal in listing.portals(tpg)]
    return [*made, DeleteTpg(tpg)]


def disable_tpg(tpg: Tpg) -> list[Operation]:
    """Return the operation that disables a TPG and so ends its sessions, if it can be disabled."""
    return [SetEnabled(tpg, False)] if os.path.exists(f"{tpg.folder}/enable") else []


def remove_target(target: Target) -> list[Operation]:
    """Return operations that delete a target with all its TPGs."""
    made: list[Operation] = []
    for tpg in listing.tpgs(target):
        made += remove_tpg(tpg)
    return [*made, DeleteTarget(target)]


def remove_targets(targets: Sequence[Target]) -> list[Operation]:
    """Return operations that delete targets of one fabric by kind, so that LUNs go in parallel."""
    found = [operation for target in targets for operation in remove_target(target)]
    nexus = any(target.fabric.has("nexus") for target in targets)
    luns_and_acls = (DeleteLun, DeleteNodeAcl) if nexus else (DeleteNodeAcl, DeleteLun)
    kinds = (SetEnabled, UnmapLun, *luns_and_acls, DeletePortal, DeleteTpg, DeleteTarget)
    return sorted(found, key=lambda operation: kinds.index(type(operation)))
