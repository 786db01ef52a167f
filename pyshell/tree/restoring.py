# SPDX-License-Identifier: Apache-2.0
"""The root's command that brings a saved configuration back, at boot too."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pyshell.errors import PyshellError, RestoredInPartError, UsageError
from pyshell.target.arrivals import Arrivals
from pyshell.tree.applying import ApplyingNode
from pyshell.tree.command import BOOL, FILE, NUMBER, TEXT, Param, command
from pyshell.tree.node import Context
from pyshell.tree.results import Lines, Result, Work
from pyshell.tree.saving import boot_file, file_of

if TYPE_CHECKING:
    from pyshell.saved.document import Document
    from pyshell.saved.restore import Fault, Restored
    from pyshell.saved.trust import Trusted
    from pyshell.target.operations.base import Operation

WAIT_MAX = 86400
_LATER = "'restoreconfig missing_only=true' adds what is missing once it can be had."


class RestoringNode(ApplyingNode):
    """The part of the root that restores."""

    @command(
        "Bring a saved configuration back.",
        Param("savefile", FILE, "What to restore; the file that is restored at boot unless given."),
        Param("clear_existing", BOOL, "Clear the running configuration first.", default=False),
        Param("target", TEXT, "Restore only the target of that WWN."),
        Param("storage_object", TEXT, "Restore only the storage object of that name."),
        Param(
            "force",
            BOOL,
            "With clear_existing: clear what is the same, too.",
            default=False,
            named_only=True,
        ),
        Param("wait", NUMBER, "Seconds to wait for devices that are absent.", named_only=True),
        Param(
            "missing_only",
            BOOL,
            "Add only what the last restore could not bring back.",
            default=False,
            named_only=True,
        ),
        changes=True,
        details="What cannot be brought back is named, the rest is restored; exit status 1, with"
        " wait= or missing_only=true 6.\n"
        "clear_existing=true removes what the file lacks and leaves alone what is the same.\n"
        "wait= brings up at once what is there, then waits for absent devices only; others can"
        " work meanwhile. missing_only=true touches nothing that runs, and brings nothing back"
        " that was deleted since; of another file than the one restored at boot it adds all that"
        " does not run.",
        examples=(
            "restoreconfig clear_existing=true",
            "restoreconfig clear_existing=true wait=60",
            "restoreconfig missing_only=true",
        ),
    )
    def ui_command_restoreconfig(
        self,
        savefile: str | None = None,
        clear_existing: bool = False,
        target: str | None = None,
        storage_object: str | None = None,
        force: bool = False,
        wait: int | None = None,
        missing_only: bool = False,
    ) -> Result:
        """Bring a saved configuration back."""
        if wait is not None and wait > WAIT_MAX:
            raise UsageError(f"{wait} seconds are too long.", f"wait= takes up to {WAIT_MAX}.")
        path = file_of(self.lio, savefile)
        part = target is not None or storage_object is not None
        if missing_only:
            if part or clear_existing or force:
                raise UsageError("missing_only=true goes with wait= and a file alone.")
            return self._add_missing(path, wait)
        read = self._read(path)
        from pyshell.saved import restore
        from pyshell.saved.document import is_empty

        document = restore.chosen(read.document, target, storage_object)
        if not clear_existing:
            restore.refuse_clashes(document)
        elif is_empty(document) and not (force or self.context.compat):
            raise PyshellError(
                f"{path} holds neither a storage object nor a target: nothing was cleared.",
                "'clearconfig confirm=true' clears; so does force=true here.",
            )
        whole = path == self.default_file and not part

        def run() -> Lines:
            hints: list[str] = []
            with self._arrivals(wait, hints) as arrivals:
                running = None
                if clear_existing and (force or self.context.compat):
                    self.clear()
                elif clear_existing:
                    running = self.items_of("running")
                result = restore.restore(self.lio, document, running)
                job = _Job(self.context, document, read.data if whole else None)
                job.take(result)
                if arrivals is not None:
                    job.wait(arrivals, wait or 0, hints)
            if job.faults:
                raise _failed(path, job) if wait is not None else _recoverable(job.faults)
            return Lines([f"Configuration restored from {path}"])

        def foresee() -> list[str]:
            from pyshell.tree import plantext

            running = self.items_of("running") if clear_existing else None
            result = restore.foresee(self.lio, document, running)
            if result.faults:
                raise _recoverable(result.faults)
            return [one.line for one in plantext.touched(self.lio, result.plan)]

        effect: Literal["loaded", "other"] = "loaded" if whole else "other"
        return Work([f"Configuration would be restored from {path}"], run, effect, foresee)

    def _add_missing(self, path: Path, wait: int | None) -> Result:
        whole = path == self.default_file
        would = f"What is missing of {path} would be added"
        missing = dict(self._marked()) if whole else None
        if missing == {}:
            self.context.note(f"Nothing of {path} is missing since it was restored.")
            return Work([], lambda: Lines([], {"added": [], "missing": {}}))
        read = self._read(path)
        if missing is None:
            missing = self._not_running(read.document)
        job = _Job(self.context, read.document, read.data if whole else None, missing)

        def run() -> Lines:
            hints: list[str] = []
            with self._arrivals(wait, hints) as arrivals:
                job.add()
                if arrivals is not None:
                    job.wait(arrivals, wait or 0, hints)
            lines = [f"Added {one}" for one in job.added]
            failure = _failed(path, job) if job.faults or job.missing else None
            return Lines(lines, {"added": job.added, "missing": job.missing}, failure=failure)

        return Work([would], run, undone_by=job.undo)

    def _marked(self) -> Mapping[str, str]:
        """Return what the last restore left out. Raises PyshellError where that is long ago."""
        missing = boot_file(self.context).state().missing
        if missing and not self.lio.mark_file.exists():
            raise PyshellError(
                f"{self.default_file} was not restored since this host's start or clearconfig.",
                "restoreconfig restores it.",
            )
        return missing

    def _not_running(self, document: Document) -> dict[str, str]:
        from pyshell.saved import losses
        from pyshell.saved.running import read_running

        return losses.missing(document, read_running(self.lio), {})

    def _read(self, path: Path) -> Trusted:
        from pyshell.saved import locations, trust

        if not os.path.exists(path):
            raise locations.missing(self.lio, path, "restoreconfig")
        read = trust.load_trusted(path)
        for warning in read.warnings:
            self.context.note(warning)
        return read

    def _arrivals(
        self, wait: int | None, hints: list[str]
    ) -> AbstractContextManager[Arrivals | None]:
        """Listen for devices from before the first look at them, so that none is missed."""
        return self.lio.machine.arrivals(hints.append) if wait else nullcontext()

    def clear(self) -> None:
        """Remove the whole running configuration."""
        from pyshell.saved import restore

        # In targetcli's manner what was cleared counts as deleted, and is left out of a save on
        # leaving; else leaving asks before the saved file loses it.
        removed = self.context.note_removed if self.context.compat else None
        restore.clear(self.lio, removed)

    def forget_missing(self) -> None:
        """Note that nothing is restored now of which something could be missing."""
        from pyshell.saved import state

        state.unmark(self.lio.mark_file)


class _Job:
    """Brings a document back in several goes; knows what is missing, and why.

    `data` is what the file that is restored at boot holds, None where the document is another: of
    that one it is remembered what is missing, and what was deleted meanwhile stays so.
    """

    def __init__(
        self,
        context: Context,
        document: Document,
        data: bytes | None,
        missing: dict[str, str] | None = None,
    ) -> None:
        self._context = context
        self._document = document
        self._data = data
        self._remembered = data is not None
        self.missing = missing or {}
        self.faults: list[Fault] = []
        self.added: list[str] = []
        self.undo: list[Operation] = []

    def take(self, result: Restored) -> None:
        """Take what the first go came to."""
        self._note(result)
        self.faults = result.faults
        self.missing = self._not_running(result)
        if self._data is not None:
            self._remembered = boot_file(self._context).restored(self._data, self.missing)

    def wait(self, arrivals: Arrivals, seconds: int, hints: list[str]) -> None:
        """Wait for the devices of what is missing, and add each when it is there.

        `hints` are of interest where there is something to wait for.
        """
        from pyshell.saved import waiting

        lio, told = self._context.lio, False
        deadline = time.monotonic() + seconds
        while absent := waiting.awaited(lio, self._document, self.missing):
            if not told:
                devices = ", ".join(one.device for one in absent)
                self._context.note(f"Waiting up to {seconds} seconds for {devices}")
                for hint in hints:
                    self._context.note(hint)
                told = True
            with self._context.lock_lent():
                if not waiting.wait_for_any(lio, absent, arrivals, deadline):
                    break
            before = set(self.added)
            self.add()
            for path in self.added:
                if path not in before:
                    self._context.note(f"Added late: {path}")

    def add(self) -> None:
        """Add what is missing as far as it can be had now."""
        from pyshell.saved import restore

        before = self.missing
        if self._remembered:
            # A command of others may have made or deleted it meanwhile.
            known = boot_file(self._context).state().missing
            self.missing = {p: why for p, why in self.missing.items() if p in known}
        tried = list(self.missing)
        result = restore.add(self._context.lio, self._document, tried)
        self.undo[:0] = result.undo
        self._note(result)
        self.faults = [f for f in self.faults if f.path not in before] + result.faults
        self.missing = {p: w for p, w in self._not_running(result).items() if p in tried}
        self.added += [path for path in tried if path not in self.missing]
        if self._remembered:
            boot_file(self._context).added(self.missing)

    def _not_running(self, result: Restored) -> dict[str, str]:
        from pyshell.saved import losses
        from pyshell.saved.running import read_running

        return losses.missing(self._document, read_running(self._context.lio), result.left_out)

    def _note(self, result: Restored) -> None:
        for note in result.notes:
            self._context.note(note)


def _recoverable(faults: list[Fault]) -> PyshellError:
    message = f"Configuration restored, {len(faults)} recoverable errors:"
    return PyshellError(message, faults=[fault.text for fault in faults])


def _failed(path: Path, job: _Job) -> PyshellError:
    """Return the error of a restore that is to be finished later."""
    told = {fault.path for fault in job.faults}
    lines = [fault.text for fault in job.faults]
    lines += [f"{p}: {why}, skipped" for p, why in job.missing.items() if p not in told]
    message = f"{path} is restored in part, {len(lines)} faults:"
    return RestoredInPartError(message, _LATER if job.missing else "", faults=lines)
