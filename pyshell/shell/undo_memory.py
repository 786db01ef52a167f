# SPDX-License-Identifier: Apache-2.0
"""What a run keeps of the target before it changes that, for `undo` to take the change back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pyshell.errors import PyshellError
from pyshell.lio.attach import Lio
from pyshell.shell.options import Options

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation


class UndoMemory:
    """Keeps what takes a line back. Where that fails, `note` is told: the line itself goes on."""

    def __init__(self, lio: Lio, options: Options, note: Callable[[str], None]) -> None:
        self._lio = lio
        self._options = options
        self._note = note

    def keep_operations(self, line: str, inverses: Sequence[Operation]) -> None:
        """Keep what takes a line back, in the order in which to do it."""
        from pyshell.config.store import undo

        try:
            undo.keep_operations(self._lio, line, self._options.way, inverses)
        except PyshellError as error:
            self._not_kept(error)

    def keep_running(self, line: str) -> None:
        """Keep all that runs now."""
        from pyshell.config.running import read_running
        from pyshell.config.store import undo

        try:
            undo.keep_document(self._lio, line, self._options.way, read_running(self._lio))
        except PyshellError as error:
            self._not_kept(error)

    def forget_if_unchanged(self, line: str) -> None:
        """Forget a line that ended before it changed anything."""
        from pyshell.config.running import read_running
        from pyshell.config.store import undo

        with suppress(PyshellError, OSError):
            done = undo.last(self._lio)
            if done is not None and done.line == line and done.before is not None:
                running = json.loads(json.dumps(read_running(self._lio)))
                if running == done.before:
                    undo.forget(done.file)

    def forget(self, line: str) -> None:
        """Forget a line that changed nothing."""
        from pyshell.config.store import undo

        try:
            done = undo.last(self._lio)
            if done is not None and done.line == line:
                undo.forget(done.file)
        except PyshellError as error:
            self._note(f"'undo' still lists this line, which changed nothing: {error}")

    def _not_kept(self, error: PyshellError) -> None:
        # What was asked for weighs more: as where /run is full.
        self._note(f"It cannot be undone by 'undo': {error}")
