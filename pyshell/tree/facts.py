# SPDX-License-Identifier: Apache-2.0
"""`info`: the plain facts of an object, as lines that targetcli's users know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyshell.names import MASK, size_text
from pyshell.tree.results import Columns, Lines

_SIZES = frozenset({"size", "file_size", "file_allocated", "file_system_free"})


def shown_facts(entry: Mapping[str, Any], *, secrets: bool, units: bool = False) -> Lines:
    """Return `name: value` of all that is no list, sorted; secrets masked unless asked.

    With `units`, sizes are shown in bytes and in units.
    """
    facts = {
        name: MASK if "password" in name and not secrets else value
        for name, value in sorted(entry.items())
        if not isinstance(value, dict | list)
    }
    rows = [
        (name, _with_unit(value) if units and name in _SIZES else str(value))
        for name, value in facts.items()
    ]
    lines = [f"{name}: {value}" for name, value in rows]
    return Lines(lines, facts, table=Columns(("Fact", "Value"), rows))


def _with_unit(value: Any) -> str:
    return f"{value} ({size_text(value)})" if isinstance(value, int) else str(value)
