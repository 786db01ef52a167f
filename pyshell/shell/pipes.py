# SPDX-License-Identifier: Apache-2.0
"""Filters of a command's output: `| match RE`, `| except RE`, `| count`, `| save FILE`.

They run in this process, without a shell. The lines that they get are those that a pipe gets: no
colours, whole tables. Notes, questions and errors pass them by. The exit status is the command's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pyshell.errors import ExistsError, NotFoundError, PyshellError, UsageError
from pyshell.files import reading, writing
from pyshell.lio import Lio
from pyshell.patterns import Pattern
from pyshell.shell.console import Console
from pyshell.shell.grammar import Line, Word
from pyshell.text import counted, did_you_mean, joined
from pyshell.tree.command import FILE, TEXT, Command, Param

_EXPRESSION = "A regular expression as in Python, in any case; '(?-i:RE)' respects case."
FILTERS: Mapping[str, Command] = {
    one.name: one
    for one in (
        Command(
            "count",
            "Print only the number of lines.",
        ),
        Command(
            "except",
            "Omit the lines that contain a match of a regular expression.",
            (Param("expression", TEXT, _EXPRESSION, required=True),),
        ),
        Command(
            "match",
            "Print only the lines that contain a match of a regular expression.",
            (Param("expression", TEXT, _EXPRESSION, required=True),),
        ),
        Command(
            "save",
            "Write the output to a file that only its owner can read.",
            (Param("file", FILE, "File to write. An existing one is asked about.", required=True),),
        ),
    )
}
"""The filters, declared as commands are."""
_SYNONYMS = {"grep": "match", "egrep": "match", "wc": "count", "tee": "save"}
Stage = Callable[[Iterable[str]], Iterator[str]]


class Pipe:
    """The filters of one line.

    Those before the first `count` or `save` pass lines on at once, the others get them at the end.
    """

    def __init__(self, line: Line) -> None:
        """Read the filters. Raises UsageError with the column of the error."""
        self.file: str | None = None
        self._early: list[Stage] = []
        self._late: list[Stage] = []
        self._kept: list[str] = []
        for number, (pipe, words) in enumerate(zip(line.pipes, line.filters, strict=True)):
            name, argument = _read(pipe, words)
            if name == "save":
                if number + 1 < len(line.filters):
                    raise UsageError(
                        "Nothing can follow 'save'.",
                        "Put the other filters before it.",
                        column=line.pipes[number + 1].start,
                    )
                self.file = argument
            elif name == "count":
                self._late.append(_count)
            else:
                (self._late or self._early).append(_match(words[1], wanted=name == "match"))

    @property
    def only_saves(self) -> bool:
        """Whether no filter takes the output apart."""
        return not self._early and not self._late

    @property
    def empty(self) -> bool:
        """Whether nothing has been printed that is still kept."""
        return not self._kept

    def through(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield what is to be printed now."""
        passing: Iterable[str] = (part for line in lines for part in line.split("\n"))
        for stage in self._early:
            passing = stage(passing)
        if not self._late and self.file is None:
            yield from passing
        else:
            self._kept += passing

    def rest(self) -> Iterator[str]:
        """Yield what is to be printed or written at the end."""
        passing: Iterable[str] = self._kept
        for stage in self._late:
            passing = stage(passing)
        yield from passing


def _read(pipe: Word, words: Sequence[Word]) -> tuple[str, str]:
    """Return the name and the argument of a filter. Raises UsageError."""
    known = joined(sorted(FILTERS))
    if not words:
        raise UsageError("There is no filter after '|'.", f"Filters: {known}.", column=pipe.start)
    name, *arguments = words
    described = FILTERS.get(name.meaning)
    if described is None:
        raise UsageError(
            f"Unknown filter '{name.raw}'.",
            did_you_mean(_SYNONYMS.get(name.meaning, name.meaning), FILTERS, f"Filters: {known}."),
            column=name.start,
        )
    if len(arguments) < len(described.params):
        missing = described.params[0].name
        raise UsageError(
            f"'{name.text}' needs the {missing}.",
            f"Write: | {described.signature}",
            column=name.end,
        )
    if len(arguments) > len(described.params):
        surplus = arguments[len(described.params)]
        options = "Options go before '|'." if surplus.raw.startswith("-") else ""
        raise UsageError(
            f"Too many arguments of '{name.text}'.",
            options or ("Quote blanks." if described.params else ""),
            column=surplus.start,
        )
    if not arguments:
        return name.text, ""
    try:
        return name.text, described.params[0].kind.parse(arguments[0].meaning)
    except UsageError as error:
        error.column = arguments[0].start
        raise


def _match(word: Word, *, wanted: bool) -> Stage:
    _refuse_pipe_inside(word)
    try:
        pattern = Pattern(word.meaning)
    except UsageError as error:
        inside = error.column if word.raw == word.meaning and error.column is not None else 0
        error.column = word.start + inside
        raise
    return lambda lines: (line for line in lines if pattern.found_in(line) == wanted)


def _refuse_pipe_inside(word: Word) -> None:
    """Raise UsageError if an unquoted `|` in an expression seems to begin another filter."""
    head, *others = word.raw.split("|")
    if word.raw == word.meaning and any(one in FILTERS for one in others):
        raise UsageError(
            f"'{word.raw}' is one regular expression.",
            "Put blanks around '|' to add a filter, or quote the expression.",
            column=word.start + len(head),
        )


def _count(lines: Iterable[str]) -> Iterator[str]:
    yield str(sum(1 for _ in lines))


@contextmanager
def piped(line: Line, console: Console, lio: Lio) -> Iterator[None]:
    """Send the output of the block through the filters of a line. Raises PyshellError.

    All that can be refused is refused before the block.
    """
    pipe = Pipe(line)
    if console.options.json and not pipe.only_saves:
        raise UsageError(
            "Only '| save FILE' can follow with -o json: its output is one document.",
            "'list' selects rows with where=, and prints a document on each line with -o jsonl.",
            column=line.pipes[0].start,
        )
    path = Path(os.path.expanduser(pipe.file)) if pipe.file is not None else None
    if path is not None:
        _require_replaceable(path, console, lio)
    try:
        with console.piped(pipe.through):
            yield
    except PyshellError:
        if not pipe.empty:
            _finish(pipe, path, console)  # what a command prints before it fails
        raise
    _finish(pipe, path, console)


def _require_replaceable(path: Path, console: Console, lio: Lio) -> None:
    """Refuse a file that cannot or should not be replaced; ask about an existing one."""
    if lio.config_dir.resolve() in path.resolve().parents:
        raise UsageError(
            f"{path} is among the saved configurations.", "Choose a file in another folder."
        )
    writing.require_writable(path)
    if not path.parent.is_dir():
        raise NotFoundError(f"No such folder: {path.parent}.", "Create it first.")
    try:
        if not reading.start_of(path, 1):
            return
    except NotFoundError:
        return
    if console.options.yes or console.options.dry_run:
        return
    asks = console.stdin.isatty() and console.err.isatty()
    if not (asks and console.confirmed(f"{path} already exists. Replace it? [y/N] ")):
        raise ExistsError(
            f"{path} already exists.",
            "Choose another name, or add --yes to the command to replace the file.",
        )


def _finish(pipe: Pipe, path: Path | None, console: Console) -> None:
    if path is None:
        if not console.suppressed:
            console.print_lines(console.page(pipe.rest()))
        return
    lines = list(pipe.rest())
    if console.options.dry_run:
        console.say([f"{counted(len(lines), 'line')} would be written to {path} (dry run)"])
        return
    text = "".join(f"{line}\n" for line in lines)
    writing.replace(path, text.encode("utf-8", "backslashreplace"), private=False)
    console.say([f"{counted(len(lines), 'line')} written to {path}"])
