# SPDX-License-Identifier: Apache-2.0
"""Random lines through everything that looks at a line while it is typed.

    .venv/bin/python -m tests.prompt.fuzz [--lines 100000] [--seed 0]

Each line goes into the lexer, the check of the line, the hints, the completer, the suggestions,
the toolbar and the help for `?`, with the cursor at its end or within it, on a simulated target
that has objects; then its form for the history is made. An exception
of any of them ends the run and shows the line. The same seed gives the same lines.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from random import Random

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import fragment_list_to_text

from pyshell.errors import PyshellError, UsageError
from pyshell.lio import attach
from pyshell.prompt.completer import TreeCompleter
from pyshell.prompt.guard import Guard
from pyshell.prompt.history import kept_form
from pyshell.prompt.keys import PathSuggest
from pyshell.prompt.line import CheckedLine, LineLexer, LineWatch
from pyshell.prompt.toolbar import Status, toolbar
from pyshell.shell.completion.sources import complete
from pyshell.shell.grammar import goes_on, split, split_unfinished
from pyshell.shell.line_help import asks_for_help, help_at
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell

T = "/iscsi/iqn.2020-07.com.example:t/tpg1"
OBJECTS = (
    "/backstores/ramdisk create one 1M",
    "/backstores/fileio create two /tmp/two.img 1M",
    "/iscsi create iqn.2020-07.com.example:t",
    f"{T}/luns create /backstores/ramdisk/one",
    f"{T}/acls create iqn.2020-07.com.example:host",
    f"{T} bookmarks add here",
    "/loopback create",
)
PATHS = ("/", "/iscsi", T, f"{T}/luns", f"{T}/acls", "/backstores/fileio", "/backstores", "/gone")
OPERATORS = (">", ">>", "<<", "<", "|", "||", "&", "&&", ";", "2>&1", "$(", "`", "#", "!", "*", "?")
QUOTES = ("'", '"', "\\", "\\\\", "''", '""', "\\'", "'\"'", "=", "==", "a=", "=b")
ODD = (
    "\0", "\x01", "\x1b[2J", "\x1b]0;t\x07", "\x7f", "\x85", "\x9b31m", "\u202e", "\u2066",
    "\u200b", "\ufeff", "\ud800", "\udfff", "日本語", "🎯", "e\u0301" * 3, "\u0661", "ǅ",
    "\U0010ffff", "\xa0", "\u2028", "\u3000", "\x0b", "\x1c", "\r", "\n", "\t",
)  # fmt: skip
WORDS = (
    "cd", "ls", "create", "delete", "set", "get", "saveconfig", "restoreconfig", "diff", "help",
    "luns", "acls", "portals", "path=", "size=", "dev=", "wwn=", "exist_ok=true", "attribute",
    "password=x", "@here", "@", ".", "..", "/", "/iscsi", "one", "lun0",
    "iqn.2020-07.com.example:t", T, "/backstores/ramdisk/one", "/backstores/*", "*", "0", "-1",
    "9" * 30, "1M", "1e9", "true",
    "--yes", "--dry-run", "-o", "pyshell", "~", "~nobody/", "~\0/", "to=", "group=attribute",
    "/tmp/", "/etc/", "comment=",
)  # fmt: skip


def lines(random: Random) -> Iterator[str]:
    """Yield lines of words, operators, quotes and odd characters without end, some very long."""
    while True:
        parts: list[str] = []
        for _ in range(random.choice((0, 1, 2, 3, 5, 8))):
            kind = random.random()
            if kind < 0.55:
                parts.append(random.choice(WORDS))
            elif kind < 0.7:
                parts.append(random.choice(OPERATORS))
            elif kind < 0.82:
                parts.append(random.choice(QUOTES))
            elif kind < 0.94:
                parts.append(random.choice(ODD))
            else:
                parts.append("".join(chr(random.randrange(0x110000)) for _ in range(6)))
            if random.random() < 0.6:
                parts.append(random.choice((" ", "  ", "\t", " ")))
        line = "".join(parts)
        yield line * random.randrange(200, 2000) if random.random() < 0.002 else line


class Prompt:
    """All that looks at a line while it is typed, on a simulated target in a folder."""

    def __init__(self, folder: Path) -> None:
        lio = attach(folder / "simulator", None)
        home = folder / "home"
        preferences = Preferences(home, lio.config_dir, lambda _: None)
        out = io.StringIO()
        self.shell = Shell(lio, preferences, Options(yes=True), out, out, io.StringIO())
        for line in OBJECTS:
            self.shell.run_line(line)
        self.noticed: list[str] = []
        guard = Guard(self.noticed.append)
        self.completer = TreeCompleter(self.shell, lambda _: None, guard)
        self.watch = LineWatch(self.shell, lambda: None, guard)
        self.read = CheckedLine()
        self.lexer = LineLexer(lambda: self.read)
        entries = [("ls | grep 'x", "/"), ("cd '日本", T), *((line, "/") for line in OBJECTS)]
        self.suggest = PathSuggest(lambda: entries, lambda: self.shell.path)

    def look(self, line: str, cursor: int) -> None:
        """Do with a line what the prompt does on a key, on Tab and on `?`. Raises what fails."""
        document = Document(line, cursor)
        before = document.current_line_before_cursor
        self.read = CheckedLine(line)
        with suppress(PyshellError):  # as for a current path that is gone
            self.read = self.watch.check(line, before)
        coloured = self.lexer.lex_document(document)
        for number, text in enumerate(document.lines):
            assert fragment_list_to_text(coloured(number)) == text
        toolbar(self.read, Status(), line, 40)
        self.suggest.get_suggestion(Buffer(), document)
        self.completer.begun(before)
        self.completer.look(before)  # in this thread, not in one that is waited for
        for _, one in islice(complete(before, self.shell.root(), self.shell.path), 20):
            one.described()
        asks_for_help(before)
        help_at(before, self.shell.root(), self.shell.path)
        kept_form(line)
        goes_on(line)
        split_unfinished(line)


def run(count: int, seed: int, told: Callable[[int], None] = lambda _: None) -> None:
    """Try `count` lines. Raises AssertionError with the line that fails."""
    random = Random(seed)
    with tempfile.TemporaryDirectory(prefix="pyshell-fuzz-") as folder:
        prompt = Prompt(Path(folder))
        for number, line in zip(range(count), lines(random), strict=False):
            prompt.shell.executor.path = random.choice(PATHS)
            cursor = random.choice((len(line), random.randrange(len(line) + 1)))
            try:
                prompt.look(line, cursor)
                if number % 50 == 0:  # with threads, as a key does
                    event = CompleteEvent(completion_requested=True)
                    list(prompt.completer.get_completions(Document(line, cursor), event))
                _agrees(line)
            except Exception as error:
                raise AssertionError(f"{line!r} at {cursor}, in {prompt.shell.path}") from error
            assert not prompt.noticed, f"{line!r}: {prompt.noticed}"
            told(number + 1)


def _agrees(line: str) -> None:
    """Assert that a whole line is split alike whether or not it may be unfinished."""
    try:
        words = split(line)
    except UsageError:
        return
    assert words == split_unfinished(line)


def main() -> int:
    """Run the fuzz as the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m tests.prompt.fuzz")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun = time.monotonic()

    def told(number: int) -> None:
        if number % 1000 == 0:
            sys.stderr.write(f"\r{number} lines, {time.monotonic() - begun:.0f} s")

    run(given.lines, given.seed, told)
    sys.stdout.write(f"\n{given.lines} lines without an exception, seed {given.seed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
