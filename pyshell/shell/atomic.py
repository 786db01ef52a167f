# SPDX-License-Identifier: Apache-2.0
"""Lines that make all their changes or none: in a candidate that is committed after the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyshell.config.store import undo
from pyshell.errors import NotPermittedError, PyshellError, UsageError
from pyshell.quoting import line as quoted_line
from pyshell.shell import grammar
from pyshell.tree.node import Node
from pyshell.tree.root import RootNode, kinds

if TYPE_CHECKING:
    from pyshell.config.candidate import Candidate
    from pyshell.shell.shell import Shell
    from pyshell.tree.command import Command

_UNCHANGED = "Nothing was changed."
_OWN = frozenset({"begin", "commit", "abort", "undo", "redo"})
"""Commands of lines that are run one by one: they are about the candidate or earlier commands."""


def begin(shell: Shell) -> None:
    """Open a candidate for lines. Raises PyshellError."""
    if not shell.running.may_change:
        raise NotPermittedError("Changes need root.", "Run pyshell as root.")
    shell.running.ready()
    with shell.console.progress_shown(shell.running.progress):
        shell.begin_candidate()
    shell.commits_itself = True


def finish(shell: Shell, comment: str, *, failed: bool) -> int:
    """Commit the candidate, or drop it if a line failed, and return the exit status of that."""
    shell.commits_itself = False
    try:
        if not failed:
            shell.run_line(f"/ {quoted_line('commit', comment=comment)}")
            return 0
        shell.note(_UNCHANGED)
    except PyshellError as error:
        error.unchanged = False
        shell.console.show_error(error)
        shell.note(_UNCHANGED)
        return error.status
    finally:
        shell.end_candidate()
    return 0


def run_block(shell: Shell, lines: Sequence[str], run_line: Callable[[str], bool]) -> None:
    """Run lines that were pasted together: those that change the target, all or none.

    What cannot be part of a candidate, such as saveconfig, runs after them; the first failure ends
    it. `run_line` runs a line, shows its error, and returns whether it succeeded.
    """
    together = _together(shell, lines)
    if together:
        run_all = _in_open_candidate if shell.candidate is not None else _in_new_candidate
        if not run_all(shell, lines[:together], run_line):
            return
    for number, line in enumerate(lines[together:], together + 1):
        if shell.executor.left:
            return
        if not run_line(line):
            if number < len(lines):
                shell.note(f"Pasted lines not run: {len(lines) - number}.")
            return


def _together(shell: Shell, lines: Sequence[str]) -> int:
    """Return how many lines, from the first on, make all changes or none; 0 to run one by one."""
    if shell.compat or not shell.running.may_change:
        return 0
    names = [_command(line) for line in lines]
    if not _OWN.isdisjoint(names):
        return 0
    count, changing = 0, []
    for number, name in enumerate(names):
        declared = _declared(name)
        if any(one.in_candidate == "refused" for one in declared):
            break
        count = number + 1
        if name == grammar.PROGRAM or any(one.changes for one in declared):
            changing.append(number)
    # One line alone makes all of its changes or none anyway.
    return count if changing and (len(changing) > 1 or changing[0] != count - 1) else 0


def _command(line: str) -> str:
    try:
        found = grammar.parse(line).command
    except UsageError:
        return ""  # running it reports the error
    return found.text if found is not None else ""


def _declared(name: str) -> list[Command]:
    """Return the commands of that name, of all kinds of nodes."""
    every: list[type[Node]] = [RootNode, *kinds()]
    return [kind.commands()[name] for kind in every if name in kind.commands()]


def _run(shell: Shell, lines: Sequence[str], run_line: Callable[[str], bool]) -> int | None:
    """Run lines, and return the number of the one that failed, None if none did."""
    for number, line in enumerate(lines, 1):
        if not run_line(line):
            return number
        if shell.executor.left:
            break
    return None


def _in_new_candidate(shell: Shell, lines: Sequence[str], run_line: Callable[[str], bool]) -> bool:
    path, previous = shell.executor.path, shell.executor.previous_path
    try:
        begin(shell)
    except PyshellError as error:
        shell.console.show_error(error)
        return False
    failed: int | None = 0
    try:
        failed = _run(shell, lines, run_line)
        if failed is not None:
            shell.note(f"Line {failed} of {len(lines)} failed.")
    finally:
        if failed is not None:
            shell.executor.path, shell.executor.previous_path = path, previous
        status = finish(shell, f"{len(lines)} pasted lines", failed=failed is not None)
    return failed is None and status == 0


def _in_open_candidate(shell: Shell, lines: Sequence[str], run_line: Callable[[str], bool]) -> bool:
    candidate = shell.candidate
    assert candidate is not None
    path, previous = shell.executor.path, shell.executor.previous_path
    before, known = candidate.document(), undo.numbers(candidate.lio)
    failed = _run(shell, lines, run_line)
    if failed is None:
        return True
    shell.executor.path, shell.executor.previous_path = path, previous
    shell.note(f"Line {failed} of {len(lines)} failed. The candidate is as before these lines.")
    candidate.put_back(before)
    _forget_after(candidate, known)
    return False


def _forget_after(candidate: Candidate, known: Sequence[int]) -> None:
    """Forget how to undo what was put back."""
    for number in set(undo.numbers(candidate.lio)) - set(known):
        undo.forget(candidate.lio, number)
