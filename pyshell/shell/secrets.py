# SPDX-License-Identifier: Apache-2.0
"""Secrets that do not stand on the command line: `password=-` and `password=@FILE`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from pyshell.errors import UsageError, from_os_error
from pyshell.shell.grammar import Word, split
from pyshell.target.names import SECRET_NAMES

_MASK = "********"
_SECRET = re.compile(rf"(?:^|\s)(?:{'|'.join(sorted(SECRET_NAMES))})=")


def read_indirect(words: Sequence[Word], stdin: TextIO) -> tuple[Word, ...]:
    """Return the words with secrets fetched from where they point to.

    `-` reads one line of standard input, from a terminal without echo; `@FILE` the first line of
    a file. Raises PyshellError.
    """
    return tuple(_fetched(word, stdin) for word in words)


def _fetched(word: Word, stdin: TextIO) -> Word:
    if word.name not in SECRET_NAMES or word.raw != f"{word.name}={word.text}":
        return word  # a quoted '-' or '@x' is the secret itself
    if word.text == "-":
        return replace(word, text=_from_stdin(word, stdin))
    if word.text.startswith("@") and len(word.text) > 1:
        return replace(word, text=_from_file(Path(word.text[1:]).expanduser(), word))
    return word


def _from_stdin(word: Word, stdin: TextIO) -> str:
    if stdin.isatty():
        import getpass

        return getpass.getpass(f"{word.name}: ")
    return _first_line(stdin.readline(), "Standard input", word)


def _from_file(path: Path, word: Word) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, f"read the {word.name} from {path}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text.", column=word.value_start) from None
    return _first_line(text, str(path), word)


def _first_line(text: str, name: str, word: Word) -> str:
    """Return the first line; nothing at all is a slip, and would take the secret away."""
    if not text:
        raise UsageError(
            f"{name} is empty: there is no {word.name} in it.",
            f"{word.name}='' takes the secret away.",
            column=word.value_start,
        )
    return text.split("\n", 1)[0].removesuffix("\r")


def masked(text: str, words: Sequence[Word]) -> str:
    """Return a line with the values of its secrets masked, for history and logs."""
    for word in sorted(words, key=lambda word: -word.start):
        if word.name in SECRET_NAMES:
            text = text[: word.value_start] + _MASK + text[word.end :]
    return text


def masked_fault(text: str, column: int | None) -> tuple[str, int | None]:
    """Return a line that could not be run, secrets masked, and its faulty column as it is then.

    In a line that does not even split into words, all behind a secret's `=` is masked.
    """
    try:
        words = split(text)
    except UsageError:
        found = _SECRET.search(text)
        if found is None:
            return text, column
        return text[: found.end()] + _MASK, min(column or 0, found.end())
    if column is not None:
        before = masked(text[:column], [w for w in words if w.value_start < column])
        column = len(before)
    return masked(text, words), column
