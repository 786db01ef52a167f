# SPDX-License-Identifier: Apache-2.0
"""Operations on image files, and on how much of its file a fileio storage object exports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyshell.errors import ExistsError, NotFoundError, PyshellError
from pyshell.files import writing
from pyshell.lio import rtslib_objects, storage_info
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Foreseen, Operation, must_exist
from pyshell.names import size_text

_PART = 1 << 28


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
        where = lio.machine.host_file(self.path)
        if lio.machine.makes_folders(self.path):
            where.parent.mkdir(parents=True, exist_ok=True)
        with writing.created(where) as descriptor:
            if self.sparse or lio.simulated is not None:
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
        """Nothing speaks against it."""

    def do(self, lio: Lio) -> Operation | None:
        """Remove it, unless another file has its name by now."""
        writing.remove(lio.machine.host_file(self.path), (self.device, self.inode))
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
        where = lio.machine.host_file(self.path)
        descriptor = writing.open_existing(where)
        before = os.fstat(descriptor).st_size
        try:
            if self.sparse:
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
    """Give an image file its old length back, of which nobody was told that it had grown."""

    path: str
    size: int

    def step(self) -> str:
        return f"truncate image file {self.path}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Nothing speaks against it."""

    def do(self, lio: Lio) -> Operation | None:
        descriptor = writing.open_existing(lio.machine.host_file(self.path))
        try:
            os.ftruncate(descriptor, self.size)
        finally:
            os.close(descriptor)
        return None


@dataclass
class SetImageSize(Operation):
    """Set how many bytes of its file a fileio storage object exports.

    The kernel takes that at any time, exported or not, and answers READ CAPACITY with it from then
    on; it does not follow the file's own length.
    """

    place: StorageObject
    size: int
    said: Sequence[str] = field(default_factory=list)

    def step(self) -> str:
        return f"resize {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place)

    def do(self, lio: Lio) -> Operation | None:
        before = storage_info.describe(lio, self.place).size
        if before == self.size:
            return None
        rtslib_objects.found(self.place)._control(f"fd_dev_size={self.size}")
        if storage_info.describe(lio, self.place).size != self.size:
            raise PyshellError(
                f"This kernel did not take the new size of {self.place}",
                "Delete it and create it again: it then has its file's size.",
            )
        return SetImageSize(self.place, before) if before is not None else None


def _allocate(lio: Lio, descriptor: int, start: int, end: int) -> None:
    """Take room for a file part by part, so that it can be told how far that is."""
    for part in range(start, end, _PART):
        os.posix_fallocate(descriptor, part, min(_PART, end - part))
        lio.progress(min(part + _PART, end) - start, end - start)


def _must_fit(lio: Lio, path: str, size: int) -> None:
    free = lio.machine.free_space(path)
    if free < size:
        raise PyshellError(f"{path} needs {size_text(size)} more, {size_text(free)} are free there")


def image_file_of(operation: Operation) -> str | None:
    """Return the path of the image file that an operation removes or cuts, None for any other."""
    if isinstance(operation, RemoveImageFile | _CutImageFile):
        return operation.path
    return None
