# SPDX-License-Identifier: Apache-2.0
"""The command line: argv to what is to run, and the exit status."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell import __version__
from pyshell.errors import EXIT_FAILED, PyshellError, UsageError, bug_report, from_os_error
from pyshell.render.output import error_lines
from pyshell.shell.options import BOOT, Options

if TYPE_CHECKING:
    from pyshell.shell.shell import Shell

_USAGE = """\
Usage: pyshell [OPTIONS] [PATH] [COMMAND] [ARGUMENT...] [NAME=VALUE...]

Administration shell for LIO, the Linux kernel's storage target. Without a command: a prompt on a
terminal, else lines from standard input.

Options, before the path:
  --simulate[=DIR]          work on a simulated target kept in DIR
                            (default: pyshell/simulator in the XDG state folder)
  -f FILE                   run the lines of FILE ('-' is standard input)
  --keep-going              with several lines: go on after a failure
  -o, --output text|json    how results are shown
  --dry-run                 check and tell what would be done, change nothing
  --yes                     take yes for an answer to every question
  --save                    save what the one command changed, as saveconfig does
  --color auto|always|never
  --lock-timeout SECONDS    how long to wait for another program's change (default 10)
  --config-dir DIR          where the saved configuration lies (default /etc/target)
  --compat                  keep targetcli's manner, as when called by that name
  --version, --help

Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 not permitted, 5 conflict,
6 restored in part.
'pyshell help' lists the commands.
"""
_JSON = {("-o", "json"), ("--output", "json")}
_SWITCHES = {
    "--dry-run": "dry_run",
    "--yes": "yes",
    "--save": "save",
    "--compat": "compat",
}
_NEEDS_VALUE = {"-f", "-o", "--output", "--color", "--lock-timeout", "--config-dir"}


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
    found.options.compat = _is_targetcli(program)
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
        if option in _NEEDS_VALUE and not equals:
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


def _is_targetcli(program: str) -> bool:
    """Tell whether pyshell was called by targetcli's name."""
    return os.path.basename(program).startswith("targetcli")


def _take_option(found: Invocation, option: str, value: str, environment: dict[str, str]) -> None:
    options = found.options
    if option == "--simulate":
        found.simulate = Path(value).expanduser() if value else _default_simulator(environment)
    elif option == "-f":
        found.file = _once(found.file, value)
    elif option in ("-o", "--output"):
        options.json = _choice(option, value, ("text", "json")) == "json"
    elif option == "--color":
        options.colour = _choice(option, value, ("auto", "always", "never"))
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


def _once(before: str | None, value: str) -> str:
    if before is not None:
        raise UsageError("-f can be given once.", f"It is {before} already.")
    return value


def _choice(option: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise UsageError(f"{option} is one of {', '.join(choices)}, not '{value}'.")
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


def run(found: Invocation) -> int:
    """Do what an invocation asks for and return the exit status."""
    if found.show:
        return _show(found)
    from pyshell.shell.preferences import Preferences, home
    from pyshell.shell.shell import Shell
    from pyshell.target.attach import attach

    def warn(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    lio = attach(found.simulate, found.config_dir)
    preferences = Preferences(home(), lio.config_dir, warn)
    shell = Shell(lio, preferences, found.options, sys.stdout, sys.stderr, sys.stdin)
    if found.words:
        if os.environ.get("PYSHELL_WAY") == BOOT:  # as the units for systemd say
            shell.options.way = BOOT
        return _run_one(shell, found.words)
    if found.file is None and sys.stdin.isatty():
        from pyshell.prompt.session import interact

        shell.options.way = "prompt"
        return interact(shell)
    shell.options.way = "batch"
    return _run_many(shell, found)


def _run_one(shell: Shell, words: list[str]) -> int:
    from pyshell.shell.grammar import join_arguments

    try:
        shell.run_line(join_arguments(words, compat=shell.compat))
        if shell.options.save:
            shell.say(shell.save_what_changed())
    except PyshellError as error:
        shell.show_error(error)
        return EXIT_FAILED if shell.compat else error.status
    return shell.status


def _run_many(shell: Shell, found: Invocation) -> int:
    from pyshell.shell.batch import STDIN, run_lines

    if found.file in (None, "-"):
        shell.options.lines_from_stdin = True
        lines_in = _checked(sys.stdin, "standard input")
        return run_lines(shell, lines_in, STDIN, keep_going=found.keep_going)
    assert found.file is not None
    try:
        lines = open(found.file, encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise from_os_error(error, f"read {found.file}") from error
    with lines:
        checked = _checked(lines, found.file)
        return run_lines(shell, checked, found.file, keep_going=found.keep_going)


def _checked(lines: Iterable[str], name: str) -> Iterable[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text.") from error


def _show(found: Invocation) -> int:
    """Show help or version: on standard output; in targetcli's manner where it shows them."""
    stream = sys.stderr if found.options.compat else sys.stdout
    if found.show == "version":
        stream.write(
            f"pyshell version {__version__}\n" if not found.options.compat else _compat_version()
        )
        return 0
    stream.write(_USAGE)
    return 255 if found.options.compat else 0


def _compat_version() -> str:
    """Return a version line whose last word compares as at least targetcli's 2.1.51."""
    return "targetcli (pyshell) version 3.0.2\n"


# What a write to a full or failing disk ends in; every other error names its file.
_OUTPUT_FAILURES = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether errors are to be JSON, even those of the options themselves."""
    pairs = zip(arguments, [*arguments, ""][1:], strict=True)
    return any(a in ("-o=json", "--output=json") or (a, b) in _JSON for a, b in pairs)


def _leave_output_alone() -> None:
    """Keep Python from writing at its end what could not be written before."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """Put /dev/null where the caller closed a standard stream (`>&-`).

    Else the next file that is opened would get its number, and what is printed; and configshell
    cannot be imported without a standard output.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            mode = "r" if number == 0 else "w"
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pyshell and return the exit status."""
    _open_closed_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name in configfs may hold bytes that are no text, or that the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = Options(compat=_is_targetcli(sys.argv[0]), json=_wants_json(given))
    try:
        found = parse_argv(given, sys.argv[0], dict(os.environ))
        options = found.options
        status = run(found)
        sys.stdout.flush()
    except PyshellError as error:
        for line in error_lines(error, as_json=options.json):
            sys.stderr.write(f"{line}\n")
        return EXIT_FAILED if options.compat else error.status
    except BrokenPipeError:
        _leave_output_alone()  # the reader has gone; nothing more can be told
        return EXIT_FAILED
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT_FAILURES:
            sys.stderr.write(bug_report(__version__))
            raise
        _leave_output_alone()
        told = PyshellError(f"The output could not be written: {error.strerror}.")
        for line in error_lines(told, as_json=options.json):
            sys.stderr.write(f"{line}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except Exception:
        sys.stderr.write(bug_report(__version__))
        raise
    return status
