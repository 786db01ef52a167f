# SPDX-License-Identifier: Apache-2.0
"""Secrets: reading them (`password=-`, `password=@FILE`), and masking them in lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from pyshell.errors import PyshellError, UsageError
from pyshell.expressions import expression
from pyshell.files import reading
from pyshell.names import MASK, SECRET_NAMES
from pyshell.shell.grammar import Word, is_path, split, without_filters
from pyshell.text import closest

_SECRET = expression(rf"(?:^|\s)(?:{'|'.join(sorted(SECRET_NAMES))})=|\b(?:discovery_)?auth\s")
_HIDDEN_IN_COMMENT = expression(r"password|secret", re.IGNORECASE)
_SECRET_FILE_MAX = 1 << 16
_CHAP_NAMES = SECRET_NAMES | {"userid", "mutual_userid", "enable"}
_READING = frozenset({"get", "help", "ls", "info", "status", "cd"})
"""Commands that take no secret, but may name one."""
PLAIN_WORDS = {"share": 2, "login": 2, "simulate": 3}
"""Commands that take secrets by name, and the number of words that they take without a name."""


def read_indirect(
    words: Sequence[Word], stdin: TextIO | None, *, twice: bool = False
) -> tuple[Word, ...]:
    """Return the words with secrets read from where they refer to.

    `-` is one line of standard input, at a terminal without echo, and asked `twice` for a new
    secret; `@FILE` the first line of a file. `stdin` is None if the command lines come from it.
    Raises PyshellError.
    """
    return tuple(_fetched(word, stdin, twice=twice) for word in words)


def _fetched(word: Word, stdin: TextIO | None, *, twice: bool) -> Word:
    if word.name not in SECRET_NAMES or not _is_indirect(word):
        return word
    if word.text == "-":
        return replace(word, text=_from_stdin(word, stdin, twice=twice))
    return replace(word, text=_from_file(Path(os.path.expanduser(word.text[1:])), word))


def _is_indirect(word: Word) -> bool:
    """Return whether a word refers to a secret elsewhere; a quoted '-' or '@' does not."""
    value = word.raw[len(word.name or "") + 1 :]
    return value == "-" or (value.startswith("@") and len(word.text) > 1)


def _is_shown(word: Word) -> bool:
    """Return whether a word refers to a secret and certainly contains none itself."""
    return _is_indirect(word) and (word.text == "-" or "/" in word.text)


def _from_stdin(word: Word, stdin: TextIO | None, *, twice: bool) -> str:
    if stdin is None:
        raise UsageError(
            f"Cannot read the {word.name} from standard input: it holds the command lines.",
            f"Give {word.name}=@FILE, or put the lines into a file for 'pyshell -f FILE'.",
            column=word.value_start,
        )
    if stdin.isatty():
        from getpass import getpass  # few commands ask for secrets

        try:
            typed = _first_line(getpass(f"{word.name}: "), "What was typed", word)
            if twice and getpass(f"{word.name} again: ") != typed:
                raise UsageError(f"The {word.name} was not typed the same twice.", "Try again.")
            return typed
        except EOFError:
            raise UsageError(f"No {word.name} was typed.", column=word.value_start) from None
    return _first_line(stdin.readline(), "Standard input", word)


def _from_file(path: Path, word: Word) -> str:
    try:
        text = reading.read(path, _SECRET_FILE_MAX).data.decode()
    except PyshellError:
        if "/" in word.text:
            raise
        raise UsageError(  # it may be a secret that begins with '@', so do not print it
            f"Cannot read the {word.name}: no such file in the current folder.",
            f"Quote a secret that begins with '@': {word.name}='@...'.",
            column=word.value_start,
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text.", column=word.value_start) from None
    return _first_line(text, str(path), word)


def _first_line(text: str, name: str, word: Word) -> str:
    """Return the first line. An empty one is an error: it would remove the secret."""
    first, _, more = text.partition("\n")
    if not text and name == "Standard input":
        raise UsageError(
            f"Cannot read the {word.name}: there is no terminal, and standard input is empty.",
            f"Use {word.name}=@FILE with a file that holds only the secret, or run the command at a"
            " terminal. Nothing was changed.",
            column=word.value_start,
        )
    if more.strip() and name != "Standard input":
        raise UsageError(
            f"Cannot read the {word.name}: {name} holds more than one line.",
            column=word.value_start,
        )
    if not first.rstrip("\r"):
        raise UsageError(
            f"Cannot read the {word.name}: {name} is empty.",
            f"{word.name}='' removes the secret.",
            column=word.value_start,
        )
    return first.removesuffix("\r")


def in_the_open(words: Iterable[Word]) -> str | None:
    """Return the name of a secret that the words contain, None if there is none."""
    for word in words:
        points = _is_indirect(word) or word.raw.endswith("=@")
        if word.name in SECRET_NAMES and word.text not in ("", MASK) and not points:
            return word.name
    return None


def masked(text: str, words: Sequence[Word]) -> str:
    """Return a line with its secrets masked, for history and errors.

    In a line that may set a secret in a wrong form, such as `set auth password x`, everything that
    could be the secret is masked.
    """
    start = doubtful_from(text, words)
    if start is not None:
        return masked(text[:start], [w for w in words if w.end <= start]) + MASK
    for word in sorted(words, key=lambda word: -word.start):
        if word.name in SECRET_NAMES and not _is_shown(word):
            text = text[: word.value_start] + MASK + text[word.end :]
    return text


def doubtful_from(text: str, words: Sequence[Word]) -> int | None:
    """Return the column after which anything could be a secret, None if nothing could."""
    begin = text.find("#", words[-1].end if words else 0)
    comment = begin if begin >= 0 and _HIDDEN_IN_COMMENT.search(text, begin) else None
    place = 1 if words and is_path(words[0]) else 0
    command = words[place].text if len(words) > place else ""
    if command in _READING:
        found = _beyond_reading(text, words[place + 1 :])
        return comment if found is None else found
    for number, word in enumerate(words):
        if word.name is None and word.text.lower().endswith("auth"):
            known = all(later.name in _CHAP_NAMES for later in words[number + 1 :])
            if known and "#" not in text[words[-1].end :]:
                return None
            return word.end + 1 if len(text) > word.end else None
        if _is_nearly_secret(word):
            return word.start
    surplus = _surplus(command, words[place + 1 :])
    return comment if surplus is None else surplus.start


def _beyond_reading(text: str, words: Sequence[Word]) -> int | None:
    """Return where a secret may begin after a command that takes none, as in `cd /; set auth x`.

    The name alone is no secret: `get auth password`.
    """
    for number, word in enumerate(words):
        asks = word.name is None and word.text.lower().endswith("auth")
        known = all((later.name or later.text) in _CHAP_NAMES for later in words[number + 1 :])
        if (asks or _is_nearly_secret(word)) and not known and len(text) > word.end:
            return word.end + 1
        if word.name is not None and _is_nearly_secret(word):
            return word.start
    return None


def _surplus(command: str, words: Sequence[Word]) -> Word | None:
    """Return the first word too many of a command that takes secrets, or a typo of one."""
    near = closest(command, PLAIN_WORDS, cutoff=0.75)
    if near is None:
        return None
    plain = [word for word in without_filters(words) if word.name is None]
    return next(iter(plain[PLAIN_WORDS[near] :]), None)


def _is_nearly_secret(word: Word) -> bool:
    """Return whether a word looks like a secret's name: `pasword=`, `Password=`, `passwd`."""
    if word.name in _CHAP_NAMES:
        return False
    if word.name is None:
        return "password" in word.text.lower()
    name = word.name.lower()
    return "pass" in name or closest(name, SECRET_NAMES, cutoff=0.75) is not None


def without_secrets(message: str, text: str) -> str:
    """Return a message about a line, with quoted words of the line that may be secrets masked."""
    try:
        words = split(text)
    except UsageError:
        return message  # it quotes no word of such a line
    start = doubtful_from(text, words)
    for word in words:
        secret = word.name in SECRET_NAMES and not _is_shown(word)
        if secret or (start is not None and word.end > start):
            for shown in (word.raw, word.text, f"{word.name}={word.text}"):
                message = message.replace(f"'{shown}'", f"'{MASK}'")
    return message


def masked_fault(text: str, column: int | None) -> tuple[str, int | None]:
    """Return an invalid line with its secrets masked, and the error's column in the result.

    If it cannot be split into words, everything after a secret's `=` or `auth` is masked.
    """
    try:
        words = split(text)
    except UsageError:
        found = _SECRET.search(text)
        if found is None:
            return text, column
        return text[: found.end()] + MASK, min(column or 0, found.end())
    shown = masked(text, words)
    if column is None:
        return shown, None
    doubtful = doubtful_from(text, words)
    if doubtful is not None:
        column = min(column, doubtful)
    before = masked(text[:column], [w for w in words if w.value_start < column])
    return shown, min(len(before), len(shown))


@contextmanager
def secrets_hidden(text: str) -> Iterator[None]:
    """Add the line `text` to usage errors, with secrets masked."""
    try:
        yield
    except UsageError as error:
        error.line, error.column = masked_fault(text, error.column)
        error.message = without_secrets(error.message, text)
        error.hint = without_secrets(error.hint, text)
        if error.targetcli:
            error.targetcli = without_secrets(error.targetcli, text)
        raise
