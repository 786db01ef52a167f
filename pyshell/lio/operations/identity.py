# SPDX-License-Identifier: Apache-2.0
"""By what initiators tell one disk from another: the unit serial number."""

from __future__ import annotations

from dataclasses import dataclass

from pyshell.errors import PyshellError
from pyshell.lio import storage
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations import backing
from pyshell.lio.operations.base import Foreseen, Operation, must_exist


@dataclass
class SetSerial(Operation):
    """Give a storage object another unit serial number, and keep what it holds.

    The kernel refuses it while a LUN exports the storage object: initiators would take the disk
    for another one.
    """

    place: StorageObject
    serial: str

    def step(self) -> str:
        """Return what is done."""
        return f"give {self.place} the serial number {self.serial}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that the storage object is there and the number is one."""
        must_exist(foreseen, self.place)
        backing.check_serial(self.serial)

    def do(self, lio: Lio) -> Operation | None:
        """Write it and read it back."""
        before = storage.serial(lio.kernel, self.place)
        lio.kernel.write(f"{self.place.folder}/wwn/vpd_unit_serial", self.serial)
        kept = storage.serial(lio.kernel, self.place)
        if kept != self.serial:
            raise PyshellError(f"The kernel took '{kept}' for the serial number '{self.serial}'")
        return SetSerial(self.place, before)
