# SPDX-License-Identifier: Apache-2.0
"""The shell for one open target, and runs of a one-liner or of the lines of a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pyshell.errors import EXIT_FAILED, InterruptedStepsError, PyshellError, UsageError
from pyshell.files.reading import open_trusted
from pyshell.lio import Lio, attach
from pyshell.shell.console import Console
from pyshell.shell.dispatcher import Dispatcher
from pyshell.shell.executor import Executor, Saving, unconfirmed_text
from pyshell.shell.grammar import Line, logical_lines
from pyshell.shell.options import BOOT, ONE_LINER, Options
from pyshell.shell.preference_files import Preferences, home
from pyshell.shell.secrets import in_the_open
from pyshell.text import counted, one_line
from pyshell.tree.root import RootNode, SimulatedRootNode

if TYPE_CHECKING:
    from pyshell.config.candidate import Candidate
    from pyshell.lio.operations.base import Operation


class Shell:
    """A console, an executor and a dispatcher; to the nodes of the tree, their context."""

    def __init__(
        self,
        lio: Lio,
        preferences: Preferences,
        options: Options,
        out: TextIO,
        err: TextIO,
        stdin: TextIO,
    ) -> None:
        self.running = lio
        """The target itself, also while a candidate is open."""
        self._candidate: Candidate | None = None
        self._beside = False
        """Whether a command works on the running target while a candidate is open."""
        self.commits_itself = False
        """Whether the candidate is committed after the last of several lines, all or none."""
        self.dropped = False
        """Whether a candidate with changes was dropped at the end of the run."""
        self.console = Console(preferences, options, out, err, stdin, self._host_file)
        self.saving = Saving(lio, self.console, self.root)
        self.executor = Executor(self, self.console, self.saving, self.root)
        self._dispatcher = Dispatcher(self, self.console, self.executor, self.root)
        self.compat = options.compat

    def root(self) -> RootNode:
        """Return a new tree."""
        if self.running.simulated is not None:
            return SimulatedRootNode(self)
        return RootNode(self)

    def _host_file(self, path: Path) -> Path:
        """Return where a file of the host is: for a simulated host, in the simulator's folder."""
        if self.running.simulated is None:
            return path
        inside = self.running.machine.host_file(os.path.abspath(path))
        inside.parent.mkdir(parents=True, exist_ok=True)
        return inside

    # For the command line, batches and the prompt

    def run_line(self, text: str) -> None:
        """Run one line. Raises PyshellError; a UsageError of the line has its line and column."""
        self._dispatcher.run_line(text)

    def run_words(self, words: Sequence[str], filters_of: Line | None = None) -> Line:
        """Run a program's arguments as one line, which is returned. Raises as `run_line` does.

        Its output goes through the filters of another line, if given.
        """
        return self._dispatcher.run_words(words, filters_of)

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

    # For nodes, as their context

    @property
    def lio(self) -> Lio:
        """The target that commands work on: while a candidate is open, the candidate."""
        if self._candidate is None or self._beside:
            return self.running
        return self._candidate.lio

    @property
    def candidate(self) -> Candidate | None:
        """The open candidate, if any."""
        return self._candidate

    @property
    def continues(self) -> bool:
        """Whether more lines can follow in this run."""
        return self.options.way not in (ONE_LINER, BOOT)

    def begin_candidate(self) -> None:
        """Open a candidate. Raises PyshellError."""
        from pyshell.config.candidate import Candidate  # few runs need one

        assert self._candidate is None
        self._candidate = Candidate(self.running)

    def end_candidate(self) -> None:
        """Drop the candidate, if one is open."""
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            candidate.close()

    @contextmanager
    def beside_candidate(self) -> Iterator[None]:
        """Let commands work on the running target meanwhile."""
        before, self._beside = self._beside, True
        try:
            yield
        finally:
            self._beside = before

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

    def set_preferences(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Store preferences of the user (None: the default), and return those before."""
        return self.console.preferences.set(values)

    def note(self, text: str) -> None:
        """Print a note on standard error."""
        self.console.note(text)

    def removed_paths(self) -> set[str]:
        """Return the paths that commands of this run deleted."""
        return self.executor.changes.removed

    def note_removed(self, operations: Iterable[Operation]) -> None:
        """Record what operations deleted: a save that omits it loses nothing."""
        self.executor.changes.note_removed(operations)

    def lock_lent(self, until: float) -> AbstractContextManager[None]:
        """Release the command's lock while it only waits; `until` is of `time.monotonic`."""
        return self.executor.lock_lent(until)


INTERRUPTED = 130
"""The exit status that shells give a program ended by Ctrl-C."""
STDIN = "stdin"
"""The name of standard input in errors."""
_BOM = "\ufeff"
BANNER = ("targetcli shell version 3.0.2 (pyshell)", "For help on commands, type 'help'.", "")
"""targetcli's first lines, which programs that drive it remove."""


def open_shell(
    simulate: Path | None,
    config_dir: Path | None,
    options: Options,
    streams: tuple[TextIO, TextIO, TextIO],
    warn: Callable[[str], None],
) -> Shell:
    """Open a target and return its shell; `streams` are output, errors and input.

    `warn` is called for each problem with the preferences. Raises PyshellError.
    """
    lio = attach(simulate, config_dir)
    preferences = Preferences(home(simulated=lio.simulated), lio.config_dir, warn)
    return Shell(lio, preferences, options, *streams)


def run_one(shell: Shell, words: Sequence[str]) -> int:
    """Run a one-liner and return the exit status."""
    try:
        line = shell.run_words(words)
        at_terminal = shell.console.err.isatty()
        if at_terminal and not shell.compat:
            _note_visible_secret(shell, line)
        if shell.options.save:
            shell.console.say(shell.saving.save(asked=True))
        # A script saves at its own end. A change that waits to be confirmed has said so itself.
        elif (at_terminal or shell.way == "apply") and not unconfirmed_text(shell.running):
            shell.saving.report_unsaved()
    except PyshellError as error:
        shell.console.show_error(error)
        return EXIT_FAILED if shell.compat else error.status
    return shell.executor.status


def _note_visible_secret(shell: Shell, line: Line) -> None:
    """Note that other users could read a secret in the list of processes."""
    name = in_the_open(line.words)
    if name is not None:
        shell.note(
            f"Other users could see the {name} in 'ps'. Use {name}=- to type it or {name}=@FILE"
            " to read it from a file."
        )


def run_file(
    shell: Shell, file: str | None, *, keep_going: bool = False, atomic: bool = False
) -> int:
    """Run the lines of a file, or of standard input (None, `-`), and return the exit status."""
    if file is None or file == "-":
        shell.options.lines_from_stdin = True
        lines_in = _decoded(shell.console.stdin, "standard input")
        return run_lines(shell, lines_in, STDIN, keep_going=keep_going, atomic=atomic)
    with open(open_trusted(Path(file)), encoding="utf-8") as lines:
        named = _decoded(lines, file)
        return run_lines(shell, named, file, keep_going=keep_going, atomic=atomic)


def _decoded(lines: Iterable[str], name: str) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text.") from error


def run_lines(
    shell: Shell, lines: Iterable[str], name: str, *, keep_going: bool, atomic: bool = False
) -> int:
    """Run lines until `exit` or the end and return the exit status: that of the first failure.

    With `atomic`, they make all their changes or none.
    The first failure ends the run unless `keep_going`; Ctrl-C always does. Afterwards changes are
    saved if `auto_save_on_exit` is set and nothing failed, or reported as unsaved. In targetcli
    mode they are saved after failures, too, and the status is 0.
    """
    if shell.compat and name == STDIN:
        lines = _as_targetcli_asks(shell, lines)
    try:
        with shell.executor.in_batch():
            if atomic:
                status, failed = _run_together(shell, lines, name)
            else:
                status, failed = _run_all(shell, lines, name, keep_going=keep_going)
    except KeyboardInterrupt:
        drop_candidate(shell)
        unsaved = shell.saving.unsaved_text("The changes so far are running, but not saved.")
        shell.note(f"Interrupted. {unsaved}".rstrip())
        return INTERRUPTED
    drop_candidate(shell)
    status = status or (EXIT_FAILED if shell.dropped else 0)
    try:
        half = _half_done(name, failed, keep_going=keep_going) if failed is not None else ""
        shell.saving.leave(save=status == 0 or shell.compat, half_done=half)
    except PyshellError as error:
        shell.console.show_error(error)
        status = status or error.status
    return 0 if shell.compat and status < INTERRUPTED - 2 else status or shell.executor.status


def drop_candidate(shell: Shell) -> None:
    """Drop a candidate that was not committed; note it if it has changes."""
    if shell.candidate is None:
        return
    try:
        changes = len(shell.candidate.differences())
    finally:
        shell.end_candidate()
    if changes:
        shell.dropped = True
        shell.note(f"The candidate was not committed: {counted(changes, 'change')} dropped.")


def _as_targetcli_asks(shell: Shell, lines: Iterable[str]) -> Iterator[str]:
    """Print targetcli's banner, and its prompt before each line is read.

    Programs that drive targetcli remove both from the output; without them they would remove
    results.
    """
    shell.console.print_lines(BANNER)
    reading = iter(lines)
    while True:
        shell.console.out.write(f"{one_line(shell.path)}> ")
        shell.console.out.flush()
        try:
            yield next(reading)
        except StopIteration:
            return


def _half_done(name: str, failed: int, *, keep_going: bool) -> str:
    """Return the note on unsaved changes of a batch of which a line failed."""
    done = "the other lines" if keep_going else "the lines before it"
    rest = "Run the failed lines" if keep_going else "Run the rest"
    return (
        f"Line {failed} of {name} failed: the changes by {done} are running, but not saved."
        f" {rest} before 'saveconfig', or 'undo batch=true' to undo them."
    )


def _run_together(shell: Shell, lines: Iterable[str], name: str) -> tuple[int, int | None]:
    """Return the exit status of lines that make all their changes or none.

    The second result is None: no line has changed anything if one failed.
    """
    from pyshell.shell import atomic  # few runs need it

    atomic.begin(shell)
    failed = True
    try:
        status, _ = _run_all(shell, lines, name, keep_going=False)
        failed = status != 0
    finally:
        committed = atomic.finish(shell, name, failed=failed)
    return status or committed, None


def _run_all(
    shell: Shell, lines: Iterable[str], name: str, *, keep_going: bool
) -> tuple[int, int | None]:
    """Return the exit status, and the number of the first line that failed."""
    status, failed = 0, None
    for number, line in logical_lines(lines):
        try:
            shell.run_line(line.removeprefix(_BOM) if number == 1 else line)
        except PyshellError as error:
            shell.console.show_error(error, "" if shell.compat else f"{name}:{number}")
            status = status or error.status
            failed = failed or number
            if isinstance(error, InterruptedStepsError):
                return error.status, failed
            if not keep_going and not shell.compat:
                break
        if shell.executor.left:
            break
    return status, failed
