# SPDX-License-Identifier: Apache-2.0
"""Long results, a screen at a time; what is not shown yet is not even read yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from os import terminal_size

from prompt_toolkit.utils import get_cwidth

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
QUESTION = "-- more: Space the next page, a all, q no more -- "
KEYS = {" ": "", "enter": "", "a": "a", "q": "q", "escape": "q"}
"""The keys that answer the question by themselves, and what they mean."""


def paged(
    lines: Iterable[str], size: Callable[[], terminal_size], ask: Callable[[str], str]
) -> Iterator[str]:
    """Yield lines up to a screenful, then ask, and so on; Ctrl-C and Ctrl-D are a no.

    The size is looked up for each page: a window may have been made larger meanwhile.
    """
    used, every = 0, False
    for line in lines:
        columns, height = size()
        rows = _rows(line, columns)
        if not every and used and used + rows > height - 1:
            answer = _answer(ask)
            if answer.startswith("q"):
                return
            every = answer.startswith("a")
            used = 0
        used += rows
        yield line


def _answer(ask: Callable[[str], str]) -> str:
    try:
        return ask(QUESTION).strip().lower()
    except (EOFError, KeyboardInterrupt):
        return "q"


def _rows(line: str, columns: int) -> int:
    """Return how many rows of the screen a line takes."""
    width = get_cwidth(_ESCAPES.sub("", line))
    return max(1, -(-width // max(columns, 1)))
