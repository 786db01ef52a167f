# SPDX-License-Identifier: Apache-2.0
"""The command line's options, described once: parsing, usage, completion and manual use this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SYNTAX_WIDTH = 28
_HELP_WIDTH = 70


@dataclass(frozen=True)
class Option:
    """An option of the command line."""

    names: tuple[str, ...]
    help: str
    value: str = ""
    """What its value is called, empty where it takes none."""
    choices: tuple[str, ...] = ()
    optional: bool = False
    """Whether it can stand without its value, which then needs `=`."""
    of_a_line: bool = False
    """Whether it may also stand behind a command, and is then for that line alone."""

    @property
    def needs_value(self) -> bool:
        """Tell whether the next word is its value where it has none by `=`."""
        return bool(self.value) and not self.optional

    @property
    def syntax(self) -> str:
        """Return how it is written: `-o, --output text|json`."""
        joined = f"[={self.value}]" if self.optional else f" {self.value}" if self.value else ""
        return ", ".join(self.names) + joined


OPTIONS = (
    Option(
        ("--simulate",),
        "work on a simulated target; DIR keeps it, with preferences and history (default:"
        " pyshell/simulator in the XDG state folder)",
        "DIR",
        optional=True,
    ),
    Option(("-f",), "run the lines of FILE ('-' is standard input)", "FILE"),
    Option(("--keep-going",), "with several lines: go on after a failure"),
    Option(("-o", "--output"), "how results are shown", "text|json", ("text", "json")),
    Option(("--dry-run",), "check and tell what would be done, change nothing", of_a_line=True),
    Option(("--yes",), "take yes for an answer to every question", of_a_line=True),
    Option(("--save",), "save what the one command changed, as saveconfig does"),
    Option(
        ("--color",),
        "when to colour; auto is at a terminal",
        "auto|always|never",
        ("auto", "always", "never"),
    ),
    Option(
        ("--lock-timeout",), "how long to wait for another program's change (default 10)", "SECONDS"
    ),
    Option(("--config-dir",), "where the saved configuration lies (default /etc/target)", "DIR"),
    Option(("--plain",), "a prompt that is read line by line, as for screen readers"),
    Option(("--compat",), "keep targetcli's manner, as when called by that name"),
    Option(("--version",), "show the version"),
    Option(("-h", "--help"), "show this help"),
)


def described(name: str) -> Option | None:
    """Return the option of that name."""
    return next((option for option in OPTIONS if name in option.names), None)


def usage() -> Iterator[str]:
    """Yield the lines that list the options."""
    import textwrap

    for option in OPTIONS:
        syntax, *more = [f"  {option.syntax}", *textwrap.wrap(option.help, _HELP_WIDTH)]
        if len(syntax) < _SYNTAX_WIDTH:
            syntax = f"{syntax:<{_SYNTAX_WIDTH}}{more.pop(0)}"
        yield syntax
        yield from (f"{'':<{_SYNTAX_WIDTH}}{line}" for line in more)
