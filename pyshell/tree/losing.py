# SPDX-License-Identifier: Apache-2.0
"""What goes with an object that is deleted, as a question and a dry run name it."""

from __future__ import annotations

from collections.abc import Sequence

from pyshell.target import listing
from pyshell.target.operations.base import Operation
from pyshell.target.operations.luns import DeleteLun, UnmapLun

_NAMED = 3
"""How many storage objects a question names."""


def with_it(operations: Sequence[Operation], *, named: bool = True) -> str:
    """Return what LUNs go with what is deleted, "" where none does.

    The storage objects that they export are `named` unless they have been told already.
    """
    luns = [o.place for o in operations if isinstance(o, DeleteLun)]
    if not luns:
        return ""
    words = _count(len(luns), "LUN")
    exported = [found for lun in luns[:_NAMED] if (found := listing.storage_object_of(lun))]
    if named and exported:
        told = [f"{one.plugin}/{one.name}" for one in exported]
        more = ["…"] if len(luns) > _NAMED else []
        words += f" ({', '.join([*told, *more])})"
    mapped = sum(isinstance(o, UnmapLun) for o in operations)
    if mapped:
        words += f" and {_count(mapped, 'mapped LUN')}"
    return words


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
