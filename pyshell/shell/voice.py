# SPDX-License-Identifier: Apache-2.0
"""What a run says and asks: results on standard output, all else on standard error."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from pyshell.characters import output_line
from pyshell.errors import PyshellError
from pyshell.lio.attach import Progress
from pyshell.names import MASK, SECRET_NAMES
from pyshell.render import journal
from pyshell.render.output import (
    DUMB_TERMS,
    Format,
    error_lines,
    is_able,
    is_live,
    note_line,
    render,
    table_lines,
    wants_colour,
    width,
)
from pyshell.render.progress import Bar
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.text import wrapped
from pyshell.tree.preferences import LEVELS
from pyshell.tree.results import Lines, Stream, Tree

_SECRET_SET = re.compile(rf"^(Parameter (?:{'|'.join(sorted(SECRET_NAMES))}) is now )'.*'\.$", re.S)


class Voice:
    """The streams of a run, and how it uses them."""

    def __init__(
        self, preferences: Preferences, options: Options, out: TextIO, err: TextIO, stdin: TextIO
    ) -> None:
        self.prefs = preferences
        self.options = options
        self.out = out
        self.err = err
        self.stdin = stdin
        self.compat = options.compat
        self._journal = journal.is_journal(err)
        self._bar: Bar | None = None
        self._log_failed = False
        self.ask: Callable[[str], str] = self._ask
        """How a question is put; a session at a prompt has its own way."""
        self.page: Callable[[Iterable[str]], Iterable[str]] = lambda lines: lines
        """How long results are shown; a session at a prompt shows them by the screen."""

    def preference(self, name: str) -> Any:
        """Return a preference; pyshell's manner and targetcli's differ in none of them."""
        return self.prefs.get(name)

    def note(self, text: str) -> None:
        """Tell the user something that is not the command's result, on standard error."""
        if self._bar is not None:
            self._bar.close()  # it comes again, below the note
        self.log("warning", text)
        if self.options.json:
            self.err.write(f"{note_line(text)}\n")
            return
        self.err.write(
            f"{self._painted('note', self.laid_out(output_line(text)), journal.NOTICE)}\n"
        )

    def log(self, level: str, text: str) -> None:
        """Add a line to the file that `logfile` names, as targetcli does; only in its mode.

        `loglevel_file` sets what is written. Command lines are written from `info` on: with
        targetcli that takes `verbose`. Secrets must be masked already, but for the sentence that a
        secret was set. If the file cannot be written, that is reported once.
        """
        if not self.compat or self._log_failed or self.options.dry_run:
            return
        name = self.preference("logfile")
        limit = LEVELS.index(self.preference("loglevel_file"))
        if not name or min(LEVELS.index(level), LEVELS.index("verbose") - 1) > limit:
            return
        from pyshell.files.writing import append

        shown = output_line(_SECRET_SET.sub(rf"\1'{MASK}'.", text))
        try:
            append(
                self.log_file(name),
                f"[{level.upper()}] {time.strftime('%Y-%m-%d %H:%M:%S')} {shown}\n",
            )
        except PyshellError as error:
            self._log_failed = True
            self.note(f"Log not written: {error}")

    def log_file(self, name: str) -> Path:
        """Return the file that a log of that name is written to."""
        return Path(name).expanduser()

    @contextmanager
    def progress_shown(self, progress: Progress) -> Iterator[None]:
        """Show at a terminal how far long work is; elsewhere nobody listens."""
        term = os.environ.get("TERM", "")
        if self.options.json or term in DUMB_TERMS or not self.err.isatty():
            yield
            return
        self._bar = progress.listener = Bar(self.err)
        try:
            yield
        finally:
            progress.listener = None
            self._bar.close()
            self._bar = None

    def confirmed(self, question: str) -> bool:
        """Ask a question at the terminal; no answer is a no."""
        try:
            asked = f"{self.laid_out(output_line(question.rstrip()))} "
            return self.ask(asked).strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):
            return False

    def _ask(self, question: str) -> str:
        self.err.write(question)
        self.err.flush()
        return self.stdin.readline()

    def say(self, sentences: list[str], data: Mapping[str, Any] | None = None) -> None:
        """Show sentences; as JSON they are one document, with `data`."""
        for sentence in sentences:
            self.log("info", sentence)
        if sentences:
            self.show(Lines(sentences, {"messages": sentences, **(data or {})}))

    def show(self, result: Tree | Lines) -> None:
        """Show a result."""
        self.print_lines(self.page(render(result, self._format())))

    def show_stream(self, stream: Stream) -> None:
        """Show tables as they come, until Ctrl-C; a terminal shows the newest alone."""
        with suppress(KeyboardInterrupt):
            if not self.options.json and is_live(self.out):
                from pyshell.render.live import show_live

                show_live(stream.tables, self.out, self.stdin, colour=self._colour(self.out))
                return
            for table in islice(stream.tables, stream.in_pipe):
                self.print_lines(table_lines(table, self._format()))

    def _format(self) -> Format:
        return Format(
            self.options.json,
            width(self.out),
            self._colour(self.out),
            self.preference,
            not (self.compat or self.options.plain) and is_able(self.out),
        )

    def print_lines(self, lines: Iterable[str]) -> None:
        """Print lines at once."""
        for line in lines:
            self.out.write(f"{line}\n")
        self.out.flush()

    def show_error(self, error: PyshellError, where: str = "") -> None:
        """Show an error on standard error; `where` says in which line of a batch it happened."""
        lines = error_lines(
            error,
            as_json=self.options.json,
            compat=self.compat,
            where=where,
            columns=width(self.err) if is_able(self.err) else None,
        )
        self.out.flush()
        for line in lines:
            self.log("error", line)
            self.err.write(f"{self._painted('error', self.laid_out(line), journal.ERROR)}\n")
        self.err.flush()

    def laid_out(self, text: str) -> str:
        """Return a sentence as it fits the terminal, if it goes to one."""
        if self.compat or self.options.json or not is_able(self.err):
            return text
        return wrapped(text, width(self.err))

    def _painted(self, part: str, text: str, priority: int) -> str:
        if self._journal and not self.options.json:
            return journal.prioritised(text, priority)
        if not self._colour(self.err):
            return text
        from pyshell.render.colour import paint

        return paint(part, text)

    def _colour(self, stream: TextIO) -> bool:
        if self.options.colour == "auto" and not stream.isatty():
            return False  # the usual pipe needs no look at the preferences
        preferred = bool(self.preference("color_mode"))
        return wants_colour(self.options.colour, stream, preferred=preferred)
