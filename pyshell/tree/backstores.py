# SPDX-License-Identifier: Apache-2.0
"""/backstores: block, fileio, pscsi and ramdisk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pyshell.errors import BusyError, UsageError
from pyshell.lio import Lio, listing, operations, settings, storage_info
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import StorageObject, plugin_name
from pyshell.lio.storage_info import SECTOR, naa_of, padding_note, ramdisk_size, refuse_image_among
from pyshell.names import size_text
from pyshell.tree.command import (
    DEVICE,
    FILE,
    INQUIRY,
    SERIAL,
    SIZE,
    SIZE_TEXT,
    SO_NAME,
    Aliases,
    command,
)
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Result
from pyshell.tree.storage_object import StorageObjectNode, may_run_out

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation
    from pyshell.lio.operations.storage import CreateStorageObject

NewName = Annotated[str, SO_NAME, "Name of the new storage object."]
Discard = Annotated[
    bool | None,
    "Let initiators free unused blocks (UNMAP). Default: by the preference enable_discard, if the"
    " device can free them; not for an image file whose space is fully allocated.",
]
Serial = Annotated[
    str | None,
    SERIAL,
    "Unit serial number, or an NAA ID (naa.6001405…) from which it is derived; generated if"
    " omitted. Initiators identify the disk by the first 25 hexadecimal digits of the serial"
    " number; fewer are padded with zeros. serial:TEXT uses TEXT unchanged.",
]
Vendor = Annotated[str | None, INQUIRY["vendor_id"], "T10 vendor, up to 8 characters."]
Product = Annotated[str | None, INQUIRY["product_id"], "T10 product, up to 16 characters."]
Revision = Annotated[str | None, INQUIRY["revision"], "Product revision, up to 4 characters."]
CompanyId = Annotated[
    str | None, INQUIRY["company_id"], "IEEE company id of the NAA ID. Default: 0x001405."
]
IDENTITY = dict(
    zip(("vendor", "product", "revision", "company_id"), settings.IDENTITY, strict=True)
)
"""The file of each parameter of the identity."""


DISCARD = "attrib/emulate_tpu"


def refuse_discard(lio: Lio, plugin: str, path: str) -> None:
    """Raise UsageError if a device or image file cannot free blocks."""
    if not storage_info.frees_space(lio, plugin, path):
        raise UsageError(f"{path} cannot discard.", "Omit discard=true.")


def discard_note(device: str) -> str:
    """Return the sentence about discard that was not requested.

    `create` of a block storage object omits it: it prints exactly targetcli's sentence, at a
    terminal, too.
    """
    return f"Enabled discard (UNMAP): {device} can free blocks."


class BackstoresNode(Node):
    """/backstores."""

    def make_children(self) -> Sequence[Node]:
        """Return the backstores, those of user-space handlers last."""
        from pyshell.tree.user_backstores import user_backstores

        return [*(kind(name, self) for name, kind in BACKSTORES.items()), *user_backstores(self)]

    def find(self, name: str) -> Node | None:
        today = plugin_name(name)  # scripts use older ones (field failure 25)
        if today != name:
            self.context.note(f"{name} is called {today} today.")
        if today in BACKSTORES:
            return BACKSTORES[today](today, self)
        from pyshell.tree.user_backstores import user_backstore

        return user_backstore(self, name)


class BackstoreNode(Node):
    """A kind of backstore, with its storage objects."""

    counted = "Storage Objects"
    more: ClassVar[Mapping[str, str]] = {
        **Node.more,
        "delete": "pyshell.commands.storage_objects",
    }

    def make_children(self) -> Sequence[Node]:
        return [StorageObjectNode(place, self) for place in self.places()]

    def places(self) -> list[StorageObject]:
        return listing.storage_objects(self.lio, self.plugin)

    @property
    def plugin(self) -> str:
        """rtslib's name of this kind of backstore."""
        return str(self.name)

    def find(self, name: str) -> Node | None:
        place = listing.storage_object(self.lio, self.plugin, name)
        return StorageObjectNode(place, self) if place else None

    def _new(self, name: str) -> StorageObject:
        return StorageObject(self.plugin, name, listing.free_hba(self.lio), self.lio.root)

    def _created(
        self,
        create: CreateStorageObject,
        said: Sequence[str],
        identity: Sequence[str | None],
        before: Sequence[Operation] = (),
        then: Sequence[Operation] = (),
        notes: Sequence[str] = (),
    ) -> Change:
        """Return the change that creates a storage object with what every new one gets.

        `identity` is in the order of `IDENTITY`.
        """
        made = [*before, create, *then]
        values = dict(zip(IDENTITY.values(), identity, strict=True))
        named = self.context.preference("export_backstore_name_as_model")
        if named and values[settings.PRODUCT] is None:
            made.append(operations.setters.Set(create.place, storage_info.MODEL_ALIAS, "1"))
        create.identity = {file: value for file, value in values.items() if value is not None}
        made += [
            operations.setters.Set(create.place, file, value)
            for file, value in create.identity.items()
        ]
        made[-1].said = said
        wwn = create.arguments["wwn"]
        if wwn and not self.context.compat:  # generated numbers differ
            naa = naa_of(wwn, values[settings.COMPANY])
            notes = (*notes, *padding_note(wwn), *self._twins(naa))
        return Change(made, create.place.path, note=" ".join(notes))

    def _discard(
        self, place: StorageObject, path: str, requested: bool | None, *, reserved: bool = False
    ) -> list[Operation]:
        """Return the operation that enables discard for a new storage object, if it should be.

        `reserved` is for a new image file that gets all its space.
        """
        if requested:
            refuse_discard(self.lio, place.plugin, path)
        elif requested is None and not (self.context.compat or reserved):
            requested = self.discards_unasked(path)
        return [operations.setters.Set(place, DISCARD, "1")] if requested else []

    def discards_unasked(self, path: str) -> bool:
        """Return whether a new storage object offers discard if that is not requested."""
        enabled: bool = self.context.preference("enable_discard")
        return enabled and storage_info.discards_by_default(self.lio, self.plugin, path)

    def _rounding(self, size: int, real: int, unit: str) -> list[str]:
        """Return a note on the real size if it is not the requested one."""
        if real == size or self.context.compat:
            return []
        return [f"Initiators see {real} bytes: {size} is rounded to whole {unit}."]

    def _twins(self, naa: str) -> Iterator[str]:
        """Warn of a storage object that initiators cannot tell from the one with that NAA id."""
        for other in listing.storage_objects(self.lio):
            if storage_info.naa(self.lio.kernel, other) == naa:
                yield (
                    f"{other.path} has the same id ({naa}):"
                    " initiators take the two for one disk and ruin both. 'doctor' shows the"
                    " fix."
                )
                return


class BlockNode(BackstoreNode):
    """/backstores/block: block devices of this host."""

    @command(
        changes=True,
        examples=("/backstores/block create name=lee_block dev=/dev/mapper/lee-lee.lv",),
    )
    def ui_command_create(
        self,
        name: NewName,
        dev: Annotated[str, DEVICE, "Path of the block device."],
        readonly: Annotated[
            bool | None, "Export the device read-only. Default: read-only if the device is."
        ] = None,
        wwn: Serial = None,
        exclusive: Annotated[bool, "Open the device exclusively for this storage object."] = True,
        *,
        discard: Discard = None,
        vendor: Vendor = None,
        product: Product = None,
        revision: Revision = None,
        company_id: CompanyId = None,
    ) -> Result:
        """Create a storage object on a block device."""
        device = self.lio.machine.block_device(dev)
        protect = readonly if readonly is not None else device is not None and device.read_only
        arguments = {"dev": dev, "readonly": protect, "wwn": wwn, "exclusive": exclusive}
        said = [f"Created block storage object {name} using {dev}."]
        identity = (vendor, product, revision, company_id)
        place = self._new(name)
        # An initiator may not discard on a read-only disk.
        then = self._discard(place, dev, False if readonly and discard is None else discard)
        create = operations.storage.CreateStorageObject(place, arguments, discard=discard)
        return self._created(create, said, identity, then=then)


class FileioNode(BackstoreNode):
    """/backstores/fileio: image files."""

    @command(
        changes=True,
        examples=("/backstores/fileio create name=image1 file_or_dev=/srv/image1.img size=1G",),
    )
    def ui_command_create(
        self,
        name: NewName,
        file_or_dev: Annotated[str, FILE, "Path of the image file, or of a block device."],
        size: Annotated[
            int | None, SIZE, "Size of a new file, such as 10G. An existing file keeps its size."
        ] = None,
        write_back: Annotated[
            bool | None,
            "true (default) caches writes in the host's memory: faster, but a crash loses"
            " writes that the initiator did not flush. false writes through.",
            Aliases("buffered"),
        ] = None,
        sparse: Annotated[bool, "Allocate the space of a new file only when it is written."] = True,
        wwn: Serial = None,
        *,
        aio: Annotated[bool, "Use asynchronous I/O on the file."] = False,
        discard: Discard = None,
        vendor: Vendor = None,
        product: Product = None,
        revision: Revision = None,
        company_id: CompanyId = None,
    ) -> Result:
        """Create a storage object on an image file. A missing file is created."""
        place = self._new(name)
        path = os.path.abspath(os.path.expanduser(file_or_dev))
        made: list[Operation] = []
        notes: list[str] = []
        said: list[str] = []
        device = self.lio.machine.block_device(path)
        if device is not None:
            if size is not None:
                said.append("Block device, size parameter ignored")
            said.append("Note: block backstore preferred for best results")
            size = device.size
        elif self.lio.machine.scsi_device(path) is None:
            size = self._file_size(place, path, size, sparse, made, notes, said)
        is_new = any(
            isinstance(operation, operations.storage.CreateImageFile) for operation in made
        )
        then = self._discard(place, path, discard, reserved=is_new and not sparse)
        if then and discard is None:
            notes.append(discard_note(path))
        cached = True if write_back is None else write_back
        if write_back is None and not self.context.compat:
            notes.append("Its cache is write-back: a crash loses writes that are not flushed.")
        if (
            aio
            and not (cached or self.context.compat)
            and storage_info.keeps_direct_writes(self.lio, path)
        ):
            notes.append(
                f"With aio, the kernel does not flush writes. Run '{place.path} set attribute"
                " emulate_write_cache=1', so that initiators do."
            )
        arguments = {"dev": path, "size": size, "write_back": cached, "wwn": wwn, "aio": aio}
        if size is not None:
            notes += self._rounding(size, size // SECTOR * SECTOR, "blocks")
        said.append(f"Created fileio {name} with size {size}")
        identity = (vendor, product, revision, company_id)
        create = operations.storage.CreateStorageObject(place, arguments, discard=discard)
        return self._created(create, said, identity, made, then, notes)

    def _file_size(
        self,
        new: StorageObject,
        path: str,
        size: int | None,
        sparse: bool,
        made: list[Operation],
        notes: list[str],
        said: list[str],
    ) -> int:
        """Return the size of an existing file, or plan to create it. Raises UsageError."""
        where = self.lio.machine.host_file(path)
        if not os.path.exists(where):  # Path.exists raises for a name that is too long
            refuse_image_among(self.lio, path)
            if size is None:
                raise UsageError(
                    f"{path} does not exist: to make it, a size is needed.",
                    "Add size=10G.",
                    targetcli="Attempting to create file for new fileio backstore, need a size",
                )
            made.append(operations.storage.CreateImageFile(path, size, sparse))
            if not sparse:
                said.append(f"Writing {size} bytes")
            if not self.context.compat:
                notes.append(self._about_new_file(path, size, sparse))
            return size
        if not where.is_file():
            raise UsageError(f"{path} exists but is not a file.")
        self._refuse_shared(path, new)
        found = where.stat().st_size
        if size is not None:
            said.append(f"{path} exists, using its size ({found} bytes) instead")
        return found

    def _about_new_file(self, path: str, size: int, sparse: bool) -> str:
        free = self.lio.machine.free_space(path)
        if not sparse:
            return f"{path} takes all its space now, {size_text(free)} were free there."
        enough = f"{path} is sparse, {size_text(free)} are free there."
        return may_run_out(path, free, size) or enough

    def _refuse_shared(self, path: str, new: StorageObject) -> None:
        wanted = os.path.realpath(self.lio.machine.host_file(path))
        for place in listing.storage_objects(self.lio, "fileio"):
            if place.name == new.name:
                continue  # creating it says that it exists
            device = text_or_none(self.lio.kernel, f"{place.folder}/udev_path")
            if device and os.path.realpath(self.lio.machine.host_file(device)) == wanted:
                raise BusyError(
                    f"{path} is already used by storage object {place.name}.",
                    targetcli=f"storage object for {path} already exists: {place.name}",
                )


class RamdiskNode(BackstoreNode):
    """/backstores/ramdisk: memory of this host, gone after a reboot."""

    @command(changes=True, examples=("/backstores/ramdisk create name=scratch size=16M",))
    def ui_command_create(
        self,
        name: NewName,
        size: Annotated[tuple[int, str], SIZE_TEXT, "Size, such as 128M."],
        nullio: Annotated[bool, "Store no data, for performance tests."] = False,
        wwn: Serial = None,
        *,
        vendor: Vendor = None,
        product: Product = None,
        revision: Revision = None,
        company_id: CompanyId = None,
    ) -> Result:
        """Create a storage object in memory.

        Its data is lost at reboot and whenever the storage object is deleted or recreated.
        """
        number, typed = size
        if number < SECTOR and not self.context.compat:
            raise UsageError(
                f"{number} bytes are less than a block of {SECTOR} bytes.",
                "Give a larger size.",
            )
        arguments = {"size": number, "nullio": nullio, "wwn": wwn}
        said = [f"Created ramdisk {name} with size {typed}."]
        identity = (vendor, product, revision, company_id)
        create = operations.storage.CreateStorageObject(self._new(name), arguments)
        notes = self._rounding(number, ramdisk_size(number), "memory pages")
        return self._created(create, said, identity, notes=notes)


class PscsiNode(BackstoreNode):
    """/backstores/pscsi: local SCSI devices, passed through."""

    @command(changes=True, examples=("/backstores/pscsi create name=tape dev=/dev/st0",))
    def ui_command_create(
        self, name: NewName, dev: Annotated[str, DEVICE, "Path of the device, or its H:C:T:L."]
    ) -> Result:
        """Create a storage object that passes through a local SCSI device."""
        place = self._new(name)
        before: list[str] = []
        if self.lio.machine.block_device(dev) is not None:
            before = ["Note: block backstore recommended for SCSI block devices"]
        create = operations.storage.CreateStorageObject(place, {"dev": dev})
        create.said = [f"Created pscsi storage object {name} using {dev}"]
        return Change([create], place.path, before=before)


BACKSTORES: dict[str, type[BackstoreNode]] = {
    "block": BlockNode,
    "fileio": FileioNode,
    "pscsi": PscsiNode,
    "ramdisk": RamdiskNode,
}
