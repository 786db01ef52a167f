# SPDX-License-Identifier: Apache-2.0
"""The program's options: one table for parsing, usage text, completion and the man page.

argparse is imported only for options that are written in an unusual way, or are not valid.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyshell import names
from pyshell.errors import UsageError
from pyshell.expressions import expression
from pyshell.quoting import shell_word
from pyshell.text import joined

if TYPE_CHECKING:
    import argparse

    from pyshell.shell.grammar import Word

DEFAULT_TIMEOUT = 10.0
"""Seconds to wait for another program's change."""
ONE_LINER = "one-liner"
"""The source of changes by a command that is given as arguments."""
CLUSTER = "cluster"
"""Source of changes by the cluster's resource agent."""
BOOT = "boot"
"""The source of changes that a systemd unit makes when the host starts or stops."""
_SOURCE = expression("[a-z][a-z0-9-]{0,19}")
_OWN_SOURCES = frozenset(
    {
        "prompt", ONE_LINER, "batch", BOOT, CLUSTER, "timer", "outside",
        "apply", "rollback", "undo", "redo", "commit", "edit",
    }
)  # fmt: skip
FORMATS_OF_ALL = ("text", "json")
"""The output formats that all commands have."""
_SYNTAX_WIDTH = 28
_HELP_WIDTH = 70
_SEE_HELP = "'pyshell --help' shows the usage."


@dataclass(frozen=True)
class Option:
    """An option of the command line. `value` names its value and is empty if it takes none."""

    names: tuple[str, ...]
    help: str
    value: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False
    """Whether the value may be omitted; if given, it must follow `=`."""
    of_a_line: bool = False
    """Whether the option may also follow a command, and then applies to that line only."""
    for_host: bool = False
    """Whether it is passed on to another host. Others are refused together with --host."""

    @property
    def key(self) -> str:
        """The name of its value in what argparse returns."""
        return self.names[-1].lstrip("-").replace("-", "_")

    @property
    def syntax(self) -> str:
        """The usage text: `-o, --output text|json`."""
        joined = f"[={self.value}]" if self.optional else f" {self.value}" if self.value else ""
        return ", ".join(self.names) + joined


OPTIONS = (
    Option(
        ("--simulate",),
        "use a simulated target; DIR stores it, with preferences and history (default:"
        " pyshell/simulator in the XDG state folder)",
        "DIR",
        optional=True,
    ),
    Option(
        ("--host",),
        "run the command on HOST (or USER@HOST) over your ssh, with the pyshell installed there; it"
        " asks no questions",
        "HOST",
    ),
    Option(("-f",), "run the lines of FILE ('-' is standard input)", "FILE"),
    Option(("--keep-going",), "with several lines: continue after a failure", for_host=True),
    Option(
        ("--atomic",),
        "with several lines: make all their changes in one step, or none if a line fails",
        for_host=True,
    ),
    Option(
        ("-o", "--output"),
        "output format of results; 'list' has all of them, other commands text and json",
        "text|json|table|jsonl|tsv|name",
        ("text", "json", "table", "jsonl", "tsv", "name"),
        of_a_line=True,
        for_host=True,
    ),
    Option(
        ("--dry-run",),
        "check the command and show what it would do, without changing anything",
        of_a_line=True,
        for_host=True,
    ),
    Option(("--yes",), "answer every question with yes", of_a_line=True, for_host=True),
    Option(
        ("--save",),
        "after a command given as arguments, save the whole running configuration, including"
        " earlier unsaved changes",
        for_host=True,
    ),
    Option(
        ("--color",),
        "when to use colours; auto: at a terminal",
        "auto|always|never",
        ("auto", "always", "never"),
    ),
    Option(
        ("--lock-timeout",),
        "how long to wait for another program's change (default 10)",
        "SECONDS",
        for_host=True,
    ),
    Option(
        ("--config-dir",),
        "folder of the saved configuration (default /etc/target)",
        "DIR",
        for_host=True,
    ),
    Option(("--plain",), "use a prompt that reads line by line, for screen readers"),
    Option(("--compat",), "targetcli-compatible mode; also selected by the name targetcli"),
    Option(("--version",), "show the version", for_host=True),
    Option(("-h", "--help"), "show this help"),
)
OF_A_LINE = frozenset(name for option in OPTIONS if option.of_a_line for name in option.names)
BEFORE_THE_PATH = frozenset(name for option in OPTIONS for name in option.names) - OF_A_LINE
_LIKE_AN_OPTION = expression(r"--[a-z][a-z_-]*")


def described(name: str) -> Option | None:
    """Return the option with that name."""
    return next((option for option in OPTIONS if name in option.names), None)


def option_of_a_line(name: str) -> Option | None:
    """Return the option with that name if it may follow a command and has a value."""
    option = described(name)
    return option if option is not None and option.of_a_line and option.value else None


def takes_next(word: str) -> bool:
    """Return whether the word after this one is its value."""
    option = described(word)
    return option is not None and bool(option.value) and not option.optional


def usage() -> Iterator[str]:
    """Yield the lines that list the options."""
    import textwrap  # only help needs it

    for option in OPTIONS:
        syntax, *more = [f"  {option.syntax}", *textwrap.wrap(option.help, _HELP_WIDTH)]
        if len(syntax) < _SYNTAX_WIDTH:
            syntax = f"{syntax:<{_SYNTAX_WIDTH}}{more.pop(0)}"
        yield syntax
        yield from (f"{'':<{_SYNTAX_WIDTH}}{line}" for line in more)


@dataclass
class Options:
    """The options of one run."""

    json: bool = False
    rows: str = ""
    """The format of rows: table, jsonl, tsv or name; "" for text or JSON, which all commands have.

    Notes and errors are then text.
    """
    dry_run: bool = False
    yes: bool = False
    save: bool = False
    compat: bool = False
    plain: bool = False
    """Whether the prompt reads line by line, as for screen readers."""
    way: str = ONE_LINER
    """The source of the commands: one-liner, batch, prompt, cluster or boot, as in revisions."""
    colour: str = "auto"
    lock_timeout: float = DEFAULT_TIMEOUT
    lines_from_stdin: bool = False
    """Whether the lines themselves come from standard input, so that no secret can."""


@dataclass
class Invocation:
    """A parsed argument vector."""

    words: list[str] = field(default_factory=list)
    options: Options = field(default_factory=Options)
    simulate: Path | None = None
    file: str | None = None
    keep_going: bool = False
    atomic: bool = False
    """Whether several lines make all their changes or none."""
    config_dir: Path | None = None
    show: str = ""
    """`help` or `version`, which need no target."""
    host: str = ""
    """The other host on which to run the words, as ssh takes it."""
    for_host: list[str] = field(default_factory=list)
    """The options for that host."""


def parse_argv(
    arguments: Sequence[str], program: str, environment: Mapping[str, str]
) -> Invocation:
    """Parse an argument vector, without the program's name. Raises UsageError."""
    compat = is_targetcli(program)
    words = _translated(arguments, compat=compat)
    count = option_words(words)
    given = _parse(words[:count], environment) if count else {}
    rest = words[count:]
    simulate = given.get("simulate") or environment.get("PYSHELL_SIMULATE")
    if words[count - 1 : count] == ["--simulate"] and rest:
        _refuse_detached_folder(rest[0])
    file = given.get("f")
    if file is not None and rest:
        raise UsageError(f"Give either -f {file} or a command, not both.")
    options = Options(
        json=given.get("output") == "json",
        rows=_rows(given.get("output", "")),
        dry_run="dry_run" in given,
        yes="yes" in given,
        save="save" in given,
        compat=compat or "compat" in given,
        plain="plain" in given,
        colour=given.get("color", "auto"),
        lock_timeout=_seconds(given["lock_timeout"])
        if "lock_timeout" in given
        else DEFAULT_TIMEOUT,
    )
    show = next((name for name in given if name in ("help", "version")), "")
    host = names.ssh_destination(given["host"]) if "host" in given and show != "help" else ""
    if host and (options.compat or environment.get("PYSHELL_SIMULATE")):
        _refuse_for_host(compat=options.compat)
    return Invocation(
        rest,
        options,
        simulate=Path(simulate).expanduser() if simulate else None,
        file=file,
        keep_going="keep_going" in given,
        atomic=_atomic(given, rest, compat=options.compat),
        config_dir=Path(given["config_dir"]).expanduser() if "config_dir" in given else None,
        show="help" if options.compat and rest[:1] == ["help"] else show,
        host=host,
        for_host=_for_host(given) if host else [],
    )


def _atomic(given: Mapping[str, Any], words: Sequence[str], *, compat: bool) -> bool:
    """Return whether lines make all their changes or none. Raises UsageError."""
    if "atomic" not in given:
        return False
    if words:
        raise UsageError("--atomic is for several lines.", "A command changes all or nothing.")
    if "keep_going" in given:
        raise UsageError("--atomic and --keep-going exclude each other.")
    if compat:
        raise UsageError(
            "There is no --atomic in targetcli-compatible mode.", "Run pyshell without --compat."
        )
    return True


def named_source(environment: Mapping[str, str]) -> str | None:
    """Return the source of changes that the environment names, None if it names no valid one."""
    name = environment.get("PYSHELL_SOURCE", "")
    return name if _SOURCE.fullmatch(name) and name not in _OWN_SOURCES else None


def _rows(output: str) -> str:
    """Return a format of rows, "" for those that all commands have."""
    return "" if output in FORMATS_OF_ALL else output


def _refuse_for_host(*, compat: bool) -> None:
    if compat:
        raise UsageError(
            "There is no --host in targetcli-compatible mode.", "Run pyshell without --compat."
        )
    raise UsageError(
        "PYSHELL_SIMULATE is set, but the target of another host is real.",
        "Unset PYSHELL_SIMULATE, or omit --host.",
    )


def _for_host(given: Mapping[str, Any]) -> list[str]:
    """Return the options to pass on to another host. Raises UsageError for all others."""
    words = []
    for option in OPTIONS:
        if option.key not in given or option.key in ("host", "f"):
            continue
        name = option.names[-1]
        if not option.for_host:
            known = joined([one.names[-1] for one in OPTIONS if one.for_host])
            raise UsageError(
                f"{name} cannot be combined with --host.", f"Omit it. -f, {known} can."
            )
        words.append(f"{name}={given[option.key]}" if option.value else name)
    return words


def is_targetcli(program: str) -> bool:
    """Return whether pyshell was called by the name targetcli."""
    return os.path.basename(program).startswith("targetcli")


def option_words(words: Sequence[str]) -> int:
    """Return how many words at the start are options, their values, or the `--` that ends them."""
    count = 0
    while count < len(words) and words[count].startswith("-") and words[count] != "-":
        word = words[count]
        count += 2 if takes_next(word) else 1
        if word == "--":
            break
    return min(count, len(words))


def _translated(arguments: Sequence[str], *, compat: bool) -> list[str]:
    """Return arguments with targetcli's own options, which may only come first, as pyshell's."""
    words = list(arguments)
    if compat and words[:1] in (["-v"], ["version"]):
        words[0] = "--version"
    if words[:1] in (["--disable-daemon"], ["disable-daemon"]):
        return ["set", "global", "auto_use_daemon=false"]  # pyshell has no daemon
    return words


@cache
def _parser() -> argparse.ArgumentParser:
    import argparse

    class Take(argparse.Action):
        """Stores a value after `_require_fit`, which has pyshell's messages."""

        def __call__(
            self,
            _parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            value: Any,
            name: str | None = None,
        ) -> None:
            _require_fit(str(name), value, getattr(namespace, self.dest, None))
            setattr(namespace, self.dest, value)

    parser = argparse.ArgumentParser(
        add_help=False,
        allow_abbrev=False,
        exit_on_error=False,
        argument_default=argparse.SUPPRESS,
    )
    for option in OPTIONS:
        parser.add_argument(*option.names, action=Take, nargs="?" if option.value else 0)
    return parser


def _parse(words: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of options by argparse's names for them. Raises UsageError."""
    state = Path(environment.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    default = f"--simulate={state / 'pyshell' / 'simulator'}"
    known = [default if word == "--simulate" else word for word in words if word != "--"]
    plainly = _parse_plainly(known)
    return _parse_by_argparse(known) if plainly is None else plainly


def _parse_plainly(words: Sequence[str]) -> dict[str, Any] | None:
    """Parse options that are written as the usage text has them, None for anything else."""
    given: dict[str, Any] = {}
    coming = iter(words)
    for word in coming:
        name, joined_value, value = word.partition("=")
        option = described(name)
        if option is None or (joined_value and not option.value):
            return None
        if option.value and not joined_value:
            value = next(coming, "--")
            if value.startswith("-") and value != "-":
                return None
        _require_fit(name, value, given.get(option.key))
        given[option.key] = value
    return given


def _parse_by_argparse(words: Sequence[str]) -> dict[str, Any]:
    """Parse options such as `-ojson`, and report what is not valid. Raises UsageError."""
    import argparse  # it takes a tenth of a one-liner's time

    try:
        given, unknown = _parser().parse_known_args(words)
    except argparse.ArgumentError as error:
        raise UsageError(f"{error.argument_name} takes no value.", _SEE_HELP) from error
    if unknown:
        name = unknown[0].partition("=")[0]
        raise UsageError(f"Unknown option {name}.", "Run 'pyshell --help' to list the options.")
    return vars(given)


def _require_fit(name: str, value: Any, before: Any) -> None:
    """Validate the value of an option, None if it has none; `before` is an earlier value."""
    option = described(name)
    assert option is not None
    if option.value and not value:
        raise UsageError(f"{name}{'' if value is None else '='} needs a value.", _SEE_HELP)
    if option.choices and value not in option.choices:
        raise UsageError(f"{name} is one of {', '.join(option.choices)}, not '{value}'.")
    if name in ("-f", "--host") and before is not None:
        raise UsageError(f"{name} can be given only once.", f"It is {before} already.")


def _refuse_detached_folder(word: str) -> None:
    """Refuse `--simulate DIR`: the folder would be read as a path of the tree."""
    if word.startswith(("/", "~")) and word.strip("/") and os.path.isdir(os.path.expanduser(word)):
        raise UsageError(
            f"{word} is a folder of this host.", f"Write {shell_word(f'--simulate={word}')}."
        )


def _seconds(value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise UsageError(f"--lock-timeout needs a number of seconds, not '{value}'.")
    return found


def of_line(options: Options, words: Sequence[Word]) -> tuple[Options, tuple[Word, ...]]:
    """Return the options that apply to a line, and its arguments without them.

    A quoted `'--yes'` is a value. Raises UsageError for options of the program.
    """
    if options.compat:
        return options, tuple(words)
    given: dict[str, str] = {}
    kept: list[Word] = []
    coming = iter(words)
    for word in coming:
        name, joined_value, value = word.raw.partition("=")
        option = described(name)
        if option is not None and option.of_a_line and bool(option.value) >= bool(joined_value):
            if option.value:
                value = _value_of_line(word, name, value if joined_value else None, coming)
            given[option.key] = value
            continue
        _refuse_option(word, name)
        kept.append(word)
    output = given.get("output", "json" if options.json else options.rows)
    return replace(
        options,
        json=output == "json",
        rows=_rows(output),
        dry_run=options.dry_run or "dry_run" in given,
        yes=options.yes or "yes" in given,
    ), tuple(kept)


def without_options(words: Sequence[Word]) -> tuple[list[Word], Option | None]:
    """Return the words of an unfinished line without options, and the one that lacks its value."""
    kept: list[Word] = []
    coming = iter(words)
    for word in coming:
        name, joined_value, _ = word.raw.partition("=")
        option = described(name)
        if option is None or not option.of_a_line:
            kept.append(word)
        elif option.value and not joined_value and next(coming, None) is None:
            return kept, option
    return kept, None


def _value_of_line(word: Word, name: str, joined_value: str | None, coming: Iterator[Word]) -> str:
    """Return the value of an option of a line: that after its `=`, or the next word."""
    following = None if joined_value is not None else next(coming, None)
    value = joined_value if following is None else following.raw
    try:
        _require_fit(name, value, None)
    except UsageError as error:
        error.column = word.start
        raise
    assert value is not None
    return value


def _refuse_option(word: Word, name: str) -> None:
    """Refuse options that do not apply to a line. Raises UsageError."""
    if name in BEFORE_THE_PATH:
        raise UsageError(
            f"{name} is an option of the program, not of a line.",
            f"Put options before the path: pyshell {name} …",
            column=word.start,
        )
    if _LIKE_AN_OPTION.fullmatch(name):
        raise UsageError(
            f"Unknown option {name}.",
            f"Parameters have no dashes: {name.strip('-')}=VALUE.",
            column=word.start,
        )
