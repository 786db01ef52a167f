# SPDX-License-Identifier: Apache-2.0
"""Operations that create, change and delete one object of a document, or clear all.

Attributes that this kernel does not have are skipped: a file can come from a newer kernel.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyshell.config.model import ENABLED, LUN_GROUP, Item
from pyshell.errors import NotFoundError
from pyshell.lio import Lio, identifiers, listing, settings, storage_info
from pyshell.lio.configfs import changing
from pyshell.lio.fabrics import Fabric
from pyshell.lio.failures import doing
from pyshell.lio.identifiers import (
    DEFAULT_GROUP,
    AluaGroup,
    FabricPlace,
    Identifier,
    Lun,
    MappedLun,
    NodeAcl,
    Portal,
    StorageObject,
    Target,
    Tpg,
)
from pyshell.lio.operations.base import (
    Deletion,
    Foreseen,
    ObjectOperation,
    Operation,
    Several,
    carry_out,
)
from pyshell.lio.operations.mapping import (
    CreateLun,
    CreateNodeAcl,
    DeleteLun,
    DeleteNodeAcl,
    MapLun,
    SetLunAluaGroup,
    UnmapLun,
)
from pyshell.lio.operations.setters import Set, SetSerial, SetWriteCache
from pyshell.lio.operations.storage import (
    CreateAluaGroup,
    CreateStorageObject,
    DeleteAluaGroup,
    DeleteStorageObject,
    GrowImageFile,
    SetImageSize,
    remove_unexported,
)
from pyshell.lio.operations.targets import (
    CreatePortal,
    CreateTarget,
    CreateTpg,
    DeletePortal,
    DeleteTarget,
    DeleteTpg,
    UseFabric,
    remove_targets,
)
from pyshell.lio.settings import refuse_misread

_CREATE: Mapping[type, Callable[[Any, Item, Any], Operation]] = {
    FabricPlace: lambda place, _, __: UseFabric(place.fabric),
    StorageObject: lambda place, item, _: CreateStorageObject(place, dict(item.facts)),
    AluaGroup: lambda place, item, _: CreateAluaGroup(
        place, int(item.facts.get("tg_pt_gp_id") or 0)
    ),
    identifiers.Target: lambda place, _, __: CreateTarget(place),
    Tpg: lambda place, _, __: CreateTpg(place),
    identifiers.Lun: lambda place, item, made_of: CreateLun(place, made_of, item.alias),
    identifiers.Portal: lambda place, _, __: CreatePortal(place),
    NodeAcl: lambda place, _, __: CreateNodeAcl(place),
    identifiers.MappedLun: lambda place, item, made_of: MapLun(
        place, made_of, item.settings.get("write_protect") == "1", item.alias
    ),
}
"""Operations that create objects: of a LUN or mapped LUN, made of the third argument."""


@dataclass
class SetKnown(Set):
    """Set a setting if the kernel has it."""

    unknown: str = ""
    """What the kernel does not have, "" if it accepted the setting."""

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Refuse what the kernel would read as false."""
        super().check(lio, foreseen)
        refuse_misread(self.place, self.file, self.value)

    def do(self, lio: Lio) -> Operation | None:
        """Write it, unless this kernel does not have it."""
        if isinstance(self.place, AluaGroup) and not storage_info.supports_alua(
            lio, self.place.storage_object
        ):
            return None  # writing there hung kernels (field failure 9)
        try:
            return super().do(lio)
        except NotFoundError as error:
            if not os.path.isdir(self.place.folder):
                raise
            self.unknown = error.message.rstrip(".")
            return None


@dataclass
class FollowSize(ObjectOperation):
    """Set the size of a fileio storage object; grow its image file if that is smaller.

    A file is never truncated: less of it is exported then.
    """

    place: StorageObject
    path: str
    size: int

    def step(self) -> str:
        return f"resize {self.place}"

    def do(self, lio: Lio) -> Operation | None:
        """Grow the file if needed, then set the size; a block device needs neither."""
        if lio.machine.block_device(self.path) is not None:
            return None
        made: list[Operation] = [SetImageSize(self.place, self.size)]
        status = lio.machine.host_file(self.path).stat()
        if status.st_size < self.size:
            sparse = status.st_blocks * 512 < status.st_size
            made.insert(0, GrowImageFile(self.path, self.size, sparse))
        return Several(made).do(lio)


def no_discovery(fabric: Fabric) -> list[Operation]:
    """Return operations that unset the CHAP settings of discovery."""
    place = FabricPlace(fabric)
    made: list[Operation] = [
        SetKnown(place, f"discovery_auth/{file}", "") for file in settings.AUTH_FILES.values()
    ]
    return [*made, SetKnown(place, "discovery_auth/enforce_discovery_auth", "0")]


def create(item: Item, made_of: Identifier | None) -> Iterator[Operation]:
    """Yield operations that create an object with its settings; a TPG is enabled later.

    `made_of` is the storage object of a LUN or the LUN of a mapped LUN.
    """
    if not item.implied:
        yield _CREATE[type(item.place)](item.place, item, made_of)
    if isinstance(item.place, identifiers.MappedLun):
        return  # created with its one setting
    files = list(item.settings)
    if isinstance(item.place, identifiers.Portal):
        # A new portal has no transport yet whose end would disconnect anyone.
        files = [file for file in files if item.settings[file] != "0"]
    yield from change(item, files)


def change(item: Item, files: Iterable[str]) -> Iterator[Operation]:
    """Yield operations that set the settings in `files`."""
    for file in files:
        value = item.settings[file]
        if file == ENABLED:
            continue  # last of all, see `plan`
        if isinstance(item.place, identifiers.Lun) and file == LUN_GROUP:
            yield SetLunAluaGroup(item.place, value)
        elif isinstance(item.place, StorageObject) and _is_file_cache(item.place, file):
            yield SetWriteCache(
                item.place, file, value, buffered=bool(item.facts.get("write_back"))
            )
        else:
            yield SetKnown(item.place, file, value)


def _is_file_cache(place: StorageObject, file: str) -> bool:
    return place.plugin == "fileio" and file == "attrib/emulate_write_cache"


def follow(item: Item, facts: Iterable[str]) -> Iterator[Operation]:
    """Yield operations that change size or serial number of a storage object in place."""
    for name in facts:
        assert isinstance(item.place, StorageObject)
        if name == "wwn":
            yield SetSerial(item.place, str(item.facts["wwn"]))
        else:
            yield FollowSize(item.place, str(item.facts["dev"]), int(item.facts["size"]))


def delete(item: Item) -> Iterator[Operation]:
    """Yield operations that delete an object; its dependents are deleted before."""
    if isinstance(item.place, FabricPlace):
        yield from no_discovery(item.place.fabric)
    elif not item.implied:
        yield _DELETE[type(item.place)](item.place)


_KINDS: Mapping[type[Operation], Callable[[Any], tuple[Any, Any]]] = {
    CreateStorageObject: lambda done: (StorageObject, done.place.plugin),
    CreateTpg: lambda done: (Tpg, done.place.target.fabric_name),
    CreateNodeAcl: lambda done: (NodeAcl, done.place.tpg),  # it can inherit values from its TPG
    CreateLun: lambda done: (CreateLun, done.storage_object.plugin),
}
"""The kinds of new objects that have the same values, by the operation that creates them."""


class Fresh:
    """New objects, whose settings are known without reading each.

    The kernel gives all objects of a kind the same values, except for those that depend on the
    device. So each such value is read from the first new object of its kind and assumed for the
    others. Objects into which the same values were written since form a kind of their own.
    """

    def __init__(self, lio: Lio) -> None:
        self._lio = lio
        self._kinds: dict[Any, Any] = {}
        """The kind of each new object, with what was written into it since."""
        self._known: dict[tuple[Any, str], str | None] = {}

    def made(self, operation: Any) -> None:
        """Record what an operation created."""
        kind_of = _KINDS.get(type(operation))
        if kind_of is not None:
            self._kinds[operation.place] = kind_of(operation)
        if isinstance(operation, CreateStorageObject):
            group = AluaGroup(operation.place, DEFAULT_GROUP)
            self._kinds[group] = (AluaGroup, self._kinds[operation.place])

    def has(self, operation: Operation) -> bool:
        """Return whether a setting need not be written, as a new object has that value."""
        if isinstance(operation, Set):
            file, value = operation.file, operation.value
        elif isinstance(operation, SetLunAluaGroup):
            file, value = "alua_tg_pt_gp", operation.name
        else:
            return False
        kind = self._kinds.get(operation.place)
        if kind is None or not _is_the_kernels(operation.place, file):
            return False
        if (kind, file) not in self._known:
            self._known[kind, file] = None
            with contextlib.suppress(OSError):
                found = settings.read(self._lio.kernel, operation.place.folder, file)
                self._known[kind, file] = found
        if self._known[kind, file] == value:
            return True
        # Writing a value can change others, but in the same way on all objects of the kind.
        self._kinds[operation.place] = (*kind, (file, value))
        return False


def _is_the_kernels(place: identifiers.Identifier, file: str) -> bool:
    """Return whether all new objects of a kind have the same value, on any device."""
    folder, _, name = file.rpartition("/")
    if file == settings.PRODUCT:  # it can be the object's name
        return False
    rows = place.kind.rows.get(folder) if isinstance(place, StorageObject | Tpg) else None
    if rows is None:
        return not isinstance(place, StorageObject)
    return settings.row(rows, name).default_of(place.owner) is not None


def is_clear(lio: Lio) -> bool:
    """Return whether `clear` would remove nothing."""
    if not listing.is_empty(lio) or list(listing.hbas(lio)):
        return False
    return not any(_has_discovery(lio, fabric) for fabric in listing.fabrics_in_use(lio))


def _has_discovery(lio: Lio, fabric: Fabric) -> bool:
    if not fabric.has("discovery_auth"):
        return False
    files = [f"discovery_auth/{file}" for file in settings.AUTH_FILES.values()]
    return any(settings.read(lio.kernel, fabric.folder, file) for file in files)


def clear(
    lio: Lio,
    removed: Callable[[Sequence[Operation]], None] = lambda operations: None,
    *,
    spared: Collection[str] = (),
) -> None:
    """Remove all targets, storage objects and discovery settings, without undo.

    Objects whose paths are in `spared` stay. Raises the first error. `removed` is called with the
    completed operations in any case.
    """
    fabrics = list(listing.fabrics_in_use(lio))
    targets = [
        remove_targets([one for one in listing.targets(fabric) if one.path not in spared])
        for fabric in fabrics
    ]
    every = listing.storage_objects(lio)
    kept = {place.hba_folder for place in every if place.path in spared}
    storage = [
        operation
        for place in every
        if place.path not in spared
        for operation in remove_unexported(place)
    ]
    done, total = 0, sum(len(operations) for operations in (*targets, storage))

    def remove(operations: Sequence[Operation]) -> None:
        gone: list[Operation] = []

        def report(operation: Operation, index: int, of: int) -> None:
            lio.progress(done + index, total)
            gone.append(operation)

        try:
            carry_out(lio, operations, report, for_good=True)
        finally:
            removed(gone)

    for fabric, operations in zip(fabrics, targets, strict=True):
        remove(operations)
        done += len(operations)
        if fabric.has("discovery_auth") and f"/{fabric.name}" not in spared:
            carry_out(lio, no_discovery(fabric))
    remove(storage)
    for plugin, number in list(listing.hbas(lio)):
        # Empty HBAs are left by killed programs (field failure 35).
        folder = StorageObject(plugin, "", number, lio.root).hba_folder
        if folder in kept:
            continue
        with doing(f"remove the empty adapter {folder}"), changing():
            lio.kernel.rmdir(folder)


def left_below(lio: Lio, operations: Iterable[Operation]) -> Identifier | None:
    """Return an object that depends on one to be deleted and that no operation before deletes."""
    foreseen = Foreseen(lio)
    for operation in operations:
        if not isinstance(operation, Deletion):
            continue
        for place in _dependents(lio, operation.place):
            if foreseen.exists(place.folder):
                return place
        foreseen.remove(operation.place.folder)
    return None


_DELETE: Mapping[type[Identifier], Callable[[Any], Operation]] = {
    StorageObject: DeleteStorageObject,
    AluaGroup: DeleteAluaGroup,
    Target: DeleteTarget,
    Tpg: DeleteTpg,
    Lun: DeleteLun,
    Portal: DeletePortal,
    NodeAcl: DeleteNodeAcl,
    MappedLun: UnmapLun,
}
"""The operation that deletes an object, by its type."""


def _dependents(lio: Lio, place: Identifier) -> Sequence[Identifier]:
    """Return the objects that are below another one or made of it."""
    rule = _DEPENDENTS.get(type(place))
    return rule(lio, place) if rule is not None else ()


_DEPENDENTS: Mapping[type[Identifier], Callable[[Lio, Any], Sequence[Identifier]]] = {
    Target: lambda _, target: listing.tpgs(target),
    Tpg: lambda _, tpg: [*listing.node_acls(tpg), *listing.luns(tpg), *listing.portals(tpg)],
    Lun: lambda _, lun: listing.mappings_of(lun),
    NodeAcl: lambda _, acl: listing.mapped_luns(acl),
    StorageObject: listing.luns_of,
}
