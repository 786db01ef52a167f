# SPDX-License-Identifier: Apache-2.0
"""A storage object, its attributes, size and ALUA groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.lio import Lio, listing, operations, storage_info
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import AluaGroup, StorageObject
from pyshell.lio.settings import ALUA_STATES, boolean, of_kind
from pyshell.lio.storage_info import SECTOR, StorageInfo
from pyshell.names import size_text
from pyshell.tree.command import ALUA_NAME, CHILD, SIZE, command, serial_number
from pyshell.tree.groups import AluaGroupSettings, KernelGroup, SettingsGroup
from pyshell.tree.node import Context, Node, ObjectNode, running_facts, shown_facts
from pyshell.tree.results import Change, Lines, Result, Table

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation
    from pyshell.lio.operations.reservations import Reservations

_WRITE_CACHE = "emulate_write_cache"
_SERIAL = "vpd_unit_serial"


class StorageObjectNode(ObjectNode[StorageObject]):
    """A storage object."""

    more: ClassVar[Mapping[str, str]] = {
        **Node.more,
        "clear_reservation": "pyshell.commands.storage_objects",
        "rename": "pyshell.commands.rename.storage_object",
        "replace": "pyshell.commands.replace",
        "saveconfig": "pyshell.commands.storage_objects",
    }

    def make_children(self) -> Sequence[Node]:
        return [AluaGroupsNode(self.place, self, "alua")]

    def summary(self) -> tuple[str, bool | None]:
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
        return storage_info.describe(self.lio, self.place).missing

    def groups(self) -> dict[str, SettingsGroup]:
        found: dict[str, SettingsGroup] = {
            "attribute": _Attributes(self.lio, self.place, self.context)
        }
        # targetcli lists the groups of a node, and has none for the identity.
        return found if self.context.compat else found | {"wwn": Identity(self.lio, self.place)}

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the storage object."""
        from pyshell.config import running
        from pyshell.lio.operations import reservations

        saved = running.read_storage_object(self.lio, self.place) or {"name": self.place.name}
        entry: dict[str, Any] = {**saved}
        if self.context.compat:
            return shown_facts(entry, secrets=True)
        if self.place.plugin == "block":
            entry.pop("write_back", None)  # always False: its device's cache counts
        described = storage_info.describe(self.lio, self.place)
        explained = {
            "discard": storage_info.discard(self.lio, self.place, described),
            "cache": storage_info.cache(self.lio, self.place, described),
        }
        texts = {name: one.text for name, one in explained.items() if one is not None}
        facts = {**entry, **self._more_facts(described), **texts}
        found = shown_facts(facts, secrets=True, units=True)
        luns = [lun.path for lun in listing.luns_of(self.lio, self.place)]
        mapped = {
            m.acl.wwn
            for lun in listing.luns_of(self.lio, self.place)
            for m in listing.mappings_of(lun)
        }
        users = {"luns": luns, "initiators": sorted(mapped)}
        rows = [(name, ", ".join(paths) or "none") for name, paths in users.items()]
        reserved = reservations.read(self.lio, self.place)
        rows += _reservation_rows(reserved) if reserved is not None else []
        data: dict[str, Any] = {
            "reservations": reservations.as_data(reserved) if reserved is not None else None
        }
        for name, one in explained.items():
            if one is not None:
                data |= {name: one.value, f"{name}_text": one.text}
        return Lines(
            [*found.lines, *(f"{name}: {told}" for name, told in rows)],
            {**found.data, **users, **data},
            table=Table(found.table.headings, [*found.table.rows, *rows]) if found.table else None,
        )

    def _more_facts(self, found: StorageInfo) -> Mapping[str, Any]:
        """Return what saved files do not hold: names at the initiator, space."""
        facts: dict[str, Any] = {
            "size": found.size,
            **storage_info.at_initiator(self.lio, self.place),
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
        """Resize the storage object, or report the size of its device.

        The image file of a fileio storage object is grown if it is shorter, and never shrunk.

        For a block device, grow the device first, with lvextend or 'losetup -c'. LIO notices the
        new size, and resize only reports it.

        Initiators see the new size after a rescan.
        """

        return resized(self.lio, self.place, size, force=force)


def _reservation_rows(found: Reservations) -> list[tuple[str, str]]:
    """Return who reserved the disk and who is registered, as facts of `info`."""
    if found.holder is None and not found.registrations:
        return [("reservation", "none")]
    held = f"{found.type}, held by {found.names_text}" if found.holder is not None else "none"
    at = f"{found.target}/tpg{found.tpg} LUN {found.lun}" if found.target else ""
    listed = [f"{one.initiator} (key {one.key})" for one in found.registrations]
    rows = {
        "reservation": held,
        "reservation_port": at,
        "registrations": ", ".join(listed),
        "pr_generation": str(found.generation),
        "aptpl": "registrations survive a restart" if found.aptpl else "off",
    }
    return [(name, text) for name, text in rows.items() if text]


def _space(lio: Lio, path: str) -> dict[str, Any]:
    """Return how much space an image file occupies, and how much is free."""
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
    """The attributes; the write cache of a fileio object also depends on how it was created."""

    def __init__(self, lio: Lio, place: StorageObject, context: Context) -> None:
        super().__init__(lio, [place], "attrib", "storage_object")
        self._place = place
        self._context = context

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Switch the write cache off only if no writes are lost (field failure 68)."""
        made = super().change(name, value)
        if name in storage_info.DISCARD_COMMANDS and not self._context.compat:
            described = storage_info.describe(self._lio, self._place)
            if not _is_off(value) and storage_info.discards_in_vain(
                self._lio, self._place, described
            ):
                raise UsageError(f"{described.device} cannot discard.")
        if name != _WRITE_CACHE or not _is_off(value):
            return made
        if not self._context.compat:
            return [operations.setters.SetWriteCache(self._place, f"attrib/{name}", "0")]
        if storage_info.describe(self._lio, self._place).buffered:
            self._context.note(f"{self._place} is write-back all the same: a crash loses writes.")
        return made

    def remarks(self, values: Mapping[str, str]) -> Sequence[str]:
        """Return how logged-in initiators see that discard was changed."""
        discard = values.keys() & storage_info.DISCARD_COMMANDS.keys()
        changed = any(boolean(values[name]) != boolean(self.read(name)) for name in discard)
        return discard_rescans(self._lio, self._place) if changed else ()


class Identity(KernelGroup):
    """Vendor, product, revision, company id and serial number, as initiators read them."""

    def __init__(self, lio: Lio, place: StorageObject) -> None:
        identified = place.plugin in storage_info.IDENTIFIED
        rows = of_kind("storage_object_wwn")
        # The device of a pscsi object and a handler answer INQUIRY themselves.
        own = {_SERIAL} if place.plugin == "user" else set()
        super().__init__(
            lio, [place], "wwn", "storage_object_wwn", rows if identified else own, rows
        )
        self._place = place

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Set the serial number, also given as a NAA id, by its own operation."""
        if name != _SERIAL:
            return super().change(name, value)
        serial = serial_number(value, name)
        # A handler reports its own.
        padded = storage_info.padding_note(serial) if self._place.plugin != "user" else ()
        return [operations.setters.SetSerial(self._place, serial, said=padded)]


def _is_off(value: str) -> bool:
    try:
        return not boolean(value)
    except UsageError:
        return False  # the kernel judges it


class AluaGroupsNode(ObjectNode[StorageObject]):
    """The folder of the ALUA groups."""

    counted = "ALUA Groups"

    def make_children(self) -> Sequence[Node]:
        return [AluaGroupNode(group, self) for group in self._groups()]

    @command(changes=True, examples=("/backstores/block/disk1/alua create name=standby tag=16",))
    def ui_command_create(
        self,
        name: Annotated[str, ALUA_NAME, "Name of the group."],
        tag: Annotated[int, "Number of the group, as initiators see it: 1 to 65535."],
    ) -> Result:
        """Create an ALUA group. All LUNs in the group have the same ALUA state."""
        if not storage_info.supports_alua(self.lio, self.place):
            raise UsageError(
                f"{self.place} cannot have ALUA groups: its backstore leaves ALUA to the device."
            )
        place = AluaGroup(self.place, name)
        create = operations.storage.CreateAluaGroup(place, tag, said=[f"Created ALUA TPG {name}."])
        return Change([create], place.path)

    @command(changes=True)
    def ui_command_delete(self, name: Annotated[str, CHILD, "Name of the group."]) -> Result:
        """Delete an ALUA group. Its LUNs return to the default group."""
        found = [group for group in self._groups() if group.name == name]
        if not found:
            raise NotFoundError(
                f"No such ALUA group: {name} of {self.place}.",
                f"Run 'ls {self.path}' to list them.",
                targetcli="Invalid ALUA group name",
            )
        return Change([operations.storage.DeleteAluaGroup(found[0])], named=[found[0].path])

    def _groups(self) -> list[AluaGroup]:
        if not storage_info.supports_alua(self.lio, self.place):
            return []
        return listing.alua_groups(self.place)


class AluaGroupNode(ObjectNode[AluaGroup]):
    """An ALUA group."""

    def summary(self) -> tuple[str, bool | None]:
        text = text_or_none(self.lio.kernel, f"{self.place.folder}/alua_access_state") or ""
        state = ALUA_STATES.get(int(text)) if text.isdigit() else None
        return f"ALUA state: {state or 'unknown'}", state is not None

    def groups(self) -> dict[str, SettingsGroup]:
        return {"alua": AluaGroupSettings(self.lio, self.place)}

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the ALUA group."""
        return shown_facts(running_facts(self.lio, self.place), secrets=True)


_RESCAN = {
    "iscsi": "On each initiator: iscsiadm -m session --rescan",
    "loopback": "On this host: echo 1 > /sys/class/block/DISK/device/rescan",
}
_RESCAN_ELSEWHERE = "Its initiators see that once they rescan their disks."


def resized(lio: Lio, place: StorageObject, size: int | None, *, force: bool) -> Result:
    """Return the change that resizes a storage object. Raises PyshellError if it is impossible."""
    found = storage_info.describe(lio, place)
    if found.missing:
        raise NotFoundError(f"{place}: {found.missing}")
    on_device = lio.machine.block_device(found.device) is not None
    if place.plugin == "block" or (place.plugin == "fileio" and on_device):
        return _follow_device(lio, place, found, size)
    if place.plugin == "fileio":
        return _resize_file(lio, place, found, size, force=force)
    if place.plugin == "user" and size is not None:
        _refuse_to_shrink(place, found.size, size, force=force)
        said = _has_now(lio, place, size)
        return Change([operations.setters.Set(place, "attrib/dev_size", str(size), said=said)])
    raise UsageError(f"{place} cannot be resized", _INSTEAD[place.plugin])


_INSTEAD = {
    "ramdisk": "Create another one: what it holds is lost at a reboot anyway.",
    "pscsi": "It has its device's own size.",
    "user": "Name the size that its handler is to be asked for: size=20G.",
}


def _follow_device(
    lio: Lio, place: StorageObject, found: storage_info.StorageInfo, size: int | None
) -> Result:
    """Report the size of the device, which LIO reads each time."""
    if size is not None and size != found.size:
        raise PyshellError(
            f"{place} has the size of its device {found.device}, {found.size} bytes",
            "Resize that first (lvextend, 'losetup -c'); LIO follows.",
        )
    assert found.size is not None
    said = [
        f"{_named(place)} is {size_text(found.size)}, the size of its device.",
        *_rescans(lio, place),
    ]
    return Lines(said, {"size": found.size})


def _resize_file(
    lio: Lio,
    place: StorageObject,
    found: storage_info.StorageInfo,
    size: int | None,
    *,
    force: bool,
) -> Result:
    status = lio.machine.host_file(found.device).stat()
    wanted = status.st_size if size is None else size
    _refuse_to_shrink(place, found.size, wanted, force=force)
    if wanted < SECTOR:
        raise UsageError(f"A disk has at least one block of {SECTOR} bytes")
    made: list[Operation] = []
    allocated = status.st_blocks * 512
    sparse = allocated < status.st_size
    if wanted > status.st_size:
        made.append(operations.storage.GrowImageFile(found.device, wanted, sparse))
    made.append(operations.storage.SetImageSize(place, wanted, said=_has_now(lio, place, wanted)))
    note = may_run_out(found.device, lio.machine.free_space(found.device), wanted - allocated)
    return Change(made, note=note if sparse else "")


def may_run_out(path: str, free: int, needed: int) -> str:
    """Return a note on a sparse image file that has not enough space, else ""."""
    if free >= needed:
        return ""
    return f"{path} is sparse and only {size_text(free)} are free there: it may run out."


def _refuse_to_shrink(place: StorageObject, size: int | None, wanted: int, *, force: bool) -> None:
    if size is not None and wanted < size and not force:
        raise UsageError(
            f"{place} has {size_text(size)} ({size} bytes): {size_text(wanted)} ({wanted} bytes)"
            " would truncate data that initiators wrote",
            "force=true exports less; the file keeps its length.",
        )


def _has_now(lio: Lio, place: StorageObject, size: int) -> list[str]:
    return [
        f"{_named(place)} is now {size_text(size)}.",
        *_rescans(lio, place),
    ]


def _named(place: StorageObject) -> str:
    """Return the name of a storage object at the beginning of a sentence."""
    return f"Storage object {place.plugin}/{place.name}"


def discard_rescans(lio: Lio, place: StorageObject) -> list[str]:
    """Return how logged-in initiators see that discard was changed; [] if there are none."""
    from pyshell.lio import sessions

    seen = any(
        one.storage_object == place
        for lun in listing.luns_of(lio, place)
        for session in sessions.of_tpg(lio, lun.tpg)
        for one in sessions.luns_of(lio, session)
    )
    if not seen:
        return []
    return [
        f"Logged-in initiators see that once they rescan. {one}" for one in _rescans(lio, place)
    ]


def _rescans(lio: Lio, place: StorageObject) -> list[str]:
    """Return what makes current initiators see the size."""
    fabrics = dict.fromkeys(lun.tpg.target.fabric_name for lun in listing.luns_of(lio, place))
    return list(dict.fromkeys(_RESCAN.get(name, _RESCAN_ELSEWHERE) for name in fabrics))
