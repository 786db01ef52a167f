# SPDX-License-Identifier: Apache-2.0
"""Wait for the devices of a document that are not there yet (field failure 3)."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyshell.config.document import Document
from pyshell.config.model import items
from pyshell.errors import NotFoundError, PyshellError
from pyshell.host.arrivals import Arrivals
from pyshell.lio import identifiers
from pyshell.lio.attach import Lio
from pyshell.lio.operations import backing
from pyshell.lio.operations.base import Foreseen


@dataclass(frozen=True)
class Awaited:
    """A storage object whose device, image file or handler is absent."""

    path: str
    plugin: str
    arguments: Mapping[str, Any]

    @property
    def device(self) -> str:
        """Return what is waited for."""
        return str(self.arguments.get("dev") or self.arguments.get("config") or self.path)

    def is_absent(self, lio: Lio) -> bool:
        """Tell whether it is not there: what is there and unfit, or in use, is not waited for."""
        if self.plugin == "user":
            handler = self.device.partition("/")[0]
            return handler not in {found.name for found in lio.machine.user_handlers()}
        try:
            backing.check(lio, Foreseen(), self.plugin, self.arguments)
        except NotFoundError:
            return True
        except PyshellError:
            return False
        return False


def awaited(lio: Lio, document: Document, paths: Collection[str]) -> list[Awaited]:
    """Return those storage objects of a document, among `paths`, whose device is absent."""
    found = [
        Awaited(path, item.place.plugin, item.facts)
        for path, item in items(document, lambda error: None).items()
        if path in paths and isinstance(item.place, identifiers.StorageObject)
    ]
    return [one for one in found if one.is_absent(lio)]


def wait_for_any(lio: Lio, absent: Sequence[Awaited], arrivals: Arrivals, deadline: float) -> bool:
    """Wait until one of `absent` is there; False where none is when the clock is at `deadline`."""
    while all(one.is_absent(lio) for one in absent):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        arrivals.pause(left)
    return True
