# SPDX-License-Identifier: Apache-2.0
"""Rows of values as a table, JSON, a JSON document on each line, tsv, or names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyshell import names
from pyshell.config.store import short_time
from pyshell.render import SCHEMA, Format, json_text
from pyshell.render.drawing import folded_lines
from pyshell.text import aligned, one_line, output_line
from pyshell.tree.results import RowKind, Rows, Table

_RIGHT = ("number", "size")
"""The kinds of columns that are aligned to the right."""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def row_lines(result: Rows, form: str, shown: Format) -> Iterator[str]:
    """Yield the lines of rows; `form` is table, jsonl, tsv, name or "" (text or JSON)."""
    if form == "name":
        yield from (output_line(row.name) for row in result.rows)
    elif form == "tsv":
        yield from _tsv(result)
    elif form == "jsonl":
        yield from (json_text(data) for data in _data(result))
    elif shown.json:
        yield json_text({"schema": SCHEMA, "result": list(_data(result))}, indent=2)
    else:
        yield from _table(result, shown)


def _data(result: Rows) -> Iterator[dict[str, Any]]:
    headings = [name for name, _ in result.columns]
    return (dict(zip(headings, row.values(), strict=True)) for row in result.rows)


def _tsv(result: Rows) -> Iterator[str]:
    if result.headings:
        yield "\t".join(name for name, _ in result.columns)
    for row in result.rows:
        cells = (_plain(value).translate(_ESCAPES) for value in row.values())
        yield "\t".join(one_line(cell) for cell in cells)


def _table(result: Rows, shown: Format) -> Iterator[str]:
    """Yield a table: at a terminal it fits the width, elsewhere cells are whole."""
    every_name = [name for name, _ in result.columns]
    every_cell = [
        [_cell(kind, value) for (_, kind), value in zip(result.columns, row.values(), strict=True)]
        for row in result.rows
    ]
    shown_columns = [
        index
        for index, name in enumerate(every_name)
        if name not in result.unshown
        and (name not in result.optional or any(row[index] for row in every_cell))
    ]
    headings = [every_name[index] for index in shown_columns]
    cells = [[row[index] for index in shown_columns] for row in every_cell]
    right = [at for at, n in enumerate(shown_columns) if result.columns[n][1] in _RIGHT]
    if shown.terminal:
        table = Table(headings, cells, right=right)
        yield from folded_lines(table, shown.width, shown.painted, headings=result.headings)
        return
    every: Sequence[Sequence[str]] = [[one_line(cell) for cell in row] for row in cells]
    if result.headings:
        every = [headings, *every]
    if every:
        yield from aligned(every, right=right)


def _cell(kind: RowKind, value: Any) -> str:
    """Return a value as text for people."""
    if value is None:
        return ""
    if kind == "size":
        return names.size_text(value)
    return short_time(value) if kind == "time" else _plain(value)


def _plain(value: Any) -> str:
    """Return a value as text for programs."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
