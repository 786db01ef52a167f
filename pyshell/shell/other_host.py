# SPDX-License-Identifier: Apache-2.0
"""`pyshell --host HOST …`: run the words on another host (`host/remote.py`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pyshell.errors import UsageError
from pyshell.files import reading
from pyshell.host import remote
from pyshell.names import SECRET_NAMES
from pyshell.shell.grammar import Line, Word, parse_arguments
from pyshell.shell.options import Invocation
from pyshell.shell.secrets import doubtful_from, in_the_open, read_indirect, secrets_hidden


def run_there(found: Invocation, out: TextIO, err: TextIO, stdin: TextIO) -> int:
    """Run an invocation on its host and return the exit status. Raises PyshellError."""
    host, words = found.host, list(found.for_host)
    if found.words:
        line = parsed(found.words)
        require_no_secret(line, host)
        if out.isatty():
            _require_none_shown(line)
        last = ["--"] if found.words[0].startswith("-") else []
        return remote.run(
            host, [*words, *last, *found.words], out, err, _input_of(line.words, stdin)
        )
    if found.show:
        return remote.run(host, words, out, err)
    if found.file not in (None, "-"):
        lines = reading.open_trusted(Path(str(found.file)))
        try:
            return remote.run(host, [*words, "-f", "-"], out, err, lines)
        finally:
            os.close(lines)
    if found.file is None and stdin.isatty():
        raise UsageError(
            "There is no prompt for another host.",
            f"Give a command, or run 'ssh -t {host} pyshell'.",
        )
    return remote.run(host, [*words, "-f", "-"], out, err, stdin.fileno())


def parsed(words: Sequence[str]) -> Line:
    """Return the words as a line. Raises UsageError, with secrets of the line masked."""
    try:
        return parse_arguments(words)
    except UsageError as error:
        with secrets_hidden(error.line or ""):
            raise


def require_no_secret(line: Line, host: str) -> None:
    """Refuse a line that contains a secret: `ps` would show it, here and on the host."""
    name = in_the_open(line.words)
    if name is not None:
        raise UsageError(
            f"Other users of {host} could see the {name} in 'ps'.",
            f"Use {name}=- to type it, or {name}=@FILE to read it from a file of {host}.",
        )
    column = doubtful_from(line.text, line.words)
    if column is not None:
        with secrets_hidden(line.text):
            raise UsageError(
                f"Other users of {host} could see in 'ps' what may be a secret.",
                "Use password=- to type a secret.",
                column=column,
            )


def _require_none_shown(line: Line) -> None:
    """Refuse `saveconfig -`: there, pyshell prints to a pipe, and would not mask the secrets."""
    prints = line.command is not None and line.command.text == "saveconfig"
    given = {word.meaning for word in line.arguments}
    if prints and given & {"-", "savefile=-"} and "omit_secrets=true" not in given:
        raise UsageError(
            "The CHAP secrets of the other host would be shown at this terminal.",
            "Add omit_secrets=true, or write the output to a file or pipe.",
        )


def _input_of(words: Sequence[Word], stdin: TextIO) -> int | bytes:
    """Return what to send to the command: nothing, unless a word refers to standard input.

    Otherwise ssh would read what is meant for the caller, such as the loop of a script. Secrets
    are typed here: there is no terminal on the other host that could hide them.
    """
    asked = [word for word in words if word.name in SECRET_NAMES and word.raw == f"{word.name}=-"]
    if asked and stdin.isatty():
        typed = read_indirect(asked, stdin, twice=True)
        return "".join(f"{word.text}\n" for word in typed).encode()
    if asked or any(word.text in reading.STDIN for word in words):
        return stdin.fileno()
    return remote.NO_INPUT
