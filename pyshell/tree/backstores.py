# SPDX-License-Identifier: Apache-2.0
"""/backstores: block, fileio, pscsi and ramdisk, and the storage objects in them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pyshell.errors import BusyError, UsageError
from pyshell.target import listing, storage
from pyshell.target.kernel import text_or_none
from pyshell.target.names import size_text
from pyshell.target.operations import removal
from pyshell.target.operations.base import Operation
from pyshell.target.operations.luns import DeleteLun, UnmapLun
from pyshell.target.operations.settings import Set
from pyshell.target.operations.storage import CreateImageFile, CreateStorageObject
from pyshell.target.places import StorageObject
from pyshell.tree import describing
from pyshell.tree.alua import AluaGroupsNode
from pyshell.tree.command import (
    BOOL,
    CHILD,
    DEVICE,
    FILE,
    SIZE,
    SIZE_TEXT,
    SO_NAME,
    TEXT,
    Param,
    command,
)
from pyshell.tree.common import CommonNode
from pyshell.tree.facts import shown_facts
from pyshell.tree.groups import Group
from pyshell.tree.kernelgroups import KernelGroup
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Lines, Result

_NAME = Param("name", SO_NAME, "Name of the new storage object.", required=True)
_WWN = Param("wwn", TEXT, "Unit serial number; made up where it is not given.")


class BackstoresNode(CommonNode):
    """/backstores."""

    def make_children(self) -> Sequence[Node]:
        """Make the backstores."""
        return [kind(name, self) for name, kind in BACKSTORES.items()]


class BackstoreNode(CommonNode):
    """A kind of backstore, with its storage objects."""

    def make_children(self) -> Sequence[Node]:
        """Make the storage objects."""
        return [StorageObjectNode(place, self) for place in listing.storage_objects(str(self.name))]

    def find(self, name: str) -> Node | None:
        """Return one storage object; reads no other."""
        try:
            place = listing.storage_object(str(self.name), name)
        except UsageError:
            return None
        return StorageObjectNode(place, self) if place else None

    def summary(self) -> tuple[str, bool | None]:
        """Count the storage objects."""
        return f"Storage Objects: {len(listing.storage_objects(str(self.name)))}", None

    @command(
        "Delete a storage object and the LUNs that export it. Its device or file is left alone.",
        Param("name", CHILD, "Name of the storage object.", required=True),
        changes=True,
        examples=("/backstores/block delete disk1",),
    )
    def ui_command_delete(self, name: str) -> Result:
        """Delete a storage object."""
        place = listing.require_storage_object(str(self.name), name)
        operations = removal.of_storage_object(place)
        _say(operations, f"Deleted storage object {name}.")
        if not self.context.compat:
            self._tell_of_luns(operations)
        return Change(operations)

    def _tell_of_luns(self, operations: Sequence[Operation]) -> None:
        """Name the LUNs that go with a storage object, and who sees them."""
        mapped = [o.place for o in operations if isinstance(o, UnmapLun)]
        for lun in [o.place for o in operations if isinstance(o, DeleteLun)]:
            seen = [m.acl.wwn for m in mapped if m.acl.tpg == lun.tpg and listing.lun_of(m) == lun]
            by = f", mapped for {', '.join(seen)}" if seen else ""
            self.context.note(f"It is exported: {lun.path} goes with it{by}.")

    def _new(self, name: str) -> StorageObject:
        return StorageObject(str(self.name), name, listing.free_hba())

    def _created(self, place: StorageObject, operations: list[Operation], sentence: str) -> Change:
        """Add what every new storage object gets, and the sentence that it is there."""
        if self.context.preference("export_backstore_name_as_model"):
            operations.append(Set(place, "attrib/emulate_model_alias", "1"))
        _say(operations, sentence)
        return Change(operations, place.path)


def _say(operations: Sequence[Operation], *sentences: str) -> None:
    operations[-1].said = [*operations[-1].said, *sentences]


class BlockNode(BackstoreNode):
    """/backstores/block: block devices of this host."""

    @command(
        "Create a storage object on a block device.",
        _NAME,
        Param("dev", DEVICE, "Path of the block device.", required=True),
        Param("readonly", BOOL, "Refuse writes; as the device is where it is not given."),
        _WWN,
        Param("exclusive", BOOL, "Claim the device for this storage object alone.", default=True),
        changes=True,
        examples=("/backstores/block create name=lee_block dev=/dev/mapper/lee-lee.lv",),
    )
    def ui_command_create(
        self, name: str, dev: str, readonly: bool | None, wwn: str | None, exclusive: bool
    ) -> Result:
        """Create a block storage object."""
        place = self._new(name)
        device = self.lio.machine.block_device(dev)
        protect = readonly if readonly is not None else device is not None and device.read_only
        arguments = {"dev": dev, "readonly": protect, "wwn": wwn, "exclusive": exclusive}
        operations: list[Operation] = [CreateStorageObject(place, arguments)]
        return self._created(place, operations, f"Created block storage object {name} using {dev}.")


class FileioNode(BackstoreNode):
    """/backstores/fileio: image files."""

    @command(
        "Create a storage object on an image file, which is made where it is missing.",
        _NAME,
        Param("file_or_dev", FILE, "Path of the image file, or of a block device.", required=True),
        Param("size", SIZE, "Size of a new file, as 10G; an existing file keeps its own."),
        Param(
            "write_back",
            BOOL,
            "Keep writes in the host's memory for a while: quicker, lost in a crash.",
            default=True,
        ),
        Param("sparse", BOOL, "Let a new file take space only as it is written.", default=True),
        _WWN,
        Param("aio", BOOL, "Use asynchronous I/O on the file.", default=False),
        changes=True,
        examples=("/backstores/fileio create name=image1 file_or_dev=/srv/image1.img size=1G",),
    )
    def ui_command_create(
        self,
        name: str,
        file_or_dev: str,
        size: int | None,
        write_back: bool,
        sparse: bool,
        wwn: str | None,
        aio: bool,
    ) -> Result:
        """Create a fileio storage object."""
        place = self._new(name)
        path = os.path.abspath(os.path.expanduser(file_or_dev))
        operations: list[Operation] = []
        device = self.lio.machine.block_device(path)
        if device is not None:
            self.context.note("The block backstore suits block devices better.")
            if size is not None:
                self.context.note(f"{path} is a block device: the size is ignored.")
            size = device.size
        else:
            size = self._file_size(path, size, sparse, operations)
        arguments = {"dev": path, "size": size, "write_back": write_back, "wwn": wwn, "aio": aio}
        operations.append(CreateStorageObject(place, arguments))
        return self._created(place, operations, f"Created fileio {name} with size {size}")

    def _file_size(
        self, path: str, size: int | None, sparse: bool, operations: list[Operation]
    ) -> int:
        """Return the size of an existing file, or plan to make it. Raises UsageError."""
        where = self.lio.machine.image_file(path)
        if not where.exists():
            if size is None:
                raise UsageError(
                    f"{path} does not exist: to make it, a size is needed.", "Add size=10G."
                )
            operations.append(CreateImageFile(path, size, sparse))
            return size
        if not where.is_file():
            raise UsageError(f"{path} exists but is not a file.")
        self._refuse_shared(path)
        found = where.stat().st_size
        if size is not None and size != found:
            self.context.note(f"{path} exists, using its size ({found} bytes) instead.")
        return found

    def _refuse_shared(self, path: str) -> None:
        wanted = os.path.realpath(self.lio.machine.image_file(path))
        for place in listing.storage_objects("fileio"):
            device = text_or_none(self.lio.kernel, f"{place.folder}/udev_path")
            if device and os.path.realpath(self.lio.machine.image_file(device)) == wanted:
                raise BusyError(f"{path} is used by storage object {place.name} already.")


class RamdiskNode(BackstoreNode):
    """/backstores/ramdisk: memory of this host, gone after a reboot."""

    @command(
        "Create a storage object in memory. What is written to it is gone after a reboot.",
        _NAME,
        Param("size", SIZE_TEXT, "Size, as 128M.", required=True),
        Param("nullio", BOOL, "Keep nothing at all, for tests of speed.", default=False),
        _WWN,
        changes=True,
        examples=("/backstores/ramdisk create name=scratch size=16M",),
    )
    def ui_command_create(
        self, name: str, size: tuple[int, str], nullio: bool, wwn: str | None
    ) -> Result:
        """Create a ramdisk storage object."""
        place = self._new(name)
        arguments = {"size": size[0], "nullio": nullio, "wwn": wwn}
        operations: list[Operation] = [CreateStorageObject(place, arguments)]
        return self._created(place, operations, f"Created ramdisk {name} with size {size[1]}.")


class PscsiNode(BackstoreNode):
    """/backstores/pscsi: local SCSI devices, passed through."""

    @command(
        "Create a storage object that passes a local SCSI device through.",
        _NAME,
        Param("dev", DEVICE, "Path of the device, or its H:C:T:L.", required=True),
        changes=True,
        examples=("/backstores/pscsi create name=tape dev=/dev/st0",),
    )
    def ui_command_create(self, name: str, dev: str) -> Result:
        """Create a pscsi storage object."""
        place = self._new(name)
        if self.lio.machine.block_device(dev) is not None:
            self.context.note("The block backstore is recommended for SCSI disks.")
        create = CreateStorageObject(place, {"dev": dev})
        create.said = [f"Created pscsi storage object {name} using {dev}"]
        return Change([create], place.path)


class StorageObjectNode(CommonNode):
    """A storage object."""

    def __init__(self, place: StorageObject, parent: Node) -> None:
        super().__init__(place.name, parent)
        self.place = place

    def make_children(self) -> Sequence[Node]:
        """Make the node of the ALUA groups."""
        return [AluaGroupsNode(self.place, self)]

    def summary(self) -> tuple[str, bool | None]:
        """Tell device, size, cache mode and whether a LUN exports it; what is missing, and why."""
        found = storage.describe(self.lio, self.place)
        if not found.configured:
            return "INCOMPLETE: never configured", False
        words = {
            "user": [found.config.partition("/")[2]],
            "ramdisk": ["nullio"] * found.nullio,
        }.get(self.place.plugin, [found.device])
        if found.missing:
            words.append("(MISSING)")
        elif found.size is not None:
            words.append(f"({size_text(found.size)})")
        if found.read_only:
            words.append("ro")
        if found.write_back is not None:
            words.append("write-back" if found.write_back else "write-thru")
        words.append("activated" if found.exported else "deactivated")
        return " ".join(words), not found.missing

    def groups(self) -> dict[str, Group]:
        """Return the attributes."""
        return {
            "attribute": KernelGroup(self.lio, [self.place], "attrib", describing.STORAGE_OBJECT)
        }

    @command("Show what there is to know of the storage object.")
    def ui_command_info(self) -> Result:
        """Show what there is to know."""
        from pyshell.saved import running

        entry = running.read_storage_object(self.lio, self.place) or {"name": self.place.name}
        return shown_facts(entry, secrets=True)

    @command(
        "Save this storage object and the targets that export it; the rest of the file stays.",
        Param("savefile", FILE, "Where to; the file that is restored at boot unless given."),
        changes=True,
    )
    def ui_command_saveconfig(self, savefile: str | None = None) -> Result:
        """Save this storage object."""
        from pyshell.tree.saving import file_of, save_storage_object

        path = file_of(self.lio, savefile)
        return save_storage_object(self.context, path, self.place.plugin, self.place.name)

    @command("Show the version of the backstore's driver.")
    def ui_command_version(self) -> Result:
        """Show the version of the backstore's driver."""
        told = text_or_none(self.lio.kernel, f"{self.place.hba_folder}/hba_info") or ""
        version = told.rpartition("version:")[2].strip()
        return Lines([f"Backstore plugin {self.place.plugin} {version}"], version)


BACKSTORES: dict[str, type[BackstoreNode]] = {
    "block": BlockNode,
    "fileio": FileioNode,
    "pscsi": PscsiNode,
    "ramdisk": RamdiskNode,
}
