# SPDX-License-Identifier: Apache-2.0
"""How a run behaves, as the command line's options say; light, as cli needs it first."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyshell.errors import UsageError
from pyshell.shell.option_table import OPTIONS

if TYPE_CHECKING:
    from pyshell.shell.grammar import Word

DEFAULT_TIMEOUT = 10.0
"""Seconds to wait for another program's change."""
BOOT = "boot"
"""The way of what a unit runs when the host starts or stops."""


@dataclass
class Options:
    """The options of one run."""

    json: bool = False
    dry_run: bool = False
    yes: bool = False
    save: bool = False
    compat: bool = False
    plain: bool = False
    """Whether to read at a terminal line by line, as for screen readers."""
    way: str = "one-liner"
    """How commands come: one-liner, batch, prompt, or boot; revisions remember it."""
    colour: str = "auto"
    lock_timeout: float = DEFAULT_TIMEOUT
    lines_from_stdin: bool = False
    """Whether standard input holds the lines themselves, and so can hold no secret."""


OF_A_LINE = frozenset(name for option in OPTIONS if option.of_a_line for name in option.names)
BEFORE_THE_PATH = frozenset(name for option in OPTIONS for name in option.names) - OF_A_LINE
_LIKE_AN_OPTION = re.compile(r"--[a-z][a-z_-]*")


def of_line(options: Options, words: Sequence[Word]) -> tuple[Options, tuple[Word, ...]]:
    """Return the options that hold for a line, and its arguments without them.

    A quoted `'--yes'` is a value. Raises UsageError for options that are the whole run's.
    """
    if options.compat:
        return options, tuple(words)
    given = {word.raw for word in words if word.raw in OF_A_LINE}
    for word in words:
        option = word.raw.partition("=")[0]
        if option in BEFORE_THE_PATH:
            raise UsageError(
                f"{option} is an option of the program, not of a line.",
                f"Options stand before the path. Write: pyshell {option} …",
                column=word.start,
            )
        if word.raw not in OF_A_LINE and _LIKE_AN_OPTION.fullmatch(option):
            raise UsageError(
                f"There is no option {option}.",
                f"Parameters have no dashes: {option.strip('-')}=VALUE.",
                column=word.start,
            )
    kept = tuple(word for word in words if word.raw not in OF_A_LINE)
    return _with(options, given), kept


def _with(options: Options, given: Set[str]) -> Options:
    return replace(
        options,
        dry_run=options.dry_run or "--dry-run" in given,
        yes=options.yes or "--yes" in given,
    )
