# SPDX-License-Identifier: Apache-2.0
"""Remove the whole running configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyshell.config.making import no_discovery
from pyshell.lio import identifiers, listing, settings
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import changing
from pyshell.lio.fabrics import Fabric
from pyshell.lio.operations import removal
from pyshell.lio.operations.base import Operation, carry_out, carry_out_each
from pyshell.lio.rtslib_failures import doing


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
    """Remove all targets, storage objects and discovery settings, each for good.

    Raises the first failure. `removed` is told of the operations that were done, also then.
    """
    fabrics = list(listing.fabrics_in_use())
    targets = [removal.of_targets(listing.targets(fabric)) for fabric in fabrics]
    storage = [
        operation for place in listing.storage_objects() for operation in removal.alone(place)
    ]
    done, total = 0, sum(len(operations) for operations in (*targets, storage))

    def remove(operations: Sequence[Operation]) -> None:
        gone: list[Operation] = []

        def told(operation: Operation, index: int, of: int) -> None:
            lio.progress(done + index, total)
            gone.append(operation)

        try:
            carry_out_each(lio, operations, told)
        finally:
            removed(gone)

    for fabric, operations in zip(fabrics, targets, strict=True):
        remove(operations)
        done += len(operations)
        if fabric.has("discovery_auth"):
            carry_out(lio, no_discovery(fabric))
    remove(storage)
    for plugin, number in list(listing.hbas()):
        # HBAs that hold nothing: what a killed tool leaves (field failure 35).
        folder = identifiers.StorageObject(plugin, "", number).hba_folder
        with doing(f"remove the empty adapter {folder}"), changing():
            lio.kernel.rmdir(folder)
