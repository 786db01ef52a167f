# SPDX-License-Identifier: Apache-2.0
"""Changes of the target: small values that can describe, check, do and undo themselves.

Commands and plans are lists of operations; `carry_out` in `base` runs them, all or none. What also
reads names them by this package (`operations.mapping.CreateLun`), which imports a module when it is
first needed.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyshell.lio.operations import (  # noqa: F401
        base,
        disturbance,
        mapping,
        preconditions,
        setters,
        storage,
        targets,
    )
else:

    def __getattr__(name: str) -> ModuleType:
        module = f"{__name__}.{name}"
        try:
            return import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
