# SPDX-License-Identifier: Apache-2.0
"""Run many lines: from standard input or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyshell.characters import one_line
from pyshell.errors import InterruptedStepsError, PyshellError
from pyshell.shell.grammar import logical_lines
from pyshell.shell.shell import Shell

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended, as shells have it."""
STDIN = "stdin"
"""How errors call standard input."""
_BOM = "\ufeff"
BANNER = ("targetcli shell version 3.0.2 (pyshell)", "For help on commands, type 'help'.", "")
"""What targetcli shows first; programs that drive it cut these lines off."""


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
