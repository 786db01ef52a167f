# SPDX-License-Identifier: Apache-2.0
"""What a run records before and after a change, for `undo`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pyshell.config.store import undo
from pyshell.errors import PyshellError
from pyshell.lio.attach import Lio
from pyshell.shell.console import Console

if TYPE_CHECKING:
    from pyshell.config.document import Document
    from pyshell.lio.operations.base import Operation


class UndoMemory:
    """Records how to undo lines. A failure is only noted: the line itself goes on."""

    def __init__(self, lio: Lio, console: Console) -> None:
        self._lio = lio
        self._console = console

    def keep_operations(self, line: str, inverses: Sequence[Operation]) -> None:
        """Record the operations that undo a line, in their order."""
        try:
            undo.keep_operations(self._lio, line, self._console.options.way, inverses)
        except PyshellError as error:
            self._not_kept(error)

    def keep_running(self, line: str) -> None:
        """Record the whole running configuration."""
        try:
            undo.keep_document(self._lio, line, self._console.options.way, self._running())
        except PyshellError as error:
            self._not_kept(error)

    def forget_if_unchanged(self, line: str) -> None:
        """Forget a line that ended before it changed anything."""
        with suppress(PyshellError, OSError):
            done = undo.last(self._lio)
            if done is not None and done.line == line and done.before is not None:
                running = json.loads(json.dumps(self._running()))
                if running == done.before:
                    undo.forget(done.file)

    def forget(self, line: str) -> None:
        """Forget a line that changed nothing."""
        try:
            done = undo.last(self._lio)
            if done is not None and done.line == line:
                undo.forget(done.file)
        except PyshellError as error:
            self._console.note(f"'undo' still lists this line, which changed nothing: {error}")

    def _running(self) -> Document:
        from pyshell.config.running import read_running  # of no use to most changes

        return read_running(self._lio)

    def _not_kept(self, error: PyshellError) -> None:
        # What the user asked for matters more, for example if /run is full.
        self._console.note(f"'undo' cannot undo this: {error}")
