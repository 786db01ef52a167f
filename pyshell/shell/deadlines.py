# SPDX-License-Identifier: Apache-2.0
"""Changes with a deadline: a timer reverts them unless they are confirmed before.

The previous configuration is recorded and the timer started before the change begins, so that a
change that is killed half-way is reverted, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pyshell.commands.confirm import is_clustered, last_undo
from pyshell.config.running import read_running
from pyshell.config.store import unconfirmed
from pyshell.config.store.unconfirmed import Unconfirmed
from pyshell.errors import ConflictError, PyshellError, UsageError
from pyshell.lio import Lio
from pyshell.names import duration_text
from pyshell.shell.console import Console
from pyshell.tree.results import Change

WARNINGS = (60, 15, 5)
"""Seconds before the deadline at which all users are warned."""
RETRIES = (15, 60, 300, 900)
"""Seconds after the deadline at which a revert that failed or was killed is attempted again."""


class Deadline:
    """The deadline of one change, which may have none."""

    def __init__(self, lio: Lio, console: Console, change: Change) -> None:
        self._lio = lio
        self._console = console
        self._change = change
        self._found: Unconfirmed | None = None

    def require_possible(self) -> None:
        """Raise if the change cannot have a deadline."""
        if self._change.confirm is None:
            return
        found = unconfirmed.current(self._lio)
        if found is not None:
            raise ConflictError(
                f"{found.what} is not confirmed yet: it {found.reverts}.",
                "'confirm' keeps it, 'undo' reverts it now.",
                unchanged=True,
            )
        if self._console.options.save:
            raise UsageError(
                "confirm= and --save exclude each other: nothing is saved until it is confirmed.",
                "Later, 'pyshell --save confirm' saves.",
            )
        path = is_clustered(self._lio, self._change.operations)
        if path is not None:
            raise ConflictError(
                f"{path} is under cluster control: no timer can revert its change.",
                "Omit confirm=.",
                unchanged=True,
            )

    @contextmanager
    def kept(self, line: str) -> Iterator[None]:
        """Record the change, and start its timer before it begins.

        If it fails and is undone, both are removed. Raises PyshellError.
        """
        seconds = self._change.confirm
        if seconds is None or not self._change.operations:
            yield
            return
        self.require_possible()  # others may have made a change during a question
        found = self._begun(line, seconds)
        try:
            found = unconfirmed.advance(self._lio, found, "changing")
            yield
        except PyshellError as error:
            if error.left:
                error.hint = f"{error.hint} The rest {found.reverts}.".strip()
            else:
                with suppress(PyshellError):
                    unconfirmed.drop(self._lio, found)
            raise
        # An error leaves it in `changing`, which is reverted all the same.
        self._found = unconfirmed.advance(self._lio, found, "pending")

    def _begun(self, line: str, seconds: int) -> Unconfirmed:
        lio, way = self._lio, self._console.options.way
        before = read_running(lio)
        found = unconfirmed.begin(lio, line, way, seconds, before, last_undo(lio))
        try:
            lio.machine.start_timer(found.unit, delays(seconds), words(lio, found))
        except PyshellError as error:
            with suppress(PyshellError):
                unconfirmed.forget(lio)
            error.unchanged = True
            raise
        return found

    def drop(self) -> None:
        """Remove the record of a change that changed nothing. Raises PyshellError."""
        if self._found is not None:
            unconfirmed.drop(self._lio, self._found)
            self._found = None

    @property
    def sentences(self) -> list[str]:
        """What to print after the change."""
        if self._found is None:
            return ["Nothing was changed: there is nothing to confirm."]
        if self._found.left <= 0:
            taken = duration_text(self._found.seconds)
            return [f"The change took longer than {taken}: it is being reverted."]
        return [f"It {self._found.reverts}, unless 'confirm' is run before."]

    @property
    def foretold(self) -> list[str]:
        """What a dry run prints after the change."""
        seconds = self._change.confirm
        if seconds is None or not self._change.operations:
            return []
        return [f"Would be reverted after {duration_text(seconds)}, unless confirmed before"]

    @property
    def data(self) -> dict[str, Any]:
        """More of the JSON result."""
        if self._change.confirm is None:
            return {}
        if self._found is None:
            return {"confirm": {"seconds": self._change.confirm, "deadline": None}}
        return {"confirm": {"seconds": self._found.seconds, "deadline": self._found.deadline}}


def note_others(lio: Lio, console: Console) -> None:
    """Note that the change that was just made is reverted with an earlier one."""
    if console.compat:
        return
    with suppress(PyshellError):
        found = unconfirmed.current(lio)
        if found is not None and not found.error:
            console.note(
                f"This {found.reverts}, too, unless 'confirm' is run before: '{found.line}' is not"
                " confirmed."
            )


def delays(seconds: int) -> list[int]:
    """Return after how many seconds the timer of a change runs: to warn, to revert, to retry."""
    before = [seconds - one for one in WARNINGS if one < seconds]
    return [*before, seconds, *(seconds + one for one in RETRIES)]


def words(lio: Lio, found: Unconfirmed) -> Sequence[str]:
    """Return the arguments of the timer of a change."""
    options = [f"--config-dir={lio.config_dir.absolute()}"]
    if lio.simulated is not None:
        options.append(f"--simulate={lio.simulated.absolute()}")
    return [found.id, *options]
