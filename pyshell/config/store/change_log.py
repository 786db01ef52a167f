# SPDX-License-Identifier: Apache-2.0
"""The log of changes: a JSON document on each line, in a few files that are rotated by size.

Writers hold the lock of changing commands. Every line is written at once; what a crash left of the
last one is skipped when it is read. The log also goes to systemd's journal.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyshell.config.store import About, from_json, moment, undo
from pyshell.config.store.undo import Done
from pyshell.errors import NotFoundError, PyshellError, os_errors
from pyshell.expressions import expression
from pyshell.files import reading, writing
from pyshell.host import journal
from pyshell.lio import Lio
from pyshell.lio.configfs import is_below
from pyshell.lio.identifiers import Identifier
from pyshell.lio.operations.base import Operation, flat

FOLDER = "/var/log/pyshell"
NAME = "changes.jsonl"
SIZE_MAX = 1 << 20
"""Bytes after which the next file begins."""
FILES = 5
"""How many files are kept: `NAME`, `NAME.1` (the one before it) …"""
NUMBER_MAX = 10**9
DONE = "done"
FAILED = "failed"
"""A step failed, and the steps before it were undone."""
PARTIAL = "partial"
"""It failed, and some of it is done."""
UNFINISHED = "unfinished"
"""pyshell ended before the command did, or the command is running."""
UNCHANGED = "unchanged"
"""It ended without a change, after another command had recorded it as unfinished."""
_STATES = (DONE, FAILED, PARTIAL, UNFINISHED, UNCHANGED)
_OBJECTS_MAX = 50
_LINE_MAX = 4096
_NUMBERS = expression(rb'^\{"number": ([0-9]{1,9}),', re.MULTILINE)
"""The numbers of lines; reading all of each would take longer than a small change."""
_TAIL = 1 << 16
"""Bytes at the end of a file that are read for the highest number: more than a line has."""
_MESSAGE_ID = "e04a734fed7447eaad5808c6addf3a19"
_NOTICE = 5


@dataclass(frozen=True)
class Objects:
    """Paths of the objects that a change touched: of some, or of the objects above them."""

    paths: tuple[str, ...] = ()
    count: int = 0
    """How many there are."""

    def touch(self, path: str) -> bool:
        """Return whether the object at `path`, or one below it, may have been touched."""
        above = self.count > len(self.paths)
        return any(is_below(one, path) or (above and is_below(path, one)) for one in self.paths)


@dataclass(frozen=True)
class Entry:
    """A change as it is logged."""

    number: int
    about: About
    line: str
    """The command line as typed at the root, secrets masked."""
    state: str = DONE
    objects: Objects = Objects()
    revision: int | None = None
    """The revision that a save kept of what was saved before."""
    batch: int | None = None
    """The number of the first change of the batch that it belongs to."""
    undid: tuple[int, ...] = ()
    """The changes that it undid."""
    redid: tuple[int, ...] = ()
    """The changes that it did again."""

    def to_json(self) -> dict[str, Any]:
        """Return it as it is logged, without what is empty."""
        about = self.about
        data: dict[str, Any] = {
            "number": self.number,
            "time": about.time,
            "user": about.user,
            "source": about.way,
            "line": self.line[:_LINE_MAX],
            "state": self.state,
        }
        more = {
            "objects": list(self.objects.paths),
            "objects_count": self.objects.count,
            "revision": self.revision,
            "batch": self.batch,
            "undid": list(self.undid),
            "redid": list(self.redid),
        }
        return data | {name: value for name, value in more.items() if value}


def touched_by(operations: Iterable[Operation]) -> Objects:
    """Return the objects of operations."""
    return touched(paths_of(operations))


def paths_of(operations: Iterable[Operation]) -> set[str]:
    """Return the paths of the objects of operations."""
    every = (getattr(operation, "place", None) for operation in flat(operations))
    return {place.path for place in every if isinstance(place, Identifier)}


def touched(paths: Iterable[str]) -> Objects:
    """Return objects to log: if there are many, targets, storage objects, or what holds them."""
    found = sorted(set(paths))
    shown = found
    for depth in (3, 2):
        if len(shown) > _OBJECTS_MAX:
            tops = ("/".join(one.split("/")[: depth + (one[:5] == "/back")]) for one in shown)
            shown = list(dict.fromkeys(tops))
    return Objects(tuple(shown[:_OBJECTS_MAX]), len(found))


class ChangeLog:
    """The log of a target's changes; that of a simulated one is in the simulator's folder."""

    def __init__(self, lio: Lio) -> None:
        self._lio = lio
        self.file = lio.machine.host_file(f"{FOLDER}/{NAME}")

    def highest(self) -> int:
        """Return the highest number in use, 0 if there is none. Raises PyshellError."""
        for file in (self.file, self._older(1)):
            with suppress(NotFoundError), os_errors(f"read {file}"):
                found = [int(number) for number in _NUMBERS.findall(_end_of(file))]
                if found:
                    return max(found)
        return 0

    def last(self) -> Entry | None:
        """Return the change that was logged last, None if it is unknown. Raises PyshellError."""
        with suppress(NotFoundError), os_errors(f"read {self.file}"):
            lines = _end_of(self.file).splitlines()
            return next(_entries(lines[-1]), None) if lines else None
        return None

    def append(self, entry: Entry) -> None:
        """Log a change, also to the journal. Raises PyshellError."""
        self._send(entry)
        line = json.dumps(entry.to_json()).encode() + b"\n"
        writing.make_folder(self.file.parent, private=False)
        with os_errors(f"write {self.file}", path=str(self.file)):
            self._rotate(len(line))
            # The folder may be in one that other users can write to: /var/log is syslog's on some
            # systems. The file is not theirs.
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
            descriptor = writing.open_own(self.file, flags, private=False)
            try:
                size = os.fstat(descriptor).st_size
                cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                if os.write(descriptor, b"\n" + line if cut else line) < len(line):
                    raise PyshellError(f"Cannot write {self.file}: no space is left.")
            finally:
                os.close(descriptor)

    def _rotate(self, more: int) -> None:
        """Begin a new file if the current one would become too large."""
        try:
            size = os.lstat(self.file).st_size
        except FileNotFoundError:
            return
        if size + more <= SIZE_MAX:
            return
        for number in range(FILES - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.rename(self._older(number - 1), self._older(number))

    def _older(self, number: int) -> Path:
        return self.file.with_name(f"{NAME}.{number}") if number else self.file

    def read(self) -> tuple[list[Entry], int]:
        """Return the changes by number, and how many lines are damaged. Raises PyshellError.

        Of several lines with one number, the last counts.
        """
        found: dict[int, Entry] = {}
        damaged = 0
        for number in range(FILES - 1, -1, -1):
            try:
                data = reading.read(self._older(number), 2 * SIZE_MAX, trusted=False).data
            except NotFoundError:
                continue
            for entry in _entries(data):
                if entry is None:
                    damaged += 1
                else:
                    found[entry.number] = entry
        return [found[n] for n in sorted(found) if found[n].state != UNCHANGED], damaged

    def _send(self, entry: Entry) -> None:
        about, more = entry.about, f" [{entry.state}]" if entry.state != DONE else ""
        journal.send(
            self._lio.machine,
            {
                "MESSAGE": f"{about.user} ({about.way}): {entry.line[:_LINE_MAX]}{more}",
                "MESSAGE_ID": _MESSAGE_ID,
                "PRIORITY": str(_NOTICE),
                "PYSHELL_CHANGE": str(entry.number),
                "PYSHELL_USER": about.user,
                "PYSHELL_SOURCE": about.way,
                "PYSHELL_STATE": entry.state,
            },
        )


def entry_of(done: Done) -> Entry:
    """Return the entry of a change that was not logged; its objects are unknown."""
    state = DONE if done.has_ended else UNFINISHED
    return Entry(done.number, done.about, done.line, state, batch=done.batch)


def unfinished(lio: Lio) -> Done | None:
    """Return the last change if it has not ended: pyshell was killed, or it is running.

    Raises PyshellError if that is unknown.
    """
    done = undo.last(lio)
    if done is None or done.has_ended:
        return None
    logged = ChangeLog(lio).last()
    has_ended = logged is not None and logged.number >= done.number and logged.state != UNFINISHED
    return None if has_ended else done


def _end_of(file: Path) -> bytes:
    """Return the last lines of a file. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    finally:
        os.close(descriptor)


def _entries(data: bytes) -> Iterator[Entry | None]:
    """Yield the changes of lines, None for a damaged one."""
    for line in data.split(b"\n"):
        if line.strip():
            try:
                yield _entry(reading.parse_json(line))
            except (ValueError, KeyError, TypeError):
                yield None


def _entry(data: Any) -> Entry:
    """Return a change from what `to_json` returned. Raises ValueError, KeyError or TypeError."""
    about = from_json({**data, "way": data["source"], "comment": ""})
    line, state = data["line"], data["state"]
    if about is None or moment(about.time) is None or state not in _STATES:
        raise ValueError("not a change")
    paths = data.get("objects", [])
    if not isinstance(line, str) or not all(isinstance(path, str) for path in paths):
        raise TypeError("not a change")
    return Entry(
        _number(data["number"]),
        about,
        line,
        state,
        Objects(tuple(paths), _number(data["objects_count"]) if paths else 0),
        _number(data["revision"]) if "revision" in data else None,
        _number(data["batch"]) if "batch" in data else None,
        _numbers(data.get("undid", [])),
        _numbers(data.get("redid", [])),
    )


def _numbers(data: Sequence[Any]) -> tuple[int, ...]:
    return tuple(_number(one) for one in data)


def _number(data: Any) -> int:
    if type(data) is not int or not 0 < data <= NUMBER_MAX:
        raise ValueError("not a number")
    return data
