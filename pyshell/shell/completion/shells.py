# SPDX-License-Identifier: Apache-2.0
"""Completion for bash, zsh and fish: their scripts run `pyshell --complete SHELL LINE [PART]`.

LINE is the text from the program's name to the cursor. PART is the part of its last word that the
shell will replace: bash breaks words at colons and equals signs; the others omit it. The answer is
one word per line, with a blank at its end if it is complete; for zsh and fish, a tab and its
description follow.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell.expressions import expression
from pyshell.shell.completion import Candidate, words_at_cursor
from pyshell.shell.grammar import Word, split_unfinished
from pyshell.shell.options import (
    OPTIONS,
    Invocation,
    Options,
    described,
    option_words,
    parse_argv,
    takes_next,
)
from pyshell.text import one_line, unsafe_in

if TYPE_CHECKING:
    from pyshell.tree.root import RootNode

SHELLS = ("bash", "zsh", "fish")
_UNSAFE_IN_BASH = expression(r"[^\w@%+=:,./-]", re.ASCII)


def answer(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the answer; none after an error: a key never fails."""
    if len(arguments) not in (2, 3) or arguments[0] not in SHELLS:
        return
    shell, line, *part = arguments
    try:
        words, last = words_at_cursor(line)
        if not words and not last.raw:
            return
        typed = last.meaning
        kept = len(typed) - len(_text(part[0])) if part else 0
        if part and typed[kept:] != _text(part[0]):
            return
        for found in _offers(line, words[1:], last, environment):
            # Omit words with characters that a terminal interprets or hides.
            if found.text.startswith(typed) and not unsafe_in(found.text):
                yield _written(shell, found.text[kept:], found)
    except Exception:
        return


def _written(shell: str, word: str, found: Candidate) -> str:
    blank = " " if found.whole else ""
    if shell == "bash":  # it shows no description: do not read one
        return _UNSAFE_IN_BASH.sub(r"\\\g<0>", word) + blank
    return f"{word}{blank}\t{one_line(' '.join(found.described().split()))}"


def _text(written: str) -> str:
    """Return the meaning of a word, perhaps an unfinished one."""
    return "".join(word.meaning for word in split_unfinished(written))


def _offers(
    line: str, words: list[Word], last: Word, environment: Mapping[str, str]
) -> Iterable[Candidate]:
    options = words[: option_words([word.meaning for word in words])]
    following = words[len(options) :]
    if not following:
        name = options[-1].meaning if options else ""
        if takes_next(name):
            return _values(name, "", last.text)
        if last.meaning.startswith("-") and name != "--":
            return _option_words(last)
    begin = following[0].start if following else last.start
    invocation = parse_argv([word.meaning for word in options], "pyshell", environment)
    if invocation.host:
        return ()  # objects of this host would be the wrong ones
    return _line_words(line[begin:], invocation, last)


def _option_words(last: Word) -> Iterator[Candidate]:
    if last.name is not None:
        yield from _values(last.name, f"{last.name}=", last.text)
        return
    for option in OPTIONS:
        for name in option.names:
            yield Candidate(name, option.help)


def _values(name: str, head: str, prefix: str) -> Iterator[Candidate]:
    """Yield values of an option: its choices, else files and folders."""
    option = described(name)
    if option is None:
        return
    for choice in option.choices:
        yield Candidate(head + choice)
    if option.value not in ("FILE", "DIR"):
        return
    folder = prefix[: prefix.rfind("/") + 1]
    with os.scandir(os.path.expanduser(folder) or ".") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                yield Candidate(f"{head}{folder}{entry.name}/", whole=False)
            elif option.value == "FILE":
                yield Candidate(f"{head}{folder}{entry.name}")


def _line_words(line: str, invocation: Invocation, last: Word) -> Iterator[Candidate]:
    """Yield the candidates that the prompt would offer for the line after the options."""
    from pyshell.shell.completion.sources import complete  # options need none of it

    column = len(line) - (last.end - last.start)
    with _root(invocation) as root:
        for start, found in complete(line, root, "/"):
            yield replace(found, text=_text(line[column:start] + found.text))


@contextmanager
def _root(invocation: Invocation) -> Iterator[RootNode]:
    """Open the target for reading, without any output; it is not brought up.

    A simulated target that does not exist yet is replaced by a temporary one.
    """
    from pyshell.shell.shell import open_shell

    with _simulator(invocation.simulate) as folder:
        silent = io.StringIO()
        shell = open_shell(
            folder, invocation.config_dir, Options(), (silent, silent, silent), lambda _text: None
        )
        yield shell.root()


@contextmanager
def _simulator(folder: Path | None) -> Iterator[Path | None]:
    """Return a simulator's folder, or a temporary one if it does not exist yet."""
    if folder is None or folder.exists():
        yield folder
        return
    import tempfile  # there is one mostly

    with tempfile.TemporaryDirectory(prefix="pyshell-") as scratch:
        yield Path(scratch) / "simulator"
