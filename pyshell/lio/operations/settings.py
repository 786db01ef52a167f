# SPDX-License-Identifier: Apache-2.0
"""Operations that change a setting of an object that is there."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pyshell import names
from pyshell.errors import ConflictError, NotFoundError, PyshellError
from pyshell.lio import rtslib_objects, settings
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import Place, Tpg
from pyshell.lio.operations.base import Foreseen, Operation, must_exist, or_put_back

_CHANGED_ALONG = {"alua_access_state": ("alua_access_status",)}
"""Settings that the kernel changes along with another."""


@dataclass
class Set(Operation):
    """Give one setting (a file below the object's folder) a value; nothing where it has it."""

    hints: ClassVar[Mapping[int, str]] = {
        errno.ENOSYS: "Its backstore or device cannot do that.",
        errno.ENODEV: "Its backstore or device cannot do that, or is not ready for it.",
    }
    place: Place | FabricPlace
    file: str
    value: str
    said: Sequence[str] = field(default_factory=list)

    def step(self) -> str:
        """Return what is done, without the value of a secret."""
        name = self.file.rpartition("/")[2]
        shown = "" if name in names.SECRET_NAMES else f" to {self.value}"
        return f"set {name} of {self.place}{shown}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that the object will be there, and the setting where it is there already."""
        names.setting_file(self.file)
        must_exist(foreseen, self.place)
        if self.file.startswith(("auth/", "discovery_auth/")):
            settings.check_auth(self.file.rpartition("/")[2], self.value)

    def do(self, lio: Lio) -> Operation | None:
        """Write the value where it differs, and read CHAP settings back."""
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


@dataclass(frozen=True)
class FabricPlace:
    """A fabric as an object with settings (discovery authentication, CPUs)."""

    fabric: Fabric

    @property
    def folder(self) -> str:
        """Return the fabric's folder in configfs."""
        return self.fabric.folder

    @property
    def path(self) -> str:
        """Return the path in pyshell's tree."""
        return f"/{self.fabric.name}"

    def __str__(self) -> str:
        return f"fabric {self.fabric.name}"


@dataclass
class UseFabric(Operation):
    """Bring a fabric up: make its folder in configfs, for which rtslib loads the module."""

    fabric: Fabric

    def step(self) -> str:
        """Return what is done."""
        return f"load fabric {self.fabric.name}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Note that the fabric's folder will be there."""
        foreseen.make(self.fabric.folder)

    def do(self, lio: Lio) -> Operation | None:
        """Let rtslib load what is needed; a loaded fabric stays, it has no effect by itself."""
        self.fabric.load()
        return None


@dataclass
class SetEnabled(Operation):
    """Enable or disable a TPG."""

    tpg: Tpg
    enabled: bool
    said: Sequence[str] = field(default_factory=list)

    def step(self) -> str:
        """Return what is done."""
        return f"{'enable' if self.enabled else 'disable'} {self.tpg}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that the TPG will be there, and have a LUN where the fabric wants one."""
        must_exist(foreseen, self.tpg)
        fabric = self.tpg.target.fabric
        if not self.enabled or not fabric.needs_lun:
            return
        if foreseen.holds_any(f"{self.tpg.folder}/lun"):
            return
        if text_or_none(lio.kernel, f"{self.tpg.folder}/enable") != "1":
            raise ConflictError(f"{self.tpg} has no LUN.", fabric.refusal(errno.EINVAL))

    def do(self, lio: Lio) -> Operation | None:
        """Write the state where it differs."""
        found = rtslib_objects.found(self.tpg)
        if found.enable == self.enabled:
            return None
        found.enable = self.enabled
        return SetEnabled(self.tpg, not self.enabled)

    def hint(self, number: int) -> str:
        """Return what the fabric's driver may have against it."""
        return self.tpg.target.fabric.refusal(number) if self.enabled else ""


@dataclass
class Several(Operation):
    """Operations that are done as one."""

    operations: Sequence[Operation]

    def step(self) -> str:
        """Return what the first of them does."""
        return self.operations[0].step() if self.operations else "do nothing"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Check each."""
        for operation in self.operations:
            operation.check(lio, foreseen)

    def do(self, lio: Lio) -> Operation | None:
        """Do each, or none; the inverse undoes them in reverse."""
        inverses: list[Operation] = []

        def undo() -> None:
            for inverse in inverses:
                inverse.do(lio)

        with or_put_back("it is done in part", undo):
            for operation in self.operations:
                inverse = operation.do(lio)
                inverses[:0] = [inverse] if inverse is not None else []
        return Several(inverses) if inverses else None


def flat(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Yield operations one by one, in place of each `Several` those that it is made of."""
    for operation in operations:
        if isinstance(operation, Several):
            yield from flat(operation.operations)
        else:
            yield operation


def snapshot(lio: Lio, place: Place) -> list[Operation]:
    """Return operations that would give `place` the settings that it has now."""
    found: list[Operation] = []
    for file in settings.own_files(place):
        with contextlib.suppress(OSError):
            found.append(Set(place, file, settings.read(lio.kernel, place.folder, file)))
    return found
