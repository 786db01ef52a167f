# SPDX-License-Identifier: Apache-2.0
"""The grammar of a line, for running and for completing.

    [PATH] [COMMAND] [ARGUMENT...] [NAME=VALUE...] [| FILTER...]   # comment

Words are split and unquoted as a POSIX shell does: '…' keeps all, "…" keeps all but \\ before
one of $ ` " \\, a backslash keeps the next character, # at the start of a word begins a comment.
An unquoted | between blanks is a pipe; within a word it is a character, as in a name. Nothing is
expanded. Every character is read or refused: none is ignored silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pyshell.errors import UsageError
from pyshell.expressions import expression
from pyshell.names import SECRET_NAMES
from pyshell.quoting import NAMED, SHELL_OPERATORS, quoted, typed

_QUOTED = expression(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_COMMAND = expression(r"[A-Za-z0-9_]+")
_NOT_BLANK = expression(r"\S")
_ESCAPED_IN_DOUBLE = frozenset('$`"\\')
FILTER_NAMES = ("count", "except", "match", "save")
PIPE = "|"
"""The word after which a filter of the output follows (`pipes.py`)."""


@dataclass(frozen=True)
class Word:
    """A word of a line: `text` without quotes, `raw` as typed, from column `start` to `end`."""

    text: str
    start: int
    end: int
    raw: str
    name: str | None = None
    """The name of a NAME=VALUE word; `text` is then its value."""

    @property
    def value_start(self) -> int:
        """Return the column at which the value begins."""
        return self.start + (len(self.name) + 1 if self.name is not None else 0)

    @property
    def meaning(self) -> str:
        """Return the whole word without quotes, with its name."""
        return self.text if self.name is None else f"{self.name}={self.text}"


@dataclass(frozen=True)
class Line:
    """A parsed line."""

    text: str
    path: Word | None = None
    command: Word | None = None
    arguments: tuple[Word, ...] = ()
    pipes: tuple[Word, ...] = ()
    """The pipes."""
    filters: tuple[tuple[Word, ...], ...] = ()
    """The words after each pipe, unchecked."""

    @property
    def body(self) -> str:
        """The text of the line without its filters."""
        return self.text[: self.pipes[0].start] if self.pipes else self.text

    @property
    def words(self) -> list[Word]:
        """All words but those of filters, in their order."""
        return [word for word in (self.path, self.command, *self.arguments) if word is not None]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to run."""
        return self.path is None and self.command is None

    @property
    def every_child(self) -> bool:
        """Whether the path has a `*`: the command then runs on all nodes that match.

        A `*` in quotes is a character of a name.
        """
        if self.path is None or "*" not in self.path.raw:
            return False
        return "*" in _QUOTED.sub("", self.path.raw)


class UnfinishedError(UsageError):
    """The line ends within quotes or with a backslash: it may be continued."""


def split(text: str) -> list[Word]:
    """Split a line into words, pipes included. Raises UsageError with the column of the error."""
    words = []
    for word in _words(text, unfinished=False):
        if word.raw in SHELL_OPERATORS and word.raw != PIPE:
            hint = "'| save FILE' writes the output to a file. " if word.raw == ">" else ""
            raise UsageError(
                f"'{word.raw}' is not supported: there is no redirection.",
                f"{hint}Quote it to use it as a value.",
                column=word.start,
            )
        words.append(word)
    return words


def without_filters(words: Sequence[Word]) -> Sequence[Word]:
    """Return the words before the first pipe."""
    pipe = next((n for n, word in enumerate(words) if word.raw == PIPE), len(words))
    return words[:pipe]


def after_last_pipe(words: Sequence[Word]) -> Sequence[Word] | None:
    """Return the words after the last pipe, None if there is no pipe."""
    pipes = [number for number, word in enumerate(words) if word.raw == PIPE]
    return words[pipes[-1] + 1 :] if pipes else None


def split_unfinished(text: str) -> list[Word]:
    """Split an unfinished line; never fails.

    Open quotes end with the text, a backslash at its end stands for itself, and a shell's operator
    is an ordinary word.
    """
    return list(_words(text, unfinished=True))


def _words(text: str, *, unfinished: bool) -> Iterator[Word]:
    place = 0
    while (start := _NOT_BLANK.search(text, place)) is not None and start.group() != "#":
        word = _word(text, start.start(), unfinished=unfinished)
        yield word
        place = word.end


def _word(text: str, start: int, *, unfinished: bool) -> Word:
    """Read the word that begins at `start`; only if `unfinished` may it end within quotes."""
    meant: list[str] = []
    place = start
    while place < len(text) and not text[place].isspace():
        character = text[place]
        if character == "'":
            end = text.find("'", place + 1)
            if end < 0 and not unfinished:
                raise UnfinishedError(
                    "This quote is not closed.", "Add the missing '.", column=place
                )
            end = end if end >= 0 else len(text)
            meant.append(text[place + 1 : end])
            place = end + 1
        elif character == '"':
            place = _double_quoted(text, place, meant, unfinished=unfinished)
        elif character == "\\":
            if place + 1 >= len(text) and not unfinished:
                raise UnfinishedError("Nothing follows this backslash.", column=place)
            meant.append(text[place + 1 : place + 2] or character)
            place += 2
        else:
            meant.append(character)
            place += 1
    place = min(place, len(text))
    return _word_of(text[start:place], "".join(meant), start)


def _word_of(raw: str, meaning: str, start: int) -> Word:
    match = NAMED.match(raw)
    if match:
        name, value = match.group()[:-1], meaning[match.end() :]
        return Word(value, start, start + len(raw), raw, name)
    return Word(meaning, start, start + len(raw), raw)


def _double_quoted(text: str, start: int, meant: list[str], *, unfinished: bool) -> int:
    """Read a "…" part that begins at `start` into `meant`; return the column after it."""
    place = start + 1
    while place < len(text) and text[place] != '"':
        if text[place] == "\\" and text[place + 1 : place + 2] in _ESCAPED_IN_DOUBLE:
            place += 1
        meant.append(text[place : place + 1])
        place += 1
    if place >= len(text) and not unfinished:
        raise UnfinishedError("This quote is not closed.", 'Add the missing ".', column=start)
    return place + 1


def parse(text: str, *, compat: bool = False) -> Line:
    """Parse a line; in targetcli mode (`compat`) there are no pipes.

    Raises UsageError with the column of the error.
    """
    return _line(text, split(text), compat=compat)


def _line(text: str, every: list[Word], *, compat: bool) -> Line:
    pipes = [word for word in every if word.raw == PIPE]
    if pipes and (compat or every[0] is pipes[0]):
        raise UsageError(
            "'|' is not supported in targetcli-compatible mode."
            if compat
            else "There is no command before '|'.",
            "Quote it to use it as a value.",
            column=pipes[0].start,
        )
    words = list(without_filters(every))
    path = command = None
    if words and is_path(words[0]):
        path = words.pop(0)
    if words:
        command = words.pop(0)
        if not _names_command(command):
            raise UsageError(
                f"'{command.raw}' is not a command.",
                "Write blanks around '|'."
                if PIPE in command.raw and not compat
                else "A line is: [PATH] COMMAND [ARGUMENT...] [NAME=VALUE...]",
                column=command.start,
            )
    if not compat:
        _refuse_pipes_in(words)
    return Line(text, path, command, tuple(words), tuple(pipes), _filters(every))


def _refuse_pipes_in(words: Sequence[Word]) -> None:
    """Refuse `|match RE` and `DISK| match RE`: without blanks, it is a part of the word."""
    for index, word in enumerate(words):
        behind = words[index + 1].raw if index + 1 < len(words) else ""
        if word.raw != word.meaning:
            continue  # quoted
        begins = word.raw.startswith(PIPE) and word.raw[1:] in FILTER_NAMES
        if begins or (word.raw.endswith(PIPE) and behind in FILTER_NAMES):
            raise UsageError(
                f"'{word.raw}' has a '|' without blanks around it.",
                "Write blanks around '|', or quote it.",
                column=word.start,
            )


def _filters(words: Sequence[Word]) -> tuple[tuple[Word, ...], ...]:
    """Return the words after each pipe."""
    found: list[list[Word]] = []
    for word in words:
        if word.raw == PIPE:
            found.append([])
        elif found:
            found[-1].append(word)
    return tuple(map(tuple, found))


def _names_command(word: Word) -> bool:
    return word.name is None and _COMMAND.fullmatch(word.text) is not None


def is_path(word: Word) -> bool:
    """Return whether a first word is a path: contains a slash, or is `.`, `..`, `*`, `@NAME`."""
    if word.name is not None:
        return False
    return "/" in word.text or word.text in (".", "..", "*") or word.text.startswith("@")


PROGRAM = "pyshell"


def is_for_a_shell(words: Sequence[Word]) -> bool:
    """Return whether a line is written for a shell: it begins with the program's name."""
    return bool(words) and words[0].raw == PROGRAM


def parse_arguments(arguments: Sequence[str], *, compat: bool = False) -> Line:
    """Parse a program's arguments as one line, whose words refer to its text as it is shown.

    An argument may hold several words, as in `pyshell "/iscsi create X"`, but it is one word

    - after the command, as the calling shell has removed its quotes; an empty one is an empty value
    - after its `name=`, if it holds a blank, quote, backslash or `#`
    - if it is a path, which begins with a slash, with a quote or backslash in a name

    unless it has quotes of its own. In targetcli mode (`compat`) only the second holds.
    Raises UsageError, with the text of the line and the column of the error.
    """
    text = ""
    words: list[Word] = []
    failure: UsageError | None = None
    begin, ended = 0, False  # of the text to split; whether only the text shown is still needed
    for number, argument in enumerate(arguments):
        text += " " if number else ""
        word = _literal(argument, len(text), words, compat=compat)
        if failure is None:
            begin = len(text)
        text += argument if word is None else word.raw
        if ended:
            continue
        if word is not None and failure is None:
            words.append(word)
            continue
        try:
            found = split(text[begin:])
        except UsageError as error:
            failure = error
            failure.column = begin + (error.column or 0)
            ended = not isinstance(error, UnfinishedError)  # quotes may end in a later argument
            continue
        failure = None
        words += [replace(one, start=one.start + begin, end=one.end + begin) for one in found]
        ended = "#" in text[words[-1].end if found else begin :]  # the rest is a comment
    try:
        if failure is not None:
            raise failure
        return _line(text, words, compat=compat)
    except UsageError as error:
        error.line = text
        raise


def _literal(argument: str, start: int, words: Sequence[Word], *, compat: bool) -> Word | None:
    """Return the word that begins at `start` if an argument is exactly one, else None."""
    match = NAMED.match(argument)
    if match is not None:
        head, value = match.group(), argument[match.end() :]
        if not re.search(r"[\s'\"\\#]", value):
            return None
        if value[0] == "@" and head[:-1] in SECRET_NAMES:
            raw = f"@{typed(value[1:])}"  # the name of a file
        elif _is_quoted(value):
            return None
        else:
            raw = typed(value)
        return _word_of(head + raw, argument, start)
    if compat or _is_quoted(argument):
        return None
    if _have_command(words):
        meaning = argument.strip()
        return _word_of(typed(meaning), meaning, start)
    if not argument:
        return _word_of("''", "", start)
    if argument[0] == "/" and re.fullmatch(r"\S*['\"\\]\S*", argument):
        path = argument.removesuffix("*")
        return _word_of(quoted(path) + argument[len(path) :], argument, start)
    return None


def _have_command(words: Sequence[Word]) -> bool:
    """Return whether words include a command, so that only arguments may follow."""
    rest = words[1:] if words and is_path(words[0]) else words
    return bool(rest) and _names_command(rest[0])


def _is_quoted(value: str) -> bool:
    """Return whether a value has its own quotes, inside those of the calling shell."""
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "'\"":
        return False
    try:
        return len(split(value)) == 1
    except UsageError:
        return False


def logical_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines to run, each with the number (from 1) of its first line.

    As in a shell, a line that ends in a backslash continues in the next.
    """
    begun, first = "", 1
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not begun:
            first = number
        if goes_on(begun + text):
            begun += text[:-1]
            continue
        yield first, begun + text
        begun = ""
    if begun:
        yield first, begun + "\\"  # running it reports that nothing follows


def goes_on(text: str) -> bool:
    """Return whether a line continues in the next: it ends in an unescaped backslash."""
    if not text.endswith("\\"):
        return False
    try:
        split(text)
    except UsageError as error:
        return error.column == len(text) - 1  # nothing follows the backslash
    return False  # it is in a comment, or is itself escaped
