# SPDX-License-Identifier: Apache-2.0
"""How far long work has come: told here by who does it, and shown by whoever listens, if any."""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[int, int], None]
"""Is told how much is done, and of how much in all."""


class Progress:
    """Passes on how far the work is; without a listener that costs next to nothing."""

    listener: Listener | None = None

    def __call__(self, done: int, total: int) -> None:
        """Tell how much is done, and of how much in all."""
        if self.listener is not None:
            self.listener(done, total)
