# SPDX-License-Identifier: Apache-2.0
"""Operations that clear reservations from the target's side.

The kernel offers no such command. When a mapped LUN is deleted, it drops the registrations of that
initiator and releases a reservation that it holds, but leaves them in the file (Linux 6.1 and 6.12,
core_scsi3_free_pr_reg_from_nacl).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyshell.files import reading, writing
from pyshell.lio import Lio, dbroot, listing, reservations, storage_info
from pyshell.lio.configfs import is_on
from pyshell.lio.identifiers import Lun, StorageObject
from pyshell.lio.operations.base import Deletion, Foreseen, Operation, must_exist
from pyshell.lio.operations.mapping import DeleteLun, UnmapLun
from pyshell.lio.reservations import Reservations


@dataclass
class DropStoredRegistrations(Operation):
    """Remove registrations from the file from which they would be restored."""

    place: StorageObject
    names: Sequence[str] | None
    """The initiators, None for all."""
    told: str
    """What that is for: what is cleared, for a question and a dry run."""

    @property
    def effect(self) -> str:
        return f"clears {self.told}"

    def step(self) -> str:
        return f"clear {self.told}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place)

    def do(self, lio: Lio) -> Operation | None:
        file = _file(lio, self.place)
        if file is None or not file.is_file():
            return None
        before = reading.read(file).data.decode("utf-8", "surrogateescape")
        try:
            after = dbroot.without(before, self.names)
        except ValueError:
            after = before  # damaged: the kernel replaces it, and a restore reports it
        if after == before:
            return None
        writing.replace(file, after.encode("utf-8", "surrogateescape"))
        return StoreRegistrations(self.place, before)


@dataclass
class StoreRegistrations(Operation):
    """Write back the file with the registrations."""

    place: StorageObject
    text: str

    def step(self) -> str:
        return f"restore the registrations of {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place)

    def do(self, lio: Lio) -> Operation | None:
        if file := _file(lio, self.place):
            writing.replace(file, self.text.encode("utf-8", "surrogateescape"))
        return None


def _file(lio: Lio, place: StorageObject) -> Path | None:
    """Return the file with the registrations, None if the serial number is no part of a name."""
    serial = storage_info.serial(lio.kernel, place)
    return None if "/" in serial else dbroot.registrations_file(lio.kernel, lio.machine, serial)


def clear(
    lio: Lio, place: StorageObject, found: Reservations, told: str, *, every: bool
) -> list[Operation]:
    """Return operations that clear the reservation, with `every` also all registrations.

    `told` is what is cleared, for a question.
    """
    names = {one.initiator.lower() for one in (found.registrations if every else found.holders)}
    made: list[Operation] = []
    for lun in reservations.ports(lio, place, found, every=every):
        made += _renewed(lio, lun, names)
    everyone = every or any(isinstance(one, DeleteLun) for one in made)
    return [DropStoredRegistrations(place, None if everyone else found.names, told), *made]


def _renewed(lio: Lio, lun: Lun, names: Collection[str]) -> list[Operation]:
    """Return operations that delete and create again what initiators registered through.

    That is their mapped LUNs; if one of them has no ACL (demo mode), the LUN.
    """
    acls = {reservations.kernel_name(acl) for acl in listing.node_acls(lun.tpg)}
    admits = is_on(lio.kernel, f"{lun.tpg.folder}/attrib/generate_node_acls")
    whole = admits and not acls.issuperset(names)
    deletions: list[Deletion] = [
        UnmapLun(one)
        for one in listing.mappings_of(lun)
        if whole or reservations.kernel_name(one.acl) in names
    ]
    deletions += [DeleteLun(lun)] if whole else []
    again = [one for deletion in reversed(deletions) for one in deletion.again(lio)]
    return [*deletions, *again]
