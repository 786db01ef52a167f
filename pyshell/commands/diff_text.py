# SPDX-License-Identifier: Apache-2.0
"""Differences between two configurations as an indented tree and as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyshell.config.compare import Changed, Difference, shown
from pyshell.tree.node import split_path

_WORDS = {"+": "added", "-": "removed", "~": "changed"}


def tree_lines(differences: Iterable[Difference]) -> Iterator[str]:
    """Yield a tree of what differs: `+` only in the second, `-` only in the first, `~` in both."""
    above: list[str] = []
    for difference in sorted(shown(differences), key=lambda one: split_path(one.path)):
        parts = split_path(difference.path)
        common = 0
        while common < min(len(above), len(parts) - 1) and above[common] == parts[common]:
            common += 1
        for depth in range(common, len(parts) - 1):
            yield f"  {'  ' * depth}{parts[depth]}"
        yield f"{difference.sign} {'  ' * (len(parts) - 1)}{parts[-1]}"
        for change in difference.changes:
            yield f"  {'  ' * (len(parts) + 1)}{change.text}"
        above = parts


def data(differences: Iterable[Difference]) -> list[dict[str, Any]]:
    """Return the differences as data; of secrets only that they differ."""
    return [
        {
            "path": difference.path,
            "change": _WORDS[difference.sign],
            "settings": [changed_data(change) for change in difference.changes],
        }
        for difference in shown(differences)
    ]


def changed_data(change: Changed) -> dict[str, Any]:
    """Return a changed setting as data, of a secret only that it differs."""

    return {
        "name": change.name,
        "before": _value(change, change.before),
        "after": _value(change, change.after),
    }


def _value(change: Changed, value: Any) -> Any:
    """Return a value as data: a secret masked, null where there is none."""
    if change.secret:
        return change.shown(value) if value else None
    return value
