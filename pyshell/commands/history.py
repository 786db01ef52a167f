# SPDX-License-Identifier: Apache-2.0
"""The command `history`: the changes of this host's target, from the log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Annotated, Any

from pyshell.config.store import change_log, moment
from pyshell.config.store import undo as journal
from pyshell.config.store.change_log import ChangeLog, Entry
from pyshell.errors import PyshellError, UsageError
from pyshell.expressions import expression
from pyshell.lio import Lio
from pyshell.names import whole
from pyshell.text import counted, did_you_mean, joined
from pyshell.tree.command import ValueType, command, node_path, plain_text
from pyshell.tree.node import Node
from pyshell.tree.results import Result, Row, RowKind, Rows

UNDONE = "undone"
_AGO = expression(r"([0-9]{1,6})[ \t]*(s|sec|m|min|h|d|w)", re.IGNORECASE | re.ASCII)
_CLOCK = expression(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DAYS = {"today": 0, "yesterday": 1}
# Each with the unit that it is exact to.
_FORMS = (
    ("%Y-%m-%d", timedelta(days=1)),
    ("%Y-%m-%dT%H:%M", timedelta(minutes=1)),
    ("%Y-%m-%dT%H:%M:%S", timedelta(seconds=1)),
)
_COLUMNS: tuple[tuple[str, RowKind], ...] = (
    ("number", "number"),
    ("time", "time"),
    ("user", "text"),
    ("source", "text"),
    ("state", "text"),
    ("undo", "number"),
    ("batch", "number"),
    ("revision", "number"),
    ("command", "text"),
    ("objects", "number"),
    ("paths", "list"),
)
_IF_ANY = ("batch", "revision")
_UNSHOWN = ("paths",)


@dataclass(frozen=True)
class Period:
    """A time as given: from its first instant to the first after it."""

    start: datetime
    end: datetime


def period(text: str) -> Period:
    """Read a time, such as `14:00` (today), `2026-11-29T14:00`, `yesterday` or `2h` (ago).

    It is local unless it ends in `Z`. Raises UsageError.
    """
    now = datetime.now().astimezone()
    word = text.strip()
    if ago := _AGO.fullmatch(word):
        with suppress(OverflowError):
            begin = now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2][0].lower()])
            return Period(begin, begin)
    if word.lower() in _DAYS:
        day = now.date() - timedelta(days=_DAYS[word.lower()])
        word = day.isoformat()
    utc = word[-1:] in ("Z", "z")
    word = word[:-1] if utc else word
    if _CLOCK.fullmatch(word):
        today = datetime.now(timezone.utc).date() if utc else now.date()
        word = f"{today.isoformat()}T{word}"
    for form, unit in _FORMS:
        with suppress(ValueError, OverflowError):
            found = datetime.strptime(word.replace(" ", "T"), form)
            zone = moment("2000-01-01T00:00:00Z") if utc else None
            begin, end = (
                one.replace(tzinfo=zone.tzinfo) if zone is not None else one.astimezone()
                for one in (found, found + unit)
            )
            return Period(begin, end)
    raise UsageError(
        f"'{text}' is not a time.",
        "Write 14:00, today, yesterday, 2026-11-29, 2026-11-29T14:00 or 2h (ago).",
    )


def _path_or_number(text: str) -> str | int:
    """Read a path, or the number of a change."""
    found = whole(text)
    return node_path(text) if found is None else found


TIME = ValueType("time", period)
SUBJECT = ValueType(
    "path or number",
    _path_or_number,
    source="path or change",
    at=lambda node, found: found if isinstance(found, int) else node.absolute(found),
)
SOURCES = ("prompt", "one-liner", "batch", "boot", "cluster", "timer")
"""The usual sources; a program can name another one."""
SOURCE = ValueType("source", plain_text, SOURCES)


@command(
    rows=True,
    in_candidate="running",
    examples=(
        "history",
        "history 12",
        "history limit=20",
        "history since=14:00",
        "history path=/iscsi since=yesterday",
        "history source=batch since=today",
        "history user=lee since=2026-11-29T14:00 until=2h -o jsonl",
    ),
)
def history(
    node: Node,
    path: Annotated[
        str | int | None,
        SUBJECT,
        "Only changes of the object at this path, or of objects below it. A number: all about that"
        " change.",
    ] = None,
    *,
    user: Annotated[str | None, "Only changes by this user. Default: all users."] = None,
    source: Annotated[
        str | None, SOURCE, "Only changes from this source. Default: all sources."
    ] = None,
    since: Annotated[
        Period | None,
        TIME,
        "Only changes from this time on: 14:00 (today), today, yesterday, 2026-11-29,"
        " 2026-11-29T14:00 or 2h (ago).",
    ] = None,
    until: Annotated[
        Period | None,
        TIME,
        "Only changes up to this time, written as for since: 2h omits the last two hours.",
    ] = None,
    limit: Annotated[int | None, "Only so many, the newest. Default: all."] = None,
) -> Result:
    """List the changes of this host's target, the newest first.

    Each has a number, by which 'undo NUMBER' returns to the state before it; the column undo is
    empty if that is not possible, as after a reboot. The source is prompt, one-liner, batch (a file
    or standard input), boot, cluster (a cluster's resource agent) or timer (of a change that was
    not confirmed). Lines of one batch have the number of its first change in the column batch.

    'history NUMBER' shows one change: its objects, what undid it or what it undid, and the steps
    that undo it, with the values that they restore.

    The state is done, undone, failed (a step failed; the steps before it were undone), partial (it
    failed after some changes) or unfinished (pyshell ended before the command did, or it is still
    running). For a save, the revision is the one that it kept of what was saved before.

    Times are local; in json, jsonl and tsv, they are UTC. These also have the paths of the objects
    that a change touched, or of what holds them if there are many. The log is
    /var/log/pyshell/changes.jsonl, readable by root only; it is rotated by size. Every change is
    also sent to systemd's journal: journalctl -t pyshell.

    Changes by other programs are not listed.
    """
    if isinstance(path, int):
        from pyshell.commands.change_details import details  # the list needs it not

        if any(one is not None for one in (user, source, since, until, limit)):
            raise UsageError("A number selects one change.", "Omit the other parameters.")
        return details(node, path)
    every = entries(node)
    known = undoable(node.lio)
    chosen = [
        entry
        for entry in reversed(every)
        if (path is None or path == "/" or entry.objects.touch(path))
        and (user is None or entry.about.user == user)
        and (source is None or entry.about.way == source)
        and _is_within(entry, since, until)
    ]
    if source is not None and source not in (*SOURCES, *(one.about.way for one in every)):
        near = did_you_mean(source, SOURCES, f"Sources: {joined(SOURCES)}.")
        node.context.note(f"No change has the source '{source}'. {near}")
    rows = [Row(str(entry.number), partial(_values, entry, known)) for entry in chosen[:limit]]
    return Rows(_COLUMNS, rows, optional=_IF_ANY, unshown=_UNSHOWN)


def entries(node: Node) -> list[Entry]:
    """Return all known changes, the oldest first, with the state `undone` of those undone.

    A batch of one change is none. Raises PyshellError.
    """
    logged, damaged = ChangeLog(node.lio).read()
    if damaged:
        shown = "which is" if damaged == 1 else "which are"
        node.context.note(f"The log has {counted(damaged, 'damaged line')}, {shown} not shown.")
    highest = logged[-1].number if logged else 0
    every = [*logged, *_not_logged(node.lio, highest)]
    undone: set[int] = set()
    for entry in every:
        undone = (undone | set(entry.undid)) - set(entry.redid)
    lines = Counter(entry.batch for entry in every)
    return [
        replace(
            one,
            state=UNDONE if one.number in undone else one.state,
            batch=one.batch if lines[one.batch] > 1 else None,
        )
        for one in every
    ]


def _not_logged(lio: Lio, logged: int) -> Iterator[Entry]:
    """Yield the changes after the last logged one: they run, or were not logged."""
    for number in undoable(lio):
        if number > logged and (done := journal.head_of(lio, number)) is not None:
            yield change_log.entry_of(done)


def undoable(lio: Lio) -> Sequence[int]:
    """Return the numbers of changes that `undo` knows, lowest first; none if it cannot be read."""
    with suppress(PyshellError):
        return journal.numbers(lio)
    return ()


def _is_within(entry: Entry, since: Period | None, until: Period | None) -> bool:
    at = moment(entry.about.time)
    assert at is not None
    return (since is None or at >= since.start) and (until is None or at <= until.end)


def values_of(entry: Entry, known: Sequence[int]) -> dict[str, Any]:
    """Return the values of all columns by name."""
    names = [name for name, _ in _COLUMNS]
    return dict(zip(names, _values(entry, known), strict=True))


def _values(entry: Entry, known: Sequence[int]) -> Sequence[Any]:
    about = entry.about
    return (
        entry.number,
        about.time,
        about.user,
        about.way,
        entry.state,
        entry.number if entry.number in known else None,
        entry.batch,
        entry.revision,
        entry.line,
        entry.objects.count,
        list(entry.objects.paths),
    )
