# SPDX-License-Identifier: Apache-2.0
"""One document brought back in several goes, as its devices come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyshell.commands.save import boot_file
from pyshell.errors import LockedError, PyshellError
from pyshell.host.device_events import DeviceEvents
from pyshell.tree.node import Context

if TYPE_CHECKING:
    from pyshell.config.document import Document
    from pyshell.config.restoration import Awaited, Restored, Skipped
    from pyshell.lio.operations.base import Operation


class RestoreJob:
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
        self.faults: list[Skipped] = []
        self.added: list[str] = []
        self.undo: list[Operation] = []
        self._absent: Sequence[Awaited] = ()

    def take(self, result: Restored) -> None:
        """Take what the first go came to."""
        self._note(result)
        self.faults = result.faults
        self.missing = self._not_running(result)
        self._look()
        if self._data is not None:
            self._remembered = boot_file(self._context).restored(self._data, self.missing)

    def wait(self, arrivals: DeviceEvents, seconds: int, hints: list[str]) -> None:
        """Wait for the devices of what is missing, and add each when it is there.

        `hints` are of interest where there is something to wait for.
        """
        from pyshell.config import restoration

        lio, told = self._context.lio, False
        deadline = time.monotonic() + seconds
        while self._absent:
            if not told:
                devices = ", ".join(one.device for one in self._absent)
                self._context.note(f"Waiting up to {seconds} seconds for {devices}")
                for hint in hints:
                    self._context.note(hint)
                told = True
            try:
                with self._context.lock_lent(deadline):
                    came = restoration.wait_for_any(lio, self._absent, arrivals, deadline)
            except LockedError as error:
                self._context.note(f"Nothing more can be added now: {error}")
                break
            if not came:
                break
            before = set(self.added)
            self.add()
            for path in self.added:
                if path not in before:
                    self._context.note(f"Added late: {path}")

    def add(self) -> None:
        """Add what is missing as far as it can be had now."""
        from pyshell.config import references, restoration

        before = self.missing
        if self._remembered:
            # A command of others may have made or deleted it meanwhile.
            try:
                known = boot_file(self._context).state().missing
            except PyshellError as error:
                self._context.note(f"What is missing could not be read again: {error}")
                known = self.missing
            self.missing = {p: why for p, why in self.missing.items() if p in known}
        tried = list(self.missing)
        result = restoration.add(self._context.lio, self._document, tried)
        self.undo[:0] = result.undo
        self._note(result)
        self.faults = [f for f in self.faults if f.path not in before] + result.faults
        secrets = references.unread(self._document)
        self.missing = {
            p: why
            for p, why in self._not_running(result).items()
            if p in tried or (p in secrets and p.rpartition("/")[0] in tried)
        }
        self.added += [path for path in tried if path not in self.missing]
        self._look()
        if self._remembered:
            boot_file(self._context).added(self.missing)

    def _look(self) -> None:
        """Note what is absent: before others learn that it is missed, so that no arrival is."""
        from pyshell.config import restoration

        paths = self.missing
        self._absent = (
            restoration.awaited(self._context.lio, self._document, paths) if paths else []
        )

    def _not_running(self, result: Restored) -> dict[str, str]:
        if not (result.faults or result.left_out):
            return {}  # every step was done: looking for all of it again took a tenth of the time
        from pyshell.config.running import read_outline
        from pyshell.config.store import losses

        return losses.missing(self._document, read_outline(self._context.lio), result.left_out)

    def _note(self, result: Restored) -> None:
        for note in result.notes:
            self._context.note(note)
