# SPDX-License-Identifier: Apache-2.0
"""Results, errors and notes as text or JSON, for a terminal, a pipe or systemd's journal.

No other package imports rich.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TextIO

from pyshell import names
from pyshell.errors import PyshellError, UsageError
from pyshell.render.drawing import Style, draw, folded_lines, table_lines
from pyshell.text import (
    around_column,
    output_line,
    visible,
    visible_json,
    wrapped_help,
    wrapped_result,
)
from pyshell.tree.results import Branch, Lines, Table, Tree

FAULTS_SHOWN = 100
PIPE_WIDTH = 132  # targetcli's, which scripts that read the tree expect
WIDTH_MAX = 1000
"""The most columns of a drawn line, whatever COLUMNS says."""
DUMB_TERMS = ("", "dumb", "unknown")
"""Values of TERM for terminals that only show text."""
SCHEMA = 1
"""Version of the JSON documents; it grows when a key changes its meaning or is removed."""
JOURNAL_ERROR, JOURNAL_NOTICE = 3, 5
"""Priorities of systemd's journal."""
_CODES = {
    "name": "1",
    "dots": "2",
    "good": "32",
    "bad": "1;31",
    "off": "2",
    "head": "1",
    "error": "31",
    "note": "33",
}
"""The terminal's 16 colours and styles, by part of the output."""


def paint(part: str, text: str) -> str:
    """Return a text in the colour of a part, "plain" for none."""
    code = _CODES.get(part)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


@dataclass(frozen=True)
class Format:
    """How results are shown."""

    json: bool
    width: int
    colour: bool
    preference: Callable[[str], Any]
    terminal: bool = False
    """Whether the output goes to a terminal that can do more than show lines."""

    def painted(self, part: str, text: str) -> str:
        """Return a text in the colour of a part, if colours are shown."""
        return paint(part, text) if self.colour else text


def render(result: Tree | Lines, shown: Format) -> Iterator[str]:
    """Yield the lines of a result."""
    if shown.json:
        yield json_text(_data(result), indent=2)
    elif isinstance(result, Lines):
        yield from _text(result, shown)
    else:
        yield from draw(result, _style(shown))


def _text(result: Lines, shown: Format) -> Iterable[str]:
    """Return the lines of a result; at a terminal, tables and Markdown fit its width."""
    # A line feed in a name or value must not begin a line. Help is our own text.
    shown_as = output_line if result.form in ("plain", "sentences") else visible
    lines: Iterable[str] = map(shown_as, result.lines)
    if not shown.terminal or (result.table is None and result.form == "plain"):
        return lines
    if result.table is not None:
        return folded_lines(result.table, shown.width, shown.painted)
    if result.form == "sentences":
        return wrapped_result(lines, shown.width)
    if result.form == "markdown":
        from pyshell.render.views import markdown

        return markdown("\n".join(lines), shown.width, colour=shown.colour)
    return _help(lines, shown)


def _help(lines: Iterable[str], shown: Format) -> Iterator[str]:
    """Yield lines of help; the first line and headings in capitals are bold."""
    for number, line in enumerate(wrapped_help(lines, shown.width)):
        yield shown.painted("head", line) if number == 0 or line.isupper() else line


def _style(shown: Format) -> Style:
    return Style(
        shown.width,
        bool(shown.preference("tree_round_nodes")),
        bool(shown.preference("tree_status_mode")),
        bool(shown.preference("tree_show_root")),
        int(shown.preference("tree_max_children")) if shown.terminal else 0,
        shown.terminal,
        shown.terminal,
        paint if shown.colour else None,
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
    if branch.mark.strip():
        made["mark"] = branch.mark
    if depth is None or depth > 0:
        less = None if depth is None else depth - 1
        made["children"] = [_branch(child, less) for child in branch.children()]
    return made


def stream_lines(table: Table, shown: Format) -> Iterator[str]:
    """Yield the lines of a table of a stream, untruncated; as JSON one document on one line."""
    if shown.json:
        yield json_text({"schema": SCHEMA, "result": table.data})
    else:
        yield from table_lines(table)


def error_lines(
    error: PyshellError,
    *,
    as_json: bool,
    compat: bool = False,
    where: str = "",
    columns: int | None = None,
) -> list[str]:
    """Return the lines of an error: a sentence, and for a syntax error the line with a caret.

    `where` is `FILE:LINE` of a batch. A line longer than the terminal's `columns` is cut around the
    caret. In targetcli-compatible mode the only line is targetcli's sentence, which programs match.
    """
    if as_json:
        facts = {
            "schema": SCHEMA,
            "where": where or None,
            "error": error.message,
            "faults": error.faults,
            "hint": error.advice(in_batch=bool(where)),
            "path": error.path,
            "step": error.step,
            "errno": error.errno,
            "code": error.status,
        }
        return [json_text(facts)]
    if compat and error.targetcli:
        return [output_line(error.targetcli)]
    advice = error.advice(in_batch=bool(where))
    lines = [error.text(in_batch=bool(where))]
    if error.faults:
        shown = error.faults[:FAULTS_SHOWN]
        left = len(error.faults) - len(shown)
        more = [f"and {left} more"] if left else []
        lines = [error.message, *shown, *more, *([advice] if advice else [])]
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
        from shutil import get_terminal_size  # imports all that compresses

        found = get_terminal_size((80, 24)).columns  # it reads COLUMNS, too
    else:
        found = names.whole(environment.get("COLUMNS", "")) or PIPE_WIDTH
    return min(found, WIDTH_MAX)


def is_able(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a stream is a terminal that can do more than show lines."""
    return stream.isatty() and environment.get("TERM", "") not in DUMB_TERMS


def wants_colour(
    choice: str, stream: TextIO, *, preferred: bool, environment: Mapping[str, str] = os.environ
) -> bool:
    """Return whether to use colours; `choice` is auto, always or never.

    For auto, NO_COLOR and TERM are respected.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR") or environment.get("TERM", "") in DUMB_TERMS:
        return False
    return preferred and stream.isatty()


def is_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether systemd has connected a stream to the journal."""
    named = environment.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or not a file
        return False
    return named == f"{found.st_dev}:{found.st_ino}"


def prioritised(line: str, priority: int) -> str:
    """Return a line with the prefix by which the journal reads its priority."""
    return f"<{priority}>{line}"


PATIENCE = 1.0
"""A bar is shown for work that has taken, and will take, more than this many seconds."""
FEW = 20
"""Work of fewer steps shows no bar, however slow."""
BYTES = 1 << 20
"""Totals above this are bytes: no configuration has that many steps."""


class Bar:
    """A progress bar with count and remaining time, for slow work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._shown: ExitStack | None = None
        self._update: Callable[[int, int], None]

    def __call__(self, done: int, total: int) -> None:
        """Update the bar: `done` of `total` steps or bytes."""
        if total < FEW:
            return
        if self._shown is None:
            passed = time.monotonic() - self._began
            left = passed * (total - done) / done if done else PATIENCE
            if passed < PATIENCE or left < PATIENCE:
                return
            from pyshell.render.views import progress_bar

            self._shown = ExitStack()
            bar = progress_bar(self._stream, in_bytes=total > BYTES)
            self._update = self._shown.enter_context(bar)
        self._update(done, total)

    def restart(self) -> None:
        """Remove the bar, and count the time from now on."""
        self.close()
        self._began = time.monotonic()

    def close(self) -> None:
        """Remove the bar from the screen."""
        if self._shown is not None:
            self._shown.close()
            self._shown = None
