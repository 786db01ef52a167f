# SPDX-License-Identifier: Apache-2.0
"""Steps of a guide: what they are for, and the lines to paste."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step; `about` says what it does, or what to mind, in lines of their own."""

    about: tuple[str, ...]
    lines: tuple[str, ...]


def step(about: str | Sequence[str], *lines: str) -> Step:
    """Return a step."""
    return Step((about,) if isinstance(about, str) else tuple(about), lines)


def text_lines(steps: Sequence[Step], comment: str = "#") -> Iterator[str]:
    """Yield steps as text that can be pasted whole: what is no command is a comment."""
    for number, one in enumerate(steps):
        if number:
            yield ""
        yield from (f"{comment} {line}" for line in one.about)
        yield from one.lines
