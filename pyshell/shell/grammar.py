# SPDX-License-Identifier: Apache-2.0
"""The grammar of a line, for running and for completing.

    [PATH] [COMMAND] [ARGUMENT...] [NAME=VALUE...]   # comment

Words are split and unquoted as a POSIX shell does: '…' keeps all, "…" keeps all but \\ before
one of $ ` " \\, a backslash keeps the next character, # at the start of a word begins a comment.
Nothing is expanded. Every character is read or refused: nothing is ever dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyshell.errors import UsageError
from pyshell.names import SECRET_NAMES
from pyshell.quoting import NAMED, SHELL_OPERATORS, quoted

_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_COMMAND = re.compile(r"[A-Za-z0-9_]+")
_ESCAPED_IN_DOUBLE = frozenset('$`"\\')


@dataclass(frozen=True)
class Word:
    """A word of a line. `text` is what it means, `start` and `end` where it stands (from 0)."""

    text: str
    start: int
    end: int
    raw: str
    name: str | None = None
    """The name of a NAME=VALUE word; `text` is then its value."""

    @property
    def value_start(self) -> int:
        """Return where the value begins."""
        return self.start + (len(self.name) + 1 if self.name is not None else 0)


@dataclass(frozen=True)
class Line:
    """A parsed line."""

    text: str
    path: Word | None = None
    command: Word | None = None
    arguments: tuple[Word, ...] = ()

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to run."""
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
    """The line ends within quotes or in a backslash: what is typed next may complete it."""


def split(text: str) -> list[Word]:
    """Split a line into words. Raises UsageError with the column of what is wrong."""
    words = []
    for word in _words(text, unfinished=False):
        if word.raw in SHELL_OPERATORS:
            raise UsageError(
                f"A line has no '{word.raw}': there are neither pipes nor redirection here.",
                "Quote it where it is meant as a value.",
                column=word.start,
            )
        words.append(word)
    return words


def split_unfinished(text: str) -> list[Word]:
    """Split whatever is typed so far; it never fails.

    Open quotes end with the text, a backslash at its end stands for itself, and a shell's operator
    is a word like any other.
    """
    return list(_words(text, unfinished=True))


def _words(text: str, *, unfinished: bool) -> Iterator[Word]:
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
        elif text[place] == "#":
            break
        else:
            word = _word(text, place, unfinished=unfinished)
            yield word
            place = word.end


def _word(text: str, start: int, *, unfinished: bool) -> Word:
    """Read the word that begins at `start`; only an `unfinished` one may end within quotes."""
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
    raw = text[start:place]
    value = "".join(meant)
    match = NAMED.match(raw)
    if match:
        return Word(value[match.end() :], start, place, raw, match.group()[:-1])
    return Word(value, start, place, raw)


def _double_quoted(text: str, start: int, meant: list[str], *, unfinished: bool) -> int:
    """Read a "…" part that begins at `start`, add what it means; return the place after it."""
    place = start + 1
    while place < len(text) and text[place] != '"':
        if text[place] == "\\" and text[place + 1 : place + 2] in _ESCAPED_IN_DOUBLE:
            place += 1
        meant.append(text[place : place + 1])
        place += 1
    if place >= len(text) and not unfinished:
        raise UnfinishedError("This quote is not closed.", 'Add the missing ".', column=start)
    return place + 1


def parse(text: str) -> Line:
    """Parse a line. Raises UsageError with a column where it does not parse whole."""
    words = split(text)
    path = command = None
    if words and is_path(words[0]):
        path = words.pop(0)
    if words:
        command = words.pop(0)
        if command.name is not None or _COMMAND.fullmatch(command.text) is None:
            raise UsageError(
                f"'{command.raw}' is no command.",
                "A line is: [PATH] COMMAND [ARGUMENT...] [NAME=VALUE...]",
                column=command.start,
            )
    return Line(text, path, command, tuple(words))


def is_path(word: Word) -> bool:
    """Tell whether a first word is a path: it holds a slash, or is `.`, `..`, `*`, `@NAME`."""
    if word.name is not None:
        return False
    return "/" in word.text or word.text in (".", "..", "*") or word.text.startswith("@")


PROGRAM = "pyshell"


def is_for_a_shell(words: Sequence[Word]) -> bool:
    """Tell whether a line is one for root's shell: it begins with the program's own name."""
    return bool(words) and words[0].raw == PROGRAM


def quote(text: str) -> str:
    """Return `text` so that the grammar reads it back as one word."""
    if text and text not in SHELL_OPERATORS and re.fullmatch(r"[^\s'\"\\#]+", text):
        return text
    return quoted(text)


def join_arguments(arguments: Sequence[str], *, compat: bool = False) -> str:
    """Make one line of a program's arguments, as one-liners are given.

    They are joined by blanks and parsed as a line. An argument that holds a blank after its
    `name=` is one value, as the calling shell has taken its quotes away; so is one behind the
    command's own, and an empty one is an empty value. In targetcli's manner (`compat`) those two
    are split and vanish. Quotes and backslashes in a path are characters of a name.
    """
    joined: list[str] = []
    for text in arguments:
        if NAMED.match(text) or compat:
            joined.append(_argument(text))
        elif not text:
            joined.append("''")
        elif _has_command(" ".join(joined)):
            joined.append(text if _is_quoted(text) else quote(text.strip()))
        elif text[0] == "/" and re.fullmatch(r"\S*['\"\\]\S*", text):
            path = text.removesuffix("*")
            joined.append(quoted(path) + text[len(path) :])
        else:
            joined.append(text)
    return " ".join(joined)


def _argument(text: str) -> str:
    match = NAMED.match(text)
    if match and re.search(r"[\s'\"\\#]", text[match.end() :]):
        value = text[match.end() :]
        if value[0] == "@" and match.group()[:-1] in SECRET_NAMES:
            return f"{match.group()}@{quote(value[1:])}"  # the name of a file
        if not _is_quoted(value):
            return match.group() + quote(value)
    return text


def _is_quoted(value: str) -> bool:
    """Tell whether a value came with quotes of its own, inside those of the calling shell."""
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "'\"":
        return False
    try:
        return len(split(value)) == 1
    except UsageError:
        return False


def _has_command(text: str) -> bool:
    """Tell whether a line is so far complete that only arguments may follow."""
    try:
        return parse(text).command is not None
    except UsageError:
        return False


def logical_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines to run, each with the number, from 1, of the one that it begins on.

    As in a shell, a line whose last character is a backslash goes on in the next.
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
        yield first, begun + "\\"  # nothing follows: running it says so


def goes_on(text: str) -> bool:
    """Tell whether a line goes on in the next: its last character is a backslash of its own."""
    if not text.endswith("\\"):
        return False
    try:
        split(text)
    except UsageError as error:
        return error.column == len(text) - 1  # nothing follows the backslash
    return False  # it is in a comment, or is itself escaped
