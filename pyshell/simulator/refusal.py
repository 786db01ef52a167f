# SPDX-License-Identifier: Apache-2.0
"""How a rule of the simulated kernel says no."""

from __future__ import annotations

from typing import NoReturn


class RefusalError(Exception):
    """The kernel refuses an act with this error number; the act has changed nothing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def refuse(number: int) -> NoReturn:
    """End the act in hand with `number` from the errno module."""
    raise RefusalError(number)
