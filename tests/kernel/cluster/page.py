# SPDX-License-Identifier: Apache-2.0
"""The records as a table for the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TITLES = {
    "a": "`kill -9` of the active node at a random moment",
    "b": "active node stopped (SIGSTOP), continued after the takeover",
    "c": "link between the nodes unplugged",
    "d": "`reload-agent`: an ACL is added and the disk grows",
    "e": "move while the disk hangs: the node is fenced",
    "f": "`kill -9` of the active node; an APTPL registration must survive",
    "stock": "for comparison: stock agents, an ACL is added",
}
HEAD = """\
| scenario | rounds | passed | writes | lost | wrong reads | I/O errors | longest pause | other |
|---|---|---|---|---|---|---|---|---|
"""


def text(folder: Path) -> str:
    """Return the table of all records in a folder, and what they are of."""
    kept = {name: _read(folder / f"{name}.json") for name in TITLES}
    rows = [_row(name, found["rounds"]) for name, found in kept.items() if found]
    return HEAD + "".join(rows) + "".join({_about(found) for found in kept.values() if found})


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _row(name: str, rounds: list[dict[str, Any]]) -> str:
    cells = (
        TITLES[name],
        len(rounds),
        sum(one["passed"] for one in rounds),
        sum(one["acknowledged"] for one in rounds),
        sum(one["lost"] for one in rounds),
        sum(one["wrong_reads"] for one in rounds),
        sum(one["errors"] for one in rounds),
        _range(one["pause"] for one in rounds),
        "; ".join(_others(rounds)),
    )
    return "| " + " | ".join(map(str, cells)) + " |\n"


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    digits = 0 if found[-1] >= 10 else 1
    least, most = (f"{value:.{digits}f}" for value in (found[0], found[-1]))
    return f"{most} s" if least == most else f"{least} to {most} s"


def _others(rounds: list[dict[str, Any]]) -> list[str]:
    """Return what a scenario found of its own."""
    said = []
    for key, what in (
        ("seconds_to_reset", "old node reset after {}"),
        ("seconds_to_acl", "ACL after {}"),
    ):
        values = [one["found"][key] for one in rounds if one["found"].get(key) is not None]
        if values:
            said.append(what.format(_range(values)))
    connections = {one["found"]["connections"] for one in rounds if "connections" in one["found"]}
    if connections:
        said.append(f"TCP connections of the session: {', '.join(map(str, sorted(connections)))}")
    return said


def _about(found: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    times = ", ".join(f"{name} {seconds:g} s" for name, seconds in found["times"].items())
    return f"\n{found['date'][:10]}, commit {found['commit']}: {versions}. Times: {times}.\n"
