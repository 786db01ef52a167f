# SPDX-License-Identifier: Apache-2.0
"""Revisions as lines and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyshell.config.store.state import local
from pyshell.text import aligned, one_line

if TYPE_CHECKING:
    from pyshell.config.store.revisions import Revision

_HEADINGS = ("revision", "saved at", "by", "way", "objects", "comment")
_NONE = "-"
_KINDS = (
    ("storage_objects", "storage object"),
    ("targets", "target"),
    ("luns", "LUN"),
    ("acls", "ACL"),
)


def table(revisions: Sequence[Revision]) -> list[str]:
    """Return revisions as a table, one a line."""
    if not revisions:
        return ["(nothing saved)"]
    rows = [_HEADINGS, *(_row(revision) for revision in revisions)]
    return list(aligned(rows))


def _row(revision: Revision) -> tuple[str, ...]:
    about = revision.about
    cells = (
        revision.word,
        local(about.time),
        about.user,
        about.way,
        objects(revision),
        about.comment,
    )
    return tuple(one_line(cell) or _NONE for cell in cells)


def objects(revision: Revision) -> str:
    """Return what a revision holds: `1 target, 2 LUNs`."""
    if not revision.counts:
        return "no saved configuration"
    shown = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for name, word in _KINDS
        if (number := revision.counts.get(name, 0))
    ]
    return ", ".join(shown) or "empty"


def title(revision: Revision) -> str:
    """Return a revision in a line."""
    about = revision.about
    by = f" by {about.user}" if about.user else ""
    comment = f": {about.comment}" if about.comment else ""
    saved = f"saved at {local(about.time)}{by} ({about.way}){comment}"
    return one_line(f"Revision {revision.word}, {saved}")


def data(revision: Revision) -> dict[str, Any]:
    """Return a revision for `-o json`."""
    return {
        "revision": revision.word,
        **revision.about.to_json(),
        "replaced": revision.replaced,
        "counts": revision.counts,
        "file": str(revision.file),
    }
