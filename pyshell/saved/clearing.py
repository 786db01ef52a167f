# SPDX-License-Identifier: Apache-2.0
"""Remove the whole running configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyshell.saved.making import no_discovery
from pyshell.target import listing, places, settings
from pyshell.target.attach import Lio
from pyshell.target.fabrics import Fabric
from pyshell.target.operations import removal
from pyshell.target.operations.base import Operation, carry_out


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
    removed: Callable[[Sequence[Operation]], None] | None = None,
    before_storage: Callable[[], None] | None = None,
) -> None:
    """Remove all targets, storage objects and discovery settings. Raises at the first failure.

    `removed` is told of the operations of each object that is gone, `before_storage` called when
    there are no LUNs any more, and still all storage objects.
    """

    done = 0

    def remove(operations: Sequence[Operation], left: int) -> None:
        nonlocal done
        total = done + len(operations) + left
        first = done

        def told(operation: Operation, index: int, of: int) -> None:
            lio.progress(first + index, total)

        carry_out(lio, operations, told, for_good=True)
        done += len(operations)
        if removed is not None:
            removed(operations)

    storage = listing.storage_objects()
    for fabric in listing.fabrics_in_use():
        for target in listing.targets(fabric):
            remove(removal.of_target(target), len(storage))
        if fabric.has("discovery_auth"):
            carry_out(lio, no_discovery(fabric))
    if before_storage is not None:
        before_storage()
    for left, place in zip(reversed(range(len(storage))), storage, strict=True):
        remove(removal.alone(place), left)
    for plugin, number in list(listing.hbas()):
        # HBAs that hold nothing: what a killed tool leaves (field failure 35).
        lio.kernel.rmdir(places.StorageObject(plugin, "", number).hba_folder)
