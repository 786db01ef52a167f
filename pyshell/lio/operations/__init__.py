# SPDX-License-Identifier: Apache-2.0
"""Changes of the target: small values that can describe, check, do and undo themselves.

Commands and plans are lists of operations; `carry_out` in `base` runs them, all or none. What
also reads names them by this package (`operations.mapping.CreateLun`), which imports a module when
it is first needed.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyshell.lio.operations import base, disturbance, mapping, setters, storage, targets

__all__ = ["base", "disturbance", "mapping", "setters", "storage", "targets"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
