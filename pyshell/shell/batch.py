# SPDX-License-Identifier: Apache-2.0
"""Open a shell and run a one-liner, or the lines of standard input or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from pyshell.characters import one_line
from pyshell.errors import EXIT_FAILED, InterruptedStepsError, PyshellError, UsageError
from pyshell.files.reading import open_trusted
from pyshell.lio.attach import attach
from pyshell.shell.grammar import Line, logical_lines
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences, home
from pyshell.shell.secrets import in_the_open
from pyshell.shell.shell import Shell

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended, as shells have it."""
STDIN = "stdin"
"""How errors call standard input."""
_BOM = "\ufeff"
BANNER = ("targetcli shell version 3.0.2 (pyshell)", "For help on commands, type 'help'.", "")
"""What targetcli shows first; programs that drive it cut these lines off."""


def open_shell(
    simulate: Path | None,
    config_dir: Path | None,
    options: Options,
    streams: tuple[TextIO, TextIO, TextIO],
    warn: Callable[[str], None],
) -> Shell:
    """Open a target and return its shell; `streams` are output, errors and input.

    `warn` is called with what is wrong with the preferences. Raises PyshellError.
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
        elif at_terminal or shell.way == "apply":  # a script saves at its own end
            shell.saving.report_unsaved()
    except PyshellError as error:
        shell.show_error(error)
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


def run_file(shell: Shell, file: str | None, *, keep_going: bool) -> int:
    """Run the lines of a file, or of standard input (None, `-`), and return the exit status."""
    if file is None or file == "-":
        shell.options.lines_from_stdin = True
        lines_in = _checked(shell.console.stdin, "standard input")
        return run_lines(shell, lines_in, STDIN, keep_going=keep_going)
    with open(open_trusted(Path(file)), encoding="utf-8") as lines:
        return run_lines(shell, _checked(lines, file), file, keep_going=keep_going)


def _checked(lines: Iterable[str], name: str) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text.") from error


def run_lines(shell: Shell, lines: Iterable[str], name: str, *, keep_going: bool) -> int:
    """Run lines until `exit` or the end and return the exit status: that of the first failure.

    An error names file and line. Unless `keep_going`, the first failure ends the run, and Ctrl-C
    does in any case. At the end the configuration is saved as `auto_save_on_exit` asks, if
    something changed and nothing failed; in targetcli's manner it is saved whatever failed and the
    status is 0. Where changes are left unsaved, that is told.
    """
    if shell.compat and name == STDIN:
        lines = _as_targetcli_asks(shell, lines)
    try:
        status = _run_all(shell, lines, name, keep_going=keep_going)
    except KeyboardInterrupt:
        shell.note(f"Interrupted. {shell.saving.unsaved_text()}".rstrip())
        return INTERRUPTED
    try:
        shell.saving.leave(save=status == 0 or shell.compat)
    except PyshellError as error:
        shell.show_error(error)
        status = status or error.status
    return 0 if shell.compat and status < INTERRUPTED - 2 else status or shell.executor.status


def _as_targetcli_asks(shell: Shell, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines as targetcli reads them: after a banner, each after a prompt on standard output.

    Programs that feed it cut these off, and would cut off something else.
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


def _run_all(shell: Shell, lines: Iterable[str], name: str, *, keep_going: bool) -> int:
    status = 0
    for number, line in logical_lines(lines):
        try:
            shell.run_line(line.removeprefix(_BOM) if number == 1 else line)
        except PyshellError as error:
            shell.show_error(error, "" if shell.compat else f"{name}:{number}")
            status = status or error.status
            if isinstance(error, InterruptedStepsError):
                return error.status
            if not keep_going and not shell.compat:
                break
        if shell.left:
            break
    return status
