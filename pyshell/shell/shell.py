# SPDX-License-Identifier: Apache-2.0
"""The shell: a console, an executor and a dispatcher for one open target."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pyshell.errors import PyshellError
from pyshell.lio.attach import Lio
from pyshell.shell.console import Console
from pyshell.shell.dispatcher import Dispatcher
from pyshell.shell.executor import Executor
from pyshell.shell.grammar import Line
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.saving import Saving
from pyshell.tree.root import RootNode, SimulatedRootNode

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation


class Shell:
    """One run of pyshell. To the nodes of its tree it is their context."""

    def __init__(
        self,
        lio: Lio,
        preferences: Preferences,
        options: Options,
        out: TextIO,
        err: TextIO,
        stdin: TextIO,
    ) -> None:
        self.lio = lio
        self.console = Console(preferences, options, out, err, stdin, self._host_file)
        self.saving = Saving(lio, self.console, self.root)
        self.executor = Executor(self, self.console, self.saving, self.root)
        self._dispatcher = Dispatcher(lio, self.console, self.executor, self.root)
        self.compat = options.compat

    def root(self) -> RootNode:
        """Return a new tree."""
        if self.lio.simulated is not None:
            return SimulatedRootNode(self)
        return RootNode(self)

    def _host_file(self, path: Path) -> Path:
        """Return where a file of the host is: of a simulated host, in the simulator's folder."""
        if self.lio.simulated is None:
            return path
        inside = self.lio.machine.host_file(os.path.abspath(path))
        inside.parent.mkdir(parents=True, exist_ok=True)
        return inside

    # For the command line, batches and the prompt

    def run_line(self, text: str) -> None:
        """Run one line. Raises PyshellError; a UsageError of the line has its line and column."""
        self._dispatcher.run_line(text)

    def run_words(self, words: Sequence[str]) -> Line:
        """Run a program's arguments as one line, which is returned. Raises as `run_line` does."""
        return self._dispatcher.run_words(words)

    def show_error(self, error: PyshellError, where: str = "") -> None:
        """Print an error on standard error; `where` is the file and line of a batch."""
        self.console.show_error(error, where)

    @property
    def options(self) -> Options:
        """The options of the run, or of the line that is running."""
        return self.console.options

    @options.setter
    def options(self, options: Options) -> None:
        self.console.options = options

    @property
    def path(self) -> str:
        """The current path."""
        return self.executor.path

    @property
    def left(self) -> bool:
        """Whether `exit` was run; may be set back."""
        return self.executor.left

    @left.setter
    def left(self, left: bool) -> None:
        self.executor.left = left

    # For nodes, as their context

    @property
    def way(self) -> str:
        """The source of the changes: that of the last change, or of the run."""
        return self.saving.way

    @property
    def bookmarks(self) -> dict[str, str]:
        """The user's bookmarks: name to path."""
        return self.console.preferences.bookmarks

    @property
    def is_shown(self) -> bool:
        """Whether output goes to a terminal."""
        return self.console.out.isatty()

    def preference(self, name: str) -> Any:
        """Return a preference."""
        return self.console.preference(name)

    def note(self, text: str) -> None:
        """Print a note on standard error."""
        self.console.note(text)

    def removed_paths(self) -> set[str]:
        """Return the paths that commands of this run deleted."""
        return self.executor.removed

    def note_removed(self, operations: Iterable[Operation]) -> None:
        """Record what operations deleted: a save that omits it loses nothing."""
        self.executor.note_removed(operations)

    def lock_lent(self, until: float) -> AbstractContextManager[None]:
        """Release the command's lock while it only waits; `until` is of `time.monotonic`."""
        return self.executor.lock_lent(until)
