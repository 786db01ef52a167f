# SPDX-License-Identifier: Apache-2.0
"""Changes of the target: small values that can describe, check, do and undo themselves.

Commands and plans are lists of operations; `carry_out` in `base` runs them, all or none. The tree's
nodes name them by this package (`operations.mapping.CreateLun`), which imports a module when it is
first needed: reading the tree and completion need none.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyshell.lio.operations import base, mapping, preconditions, setters, storage, targets

__all__ = ["base", "mapping", "preconditions", "setters", "storage", "targets"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
