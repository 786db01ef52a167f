# SPDX-License-Identifier: Apache-2.0
"""Operations on storage objects, their image files and their ALUA groups."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyshell.errors import BusyError, ExistsError, NotFoundError, PyshellError, UsageError
from pyshell.target import handles, listing, storage
from pyshell.target.attach import Lio
from pyshell.target.kernel import text_or_none
from pyshell.target.operations.base import Foreseen, Operation, must_be_free, must_exist
from pyshell.target.operations.luns import SetLunAluaGroup, alua_group_name
from pyshell.target.operations.settings import Several, snapshot
from pyshell.target.places import DEFAULT_GROUP, AluaGroup, StorageObject

NEEDED_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "block": ("dev",),
    "fileio": ("dev",),
    "pscsi": ("dev",),
    "ramdisk": ("size",),
    "user": ("config", "size"),
}
"""Without which of its arguments a storage object cannot be, by backstore."""


@dataclass
class CreateStorageObject(Operation):
    """Create a storage object with the arguments that rtslib's class for its backstore takes."""

    place: StorageObject
    arguments: Mapping[str, Any]
    said: Sequence[str] = field(default_factory=list)

    def step(self) -> str:
        """Return what is done."""
        return f"create {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that the name is free and the device is there, of the right type and not in use."""
        there = listing.storage_object(self.place.plugin, self.place.name)
        if there is not None and foreseen.exists(there.folder):
            raise ExistsError(
                f"Storage object {self.place.plugin}/{self.place.name} exists already",
                path=there.folder,
            )
        must_be_free(foreseen, self.place)
        for name in NEEDED_ARGUMENTS.get(self.place.plugin, ()):
            if self.arguments.get(name) in (None, ""):
                raise UsageError(f"A {self.place.plugin} storage object needs its {name}")
        if self.place.plugin == "block":
            path = str(self.arguments["dev"])
            check_block_device(lio, foreseen, path, exclusive=self._exclusive())
        if self.place.plugin == "fileio":
            _check_image_file(lio, foreseen, str(self.arguments["dev"]))
        foreseen.make(self.place.hba_folder)
        foreseen.make(self.place.folder)
        foreseen.make(AluaGroup(self.place, DEFAULT_GROUP).folder)

    def do(self, lio: Lio) -> Operation | None:
        """Create it through rtslib, which removes it again where a later step of its own fails."""
        handles.create_storage_object(self.place, dict(self.arguments))
        return DeleteStorageObject(self.place)

    def is_done(self, lio: Lio) -> bool:
        """Tell whether the storage object that is there has the same device, or size in memory."""
        there = listing.storage_object(self.place.plugin, self.place.name)
        found = storage.creation_arguments(lio, there) if there else None
        if found is None:
            return False
        names = ("size", "nullio") if self.place.plugin == "ramdisk" else ("dev", "readonly")
        return all(found.get(n) == self.arguments[n] for n in names if n in self.arguments)

    def _exclusive(self) -> bool:
        return bool(self.arguments.get("exclusive", True))


def check_block_device(lio: Lio, foreseen: Foreseen, path: str, *, exclusive: bool) -> None:
    """Raise where there is no disk at `path`, or, for exclusive use, where somebody has it."""
    device = lio.machine.block_device(path)
    if device is None:
        if lio.simulated is None and os.path.exists(path):
            raise UsageError(
                f"{path} is not a block device", "For a file use fileio, for a tape pscsi."
            )
        raise NotFoundError(f"There is no block device {path}", "'lsblk' lists them.", path=path)
    if device.scsi_type not in (None, 0):
        raise UsageError(f"{path} is not a disk", "For other SCSI devices use pscsi.")
    if not exclusive:
        return
    holder = device.holder
    if not holder and lio.machine.in_use(path):
        user = _user_among_storage_objects(lio, path)
        if user is not None and not foreseen.exists(user.folder):
            return  # it will have been deleted by then
        holder = str(user) if user is not None else "another program holds it"
    if holder:
        raise BusyError(f"{path} is in use: {holder}", path=path)


def _check_image_file(lio: Lio, foreseen: Foreseen, path: str) -> None:
    """Raise where there is no such file: the kernel would make an empty one and export that."""
    if lio.machine.block_device(path) is not None or foreseen.makes(path):
        return
    if not lio.machine.image_file(path).exists():
        raise NotFoundError(
            f"There is no image file {path}", "Is its file system mounted?", path=path
        )


def _user_among_storage_objects(lio: Lio, path: str) -> StorageObject | None:
    """Return the storage object that has claimed a device, None where none has."""
    wanted = lio.machine.block_device(path)
    for place in listing.storage_objects():
        device = lio.machine.block_device(storage.describe(lio, place).device)
        if device is not None and wanted is not None and device.name == wanted.name:
            return place
    return None


@dataclass
class CreateImageFile(Operation):
    """Make the image file of a fileio storage object, `size` bytes long."""

    path: str
    size: int
    sparse: bool

    def step(self) -> str:
        """Return what is done."""
        return f"create image file {self.path}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that nothing is there and, for a filled file, that it fits."""
        where = lio.machine.image_file(self.path)
        if where.exists():
            raise ExistsError(f"{self.path} exists already", path=self.path)
        if lio.simulated is None and not where.parent.is_dir():
            raise NotFoundError(f"There is no folder {where.parent}", "Make it first.")
        foreseen.make(self.path)
        if not self.sparse:
            status = os.statvfs(where.parent if where.parent.is_dir() else "/")
            free = status.f_bavail * status.f_frsize
            if free < self.size:
                raise PyshellError(f"{self.path} needs {self.size} bytes, {free} are free there")

    def do(self, lio: Lio) -> Operation | None:
        """Make the file, readable by its owner alone; leave nothing where it fails."""
        where = lio.machine.image_file(self.path)
        if lio.simulated is not None:
            where.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(where, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            if self.sparse or lio.simulated is not None:
                os.ftruncate(descriptor, self.size)
            else:
                os.posix_fallocate(descriptor, 0, self.size)
        except (OSError, OverflowError):
            os.unlink(where)
            raise
        finally:
            os.close(descriptor)
        return RemoveImageFile(self.path)


@dataclass
class RemoveImageFile(Operation):
    """Remove an image file that a failed command made; never one that was there before."""

    path: str

    def step(self) -> str:
        """Return what is done."""
        return f"remove image file {self.path}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Nothing speaks against it."""

    def do(self, lio: Lio) -> Operation | None:
        """Remove it."""
        os.unlink(lio.machine.image_file(self.path))
        return None


@dataclass
class DeleteStorageObject(Operation):
    """Delete a storage object that no LUN uses. Its device or image file is left alone."""

    place: StorageObject
    said: Sequence[str] = field(default_factory=list)

    def step(self) -> str:
        """Return what is done."""
        return f"delete {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that it is there."""
        must_exist(foreseen, self.place)
        foreseen.remove(self.place.hba_folder)

    def do(self, lio: Lio) -> Operation | None:
        """Delete it through rtslib; one that was never configured, by its folders."""
        arguments = storage.creation_arguments(lio, self.place)
        inverse: Operation | None = None
        if arguments is not None:
            groups = listing.alua_groups(self.place) if handles.supports_alua(self.place) else []
            again: list[Operation] = [CreateStorageObject(self.place, arguments)]
            again += snapshot(lio, self.place)
            for group in groups:
                again += _again(lio, group)
            inverse = Several(again)
            handles.storage_object(self.place).delete()
        else:
            lio.kernel.rmdir(self.place.folder)
            lio.kernel.rmdir(self.place.hba_folder)
        return inverse


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
        """Return what is done."""
        return f"create {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that the name is free and the number in its range."""
        must_exist(foreseen, self.place.storage_object)
        must_be_free(foreseen, self.place)
        if not 1 <= self.tag <= 65535:
            raise UsageError(f"{self.tag} is not the number of an ALUA group", "It is 1 to 65535.")
        foreseen.make(self.place.folder)

    def is_done(self, lio: Lio) -> bool:
        """Tell whether the group that is there has the same number."""
        return text_or_none(lio.kernel, f"{self.place.folder}/tg_pt_gp_id") == str(self.tag)

    def do(self, lio: Lio) -> Operation | None:
        """Create it through rtslib."""
        handles.create_alua_group(self.place, self.tag)
        return DeleteAluaGroup(self.place)


@dataclass
class DeleteAluaGroup(Operation):
    """Delete an ALUA group; its LUNs go back to the default group."""

    place: AluaGroup
    said: Sequence[str] = field(default_factory=list)

    def step(self) -> str:
        """Return what is done."""
        return f"delete {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that it is there and not the kernel's own."""
        must_exist(foreseen, self.place)
        if self.place.name == DEFAULT_GROUP:
            raise UsageError(f"{DEFAULT_GROUP} is the kernel's and cannot be deleted")
        foreseen.remove(self.place.folder)

    def do(self, lio: Lio) -> Operation | None:
        """Delete it through rtslib."""
        again = _again(lio, self.place)
        if text_or_none(lio.kernel, f"{self.place.folder}/members"):
            for lun in listing.luns_of(self.place.storage_object):
                if alua_group_name(lio, lun) == self.place.name:
                    again.append(SetLunAluaGroup(lun, self.place.name))
        handles.alua_group(self.place).delete()
        return Several(again)
