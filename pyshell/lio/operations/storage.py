# SPDX-License-Identifier: Apache-2.0
"""Operations on storage objects and their ALUA groups."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from pyshell.errors import ConflictError, UsageError
from pyshell.lio import listing, rtslib_objects, storage_info
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import DEFAULT_GROUP, AluaGroup, StorageObject
from pyshell.lio.operations import preconditions
from pyshell.lio.operations.base import (
    Deletion,
    Foreseen,
    Operation,
    Several,
    exists,
    must_be_free,
    must_exist,
    or_put_back,
    or_removed,
)
from pyshell.lio.operations.mapping import SetLunAluaGroup, alua_group_name
from pyshell.lio.operations.setters import snapshot
from pyshell.names import alua_group_number

# The arguments in which two storage objects of one name can differ.
_MADE_OF = {
    "block": ("dev", "readonly"),
    "fileio": ("dev", "readonly"),
    "pscsi": ("dev",),
    "ramdisk": ("size", "nullio"),
    "user": ("config", "size"),
}


@dataclass
class CreateStorageObject(Operation):
    """Create a storage object with the arguments that rtslib's class for its backstore takes."""

    hints: ClassVar[Mapping[int, str]] = {
        errno.EBUSY: "The device is in use: 'lsblk' shows its user.",
        errno.EINVAL: "The kernel's log may say more: 'dmesg | tail'.",
        errno.ENODEV: "Does the device exist? 'lsblk' lists all devices.",
    }
    place: StorageObject
    arguments: Mapping[str, Any]
    said: Sequence[str] = field(default_factory=list)

    def step(self) -> str:
        return f"create {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that the name is free, and the device exists, has the right type and is free."""
        there = foreseen.storage_object(self.place.plugin, self.place.name)
        if there is not None and foreseen.exists(there.folder):
            raise exists(
                f"Storage object {self.place.plugin}/{self.place.name} already exists", there
            )
        must_be_free(foreseen, self.place)
        preconditions.check(lio, foreseen, self.place.plugin, self.arguments)
        preconditions.claim(lio, foreseen, self.place, self.arguments)
        foreseen.make(self.place.hba_folder)
        foreseen.make(self.place.folder)
        foreseen.make(AluaGroup(self.place, DEFAULT_GROUP).folder)

    def do(self, lio: Lio) -> Operation | None:
        """Create it through rtslib, which removes it if a later step of its own fails."""
        arguments = preconditions.resolved(lio, self.place.plugin, self.arguments)
        with or_removed(lio, _Adapter(self.place)), or_removed(lio, self.place):
            rtslib_objects.create_storage_object(self.place, arguments)
        return DeleteStorageObject(self.place)

    def is_done(self, lio: Lio) -> bool:
        """Return whether the existing storage object has the same arguments, as far as given."""
        there = listing.storage_object(lio, self.place.plugin, self.place.name)
        found = storage_info.creation_arguments(lio, there) if there else None
        if found is None:
            return False
        wanted = preconditions.resolved(lio, self.place.plugin, self.arguments)
        names = _MADE_OF[self.place.plugin]
        # A flag that the kernel does not report is not set.
        return all(found.get(n, False) == wanted[n] for n in names if n in wanted)


@dataclass
class DeleteStorageObject(Deletion):
    """Delete a storage object that no LUN uses. Its device or image file is left alone."""

    hints: ClassVar[Mapping[int, str]] = {errno.EBUSY: "A LUN still uses it."}
    waits: ClassVar[bool] = True
    place: StorageObject
    said: Sequence[str] = field(default_factory=list)

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place)
        foreseen.remove(self.place.hba_folder)

    def do(self, lio: Lio) -> Operation | None:
        """Delete it with its ALUA groups; one that was never configured, without a look at it."""
        arguments = storage_info.creation_arguments(lio, self.place)
        if arguments is None:
            return self.do_for_good(lio)
        groups = (
            listing.alua_groups(self.place) if rtslib_objects.supports_alua(lio, self.place) else []
        )
        again: list[Operation] = [CreateStorageObject(self.place, arguments)]
        again += snapshot(lio, self.place)
        for group in groups:
            again += _again(lio, group)
        self._delete(lio)
        if self.place.plugin == "ramdisk" and not arguments.get("nullio"):
            self.lost = self.place
        return Several(again)

    def do_for_good(self, lio: Lio) -> Operation | None:
        self._delete(lio)
        return None

    def _delete(self, lio: Lio) -> None:
        others = [g for g in listing.alua_groups(self.place) if g.name != DEFAULT_GROUP]
        groups = Several([DeleteAluaGroup(group) for group in others]).do(lio)
        with or_put_back(
            f"{self.place} has lost its ALUA groups", lambda: groups and groups.do(lio)
        ):
            lio.kernel.rmdir(self.place.folder)
        try:
            lio.kernel.rmdir(self.place.hba_folder)
        except OSError as error:
            # The storage object is gone: what is left holds nothing and is in nobody's way.
            folder = self.place.hba_folder
            self.said = [
                *self.said,
                f"Its empty adapter {folder} is left: {error.strerror}. clearconfig removes it.",
            ]


class _Adapter(NamedTuple):
    """The HBA of a storage object."""

    storage_object: StorageObject

    @property
    def folder(self) -> str:
        return self.storage_object.hba_folder

    def __str__(self) -> str:
        return f"the adapter of {self.storage_object}"


def _again(lio: Lio, group: AluaGroup) -> list[Operation]:
    made: list[Operation] = []
    if group.name != DEFAULT_GROUP:
        tag = lio.kernel.read(f"{group.folder}/tg_pt_gp_id").strip()
        made.append(CreateAluaGroup(group, int(tag) if tag.isdigit() else 1))
    return made + snapshot(lio, group)


@dataclass
class CreateAluaGroup(Operation):
    """Create an ALUA group with its number, from 1 to 65535."""

    place: AluaGroup
    tag: int
    said: Sequence[str] = field(default_factory=list)

    def step(self) -> str:
        return f"create {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that the name is free and the number in its range."""
        must_exist(foreseen, self.place.storage_object)
        must_be_free(foreseen, self.place)
        alua_group_number(self.tag)
        self._check_number_free(lio, foreseen)
        foreseen.make(self.place.folder)

    def _check_number_free(self, lio: Lio, foreseen: Foreseen) -> None:
        """Raise ConflictError if another group of the storage object has the number."""
        owner = self.place.storage_object
        for other in listing.alua_groups(owner):
            number = text_or_none(lio.kernel, f"{other.folder}/tg_pt_gp_id")
            there = foreseen.exists(other.folder) and not foreseen.makes(other.folder)
            if there and other != self.place and number == str(self.tag):
                raise ConflictError(
                    f"{other} has the number {self.tag} already",
                    "Choose another number.",
                    path=other.folder,
                )

    def is_done(self, lio: Lio) -> bool:
        """Return whether the existing group has the same number."""
        return text_or_none(lio.kernel, f"{self.place.folder}/tg_pt_gp_id") == str(self.tag)

    def do(self, lio: Lio) -> Operation | None:
        with or_removed(lio, self.place):
            rtslib_objects.create_alua_group(self.place, self.tag)
        return DeleteAluaGroup(self.place)


@dataclass
class DeleteAluaGroup(Deletion):
    """Delete an ALUA group; its LUNs go back to the default group."""

    place: AluaGroup
    said: Sequence[str] = field(default_factory=list)

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that it exists and is not the kernel's own."""
        must_exist(foreseen, self.place)
        if self.place.name == DEFAULT_GROUP:
            raise UsageError(f"{DEFAULT_GROUP} is the kernel's and cannot be deleted")
        foreseen.remove(self.place.folder)

    def do(self, lio: Lio) -> Operation | None:
        again = _again(lio, self.place)
        if text_or_none(lio.kernel, f"{self.place.folder}/members"):
            for lun in listing.luns_of(lio, self.place.storage_object):
                if alua_group_name(lio, lun) == self.place.name:
                    again.append(SetLunAluaGroup(lun, self.place.name))
        rtslib_objects.found(self.place).delete()
        return Several(again)
