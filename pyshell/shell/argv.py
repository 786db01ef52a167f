# SPDX-License-Identifier: Apache-2.0
"""Reads an argument vector: options, then what is to run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyshell.errors import UsageError
from pyshell.shell.option_table import described
from pyshell.shell.options import Options

_SWITCHES = {
    "--dry-run": "dry_run",
    "--yes": "yes",
    "--save": "save",
    "--plain": "plain",
    "--compat": "compat",
}


@dataclass
class Invocation:
    """What an argument vector asks for."""

    words: list[str] = field(default_factory=list)
    options: Options = field(default_factory=Options)
    simulate: Path | None = None
    file: str | None = None
    keep_going: bool = False
    config_dir: Path | None = None
    show: str = ""
    """`help` or `version`, which need no target."""


def parse_argv(arguments: Sequence[str], program: str, environment: dict[str, str]) -> Invocation:
    """Read an argument vector. Raises UsageError."""
    found = Invocation()
    found.options.compat = is_targetcli(program)
    if environment.get("PYSHELL_SIMULATE"):
        found.simulate = Path(environment["PYSHELL_SIMULATE"]).expanduser()
    rest = list(arguments)
    if found.options.compat and rest and rest[0] in ("-v", "version"):
        rest[0] = "--version"
    if rest and rest[0] in ("--disable-daemon", "disable-daemon"):
        rest = ["set", "global", "auto_use_daemon=false"]  # there is no daemon to leave
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option, equals, value = rest.pop(0).partition("=")
        if option == "--":
            break
        if equals and not value:
            raise UsageError(f"{option}= needs a value.", "'pyshell --help' tells more.")
        if _needs_value(option) and not equals:
            if not rest:
                raise UsageError(f"{option} needs a value.", "'pyshell --help' tells more.")
            value = rest.pop(0)
        if option == "--simulate" and not equals and rest:
            _refuse_detached_folder(rest[0])
        _take_option(found, option, value, environment)
    found.words = rest
    if found.file is not None and rest:
        raise UsageError(f"Either -f {found.file} or a command, not both.")
    if found.options.compat and rest and rest[0] == "help":
        found.show = "help"
    return found


def _refuse_detached_folder(word: str) -> None:
    """Refuse `--simulate DIR`: the folder would be taken for a path of the tree."""
    if word.startswith(("/", "~")) and word.strip("/") and os.path.isdir(os.path.expanduser(word)):
        raise UsageError(f"{word} is a folder of this host.", f"Write --simulate={word}.")


def is_targetcli(program: str) -> bool:
    """Tell whether pyshell was called by targetcli's name."""
    return os.path.basename(program).startswith("targetcli")


def _take_option(found: Invocation, option: str, value: str, environment: dict[str, str]) -> None:
    options = found.options
    if option == "--simulate":
        found.simulate = Path(value).expanduser() if value else _default_simulator(environment)
    elif option == "-f":
        found.file = _once(found.file, value)
    elif option in ("-o", "--output"):
        options.json = _choice(option, value) == "json"
    elif option == "--color":
        options.colour = _choice(option, value)
    elif option == "--lock-timeout":
        options.lock_timeout = _seconds(value)
    elif option == "--config-dir":
        found.config_dir = Path(value).expanduser()
    elif option in ("-h", "--help", "--version"):
        found.show = found.show or ("version" if option == "--version" else "help")
    elif option == "--keep-going":
        found.keep_going = True
    elif option in _SWITCHES:
        setattr(options, _SWITCHES[option], True)
    else:
        raise UsageError(f"There is no option {option}.", "'pyshell --help' lists them.")


def _needs_value(name: str) -> bool:
    option = described(name)
    return option is not None and option.needs_value


def _once(before: str | None, value: str) -> str:
    if before is not None:
        raise UsageError("-f can be given once.", f"It is {before} already.")
    return value


def _choice(name: str, value: str) -> str:
    option = described(name)
    choices = option.choices if option is not None else ()
    if value not in choices:
        raise UsageError(f"{name} is one of {', '.join(choices)}, not '{value}'.")
    return value


def _seconds(value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise UsageError(f"--lock-timeout needs a number of seconds, not '{value}'.")
    return found


def _default_simulator(environment: dict[str, str]) -> Path:
    base = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "pyshell" / "simulator"
