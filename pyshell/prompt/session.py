# SPDX-License-Identifier: Apache-2.0
"""The interactive session: reads lines at a terminal, runs them, asks about unsaved changes."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TextIO

from pyshell import __version__
from pyshell.commands.save import lost_by_saving
from pyshell.errors import EXIT_FAILED, PyshellError, UsageError, bug_report
from pyshell.host import programs
from pyshell.names import MASK, SECRET_NAMES
from pyshell.prompt import pager
from pyshell.prompt.confignode import as_configshell
from pyshell.prompt.history import FILE_NAME, CommandHistory
from pyshell.render import DUMB_TERMS, wants_colour
from pyshell.shell.executor import unconfirmed_text
from pyshell.shell.grammar import (
    PROGRAM,
    goes_on,
    is_for_a_shell,
    logical_lines,
    parse,
    split,
    split_unfinished,
    without_filters,
)
from pyshell.shell.options import Invocation, parse_argv
from pyshell.shell.preference_files import home
from pyshell.shell.shell import BANNER, Shell, drop_candidate
from pyshell.text import counted, one_line, shorten, visible
from pyshell.tree.node import Node

if TYPE_CHECKING:
    from pyshell.prompt.editor import Editor


_SAVE, _LEAVE, _STAY = "save", "leave", "stay"
_ANSWERS = (_SAVE, _LEAVE, _STAY)
_COMMIT, _ABORT = "commit", "abort"

_TYPE_IT = "Omit 'pyshell' and its options to run the command here."
_SWITCH_INTERVAL = 0.0005
"""Seconds after which a background thread yields to keys: a tenth of Python's default."""
_COLLECTION = (20_000, 2)
"""New objects after which the newest are collected, and collections after which older ones are.

A menu of 10,000 LUNs leaves a tree of as many nodes. With a limit as for one-liners, a collection
of several of them holds keys up for 0.2 seconds.
"""


def interact(shell: Shell) -> int:
    """Run a session at the terminal and return the exit status."""
    Node.kind = as_configshell
    if not shell.lio.may_change:
        shell.note("You are not root: the configuration is read-only.")
    reader = reader_for(shell)
    _greet(shell, reader)
    if text := unconfirmed_text(shell.running):
        shell.note(text)
    try:
        converse(shell, reader)
    finally:
        drop_candidate(shell)
    return EXIT_FAILED if shell.dropped else 0


def _greet(shell: Shell, reader: Reader) -> None:
    """Print name and version if a person sees them; targetcli always prints its banner."""
    if shell.compat:
        shell.console.print_lines(BANNER)
    elif reader.can_ask and not shell.options.json and (shell.options.plain or not _is_dumb()):
        simulated = " (simulated target)" if shell.lio.simulated is not None else ""
        f1 = ", press F1 for help" if reader.has_keys else ""
        shell.note(f"pyshell {__version__}{simulated}. Type 'help' to list the commands{f1}.")


def converse(shell: Shell, reader: Reader) -> None:
    """Run what is typed until `exit` or the end of the input."""
    shell.console.ask = reader.answer
    shell.executor.pick = reader.pick
    while True:
        _converse(shell, reader)
        if leave(shell, reader):
            return


def _converse(shell: Shell, reader: Reader) -> None:
    while not shell.executor.left:
        try:
            typed = _typed(shell, reader)
        except KeyboardInterrupt:
            continue
        except EOFError:
            break
        except UnicodeDecodeError:
            shell.console.show_error(UsageError("The input is not valid UTF-8 text."))
            continue
        _run(shell, reader, typed)


def _typed(shell: Shell, reader: Reader) -> str:
    """Return what was typed; a line that ends in a backslash continues in the next."""
    prompt = prompt_text(
        shell.path,
        int(shell.preference("prompt_length")),
        candidate=shell.candidate is not None,
    )
    label = shell.console.label
    typed = reader.command(prompt, label=f"[{label}]" if label else "")
    while goes_on(typed.rpartition("\n")[2]):
        typed += "\n" + reader.command("> ", goes_on=True)
    return typed


def prompt_text(path: str, longest: int, *, candidate: bool = False) -> str:
    """Return the prompt: the path in at most `longest` columns, 0 for all of it.

    It says so if a `candidate` is open.
    """
    path = one_line(path)
    shown = shorten(path, longest, tail=1 / 2) if longest > 0 else path
    return f"{shown} (candidate)> " if candidate else f"{shown}> "


def _run(shell: Shell, reader: Reader, typed: str) -> None:
    """Run a line; pasted lines only after a yes, and all of their changes or none."""
    lines = [line for _, line in logical_lines(typed.split("\n")) if line.strip()]
    if len(lines) > 1 and not shell.options.yes and not _confirmed(shell, reader, len(lines)):
        shell.note("Nothing was run.")
        return
    if len(lines) > 1:
        from pyshell.shell.atomic import run_block  # most lines are typed

        with shell.executor.in_batch():
            run_block(shell, lines, lambda line: _run_line(shell, line))
    elif lines:
        _run_line(shell, lines[0])


def _confirmed(shell: Shell, reader: Reader, count: int) -> bool:
    """Ask once about all the lines that were pasted together."""
    try:
        question = shell.console.labelled(f"Run these {count} lines? [y/N] ")
        return _yes_or_no(reader, question)
    except KeyboardInterrupt:
        return False


def _run_line(shell: Shell, line: str) -> bool:
    """Run one line, show its error, and return whether it succeeded."""
    try:
        _refuse_mask(line)
        _run_here(shell, line)
    except PyshellError as error:
        shell.console.show_error(error)
    except KeyboardInterrupt:
        shell.console.err.write("\n")  # the terminal has echoed ^C
        shell.note("Interrupted.")
    except BrokenPipeError:
        raise  # nobody reads the output any more
    except Exception:
        shell.console.err.write(bug_report(__version__) + visible(traceback.format_exc()))
        shell.console.err.flush()
    else:
        return True
    return False


def _run_here(shell: Shell, line: str) -> None:
    """Run a line, which may be written for a shell, as in the documentation: `pyshell …`.

    The options of such a line must select this session's target.
    """
    if not is_for_a_shell(split_unfinished(line)):
        shell.run_line(line)
        return
    parsed = parse(line, compat=shell.compat)
    words = without_filters(split(line))
    found = parse_argv([word.meaning for word in words[1:]], PROGRAM, os.environ)
    if found.show or found.file is not None or found.options.save or found.options.compat:
        raise UsageError("These options are valid only on a shell's command line.", _TYPE_IT)
    if not _is_same_target(shell, found):
        raise UsageError("This command is for a different target than this prompt.", _TYPE_IT)
    if not found.words:
        raise UsageError("This is already the pyshell prompt.", "Type a command, or 'help'.")
    before = shell.options
    given = found.options
    shell.options = replace(
        before,
        json=given.json or (before.json and not given.rows),
        rows=given.rows,
        yes=before.yes or given.yes,
        dry_run=before.dry_run or given.dry_run,
    )
    try:
        shell.run_words(found.words, parsed)
    finally:
        shell.options = before


def _is_same_target(shell: Shell, found: Invocation) -> bool:
    if found.host:
        return False
    here, folder, config = shell.lio.simulated, found.simulate, found.config_dir
    if (here and here.resolve()) != (folder and folder.resolve()):
        return False
    return config is None or config.resolve() == shell.lio.config_dir.resolve()


def _refuse_mask(line: str) -> None:
    """Refuse a line of the history with a masked secret: the mask would become the secret."""
    try:
        words = split(line)
    except UsageError:
        return  # running the line reports the error
    for word in words:
        if word.name in SECRET_NAMES and word.text == MASK:
            error = UsageError(
                "Secrets are not kept in the history.",
                f"Type the secret again, or {word.name}=- to be asked for it.",
                column=word.value_start,
            )
            error.line = line
            raise error


def leave(shell: Shell, reader: Reader) -> bool:
    """Save or not, as the user answers, and return whether to leave.

    A candidate is committed or dropped; it stays open if the user stays. A save that would lose
    saved objects is asked about once more.
    """
    if not _leave_candidate(shell, reader) or not _leave_target(shell, reader):
        shell.executor.left = False
        return False
    drop_candidate(shell)
    return True


def _leave_target(shell: Shell, reader: Reader) -> bool:
    """Save the running configuration or not, and return whether to leave."""
    with shell.beside_candidate():
        shell.saving.settle()
        # Nothing is saved before it is confirmed: then there is no question, only a note.
        answer = _LEAVE if unconfirmed_text(shell.running) else _leaving_answer(shell, reader)
        if answer == _STAY:
            return False
        try:
            if answer == _LEAVE:
                shell.saving.leave(save=False)
            elif shell.preference("auto_save_on_exit"):
                shell.saving.leave(save=True)
            else:
                shell.console.say(shell.saving.save())
        except PyshellError as error:
            shell.console.show_error(error)
            return _save_anyway(shell, reader)
    return True


def _leave_candidate(shell: Shell, reader: Reader) -> bool:
    """Commit or drop the open candidate as the user answers, and return whether to leave.

    Without an answer, or without changes, it stays open until the prompt ends.
    """
    candidate = shell.candidate
    if candidate is None:
        return True
    changes = len(candidate.differences())
    if changes and reader.can_ask and not shell.options.yes:
        question = (
            f"The candidate has {counted(changes, 'change')}. Commit, abort, or"
            f" stay ({reader.cancel})?"
        )
        answer = _choice(shell, reader, question, (_COMMIT, _ABORT, _STAY), _STAY)
        if answer == _STAY:
            return False
        if answer == _COMMIT:
            return _run_line(shell, "/ commit")
        if answer == _ABORT:
            shell.end_candidate()
    return True


def _leaving_answer(shell: Shell, reader: Reader) -> str:
    """Ask what to do with unsaved changes; without an answer, do what the preferences say."""
    preferred = _SAVE if shell.preference("auto_save_on_exit") else _LEAVE
    asked = shell.saving.changed and reader.can_ask and not (shell.compat or shell.options.yes)
    if not asked:
        return preferred
    default = _SAVE if preferred == _SAVE else _STAY
    question = f"There are unsaved changes. Save, leave without saving, or stay ({reader.cancel})?"
    return _choice(shell, reader, question, _ANSWERS, default) or preferred


def _choice(
    shell: Shell, reader: Reader, question: str, answers: Sequence[str], default: str
) -> str:
    """Return the answer to a question, which may be its beginning; "" at the end of the input."""
    choices = "/".join(word.upper() if word == default else word for word in answers)
    while True:
        try:
            shown = shell.console.laid_out(shell.console.labelled(f"{question} [{choices}]"))
            answer = reader.answer(f"{shown} ").strip().lower()
        except KeyboardInterrupt:
            return _STAY
        except EOFError:
            return ""
        if not answer:
            return default
        meant = [word for word in answers if word.startswith(answer)]
        if len(meant) == 1:
            return meant[0]


def _save_anyway(shell: Shell, reader: Reader) -> bool:
    """Save over objects that are not running after a yes; return whether to leave."""
    if not _would_lose(shell):
        return True
    if not shell.options.yes:
        try:
            answer = _yes_or_no(reader, shell.console.labelled("Save anyway? [y/N] "))
        except KeyboardInterrupt:
            return False
        if not answer:
            shell.note("Not saved.")
            return True
    drop_candidate(shell)
    try:
        shell.run_line("/ saveconfig force=true")
    except PyshellError as error:
        shell.console.show_error(error)
    return True


def _would_lose(shell: Shell) -> bool:
    try:
        return bool(lost_by_saving(shell.root()))
    except PyshellError:
        return False  # the saved file cannot be read: that error has been shown


def _yes_or_no(reader: Reader, question: str) -> bool:
    """Ask until the answer is yes or no; no answer means no. Raises KeyboardInterrupt."""
    while True:
        try:
            answer = reader.answer(question).strip().lower()
        except EOFError:
            return False
        if answer in ("y", "yes", "n", "no", ""):
            return answer.startswith("y")


class Reader(Protocol):
    """Reads what is typed.

    `command` and `answer` raise EOFError at the end of the input, KeyboardInterrupt for `cancel`.
    """

    cancel: str
    """The key that cancels a question, as it is named there."""
    has_keys: bool
    """Whether F1 and Tab work."""

    @property
    def can_ask(self) -> bool:
        """Whether the user sees a question."""

    def command(self, prompt: str, *, label: str = "", goes_on: bool = False) -> str:
        """Return what was typed: a line, several pasted ones, or the rest of one (`goes_on`).

        `label` is shown before the prompt.
        """

    def answer(self, question: str) -> str:
        """Return the answer to a question, which is not kept in the history."""

    def pick(self, root: Node) -> str | None:
        """Return a path of the tree that the user selects, None without a selection."""


class PlainReader:
    """Reads lines from a terminal without editing; without a `screen` it shows no prompts."""

    cancel = "Ctrl-C"
    has_keys = False

    def __init__(
        self,
        source: TextIO,
        screen: TextIO | None,
        history: CommandHistory,
        path: Callable[[], str] = lambda: "/",
    ) -> None:
        self._path = path
        self._source = source
        self._screen = screen
        self._history = history

    @property
    def can_ask(self) -> bool:
        """Whether there is a screen to show a question on."""
        return self._screen is not None

    def command(self, prompt: str, *, label: str = "", goes_on: bool = False) -> str:
        """Return a line and keep it in the history."""
        line = self.answer(f"{label} {prompt}" if label else prompt)
        self._history.add(line, self._path())
        return line

    def answer(self, question: str) -> str:
        """Return the answer to a question."""
        try:  # Ctrl-C may come as soon as the question is seen
            self._show(question)
            line = self._source.readline()
        except KeyboardInterrupt:
            self._show("\n")
            raise
        if not line:
            self._show("\n")
            raise EOFError
        return line.rstrip("\n")

    def pick(self, root: Node) -> str | None:
        """Return None: such a terminal cannot show the picker."""
        return None

    def _show(self, text: str) -> None:
        if self._screen is not None:
            encoding = self._screen.encoding or "utf-8"
            self._screen.write(text.encode(encoding, "replace").decode(encoding))
            self._screen.flush()


def _is_dumb() -> bool:
    """Return whether the terminal only shows text, as TERM says."""
    return os.environ.get("TERM", "") in DUMB_TERMS


def reader_for(shell: Shell) -> Reader:
    """Return the reader that suits the terminal.

    Prompts go to standard output if that is a terminal, else to standard error, so that results
    redirected to a file contain no prompts.
    """
    history = CommandHistory(home(simulated=shell.lio.simulated) / FILE_NAME, shell.note)
    screen = next(
        (stream for stream in (shell.console.out, shell.console.err) if stream.isatty()), None
    )
    if screen is None or shell.options.plain or _is_dumb():
        return PlainReader(shell.console.stdin, screen, history, lambda: shell.path)
    from pyshell.prompt.editor import Editor, screen_output

    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.set_threshold(*_COLLECTION)
    preferred = bool(shell.preference("color_mode"))
    colour = wants_colour(shell.options.colour, screen, preferred=preferred)
    editor = Editor(shell, history, screen_output(screen), colour=colour)
    if screen is shell.console.out and not shell.options.json:
        shell.console.page = lambda lines: _paged(shell, editor, lines)
    return editor


def _paged(shell: Shell, editor: Editor, lines: Iterable[str]) -> Iterable[str]:
    if not shell.preference("paging") or pager.chosen() == "none":
        return lines
    size = shutil.get_terminal_size
    if pager.chosen() == "less" and programs.has("less"):
        return pager.by_less(lines, size)
    return pager.Pager(lines, size, lambda text: editor.key(text, pager.KEYS), editor.answer)
