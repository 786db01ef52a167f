# SPDX-License-Identifier: Apache-2.0
"""The interactive session: reads lines at a terminal, runs them, and saves on leaving."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pyshell import __version__
from pyshell.characters import one_line, visible
from pyshell.errors import PyshellError, UsageError, bug_report
from pyshell.host import programs
from pyshell.names import MASK, SECRET_NAMES
from pyshell.prompt.history import FILE_NAME, CommandHistory
from pyshell.prompt.leaving import leave, yes_or_no
from pyshell.prompt.plain import PlainReader
from pyshell.prompt.reader import Reader
from pyshell.render.output import DUMB_TERMS, wants_colour
from pyshell.shell.batch import BANNER
from pyshell.shell.grammar import (
    PROGRAM,
    Word,
    goes_on,
    is_for_a_shell,
    join_arguments,
    logical_lines,
    split,
    split_unfinished,
)
from pyshell.shell.options import Invocation, parse_argv
from pyshell.shell.preference_files import home
from pyshell.shell.shell import Shell

if TYPE_CHECKING:
    from pyshell.prompt.editor import Editor

_ELLIPSIS = "…"


def interact(shell: Shell) -> int:
    """Run a session at the terminal and return the exit status."""
    if not shell.lio.may_change:
        shell.note("You are not root: the configuration can be looked at, not changed.")
    reader = reader_for(shell)
    _greet(shell, reader)
    converse(shell, reader)
    return 0


def _greet(shell: Shell, reader: Reader) -> None:
    """Show name and version at a terminal that a person uses; targetcli greets everybody."""
    if shell.compat:
        shell.print_lines(BANNER)
    elif reader.can_ask and not shell.options.json and (shell.options.plain or not _is_dumb()):
        simulated = " (simulated target)" if shell.lio.simulated is not None else ""
        shell.note(f"pyshell {__version__}{simulated}. Type 'help' to list the commands.")


def _is_dumb() -> bool:
    return os.environ.get("TERM", "") in DUMB_TERMS


def converse(shell: Shell, reader: Reader) -> None:
    """Run what is typed until `exit` or the end, whatever fails on the way; then save."""
    shell.ask = reader.answer
    shell.pick = reader.pick
    while True:
        _converse(shell, reader)
        if leave(shell, reader):
            return


def _converse(shell: Shell, reader: Reader) -> None:
    while not shell.left:
        try:
            typed = _typed(shell, reader)
        except KeyboardInterrupt:
            continue
        except EOFError:
            break
        except UnicodeDecodeError:
            shell.show_error(UsageError("What was typed is not text."))
            continue
        _run(shell, reader, typed)


def _typed(shell: Shell, reader: Reader) -> str:
    """Return what was typed; a line that ends in a backslash goes on in the next."""
    typed = reader.command(prompt_text(shell.path, int(shell.preference("prompt_length"))))
    while goes_on(typed.rpartition("\n")[2]):
        typed += "\n" + reader.command("> ", goes_on=True)
    return typed


def prompt_text(path: str, longest: int) -> str:
    """Return the prompt: the path, of which at most `longest` characters are shown, 0 for all."""
    shown = one_line(path)
    if 0 < longest < len(shown):
        tail = longest // 2
        head = longest - len(_ELLIPSIS) - tail
        shown = shown[:head] + _ELLIPSIS + shown[len(shown) - tail :]
    return f"{shown}> "


def _run(shell: Shell, reader: Reader, typed: str) -> None:
    """Run a line; pasted lines after a yes, up to the first that fails."""
    lines = [line for _, line in logical_lines(typed.split("\n")) if line.strip()]
    if len(lines) > 1 and not shell.options.yes and not _are_meant(reader, len(lines)):
        shell.note("Nothing was run.")
        return
    for number, line in enumerate(lines, 1):
        if not _run_line(shell, line):
            if number < len(lines):
                shell.note(f"Lines that were pasted and not run: {len(lines) - number}.")
            return
        if shell.left:
            return


def _are_meant(reader: Reader, count: int) -> bool:
    """Ask once for all the lines that were pasted together."""
    try:
        return yes_or_no(reader, f"Run these {count} lines? [y/N] ")
    except KeyboardInterrupt:
        return False


def _run_line(shell: Shell, line: str) -> bool:
    """Run one line and tell whether it went well; what went wrong has then been shown."""
    try:
        _refuse_mask(line)
        _run_here(shell, line)
    except PyshellError as error:
        shell.show_error(error)
    except KeyboardInterrupt:
        shell.err.write("\n")  # the terminal has echoed ^C
        shell.note("Interrupted.")
    except BrokenPipeError:
        raise  # whoever read the output has gone, so nothing more can be told
    except Exception:
        shell.err.write(bug_report(__version__) + visible(traceback.format_exc()))
        shell.err.flush()
    else:
        return True
    return False


def _run_here(shell: Shell, line: str) -> None:
    """Run a line, which may be one for root's shell: `pyshell [OPTIONS] [PATH] COMMAND …`.

    That is how `doctor` and the documentation write commands. It is run only if it means the target
    of this session.
    """
    if not is_for_a_shell(split_unfinished(line)):
        shell.run_line(line)
        return
    words = split(line)
    found = parse_argv([_meaning(word) for word in words[1:]], PROGRAM, os.environ)
    if found.show or found.file is not None or found.options.save or found.options.compat:
        raise UsageError("These options are for a shell's command line.", _TYPE_IT)
    if not _is_same_target(shell, found):
        raise UsageError("This command is for another target than this prompt's.", _TYPE_IT)
    if not found.words:
        raise UsageError("This is the prompt of pyshell already.", "Type a command, or 'help'.")
    before = shell.options
    given = found.options
    shell.options = replace(
        before,
        json=before.json or given.json,
        yes=before.yes or given.yes,
        dry_run=before.dry_run or given.dry_run,
    )
    try:
        shell.run_line(join_arguments(found.words))
    finally:
        shell.options = before


_TYPE_IT = "Leave 'pyshell' and its options out to run the command here."


def _meaning(word: Word) -> str:
    return word.text if word.name is None else f"{word.name}={word.text}"


def _is_same_target(shell: Shell, found: Invocation) -> bool:
    here, folder = shell.lio.simulated, found.simulate
    if (here is None) != (folder is None):
        return False
    if here is not None and folder is not None and here.resolve() != folder.resolve():
        return False
    config = found.config_dir
    return config is None or config.resolve() == shell.lio.config_dir.resolve()


def _refuse_mask(line: str) -> None:
    """Refuse a line of the history whose secret is masked: the mask would become the secret."""
    try:
        words = split(line)
    except UsageError:
        return  # running it says what is wrong
    for word in words:
        if word.name in SECRET_NAMES and word.text == MASK:
            error = UsageError(
                "The history does not hold secrets.",
                f"Type it again, or {word.name}=- to be asked for it.",
                column=word.value_start,
            )
            error.line = line
            raise error


def reader_for(shell: Shell) -> Reader:
    """Return the reader that suits the terminal.

    Prompts go to standard output if that is a terminal, else to standard error: what is redirected
    to a file holds results alone.
    """
    history = CommandHistory(home(simulated=shell.lio.simulated) / FILE_NAME, shell.note)
    screen = next((stream for stream in (shell.out, shell.err) if stream.isatty()), None)
    plain = shell.options.plain or _is_dumb()
    if screen is None or plain:
        return PlainReader(shell.stdin, screen, history, lambda: shell.path)
    from pyshell.prompt.editor import Editor, screen_output

    # What is read on threads gives way to keys ten times as often as usual.
    sys.setswitchinterval(0.0005)
    preferred = bool(shell.preference("color_mode"))
    colour = wants_colour(shell.options.colour, screen, preferred=preferred)
    editor = Editor(shell, history, screen_output(screen), colour=colour)
    if screen is shell.out and not shell.options.json:
        shell.page = lambda lines: _paged(shell, editor, lines)
    return editor


def _paged(shell: Shell, editor: Editor, lines: Iterable[str]) -> Iterable[str]:
    from pyshell.prompt import pager

    if not shell.preference("paging") or pager.chosen() == "none":
        return lines
    size = shutil.get_terminal_size
    if pager.chosen() == "less" and programs.has("less"):
        return pager.by_less(lines, size)
    return pager.Pager(lines, size, lambda text: editor.key(text, pager.KEYS), editor.answer)
