# SPDX-License-Identifier: Apache-2.0
"""Operations that change a setting of an existing object."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from pyshell import names
from pyshell.errors import ConflictError, NotFoundError, PyshellError, UsageError
from pyshell.lio import Lio, settings, storage_info
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import Identifier, NodeAcl, Portal, StorageObject, Tpg
from pyshell.lio.operations import preconditions
from pyshell.lio.operations.base import Foreseen, ObjectOperation, Operation, Several, must_exist

_CHANGED_ALONG = {"alua_access_state": ("alua_access_status",)}
"""Settings that the kernel changes along with another."""


@dataclass
class Set(ObjectOperation):
    """Give one setting (a file below the object's folder) a value, if it has another one."""

    hints: ClassVar[Mapping[int, str]] = {
        errno.ENOSYS: "Its backstore or device cannot do that.",
        errno.ENODEV: "Its backstore or device cannot do that, or is not ready for it.",
    }
    place: Identifier
    file: str
    value: str

    @property
    def disconnects(self) -> Tpg | NodeAcl | None:
        """Return the ACL if its queue depth is set, the TPG if a portal's transport ends."""
        if isinstance(self.place, NodeAcl) and self.file == "cmdsn_depth":
            return self.place
        return self.place.tpg if isinstance(self.place, Portal) and self.value == "0" else None

    def step(self) -> str:
        """Return what is done, without the value of a secret."""
        name = self.file.rpartition("/")[2]
        shown = "" if name in names.SECRET_NAMES else f" to {self.value or repr('')}"
        return f"set {name} of {self.place}{shown}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that the object will exist and that the setting is valid."""
        names.setting_file(self.file)
        super().check(lio, foreseen)
        if self.file.startswith(("auth/", "discovery_auth/")):
            settings.check_auth(self.file.rpartition("/")[2], self.value)
        identifying = (settings.SERIAL, *settings.IDENTITY)
        if isinstance(self.place, StorageObject) and self.file in identifying:
            _check_identity(lio, foreseen, self.place, self.file, self.value)
        if (self.file, self.value) == ("cxgbit", "1") and not lio.machine.can_offload_iscsi():
            raise UsageError(
                f"{self.place} cannot offload: this host has no Chelsio adapter",
                "Leave offload disabled.",
            )

    def do(self, lio: Lio) -> Operation | None:
        """Write the value if it differs, and read CHAP settings back."""
        before: str | None = None
        with contextlib.suppress(PermissionError):  # a write-only setting has no value to compare
            try:
                before = settings.read(lio.kernel, self.place.folder, self.file)
            except FileNotFoundError as error:
                name = self.file.rpartition("/")[2]
                raise NotFoundError(
                    f"{self.place} has no {name}", path=str(error.filename)
                ) from error
        if before == self.value:
            return None
        along = [
            Set(self.place, name, settings.read(lio.kernel, self.place.folder, name))
            for name in _CHANGED_ALONG.get(self.file, ())
        ]
        if isinstance(self.place, StorageObject) and self.file == storage_info.MODEL_ALIAS:
            own = storage_info.own_identity(lio.kernel, self.place)  # the kernel replaces it
            along += [Set(self.place, f, v) for f, v in own.items() if f == settings.PRODUCT]
        try:
            settings.write(lio.kernel, self.place.folder, self.file, self.value)
        except PyshellError:  # the kernel took it, but keeps something else
            with contextlib.suppress(OSError, PyshellError):
                settings.write(lio.kernel, self.place.folder, self.file, before or "")
            raise
        if before is None:
            return None
        undo = Set(self.place, self.file, before)
        return Several([undo, *along]) if along else undo


def _check_identity(
    lio: Lio, foreseen: Foreseen, place: StorageObject, file: str, value: str
) -> None:
    """Raise BusyError if initiators would see the change: the kernel refuses it."""
    with contextlib.suppress(OSError):
        if settings.read(lio.kernel, place.folder, file) == value:
            return
    preconditions.refuse_exported(lio, foreseen, place, file.rpartition("/")[2])


@dataclass
class SetEnabled(Operation):
    """Enable or disable a TPG."""

    tpg: Tpg
    enabled: bool

    @property
    def disconnects(self) -> Tpg | NodeAcl | None:
        return None if self.enabled else self.tpg

    def step(self) -> str:
        return f"{'enable' if self.enabled else 'disable'} {self.tpg}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that the TPG will exist, and have a LUN if the fabric needs one."""
        must_exist(foreseen, self.tpg)
        fabric = self.tpg.target.fabric
        if not self.enabled or not fabric.needs_lun:
            return
        if foreseen.holds_any(f"{self.tpg.folder}/lun"):
            return
        if text_or_none(lio.kernel, f"{self.tpg.folder}/enable") != "1":
            raise ConflictError(f"{self.tpg} has no LUN.", fabric.refusal(errno.EINVAL))

    def do(self, lio: Lio) -> Operation | None:
        from pyshell.lio import rtslib_objects

        found = rtslib_objects.found(self.tpg)
        if found.enable == self.enabled:
            return None
        found.enable = self.enabled
        return replace(self, enabled=not self.enabled, said=[])

    def hint(self, number: int) -> str:
        """Return what the fabric's driver may have against it."""
        return self.tpg.target.fabric.refusal(number) if self.enabled else ""


@dataclass
class PauseTpg(SetEnabled):
    """Disable a TPG while a LUN 0 of its sessions is recreated, or enable it again."""

    def step(self) -> str:
        if self.enabled:
            return f"enable {self.tpg} again"
        return f"disable {self.tpg} while LUN 0 is recreated"


def snapshot(lio: Lio, place: Identifier) -> list[Operation]:
    """Return operations that would give `place` the settings that it has now."""
    found: dict[str, str] = {}
    for file in settings.own_files(place):
        with contextlib.suppress(OSError):
            found[file] = settings.read(lio.kernel, place.folder, file)
    return [Set(place, f, v) for f, v in settings.discard_limit_in_order(found).items()]


@dataclass
class SetWriteCache(Set):
    """Set emulate_write_cache, but never hide an existing cache (field failure 68).

    A fileio storage object created with write_back keeps writes in memory for its whole life. An
    initiator that is told otherwise does not flush, and a crash loses what was acknowledged.
    """

    buffered: bool = False
    """Whether the object will be created with write_back."""

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check that the object exists and does not keep writes in memory."""
        super().check(lio, foreseen)
        assert isinstance(self.place, StorageObject)
        if self.value != "0":
            return
        # A new object replaces the current one.
        is_new = foreseen.makes(self.place.folder)
        if self.buffered or (not is_new and storage_info.describe(lio, self.place).buffered):
            raise UsageError(
                f"emulate_write_cache=0 contradicts write_back=true of {self.place}: a crash"
                " would lose acknowledged writes",
                "Delete it and create it again with write_back=false.",
            )


@dataclass
class SetSerial(ObjectOperation):
    """Give a storage object another unit serial number, and keep what it holds.

    The kernel refuses it while a LUN exports the storage object: initiators would take the disk
    for another one.
    """

    place: StorageObject
    serial: str

    def step(self) -> str:
        return f"give {self.place} the serial number {self.serial}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        super().check(lio, foreseen)
        preconditions.check_serial(self.serial)
        _check_identity(lio, foreseen, self.place, settings.SERIAL, self.serial)

    def do(self, lio: Lio) -> Operation | None:
        before = storage_info.serial(lio.kernel, self.place)
        if before == self.serial:
            return None
        settings.write(lio.kernel, self.place.folder, settings.SERIAL, self.serial)
        return SetSerial(self.place, before)
