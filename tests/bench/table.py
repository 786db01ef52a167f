# SPDX-License-Identifier: Apache-2.0
"""Figures as tables: seconds, and the ratios with their limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Figures = Mapping[str, Mapping[str, Any]]
ONE_LINERS = ("pwd", "status", "create", "luns create", "set attribute", "luns delete", "delete")
PEERS_ONE_LINERS = ("pwd", "status", "create", "delete")
SECONDS = (
    "raw restore", "pyshell restore", "rtslib restore",
    "raw clear", "pyshell clear", "rtslib clear",
    "bare saveconfig", "saveconfig", "rtslib dump", "targetcli saveconfig",
    "bare ls", "ls", "targetcli ls", "apply", "diff", "sessions",
    *ONE_LINERS, *(f"targetcli {name}" for name in PEERS_ONE_LINERS),
)  # fmt: skip

# One name for each command: that of the ratios' table.
_TITLES = {
    "raw restore": "raw restoreconfig",
    "pyshell restore": "restoreconfig",
    "rtslib restore": "rtslib restoreconfig",
    "raw clear": "raw clearconfig",
    "pyshell clear": "clearconfig",
    "rtslib clear": "rtslib clearconfig",
    "rtslib dump": "rtslib dump (builds the configuration for saving)",
    "apply": "apply of an unchanged file",
}


def lines(figures: Figures) -> Iterator[str]:
    """Yield the tables in Markdown."""
    shapes = [name for name in figures if name]
    yield from _table(["seconds", *shapes], _seconds(figures, shapes))
    yield ""
    yield from _table(["ratio", "at most", *shapes], map(_marked, _ratios(figures, shapes)))
    yield ""
    yield from _table(["system calls", *shapes], _calls(figures, shapes))


def quick(found: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yield the table of a quick look."""
    names = dict.fromkeys(name for figures in found.values() for name in figures)
    rows = [[name, *(f"{figures[name]:.2f}" for figures in found.values())] for name in names]
    yield from _table(["seconds, simulated", *found], iter(rows))


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _seconds(figures: Figures, shapes: Sequence[str]) -> Iterator[list[str]]:
    once = figures[""]
    yield [
        "import of both libraries",
        f"{once['import']['seconds']:.2f}",
        *[""] * (len(shapes) - 1),
    ]
    for name in SECONDS:
        row = [_shown(figures[shape].get(name)) for shape in shapes]
        if any(row):
            yield [_TITLES.get(name, name), *row]


def _shown(figure: Mapping[str, float] | None) -> str:
    if not figure:
        return ""
    return f"over {figure['over']:.0f}" if "over" in figure else f"{figure['seconds']:.2f}"


def _ratios(figures: Figures, shapes: Sequence[str]) -> Iterator[list[str]]:
    once = {"import": figures[""]["import"], "start": figures[""]["start"]}
    start = once["start"]["seconds"] / once["import"]["seconds"]
    yield ["one-liner start : import", "0.8", f"{start:.2f}", *[""] * (len(shapes) - 1)]
    empty = figures[shapes[0]] if shapes else {}
    for name in ONE_LINERS:
        yield [
            f"{name} : at N=0",
            "1.1" if name == "luns delete" else "1.2",
            *(_ratio(figures[s].get(name), empty.get(name)) for s in shapes),
        ]
    pairs = [
        ("restoreconfig : raw", "1.8", "pyshell restore", "raw restore"),
        ("clearconfig : raw", "1.25", "pyshell clear", "raw clear"),
        ("saveconfig : bare", "0.6", "saveconfig", "bare saveconfig"),
        ("ls / : bare", "1.1", "ls", "bare ls"),
        ("ls / : targetcli", "0.125", "ls", "targetcli ls"),
        ("apply unchanged : saveconfig", "1.5", "apply", "saveconfig"),
        *((f"{n} : targetcli", "0.083", n, f"targetcli {n}") for n in PEERS_ONE_LINERS),
    ]
    for title, limit, one, other in pairs:
        row = [_ratio(figures[s].get(one), figures[s].get(other)) for s in shapes]
        if any(row):
            yield [title, limit, *row]
    memory = [figures[s].get("pyshell restore", {}).get("memory", 0) for s in shapes]
    yield ["peak memory of restoreconfig, MiB", "50", *(f"{m >> 20}" if m else "" for m in memory)]
    yield ["a line of a batch, seconds", "", *(_line_of_batch(figures[s]) for s in shapes)]


def _marked(row: list[str]) -> list[str]:
    """Return a row of ratios with the values over its limit in bold."""
    title, limit, *values = row
    if not limit:
        return row
    over = [v[:1].isdigit() and float(v) > float(limit) for v in values]
    return [title, limit, *(f"**{v}**" if o else v for v, o in zip(values, over, strict=True))]


def _line_of_batch(found: Mapping[str, Any]) -> str:
    if "batch of 101" not in found:
        return ""
    seconds = (found["batch of 101"]["seconds"] - found["batch of 1"]["seconds"]) / 100
    return f"{seconds:.3f}" if seconds >= 0 else "(below the measuring error)"


def _ratio(one: Mapping[str, float] | None, other: Mapping[str, float] | None) -> str:
    if not one or not other or "over" in one:
        return ""
    if "over" in other:
        return f"under {one['seconds'] / other['over']:.3f}"
    return f"{one['seconds'] / other['seconds']:.3g}"


def _calls(figures: Figures, shapes: Sequence[str]) -> Iterator[list[str]]:
    for name in ONE_LINERS:
        calls = [figures[s].get("system calls", {}).get(name, "") for s in shapes]
        if any(calls):
            yield [name, *map(str, calls)]
