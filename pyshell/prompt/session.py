# SPDX-License-Identifier: Apache-2.0
"""The interactive session: reads lines at a terminal, runs them, and saves on leaving."""

from __future__ import annotations

import os
import traceback
from typing import Protocol

from pyshell import __version__
from pyshell.errors import PyshellError, UsageError, bug_report
from pyshell.prompt.history import FILE_NAME, CommandHistory
from pyshell.prompt.plain import PlainReader
from pyshell.render.output import DUMB_TERMS, wants_colour
from pyshell.shell.grammar import goes_on, logical_lines, split
from pyshell.shell.preferences import home
from pyshell.shell.shell import Shell
from pyshell.target.names import MASK, SECRET_NAMES

_ELLIPSIS = "…"


class Reader(Protocol):
    """What a session asks of a terminal.

    Both raise EOFError where nothing more will be typed, KeyboardInterrupt for Ctrl-C.
    """

    def command(self, prompt: str) -> str:
        """Return what was typed: a line, or several that were pasted at once."""

    def answer(self, question: str) -> str:
        """Return the answer to a question, which no history keeps."""


def interact(shell: Shell) -> int:
    """Run a session at the terminal and return the exit status."""
    if not shell.lio.may_change:
        shell.note("You are not root: the configuration can be looked at, not changed.")
    converse(shell, reader_for(shell))
    return 0


def converse(shell: Shell, reader: Reader) -> None:
    """Run what is typed until `exit` or the end, whatever fails on the way; then save."""
    shell.ask = reader.answer
    while True:
        _converse(shell, reader)
        if _leave(shell, reader):
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
        _run(shell, typed)


def _typed(shell: Shell, reader: Reader) -> str:
    """Return what was typed; a line that ends in a backslash goes on in the next."""
    typed = reader.command(prompt_text(shell.path, int(shell.preference("prompt_length"))))
    while goes_on(typed.rpartition("\n")[2]):
        typed += "\n" + reader.command("> ")
    return typed


def prompt_text(path: str, longest: int) -> str:
    """Return the prompt: the path, of which at most `longest` characters are shown, 0 for all."""
    shown = "".join(c if c.isprintable() else "?" for c in path)
    if 0 < longest < len(shown):
        tail = longest // 2
        head = longest - len(_ELLIPSIS) - tail
        shown = shown[:head] + _ELLIPSIS + shown[len(shown) - tail :]
    return f"{shown}> "


def _run(shell: Shell, typed: str) -> None:
    """Run a line, or pasted lines up to the first that fails."""
    lines = [line for _, line in logical_lines(typed.split("\n")) if line.strip()]
    for number, line in enumerate(lines, 1):
        if not _run_line(shell, line):
            if number < len(lines):
                shell.note(f"Lines that were pasted and not run: {len(lines) - number}.")
            return
        if shell.left:
            return


def _run_line(shell: Shell, line: str) -> bool:
    """Run one line and tell whether it went well; what went wrong has then been shown."""
    try:
        _refuse_mask(line)
        shell.run_line(line)
    except PyshellError as error:
        shell.show_error(error)
    except KeyboardInterrupt:
        shell.err.write("\n")  # the terminal has echoed ^C
        shell.note("Interrupted.")
    except BrokenPipeError:
        raise  # whoever read the output has gone, so nothing more can be told
    except Exception:
        shell.err.write(bug_report(__version__) + traceback.format_exc())
        shell.err.flush()
    else:
        return True
    return False


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


def _leave(shell: Shell, reader: Reader) -> bool:
    """Save as preferences ask; what would lose saved objects is done only after a yes.

    Returns whether to leave at all: Ctrl-C at the question goes back to the prompt.
    """
    try:
        shell.leave(save=True)
    except PyshellError as error:
        shell.show_error(error)
        if not _would_lose(shell):
            return True
        if not shell.options.yes:
            try:
                answer = _yes_or_no(reader, "Save anyway? [y/N] ")
            except KeyboardInterrupt:
                shell.left = False
                return False
            if not answer:
                shell.note("Not saved.")
                return True
        _run_line(shell, "/ saveconfig force=true")
    return True


def _yes_or_no(reader: Reader, question: str) -> bool:
    """Ask until the answer is yes or no; no answer is a no. Raises KeyboardInterrupt."""
    while True:
        try:
            answer = reader.answer(question).strip().lower()
        except EOFError:
            return False
        if answer in ("y", "yes", "n", "no", ""):
            return answer.startswith("y")


def _would_lose(shell: Shell) -> bool:
    try:
        return bool(shell.root().lost_by_saving())
    except PyshellError:
        return False  # the saved file cannot be read: that error has been shown


def reader_for(shell: Shell) -> Reader:
    """Return the reader that suits the terminal.

    Prompts go to standard output if that is a terminal, else to standard error: what is redirected
    to a file holds results alone.
    """
    history = CommandHistory(home() / FILE_NAME, shell.note)
    screen = next((stream for stream in (shell.out, shell.err) if stream.isatty()), None)
    if screen is None or os.environ.get("TERM", "") in DUMB_TERMS:
        return PlainReader(shell.stdin, screen, history)
    from pyshell.prompt.editor import Editor, screen_output

    preferred = bool(shell.preference("color_mode"))
    colour = wants_colour(shell.options.colour, screen, preferred=preferred)
    return Editor(shell, history, screen_output(screen), colour=colour)
