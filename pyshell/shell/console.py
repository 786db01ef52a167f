# SPDX-License-Identifier: Apache-2.0
"""The console: results on standard output; notes, questions and errors on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from pyshell.errors import PyshellError
from pyshell.files.writing import append
from pyshell.lio import Progress
from pyshell.render import (
    JOURNAL_ERROR,
    JOURNAL_NOTICE,
    Bar,
    Format,
    error_lines,
    is_able,
    is_journal,
    note_line,
    paint,
    prioritised,
    render,
    stream_lines,
    wants_colour,
    width,
)
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.text import one_line, output_line, wrapped, wrapped_result
from pyshell.tree.preferences import LEVELS
from pyshell.tree.results import Lines, Rows, SecretSentence, Stream, Tree


class Console:
    """The streams of a run and how they are used."""

    def __init__(
        self,
        preferences: Preferences,
        options: Options,
        out: TextIO,
        err: TextIO,
        stdin: TextIO,
        host_file: Callable[[Path], Path] = Path,
    ) -> None:
        """`host_file` returns where a file of the (perhaps simulated) host is."""
        self.preferences = preferences
        self.options = options
        self.out = out
        self.err = err
        self.stdin = stdin
        self.compat = options.compat
        self._host_file = host_file
        self._journal = is_journal(err)
        self._bar: Bar | None = None
        self._log_failed = False
        self._noted: set[str] = set()
        self.ask: Callable[[str], str] = self._ask
        """Asks a question; the prompt replaces it."""
        self.page: Callable[[Iterable[str]], Iterable[str]] = lambda lines: lines
        """Shows long results; the prompt replaces it by a pager."""
        self._pipe: Callable[[Iterable[str]], Iterable[str]] | None = None
        """Filters the output of the command that is running."""
        self.suppressed = False
        """Whether results of the line were not printed."""

    def preference(self, name: str) -> Any:
        """Return a preference."""
        return self.preferences.get(name)

    def note(self, text: str) -> None:
        """Print a note, something that is not the command's result, on standard error."""
        self._remove_bar()
        self.log("warning", text)
        if self.options.json:
            self.err.write(f"{note_line(text)}\n")
            return
        shown = output_line(text)
        if not shown.startswith(" "):
            shown = self.laid_out(shown)
        elif self._wraps_errors:
            shown = "\n".join(wrapped_result([shown], width(self.err)))
        self.err.write(f"{self._painted('note', shown, JOURNAL_NOTICE)}\n")

    def note_once(self, text: str) -> None:
        """Print a note unless it was printed before in this run."""
        if text not in self._noted:
            self._noted.add(text)
            self.note(text)

    def log(self, level: str, text: str) -> None:
        """Append a line to the file named by `logfile`, in targetcli mode only, as targetcli does.

        `loglevel_file` limits what is written. Command lines are written from `info` on (targetcli:
        from `verbose` on). The caller masks secrets, except in a `SecretSentence`. A
        file that cannot be written is reported once.
        """
        if not self.compat or self._log_failed or self.options.dry_run:
            return
        name = self.preference("logfile")
        limit = LEVELS.index(self.preference("loglevel_file"))
        if not name or min(LEVELS.index(level), LEVELS.index("verbose") - 1) > limit:
            return
        shown = output_line(text.logged if isinstance(text, SecretSentence) else text)
        try:
            append(
                self._host_file(Path(name).expanduser()),
                f"[{level.upper()}] {time.strftime('%Y-%m-%d %H:%M:%S')} {shown}\n",
            )
        except PyshellError as error:
            self._log_failed = True
            self.note(f"Log not written: {error}")

    @contextmanager
    def progress_shown(self, progress: Progress) -> Iterator[None]:
        """Show the progress of long work, if standard error is a terminal."""
        if self.options.json or not is_able(self.err):
            yield
            return
        self._bar = progress.listener = Bar(self.err)
        try:
            yield
        finally:
            progress.listener = None
            self._bar.close()
            self._bar = None

    def _remove_bar(self) -> None:
        """Remove the progress bar; its next update draws it below what is printed now."""
        if self._bar is not None:
            self._bar.close()

    def confirmed(self, question: str, to_type: str = "") -> bool:
        """Ask a question at the terminal. End of input and Ctrl-C mean no.

        `to_type` is the answer that means yes, instead of y.
        """
        try:
            asked = self.labelled(output_line(question.rstrip()))
            self._remove_bar()
            answer = self.ask(f"{self.laid_out(asked)} ").strip()
        except (EOFError, KeyboardInterrupt):
            return False
        if self._bar is not None:
            self._bar.restart()  # the user's time is not the work's
        return answer == to_type if to_type else answer.lower() in ("y", "yes")

    def chosen(self, question: str, words: Sequence[str]) -> str:
        """Ask for one of some words, of which the first letters are enough.

        The first word is the default, and the answer of --yes; the last one that of Ctrl-C.
        """
        if self.options.yes:
            return words[0]
        choices = "/".join([words[0].upper(), *words[1:]])
        asked = self.laid_out(self.labelled(f"{output_line(question)} [{choices}]"))
        self._remove_bar()
        while True:
            try:
                typed = self.ask(f"{asked} ")
            except (EOFError, KeyboardInterrupt):
                return words[-1]
            answer = typed.strip().lower()
            meant = [word for word in words if answer and word.startswith(answer)]
            if not answer or len(meant) == 1:
                return meant[0] if meant else words[0]

    @property
    def label(self) -> str:
        """What the user calls this host, as PRODUCTION; "" for nothing, and in targetcli mode."""
        return "" if self.compat else one_line(self.preference("label"))

    def labelled(self, question: str) -> str:
        """Return a question that names the host's label, if it has one."""
        if not self.label:
            return question
        return f"On {self.label}, {question[:1].lower()}{question[1:]}"

    def _ask(self, question: str) -> str:
        self.err.write(question)
        self.err.flush()
        return self.stdin.readline()

    def say(self, sentences: list[str], data: Mapping[str, Any] | None = None) -> None:
        """Print sentences; as JSON, one document that also holds `data`."""
        for sentence in sentences:
            self.log("info", sentence)
        if sentences:
            said = {"messages": sentences, **(data or {})}
            self.show(Lines(sentences, said, form="sentences"))

    @contextmanager
    def piped(self, through: Callable[[Iterable[str]], Iterable[str]]) -> Iterator[None]:
        """Print in the block what `through` makes of the lines of output."""
        before, self._pipe = self._pipe, through
        self.suppressed = False
        try:
            yield
        finally:
            self._pipe = before

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """Print no results in the block; notes and errors are printed."""
        with self.piped(lambda _: ()):
            yield
        self.suppressed = True

    def show(self, result: Tree | Lines) -> None:
        """Print a result."""
        self._write(self.page(self._filtered(render(result, self._format()))))

    def show_rows(self, result: Rows) -> None:
        """Print rows in the output format that was chosen."""
        from pyshell.render.rows import row_lines  # only `list` needs it

        lines = row_lines(result, self.options.rows, self._format())
        self._write(self.page(self._filtered(lines)))

    def show_stream(self, stream: Stream) -> None:
        """Print tables until Ctrl-C; a terminal shows only the newest."""
        with suppress(KeyboardInterrupt):
            if not self.options.json and is_able(self.out) and self._pipe is None:
                from pyshell.render.views import show_live

                show_live(stream.tables, self.out, self.stdin, colour=self._colour(self.out))
                return
            for table in islice(stream.tables, stream.in_pipe):
                self.print_lines(stream_lines(table, self._format()))

    def _format(self) -> Format:
        return Format(
            self.options.json,
            width(self.out),
            self._pipe is None and self._colour(self.out),
            self.preference,
            self._pipe is None and not (self.compat or self.options.plain) and is_able(self.out),
        )

    def print_lines(self, lines: Iterable[str]) -> None:
        """Print lines and flush."""
        self._write(self._filtered(lines))

    def _filtered(self, lines: Iterable[str]) -> Iterable[str]:
        return lines if self._pipe is None else self._pipe(lines)

    def _write(self, lines: Iterable[str]) -> None:
        self._remove_bar()
        for line in lines:
            self.out.write(f"{line}\n")
        self.out.flush()

    def show_error(self, error: PyshellError, where: str = "") -> None:
        """Print an error on standard error; `where` is the file and line of a batch."""
        self._remove_bar()
        as_json = self.options.json or error.as_json
        lines = error_lines(
            error,
            as_json=as_json,
            compat=self.compat,
            where=where,
            columns=width(self.err) if is_able(self.err) else None,
        )
        self.out.flush()
        for line in lines:
            self.log("error", line)
            shown = line if as_json else self.laid_out(line)
            self.err.write(f"{self._painted('error', shown, JOURNAL_ERROR, as_json=as_json)}\n")
        self.err.flush()

    def laid_out(self, text: str) -> str:
        """Return a sentence wrapped to the terminal's width, if standard error is a terminal."""
        return wrapped(text, width(self.err)) if self._wraps_errors else text

    @property
    def _wraps_errors(self) -> bool:
        return not (self.compat or self.options.json) and is_able(self.err)

    def _painted(self, part: str, text: str, priority: int, *, as_json: bool = False) -> str:
        if self._journal and not (self.options.json or as_json):
            return prioritised(text, priority)
        if not self._colour(self.err):
            return text
        return paint(part, text)

    def _colour(self, stream: TextIO) -> bool:
        if self.options.colour == "auto" and not stream.isatty():
            return False  # saves reading the preferences in the usual pipe
        preferred = bool(self.preference("color_mode"))
        return wants_colour(self.options.colour, stream, preferred=preferred)
