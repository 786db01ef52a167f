# SPDX-License-Identifier: Apache-2.0
"""Secrets that do not stand on the command line: `password=-` and `password=@FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from pyshell.errors import UsageError, from_os_error
from pyshell.shell.grammar import Word
from pyshell.target.settings import SECRET_NAMES


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
        return replace(word, text=_from_stdin(word.name, stdin))
    if word.text.startswith("@") and len(word.text) > 1:
        return replace(word, text=_from_file(Path(word.text[1:]).expanduser(), word))
    return word


def _from_stdin(name: str, stdin: TextIO) -> str:
    if stdin.isatty():
        import getpass

        return getpass.getpass(f"{name}: ")
    return stdin.readline().rstrip("\n")


def _from_file(path: Path, word: Word) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, f"read the {word.name} from {path}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text.", column=word.value_start) from None
    return text.split("\n", 1)[0]


def masked(text: str, words: Sequence[Word]) -> str:
    """Return a line with the values of its secrets masked, for history and logs."""
    for word in sorted(words, key=lambda word: -word.start):
        if word.name in SECRET_NAMES:
            text = text[: word.value_start] + "********" + text[word.end :]
    return text
