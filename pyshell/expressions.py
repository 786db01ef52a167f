# SPDX-License-Identifier: Apache-2.0
"""Regular expressions of modules, which are compiled when they are first used.

Compiling one takes a tenth of a millisecond, and a command uses few of a hundred. Those that users
give are in `patterns`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import compile as expression
else:

    class expression:  # noqa: N801 - in place of a function
        """An expression that has `re.compile`'s methods."""

        def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
            self.pattern = pattern
            self._flags = flags

        def __getattr__(self, name: str) -> Any:
            """Compile the expression, and keep its method."""
            found = getattr(re.compile(self.pattern, self._flags), name)
            setattr(self, name, found)
            return found


__all__ = ["expression"]
