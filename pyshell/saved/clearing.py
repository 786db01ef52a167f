# SPDX-License-Identifier: Apache-2.0
"""Remove the whole running configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyshell.saved.making import no_discovery
from pyshell.target import listing, places, settings
from pyshell.target.attach import Lio
from pyshell.target.fabrics import Fabric
from pyshell.target.operations import removal
from pyshell.target.operations.base import Operation, carry_out, carry_out_each


def is_clear(lio: Lio) -> bool:
    """Tell whether there is nothing that `clear` would remove."""
    if not listing.is_empty() or list(listing.hbas()):
        return False
    return not any(_has_discovery(lio, fabric) for fabric in listing.fabrics_in_use())


def _has_discovery(lio: Lio, fabric: Fabric) -> bool:
    if not fabric.has("discovery_auth"):
        return False
    files = [f"discovery_auth/{file}" for file in settings.AUTH_FILES.values()]
    return any(settings.read(lio.kernel, fabric.folder, file) for file in files)


def clear(
    lio: Lio,
    removed: Callable[[Sequence[Operation]], None] = lambda operations: None,
) -> None:
    """Remove all targets, storage objects and discovery settings. Raises at the first failure.

    `removed` is told of the operations that were done: those of a whole target, or one.
    """
    storage = [
        operation for place in listing.storage_objects() for operation in removal.alone(place)
    ]
    done = 0
    for fabric in listing.fabrics_in_use():
        for target in listing.targets(fabric):
            operations = removal.of_target(target)
            told = _counted(lio, done, len(operations) + len(storage))
            carry_out(lio, operations, told, for_good=True)
            done += len(operations)
            removed(operations)
        if fabric.has("discovery_auth"):
            carry_out(lio, no_discovery(fabric))

    count = _counted(lio, done, len(storage))

    def told_of_one(operation: Operation, index: int, of: int) -> None:
        count(operation, index, of)
        removed([operation])

    carry_out_each(lio, storage, told_of_one)
    for plugin, number in list(listing.hbas()):
        # HBAs that hold nothing: what a killed tool leaves (field failure 35).
        lio.kernel.rmdir(places.StorageObject(plugin, "", number).hba_folder)


def _counted(lio: Lio, done: int, left: int) -> Callable[[Operation, int, int], None]:
    """Return what tells how far it is, of operations some of which were done before."""
    return lambda operation, index, of: lio.progress(done + index, done + left)
