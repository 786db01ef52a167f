# SPDX-License-Identifier: Apache-2.0
"""Results as text or JSON, for a terminal or for a pipe."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from pyshell import names
from pyshell.characters import output_line, visible, visible_json
from pyshell.errors import PyshellError, UsageError
from pyshell.render.drawing import Style, draw
from pyshell.text import around_column, wrapped_help
from pyshell.tree.results import Branch, Lines, Table, Tree

FAULTS_SHOWN = 100
PIPE_WIDTH = 132  # targetcli's, which scripts that read the tree were written for
WIDTH_MAX = 1000
"""Columns that a line is laid out to at most, whatever COLUMNS says."""
DUMB_TERMS = ("", "dumb", "unknown")
"""What TERM is where a terminal does no more than show text."""
SCHEMA = 1
"""Version of the JSON documents; it grows when a key changes its meaning or goes."""


@dataclass(frozen=True)
class Format:
    """How results are shown."""

    json: bool
    width: int
    colour: bool
    preference: Callable[[str], Any]
    terminal: bool = False
    """Whether someone looks at a terminal that can do more than show lines."""


def render(result: Tree | Lines, shown: Format) -> Iterator[str]:
    """Yield the lines of a result."""
    if shown.json:
        yield json_text(_data(result), indent=2)
    elif isinstance(result, Lines):
        yield from _text(result, shown)
    else:
        yield from draw(result, _style(shown))


def _text(result: Lines, shown: Format) -> Iterable[str]:
    """Return the lines of a result; at a terminal a table or Markdown is laid out to its width."""
    # Names and values are others' texts: a line feed in one must not begin a line. Help is our own.
    shown_as = output_line if result.form == "plain" else visible
    lines: Iterable[str] = map(shown_as, result.lines)
    if not shown.terminal or (result.table is None and result.form == "plain"):
        return lines
    from pyshell.render import layout

    if result.table is not None:
        return layout.table(result.table, shown.width, colour=shown.colour)
    if result.form == "markdown":
        return layout.markdown("\n".join(lines), shown.width, colour=shown.colour)
    lines = wrapped_help(lines, shown.width)
    return layout.with_heads(lines) if shown.colour else lines


def _style(shown: Format) -> Style:
    paint: Callable[[str, str], str] | None = None
    if shown.colour:
        from pyshell.render import colour

        paint = colour.paint
    return Style(
        shown.width,
        bool(shown.preference("tree_round_nodes")),
        bool(shown.preference("tree_status_mode")),
        bool(shown.preference("tree_show_root")),
        int(shown.preference("tree_max_children")) if shown.terminal else 0,
        shown.terminal,
        paint,
    )


def _data(result: Tree | Lines) -> Any:
    key = "tree" if isinstance(result, Tree) else "result"
    return {"schema": SCHEMA, key: data_of(result)}


def data_of(result: Tree | Lines) -> Any:
    """Return a result as data."""
    if isinstance(result, Tree):
        return _branch(result.branch, result.depth)
    return result.data if result.data is not None else list(result.lines)


def _branch(branch: Branch, depth: int | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": branch.name,
        "path": branch.path,
        "summary": branch.label,
        "healthy": branch.healthy,
    }
    if depth is None or depth > 0:
        less = None if depth is None else depth - 1
        made["children"] = [_branch(child, less) for child in branch.children()]
    return made


def table_lines(table: Table, shown: Format) -> Iterator[str]:
    """Yield the lines of a table, whole however wide it is; as JSON one document on one line."""
    if shown.json:
        yield json_text({"schema": SCHEMA, "result": table.data})
        return
    from pyshell.render import tables

    yield from tables.lines(table)


def is_live(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a stream is a terminal on which a text can be drawn anew in its place."""
    return stream.isatty() and environment.get("TERM", "") not in DUMB_TERMS


def error_lines(
    error: PyshellError,
    *,
    as_json: bool,
    compat: bool = False,
    where: str = "",
    columns: int | None = None,
) -> list[str]:
    """Return what to print of an error: one line, and for a faulty line a caret below it.

    `where` is the place of a batch (`FILE:LINE`) at which it happened. Of a faulty line that is
    longer than the terminal's `columns`, the part around the caret is shown. In targetcli mode
    (`compat`) its own sentence stands alone: programs match the line's begin and end.
    """
    if as_json:
        facts = {
            "schema": SCHEMA,
            "where": where or None,
            "error": error.message,
            "faults": error.faults,
            "hint": error.hint,
            "path": error.path,
            "step": error.step,
            "errno": error.errno,
            "code": error.status,
        }
        return [json_text(facts)]
    if compat and error.targetcli:
        return [output_line(error.targetcli)]
    lines = [str(error)]
    if error.faults:
        shown = error.faults[:FAULTS_SHOWN]
        left = len(error.faults) - len(shown)
        more = [f"and {left} more"] if left else []
        lines = [error.message, *shown, *more, *([error.hint] if error.hint else [])]
    if where:
        lines[0] = f"{where}: {lines[0]}"
    if not compat and isinstance(error, UsageError) and error.column is not None and error.line:
        text = output_line(error.line)
        column = len(output_line(error.line[: error.column]))
        if columns is not None:
            text, column = around_column(text, column, columns - len("  "))
        lines += [f"  {text}", f"  {' ' * column}^"]
    return [output_line(one) for one in lines]


def note_line(text: str) -> str:
    """Return a note as one line of JSON."""
    return json_text({"schema": SCHEMA, "note": text})


def json_text(data: Any, indent: int | None = None) -> str:
    """Return data as a JSON document that is safe to show on a terminal."""
    return visible_json(json.dumps(data, indent=indent, ensure_ascii=False))


def width(stream: TextIO, environment: Mapping[str, str] = os.environ) -> int:
    """Return how wide to draw: the terminal's width; in a pipe COLUMNS if set, else 132."""
    if stream.isatty():
        found = shutil.get_terminal_size((80, 24)).columns  # it reads COLUMNS, too
    else:
        found = names.whole(environment.get("COLUMNS", "")) or PIPE_WIDTH
    return min(found, WIDTH_MAX)


def is_able(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a stream is a terminal that can do more than show lines."""
    return stream.isatty() and environment.get("TERM", "") not in DUMB_TERMS


def wants_colour(
    choice: str, stream: TextIO, *, preferred: bool, environment: Mapping[str, str] = os.environ
) -> bool:
    """Tell whether to colour: `choice` is auto, always or never; NO_COLOR and TERM=dumb count."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR") or environment.get("TERM", "") in DUMB_TERMS:
        return False
    return preferred and stream.isatty()
