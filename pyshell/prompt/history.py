# SPDX-License-Identifier: Apache-2.0
"""The history of typed lines: one file per user, never with a secret.

It is plain text, one command per line, oldest first, each line once. The path it was typed at,
unless that is the root, follows after a tab as a comment.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.files import reading, writing
from pyshell.shell.grammar import split
from pyshell.shell.lock import locked
from pyshell.shell.secrets import doubtful_from, masked, masked_fault

FILE_NAME = "history"
LONGEST = 1000
"""How many lines are kept."""
_PLACE = "\t# "
_PATIENCE = 1.0  # seconds to wait for another pyshell that holds the lock


class CommandHistory:
    """The history in a file. If that cannot be read or written, `warn` is called once."""

    def __init__(self, file: Path, warn: Callable[[str], None]) -> None:
        self._file = file
        self._warn: Callable[[str], None] | None = warn

    def lines(self) -> list[str]:
        """Return the lines, oldest first."""
        return [line for line, _ in self.entries()]

    def entries(self) -> list[tuple[str, str]]:
        """Return the lines, oldest first, each with the path it was typed at."""
        try:
            return self._read()
        except PyshellError as error:
            self._report(error)
            return []

    def add(self, line: str, path: str = "/") -> str | None:
        """Keep a line that was typed at `path`, in place of an identical earlier one.

        Returns the line as it is kept, None if it is not kept.
        """
        form = kept_form(line)
        if form is None:
            return None
        try:
            self._write(form, path)
        except PyshellError as error:
            self._report(error)
        return form

    def _report(self, error: PyshellError) -> None:
        if self._warn is not None:
            self._warn(f"Cannot keep the history: {error}")
            self._warn = None

    def _read(self) -> list[tuple[str, str]]:
        try:
            text = reading.read(self._file).data.decode(errors="replace")
        except NotFoundError:
            return []
        return [_entry(line) for line in text.split("\n") if line][-LONGEST:]

    def _write(self, line: str, path: str) -> None:
        with locked(self._file.with_name(f"{self._file.name}.lock"), _PATIENCE):
            entries = [*(known for known in self._read() if known[0] != line), (line, path)]
            text = "".join(
                f"{one}\n" if at == "/" else f"{one}{_PLACE}{at}\n"
                for one, at in entries[-LONGEST:]
            )
            writing.replace(self._file, text.encode(errors="replace"))


def _entry(line: str) -> tuple[str, str]:
    typed, place, path = line.rpartition(_PLACE)
    return (typed, path) if place and path.startswith("/") else (line, "/")


def kept_form(line: str) -> str | None:
    """Return a line as the history keeps it, with its secrets masked; None if it is not kept.

    A line that may contain a secret in an unknown place is not kept.
    """
    line = line.strip()
    try:
        words = split(line)
    except UsageError:
        return None if not line or masked_fault(line, None)[0] != line else line
    if not line or doubtful_from(line, words) is not None:
        return None
    return masked(line, words)
