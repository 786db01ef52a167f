# SPDX-License-Identifier: Apache-2.0
"""All that is known of a parameter, for `get … verbose=true` and `help GROUP NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyshell.tree.groups import Entry, Group, value_or_empty

Facts = Mapping[str, Any]


def facts(group: Group, entry: Entry, value: str) -> dict[str, Any]:
    """Return a parameter's facts; those that it has not are None."""
    row = entry.about
    fixed = row is not None and row.write in ("fixed", "never")
    obstacle = group.obstacle(entry) if entry.writable else "read-only"
    if fixed and entry.writable:
        obstacle = "the kernel takes only what it has"
    found: dict[str, Any] = {
        "value": value,
        "help": entry.help,
        "type": entry.type,
        "unit": row.unit or None if row else None,
        "default": group.default(entry) if entry.writable else None,
        "takes": None,
        "writable": entry.writable,
        "writable_while_exported": None,
        "writable_now": not obstacle,
        "obstacle": obstacle or None,
        "source": row.source or None if row else None,
    }
    if row is not None and entry.writable:
        found["takes"] = row.allowed(lambda name: value_or_empty(group, name)) or None
        found["writable_while_exported"] = row.write in ("always", "ignored") if row.tried else None
    return found


def lines(told: Mapping[str, Facts]) -> list[str]:
    """Return the facts of parameters as text, a blank line between two."""
    found: list[str] = []
    for name, one in told.items():
        head = f"{name}={one['value']}" + ("" if one["writable"] else " [ro]")
        found += [*([""] if found else []), head, "-" * len(head), one["help"]]
        for key in ("type", "takes", "unit", "default"):
            if one[key] is not None:
                found.append(f"  {key}: {one[key]}")
        found.append(f"  can be set: {_when(one)}")
        if one["source"]:
            found.append(f"  source: {one['source']}")
    return found


def _when(one: Facts) -> str:
    if not one["writable"]:
        return "no"
    if one["obstacle"]:
        return f"no: {one['obstacle']}"
    return "yes" if one["writable_while_exported"] is not False else "until a LUN exports it"
