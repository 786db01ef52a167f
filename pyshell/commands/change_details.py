# SPDX-License-Identifier: Apache-2.0
"""One change of the history with all that is recorded about it, and how to undo it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyshell.commands.history import UNDONE, entries, undoable, values_of
from pyshell.config.store import change_log, local
from pyshell.config.store import undo as journal
from pyshell.config.store.change_log import Entry
from pyshell.config.store.undo import Done
from pyshell.errors import NotFoundError, PyshellError
from pyshell.lio import Lio
from pyshell.lio.listing import HbaNumbers
from pyshell.lio.operations.base import Operation, flat
from pyshell.text import counted, joined
from pyshell.tree.node import Node
from pyshell.tree.results import Lines

_NAME = len("undone by")
"""Width of the column of names."""
_OLD = (
    "How to undo it is not recorded, or no longer, as after a reboot. 'revisions' lists saved"
    " configurations, 'diff' compares them, and 'rollback' restores one."
)


@dataclass(frozen=True)
class _Steps:
    """The operations that undo a change or, if it `is_undone`, do it again."""

    found: Sequence[str] = ()
    why: str = ""
    """Why they are not known, as a sentence."""
    is_undone: bool = False


def details(node: Node, number: int) -> Lines:
    """Return all about a change. Raises NotFoundError."""
    every = {entry.number: entry for entry in entries(node)}
    if number not in every:
        raise NotFoundError(f"No such change: {number}.", "'history' lists the changes.")
    entry, steps = every[number], _steps(node.lio, number)
    lines = [f"Change {number}", *_facts(entry, every), *_how(node.lio, entry, steps)]
    if steps is not None and steps.found:
        lines.append(f"Steps that {'do it again' if steps.is_undone else 'undo it'}:")
        lines += [f"  - {one}" for one in steps.found]
    shown = _data(entry, every, steps, undoable(node.lio))
    return Lines(lines, shown, form="sentences")


def _steps(lio: Lio, number: int) -> _Steps | None:
    """Return the steps that are recorded, None if there are none."""
    with suppress(PyshellError):
        if number in journal.numbers(lio):
            return _of(journal.read(lio, number), lio)
        if number in journal.undone_numbers(lio):
            return _of(journal.read_undone(lio, number), lio)
    return None


def _of(done: Done, lio: Lio) -> _Steps:
    if done.undone is not None:
        first = done.undone.first
        why = f"It is done again together with change {first}." if first != done.number else ""
        return _Steps(_told_steps(done.again(HbaNumbers(lio))), why, is_undone=True)
    if done.begun:
        return _Steps(why="pyshell ended before the command did: what it changed is not recorded.")
    if done.before is not None:
        return _Steps(why="It is undone by returning to the configuration before it.")
    if done.preferences is not None:
        values = {n: "the default" if v is None else v for n, v in done.preferences.items()}
        return _Steps([f"set {name} to {value}" for name, value in values.items()])
    return _Steps(_told_steps(done.operations(HbaNumbers(lio))))


def _told_steps(operations: Iterable[Operation]) -> list[str]:
    """Return operations as lines; they contain no secrets."""
    return [one.full_step for one in flat(operations)]


def _facts(entry: Entry, every: Mapping[int, Entry]) -> Iterator[str]:
    about = entry.about
    rows = [
        ("command", entry.line),
        ("state", entry.state),
        ("time", local(about.time)),
        ("user", about.user),
        ("source", about.way),
        ("batch", _told(_batch(entry, every))),
        ("revision", f"{entry.revision} has what was saved before" if entry.revision else ""),
        ("undid", _lines_of(entry.undid, every)),
        ("redid", _lines_of(entry.redid, every)),
        ("undone by", _told(_reversed_by(entry, every))),
    ]
    for name, value in rows:
        if value:
            yield f"  {name:{_NAME}}  {value}"
    for index, path in enumerate(entry.objects.paths):
        yield f"  {'' if index else 'objects':{_NAME}}  {path}"
    if entry.objects.count > len(entry.objects.paths):
        yield f"  {'':{_NAME}}  {counted(entry.objects.count, 'object')} there in all"


def _told(numbers: Sequence[int]) -> str:
    if not numbers:
        return ""
    return f"change{'s' * (len(numbers) > 1)} {joined([str(one) for one in numbers])}"


def _lines_of(numbers: Sequence[int], every: Mapping[int, Entry]) -> str:
    """Return changes with their command lines."""
    return ", ".join(
        f"{number} '{every[number].line}'" if number in every else str(number)
        for number in sorted(numbers)
    )


def _batch(entry: Entry, every: Mapping[int, Entry]) -> list[int]:
    if entry.batch is None:
        return []
    return [one.number for one in every.values() if one.batch == entry.batch]


def _reversed_by(entry: Entry, every: Mapping[int, Entry]) -> list[int]:
    """Return the undo that holds: none after a redo."""
    if entry.state != UNDONE:
        return []
    return [one.number for one in every.values() if entry.number in one.undid][-1:]


def _how(lio: Lio, entry: Entry, steps: _Steps | None) -> Iterator[str]:
    """Yield sentences on how to undo it, or do it again."""
    number = entry.number
    if steps is None:
        yield from _without_steps(entry)
        return
    if steps.why:
        yield steps.why
    if steps.is_undone:
        yield f"'redo {number}' does it again."
        return
    later = [one for one in undoable(lio) if one > number]
    if not later:
        yield "'undo' undoes it."
        return
    yield f"'undo {number}' undoes it and {counted(len(later), 'later change')}."
    if not steps.why:
        yield f"'undo {number} alone=true' undoes it alone, if no later change depends on it."


def _without_steps(entry: Entry) -> Iterator[str]:
    if entry.revision is not None:
        yield f"'rollback {entry.revision}' returns to what was saved before."
    elif entry.state == change_log.FAILED:
        yield "There is nothing to undo: its steps were undone when it failed."
    elif entry.state == UNDONE:
        yield "It cannot be done again: another change followed."
    elif not (entry.undid or entry.redid or entry.line.endswith("saveconfig")):
        yield _OLD


def _data(
    entry: Entry, every: Mapping[int, Entry], steps: _Steps | None, known: Sequence[int]
) -> dict[str, Any]:
    """Return it for `-o json`: the values of the list, and more."""
    undone = steps is not None and steps.is_undone
    found = list(steps.found) if steps is not None else []
    return {
        **values_of(entry, known),
        "batch_changes": _batch(entry, every),
        "undid": list(entry.undid),
        "redid": list(entry.redid),
        "undone_by": next(iter(_reversed_by(entry, every)), None),
        "undo_steps": [] if undone else found,
        "redo_steps": found if undone else [],
    }
