# SPDX-License-Identifier: Apache-2.0
"""A storage object: what it is made of, its attributes, its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pyshell.errors import UsageError
from pyshell.lio import listing, storage_info
from pyshell.lio.attach import Lio
from pyshell.lio.attributes import boolean
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.setters import SetWriteCache
from pyshell.names import size_text
from pyshell.tree.alua import AluaGroupsNode
from pyshell.tree.command import SIZE, command
from pyshell.tree.facts import shown_facts
from pyshell.tree.groups import Group
from pyshell.tree.node import Context, Node
from pyshell.tree.results import Columns, Lines, Result
from pyshell.tree.setting_groups import KernelGroup

_WRITE_CACHE = "emulate_write_cache"


class StorageObjectNode(Node):
    """A storage object."""

    more: ClassVar[Mapping[str, str]] = {
        **Node.more,
        "saveconfig": "pyshell.commands.storage_object",
    }

    def __init__(self, place: StorageObject, parent: Node) -> None:
        super().__init__(place.name, parent)
        self.place = place

    def make_children(self) -> Sequence[Node]:
        """Make the node of the ALUA groups."""
        return [AluaGroupsNode(self.place, self)]

    def summary(self) -> tuple[str, bool | None]:
        """Tell device, size, cache mode and whether a LUN exports it; what is missing, and why."""
        found = storage_info.describe(self.lio, self.place)
        if not found.configured:
            return "INCOMPLETE: never configured", False
        words = {
            "user": [found.config.partition("/")[2] or "(no config)"],
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

    def trouble(self) -> str:
        """Tell why nothing can be read from it."""
        return storage_info.describe(self.lio, self.place).missing

    def groups(self) -> dict[str, Group]:
        """Return the attributes."""
        return {"attribute": _Attributes(self.lio, self.place, self.context)}

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the storage object."""
        from pyshell.config import running

        entry = running.read_storage_object(self.lio, self.place) or {"name": self.place.name}
        if self.context.compat:
            return shown_facts(entry, secrets=True)
        found = shown_facts({**entry, **self._more_facts()}, secrets=True, units=True)
        luns = [lun.path for lun in listing.luns_of(self.place)]
        mapped = {
            m.acl.wwn for lun in listing.luns_of(self.place) for m in listing.mappings_of(lun)
        }
        users = {"luns": luns, "initiators": sorted(mapped)}
        rows = [(name, ", ".join(paths) or "none") for name, paths in users.items()]
        return Lines(
            [*found.lines, *(f"{name}: {told}" for name, told in rows)],
            {**found.data, **users},
            table=Columns(found.table.heads, [*found.table.rows, *rows]) if found.table else None,
        )

    def _more_facts(self) -> Mapping[str, Any]:
        """Return what a saved file need not hold: names at the initiator, cache, space."""
        found = storage_info.describe(self.lio, self.place)
        naa = storage_info.naa(self.lio.kernel, self.place)
        facts: dict[str, Any] = {
            "size": found.size,
            "serial": storage_info.serial(self.lio.kernel, self.place),
            "naa": naa,
            "by_id": f"/dev/disk/by-id/wwn-0x{naa.removeprefix('naa.')}" if naa else None,
            "cache": storage_info.cache_text(self.lio, self.place, found),
            "missing": found.missing,
        }
        if self.place.plugin == "fileio":
            facts |= _space(self.lio, found.device)
        return {name: value for name, value in facts.items() if value not in (None, "")}

    @command()
    def ui_command_version(self) -> Result:
        """Show the version of the backstore's driver."""
        told = text_or_none(self.lio.kernel, f"{self.place.hba_folder}/hba_info") or ""
        version = told.rpartition("version:")[2].strip()
        return Lines([f"Backstore plugin {self.place.plugin} {version}"], version)

    @command(
        changes=True,
        examples=("/backstores/fileio/image1 resize size=20G", "/backstores/block/disk1 resize"),
    )
    def ui_command_resize(
        self,
        size: Annotated[
            int | None, SIZE, "New size, such as 20G. Default: the size of its file or device."
        ] = None,
        *,
        force: Annotated[
            bool, "Allow a smaller size; the data beyond it is kept but not exported."
        ] = False,
    ) -> Result:
        """Resize the storage object, or update it to the size of its device.

        The image file of a fileio storage object is grown if it is shorter, and never shrunk.

        Grow a block device first, with lvextend or 'losetup -c'; LIO follows it.

        Initiators see the new size after a rescan.
        """
        from pyshell.tree.resizing import resized

        return resized(self.lio, self.place, size, force=force)


def _space(lio: Lio, path: str) -> dict[str, Any]:
    """Return how much room an image file takes and could still get."""
    where = lio.machine.host_file(path)
    if not where.is_file():
        return {}
    status = where.stat()
    # Blocks are counted in 512 bytes, whatever the file system's own are.
    taken = status.st_blocks * 512
    return {
        "file_size": status.st_size,
        "file_sparse": taken < status.st_size,
        "file_allocated": taken,
        "file_system_free": lio.machine.free_space(path),
    }


class _Attributes(KernelGroup):
    """The attributes, of which one must not contradict how the object was made."""

    def __init__(self, lio: Lio, place: StorageObject, context: Context) -> None:
        super().__init__(lio, [place], "attrib", "storage_object")
        self._place = place
        self._context = context

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return what writes it. Raises UsageError where that would lose writes (failure 68)."""
        made = super().change(name, value)
        if name != _WRITE_CACHE or not _is_off(value):
            return made
        if not self._context.compat:
            return [SetWriteCache(self._place, f"attrib/{name}", "0")]
        if storage_info.describe(self._lio, self._place).buffered:
            self._context.note(f"{self._place} is write-back all the same: a crash loses writes.")
        return made


def _is_off(value: str) -> bool:
    try:
        return not boolean(value)
    except UsageError:
        return False  # the kernel judges it
