# SPDX-License-Identifier: Apache-2.0
"""`info`: the plain facts of an object, as lines that targetcli's users know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyshell.target.names import MASK
from pyshell.tree.results import Columns, Lines


def shown_facts(entry: Mapping[str, Any], *, secrets: bool) -> Lines:
    """Return `name: value` of all that is no list, sorted; secrets masked unless asked."""
    facts = {
        name: MASK if "password" in name and not secrets else value
        for name, value in sorted(entry.items())
        if not isinstance(value, dict | list)
    }
    rows = [(name, str(value)) for name, value in facts.items()]
    lines = [f"{name}: {value}" for name, value in rows]
    return Lines(lines, facts, table=Columns(("Fact", "Value"), rows))
