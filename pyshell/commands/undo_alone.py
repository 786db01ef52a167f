# SPDX-License-Identifier: Apache-2.0
"""Whether a change can be undone alone: no later change is of the same objects, or needs them.

What later changes touched is known from the log and the undo journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from pyshell.commands.history import UNDONE, entries
from pyshell.config.store import change_log
from pyshell.config.store import undo as journal
from pyshell.config.store.change_log import Entry, Objects
from pyshell.config.store.undo import Done
from pyshell.errors import ConflictError
from pyshell.lio.configfs import is_below, text_or_none
from pyshell.lio.identifiers import Identifier
from pyshell.lio.listing import HbaNumbers
from pyshell.lio.operations.base import Deletion, Operation, flat
from pyshell.lio.operations.storage import DeleteAluaGroup
from pyshell.tree.node import Node

_SHOWN = 80
"""Characters of a command line that an error shows."""


@dataclass(frozen=True)
class _Own:
    """What undoing a change touches, and what it deletes."""

    paths: frozenset[str]
    deleted: frozenset[str]
    preferences: frozenset[str]

    def meets(self, objects: Objects) -> bool:
        """Return whether a later change is of one of these objects, or below a deleted one."""
        shortened = objects.count > len(objects.paths)
        return any(
            any(is_below(path, one) for one in self.deleted)
            or (shortened and any(is_below(one, path) for one in self.paths))
            for path in objects.paths
        ) or not self.paths.isdisjoint(objects.paths)


def require_independent(node: Node, done: Done) -> None:
    """Raise ConflictError if a change cannot be undone without the later ones."""
    if done.begun or done.before is not None:
        _refuse(done, "how to undo it alone is not recorded.")
    operations = list(flat(done.operations(HbaNumbers(node.lio))))
    own = _own(done, operations)
    for operation in operations:
        if isinstance(operation, DeleteAluaGroup) and text_or_none(
            node.lio.kernel, f"{operation.place.folder}/members"
        ):
            _refuse(done, f"{operation.place} is in use.")
    for entry in _later(node, done.number):
        if entry.state == change_log.UNFINISHED or _depends(node, own, entry):
            line = entry.line if len(entry.line) <= _SHOWN else f"{entry.line[:_SHOWN]}…"
            _refuse(done, f"change {entry.number} ('{line}') is of the same objects.")


def _refuse(done: Done, why: str) -> NoReturn:
    raise ConflictError(
        f"Cannot undo change {done.number} alone: {why}",
        f"'undo {done.number}' undoes it with all later changes. 'history {done.number}' shows the"
        " values that it replaced.",
        unchanged=True,
    )


def _own(done: Done, operations: list[Operation]) -> _Own:
    deleted = {one.place.path for one in operations if isinstance(one, Deletion)}
    # Also those that it refers to, such as the LUN of a mapping: it may be another disk by now.
    used = (value for one in operations for value in vars(one).values())
    referred = {value.path for value in used if isinstance(value, Identifier)}
    return _Own(
        frozenset({*change_log.paths_of(operations), *referred}),
        frozenset(deleted),
        frozenset(done.preferences or ()),
    )


def _later(node: Node, number: int) -> Iterator[Entry]:
    """Yield the later changes that hold, also those that could not be logged."""
    every = {entry.number: entry for entry in entries(node)}
    for one in journal.numbers(node.lio):
        if one not in every and (found := journal.head_of(node.lio, one)) is not None:
            every[one] = Entry(one, found.about, found.line)
    for entry in every.values():
        reversed_ones = (*entry.undid, *entry.redid)
        is_of_later = bool(reversed_ones) and min(reversed_ones) > number
        holds = entry.state not in (UNDONE, change_log.FAILED)
        if entry.number > number and holds and not is_of_later:  # else those that it is about count
            yield entry


def _depends(node: Node, own: _Own, entry: Entry) -> bool:
    if own.meets(entry.objects):
        return True
    if entry.number not in journal.numbers(node.lio):
        return False
    later = journal.read(node.lio, entry.number)
    if later.before is not None or not own.preferences.isdisjoint(later.preferences or ()):
        return True
    paths = change_log.paths_of(later.operations(HbaNumbers(node.lio)))
    return own.meets(Objects(tuple(paths), len(paths)))
