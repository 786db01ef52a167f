# SPDX-License-Identifier: Apache-2.0
"""Operations on storage objects and their ALUA groups."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pyshell.errors import ConflictError, ExistsError, NotFoundError, PyshellError, UsageError
from pyshell.files import writing
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.configfs import has_folders, text_or_none
from pyshell.lio.identifiers import DEFAULT_GROUP, AluaGroup, StorageObject
from pyshell.lio.operations import preconditions
from pyshell.lio.operations.base import (
    Creation,
    Deletion,
    Foreseen,
    ObjectOperation,
    Operation,
    Several,
    exists,
    must_exist,
    or_put_back,
    or_removed,
)
from pyshell.lio.operations.mapping import SetLunAluaGroup, remove_lun
from pyshell.lio.operations.setters import snapshot
from pyshell.names import alua_group_number, size_text

# The arguments in which two storage objects of one name can differ.
_MADE_OF = {
    "block": ("dev", "readonly"),
    "fileio": ("dev", "readonly"),
    "pscsi": ("dev",),
    "ramdisk": ("size", "nullio"),
    "user": ("config", "size"),
}

_PART = 1 << 28


@dataclass
class DeleteStorageObject(Deletion):
    """Delete a storage object that no LUN uses. Its device or image file is left alone."""

    hints: ClassVar[Mapping[int, str]] = {errno.EBUSY: "A LUN still uses it."}
    waits: ClassVar[bool] = True
    place: StorageObject

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        super().check(lio, foreseen)
        foreseen.remove(self.place.hba_folder)

    def again(self, lio: Lio) -> list[Operation]:
        arguments = storage_info.creation_arguments(lio, self.place)
        if arguments is None:
            return []
        if self.place.plugin == "ramdisk" and not arguments.get("nullio"):
            self.lost = self.place
        again: list[Operation] = [CreateStorageObject(self.place, arguments)]
        again += snapshot(lio, self.place)
        if storage_info.supports_alua(lio, self.place):
            for group in listing.alua_groups(self.place):
                again += _again(lio, group)
        return again

    def delete(self, lio: Lio, again: Sequence[Operation]) -> None:
        """Delete it with its ALUA groups."""
        others = [g for g in listing.alua_groups(self.place) if g.name != DEFAULT_GROUP]
        groups = Several([DeleteAluaGroup(group) for group in others]).do(lio)
        with or_put_back(
            f"{self.place} has lost its ALUA groups", lambda: groups and groups.do(lio)
        ):
            lio.kernel.rmdir(self.place.folder)
        try:
            lio.kernel.rmdir(self.place.hba_folder)
        except OSError as error:
            # The storage object is deleted; an empty adapter does no harm.
            folder = self.place.hba_folder
            self.said = [
                *self.said,
                f"Its empty adapter {folder} is left: {error.strerror}. clearconfig removes it.",
            ]


@dataclass
class CreateStorageObject(Creation):
    """Create a storage object with the arguments that rtslib's class for its backstore takes."""

    hints: ClassVar[Mapping[int, str]] = {
        errno.EBUSY: "The device is in use: 'lsblk' shows its user.",
        errno.EINVAL: "The kernel's log may say more: 'dmesg | tail'.",
        errno.ENODEV: "Does the device exist? 'lsblk' lists all devices.",
    }
    deletion = DeleteStorageObject
    place: StorageObject
    arguments: Mapping[str, Any]
    identity: Mapping[str, str] = field(default_factory=dict)
    """Vendor, product … by file, which an existing object must have. Others set them."""
    discard: bool | None = None
    """Whether an existing object must offer discard, None for either. Others set it."""

    @property
    def full_step(self) -> str:
        """Return the step with the device or file."""
        device = self.arguments.get("dev")
        return f"{self.step()} using {device}" if device else self.step()

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        there = foreseen.storage_object(self.place.plugin, self.place.name)
        if there is not None and foreseen.exists(there.folder):
            raise exists(
                f"Storage object {self.place.plugin}/{self.place.name} already exists", there
            )
        super().check(lio, foreseen)
        foreseen.make(AluaGroup(self.place, DEFAULT_GROUP).folder)

    def check_further(self, lio: Lio, foreseen: Foreseen) -> None:
        preconditions.check(lio, foreseen, self.place.plugin, self.arguments)
        preconditions.claim(lio, foreseen, self.place, self.arguments)
        foreseen.make(self.place.hba_folder)

    def create(self, lio: Lio) -> None:
        from pyshell.lio.operations import reservations

        arguments = preconditions.resolved(lio, self.place.plugin, self.arguments)
        from pyshell.lio import rtslib_objects

        rtslib_objects.create_storage_object(self.place, arguments)
        reservations.restore(lio, self.place)

    def do(self, lio: Lio) -> Operation | None:
        """Create it on a new adapter; an empty one of that number is left by a deletion."""
        adapter = self.place.hba_folder
        if os.path.isdir(adapter) and not has_folders(adapter):
            lio.kernel.rmdir(adapter)
        with or_removed(lio, adapter, f"the adapter of {self.place}"):
            return super().do(lio)

    def is_done(self, lio: Lio) -> bool:
        """Return whether the existing storage object has the same arguments, as far as given."""
        there = listing.storage_object(lio, self.place.plugin, self.place.name)
        found = storage_info.creation_arguments(lio, there) if there else None
        if found is None:
            return False
        wanted = preconditions.resolved(lio, self.place.plugin, self.arguments)
        names = _MADE_OF[self.place.plugin]
        assert there is not None
        serial = wanted.get("wwn")
        if serial and serial != storage_info.serial(lio.kernel, there):
            return False
        if storage_info.other_identity(lio.kernel, there, self.identity):
            return False
        if self.discard is not None and not storage_info.discards_as(lio, there, self.discard):
            return False
        # A flag that the kernel does not report is not set.
        return all(found.get(n, False) == wanted[n] for n in names if n in wanted)


def _again(lio: Lio, group: AluaGroup) -> list[Operation]:
    made: list[Operation] = []
    if group.name != DEFAULT_GROUP:
        tag = lio.kernel.read(f"{group.folder}/tg_pt_gp_id").strip()
        made.append(CreateAluaGroup(group, int(tag) if tag.isdigit() else 1))
    return made + snapshot(lio, group)


@dataclass
class DeleteAluaGroup(Deletion):
    """Delete an ALUA group; its LUNs go back to the default group."""

    place: AluaGroup

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place)
        if self.place.name == DEFAULT_GROUP:
            raise UsageError(f"{DEFAULT_GROUP} is the kernel's and cannot be deleted")
        super().check(lio, foreseen)

    def again(self, lio: Lio) -> list[Operation]:
        again = _again(lio, self.place)
        if text_or_none(lio.kernel, f"{self.place.folder}/members"):
            for lun in listing.luns_of(lio, self.place.storage_object):
                if listing.alua_group_of(lio, lun) == self.place.name:
                    again.append(SetLunAluaGroup(lun, self.place.name))
        return again


@dataclass
class CreateAluaGroup(Creation):
    """Create an ALUA group with its number, from 1 to 65535."""

    deletion = DeleteAluaGroup
    place: AluaGroup
    tag: int

    def check_further(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check the number: in its range, and no other group of the storage object has it."""
        alua_group_number(self.tag)
        for other in listing.alua_groups(self.place.storage_object):
            number = text_or_none(lio.kernel, f"{other.folder}/tg_pt_gp_id")
            there = foreseen.exists(other.folder) and not foreseen.makes(other.folder)
            if there and other != self.place and number == str(self.tag):
                raise ConflictError(
                    f"{other} has the number {self.tag} already",
                    "Choose another number.",
                    path=other.folder,
                )

    def is_done(self, lio: Lio) -> bool:
        return text_or_none(lio.kernel, f"{self.place.folder}/tg_pt_gp_id") == str(self.tag)

    def create(self, lio: Lio) -> None:
        from pyshell.lio import rtslib_objects

        rtslib_objects.create_alua_group(self.place, self.tag)


@dataclass
class CreateImageFile(Operation):
    """Make the image file of a fileio storage object, `size` bytes long."""

    path: str
    size: int
    sparse: bool

    def step(self) -> str:
        return f"create image file {self.path}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that the path is free and that a file that is filled fits."""
        where = lio.machine.host_file(self.path)
        if os.path.lexists(where):
            raise ExistsError(f"{self.path} already exists", path=self.path)
        if not where.parent.is_dir() and not lio.machine.makes_folders(self.path):
            folder = os.path.dirname(self.path)
            raise NotFoundError(f"No such folder: {folder}", "Create it first.")
        foreseen.make(self.path)
        if not self.sparse:
            _must_fit(lio, self.path, self.size)

    def do(self, lio: Lio) -> Operation | None:
        """Create the file with mode 0600; leave nothing if that fails."""
        where = lio.machine.image_file(self.path)
        if lio.machine.makes_folders(self.path):
            where.parent.mkdir(parents=True, exist_ok=True)
        with writing.created(where) as descriptor:
            if self.sparse or lio.simulator is not None:
                os.ftruncate(descriptor, self.size)
            else:
                _allocate(lio, descriptor, 0, self.size)
            return RemoveImageFile(self.path, *writing.identity(os.fstat(descriptor)))


@dataclass
class RemoveImageFile(Operation):
    """Remove an image file that a failed command created, never another one."""

    path: str
    device: int
    inode: int

    def step(self) -> str:
        return f"remove image file {self.path}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """It can always be tried."""

    def do(self, lio: Lio) -> Operation | None:
        """Remove it, unless another file has its name by now."""
        writing.remove(lio.machine.image_file(self.path), (self.device, self.inode))
        return None


@dataclass
class GrowImageFile(Operation):
    """Make an image file `size` bytes long; what it holds stays."""

    path: str
    size: int
    sparse: bool

    def step(self) -> str:
        return f"grow image file {self.path}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that the file exists, is shorter and, if it is filled, that it fits."""
        where = lio.machine.host_file(self.path)
        if not where.is_file():
            raise NotFoundError(f"There is no image file {self.path}", path=self.path)
        more = self.size - where.stat().st_size
        if more < 0:
            raise PyshellError(f"{self.path} is longer than {self.size} bytes already")
        if not self.sparse:
            _must_fit(lio, self.path, more)

    def do(self, lio: Lio) -> Operation | None:
        """Grow it; keep its old length if that fails."""
        where = lio.machine.image_file(self.path)
        descriptor = writing.open_existing(where)
        before = os.fstat(descriptor).st_size
        try:
            if self.sparse or lio.is_candidate:
                os.ftruncate(descriptor, self.size)
            else:
                _allocate(lio, descriptor, before, self.size)
        except OSError:
            os.ftruncate(descriptor, before)
            raise
        finally:
            os.close(descriptor)
        return _CutImageFile(self.path, before)


@dataclass
class _CutImageFile(Operation):
    """Truncate an image file to its length before it grew, which no initiator has seen yet."""

    path: str
    size: int

    def step(self) -> str:
        return f"truncate image file {self.path}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """It can always be tried."""

    def do(self, lio: Lio) -> Operation | None:
        descriptor = writing.open_existing(lio.machine.image_file(self.path))
        try:
            os.ftruncate(descriptor, self.size)
        finally:
            os.close(descriptor)
        return None


@dataclass
class SetImageSize(ObjectOperation):
    """Set how many bytes of its file a fileio storage object exports.

    The kernel takes that at any time, exported or not, and answers READ CAPACITY with it from then
    on; it does not follow the file's own length.
    """

    place: StorageObject
    size: int

    def step(self) -> str:
        return f"resize {self.place}"

    def do(self, lio: Lio) -> Operation | None:
        before = storage_info.describe(lio, self.place).size
        if before == self.size:
            return None
        from pyshell.lio import rtslib_objects

        rtslib_objects.found(self.place)._control(f"fd_dev_size={self.size}")
        if storage_info.describe(lio, self.place).size != self.size:
            raise PyshellError(
                f"This kernel did not take the new size of {self.place}",
                "Delete it and create it again: it then has its file's size.",
            )
        return SetImageSize(self.place, before) if before is not None else None


def _allocate(lio: Lio, descriptor: int, start: int, end: int) -> None:
    """Allocate a file in parts, and report the progress."""
    for part in range(start, end, _PART):
        os.posix_fallocate(descriptor, part, min(_PART, end - part))
        lio.progress(min(part + _PART, end) - start, end - start)


def _must_fit(lio: Lio, path: str, size: int) -> None:
    free = lio.machine.free_space(path)
    if free < size:
        raise PyshellError(f"{path} needs {size_text(size)} more, {size_text(free)} are free there")


def stays_of_image_file(operation: Operation) -> str | None:
    """Return what an undo says if it omits an operation that removes or truncates an image file."""
    if isinstance(operation, RemoveImageFile):
        return f"The image file {operation.path} is kept."
    if isinstance(operation, _CutImageFile):
        return f"The image file {operation.path} keeps its length."
    return None


def remove_storage_object(lio: Lio, place: StorageObject) -> list[Operation]:
    """Return operations that delete a storage object with every LUN that exports it."""
    made: list[Operation] = []
    for lun in listing.luns_of(lio, place):
        made += remove_lun(lun)
    return [*made, *remove_unexported(place)]


def remove_unexported(place: StorageObject) -> list[Operation]:
    """Return operations that delete an unexported storage object with its ALUA groups."""
    groups = [group for group in listing.alua_groups(place) if group.name != DEFAULT_GROUP]
    made: list[Operation] = [DeleteAluaGroup(group) for group in groups]
    return [*made, DeleteStorageObject(place)]
