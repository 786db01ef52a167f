# SPDX-License-Identifier: Apache-2.0
"""What the kernel gives new objects: settings that need no writing, and no reading one by one.

The kernel gives all objects of a kind the same values, but for what depends on the device. So each
such value is read from the first new object of its kind, and taken for all that follow. Those into
which the same was written since are a kind of their own.
"""

from __future__ import annotations

import contextlib
from typing import Any

from pyshell.lio import attributes, settings
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import DEFAULT_GROUP, AluaGroup, NodeAcl, StorageObject, Tpg
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.luns import CreateLun, CreateNodeAcl, SetLunAluaGroup
from pyshell.lio.operations.settings import Set
from pyshell.lio.operations.storage import CreateStorageObject
from pyshell.lio.operations.targets import CreateTpg

# The table's name for the settings of a kind of object, by the folder they lie in.
_ROWS: dict[tuple[type[Any], str], str] = {
    (StorageObject, "attrib"): "storage_object",
    (Tpg, "attrib"): "tpg",
    (Tpg, "param"): "tpg_parameter",
}


class Fresh:
    """The objects that were made just now, and what is known of them without a look."""

    def __init__(self, lio: Lio) -> None:
        self._lio = lio
        self._kinds: dict[Any, Any] = {}
        """The new objects, each with its kind and what was written into it since."""
        self._known: dict[tuple[Any, str], str | None] = {}

    def made(self, operation: Operation) -> None:
        """Take note of what was done."""
        if isinstance(operation, CreateStorageObject):
            kind = (StorageObject, operation.place.plugin)
            self._kinds[operation.place] = kind
            self._kinds[AluaGroup(operation.place, DEFAULT_GROUP)] = (AluaGroup, kind)
        elif isinstance(operation, CreateTpg):
            self._kinds[operation.place] = (Tpg, operation.place.target.fabric_name)
        elif isinstance(operation, CreateNodeAcl):
            # What an ACL begins with may be the TPG's.
            self._kinds[operation.place] = (NodeAcl, operation.place.tpg)
        elif isinstance(operation, CreateLun):
            self._kinds[operation.place] = (CreateLun, operation.storage_object.plugin)

    def has(self, operation: Operation) -> bool:
        """Tell whether a setting need not be written, as a new object has that value anyhow."""
        if isinstance(operation, Set):
            file, value = operation.file, operation.value
        elif isinstance(operation, SetLunAluaGroup):
            file, value = "alua_tg_pt_gp", operation.name
        else:
            return False
        kind = self._kinds.get(operation.place)
        if kind is None or not _is_the_kernels(kind, file):
            return False
        if (kind, file) not in self._known:
            self._known[kind, file] = None
            with contextlib.suppress(OSError):
                found = settings.read(self._lio.kernel, operation.place.folder, file)
                self._known[kind, file] = found
        if self._known[kind, file] == value:
            return True
        # A value that is written may change others, but on all objects of the kind in the same way.
        self._kinds[operation.place] = (*kind, (file, value))
        return False


def _is_the_kernels(kind: Any, file: str) -> bool:
    """Tell whether all new objects of a kind have the same value, whatever they are made of."""
    group, _, name = file.rpartition("/")
    rows = _ROWS.get((kind[0], group))
    if rows is None:
        return kind[0] is not StorageObject
    return attributes.row(rows, name).default_of(kind[1]) is not None
