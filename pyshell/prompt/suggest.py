# SPDX-License-Identifier: Apache-2.0
"""The rest of a line, in grey behind the cursor: from lines of the history that fit this path."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prompt_toolkit.auto_suggest import AutoSuggest, Suggestion
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from pyshell.names import MASK

_TAKES_AWAY = frozenset({"delete", "unshare", "clearconfig", "disable"})
"""Commands whose objects nobody shall name by a slip: Right and Enter are soon pressed."""

Entry = tuple[str, str]
"""A line and the path that it was typed at."""


class PathSuggest(AutoSuggest):
    """Suggests the latest line that begins as what is typed; one typed at this path first."""

    def __init__(self, entries: Callable[[], Iterable[Entry]], path: Callable[[], str]) -> None:
        self._entries = entries
        self._path = path

    def get_suggestion(self, buffer: Buffer, document: Document) -> Suggestion | None:
        """Return the rest of the line that fits best, None where none does."""
        typed = document.text
        if not typed.strip() or "\n" in typed or _TAKES_AWAY & set(typed.split()):
            return None
        found = suggested(typed, self._entries(), self._path())
        return Suggestion(found[len(typed) :]) if found else None


def suggested(typed: str, latest_first: Iterable[Entry], path: str) -> str | None:
    """Return the line that fits best, None where none does.

    A line typed elsewhere fits where it means the same here: where it begins with an absolute path.
    """
    absolute = None
    for line, at in latest_first:
        if line == typed or not line.startswith(typed) or MASK in line:
            continue
        if at == path:
            return line
        if absolute is None and line.startswith(("/", "@")):
            absolute = line
    return absolute
