# SPDX-License-Identifier: Apache-2.0
"""The command line: argv to what is to run, and the exit status."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

# What is imported and read stays to the end of most runs: to look for garbage among it after each
# 700 new objects, as Python does by itself, is a tenth of the start.
gc.set_threshold(100_000)

from pyshell import __version__
from pyshell.characters import output_line
from pyshell.errors import EXIT_FAILED, PyshellError, UsageError, bug_report
from pyshell.render.output import error_lines
from pyshell.shell.options import BOOT, Invocation, Options, is_targetcli, parse_argv, usage

if TYPE_CHECKING:
    from pyshell.shell.grammar import Line
    from pyshell.shell.shell import Shell

_USAGE = """\
Usage: pyshell [OPTIONS] [PATH] [COMMAND] [ARGUMENT...] [NAME=VALUE...]

Administration shell for LIO, the Linux kernel's storage target. Without a command: a prompt on a
terminal, else lines from standard input.

Options, before the path:
{options}

Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 not permitted, 5 conflict,
6 restored in part.
'pyshell help' lists the commands.
"""
_JSON = {("-o", "json"), ("--output", "json")}


def run(found: Invocation) -> int:
    """Do what an invocation asks for and return the exit status."""
    if found.show:
        return _show(found)
    from pyshell.lio.attach import attach
    from pyshell.shell.preference_files import Preferences, home
    from pyshell.shell.shell import Shell

    def warn(text: str) -> None:
        sys.stderr.write(f"{output_line(text)}\n")

    lio = attach(found.simulate, found.config_dir)
    preferences = Preferences(home(simulated=lio.simulated), lio.config_dir, warn)
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
    try:
        line = shell.run_words(words)
        if shell.console.err.isatty() and not shell.compat:
            _note_visible_secret(shell, line)
        if shell.options.save:
            shell.console.say(shell.saving.save(asked=True))
        elif shell.console.err.isatty() or shell.way == "apply":
            # Else a script knows what it does, and has its own last line.
            shell.saving.report_unsaved()
    except PyshellError as error:
        shell.show_error(error)
        return EXIT_FAILED if shell.compat else error.status
    return shell.executor.status


def _note_visible_secret(shell: Shell, line: Line) -> None:
    """Note that other users could read a secret in the list of processes."""
    from pyshell.shell.secrets import in_the_open

    name = in_the_open(line.words)
    if name is not None:
        shell.note(
            f"Other users could see the {name} in 'ps'. Use {name}=- to type it or {name}=@FILE"
            " to read it from a file."
        )


def _run_many(shell: Shell, found: Invocation) -> int:
    from pyshell.shell.batch import STDIN, run_lines

    if found.file in (None, "-"):
        shell.options.lines_from_stdin = True
        lines_in = _checked(sys.stdin, "standard input")
        return run_lines(shell, lines_in, STDIN, keep_going=found.keep_going)
    assert found.file is not None
    from pyshell.files.reading import open_trusted

    with open(open_trusted(Path(found.file)), encoding="utf-8") as lines:
        checked = _checked(lines, found.file)
        return run_lines(shell, checked, found.file, keep_going=found.keep_going)


def _checked(lines: Iterable[str], name: str) -> Iterable[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text.") from error


def _complete(arguments: Sequence[str]) -> int:
    """Answer a completion script of bash, zsh or fish."""
    from pyshell.shell.completion.shells import answer

    for line in answer(arguments, os.environ):
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return 0


def _show(found: Invocation) -> int:
    """Show help or version: on standard output; in targetcli's manner where it shows them."""
    stream = sys.stderr if found.options.compat else sys.stdout
    if found.show == "version":
        stream.write(
            f"pyshell version {__version__}\n" if not found.options.compat else _compat_version()
        )
        return 0
    stream.write(_USAGE.format(options="\n".join(usage())))
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
    """Run pyshell and return the exit status. What it creates is for its user alone."""
    before = os.umask(0o077)
    try:
        return _main(arguments)
    finally:
        os.umask(before)


def _main(arguments: Sequence[str] | None) -> int:
    _open_closed_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name in configfs may hold bytes that are no text, or that the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = Options(compat=is_targetcli(sys.argv[0]), json=_wants_json(given))
    try:
        if given[:1] == ["--complete"]:
            return _complete(given[1:])
        found = parse_argv(given, sys.argv[0], os.environ)
        options = found.options
        status = run(found)
        sys.stdout.flush()
    except PyshellError as error:
        for line in error_lines(error, as_json=options.json, compat=options.compat):
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
        told = PyshellError(f"Cannot write the output: {error.strerror}.")
        for line in error_lines(told, as_json=options.json):
            sys.stderr.write(f"{line}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except Exception:
        sys.stderr.write(bug_report(__version__))
        raise
    return status
