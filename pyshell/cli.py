# SPDX-License-Identifier: Apache-2.0
"""The command line: from argv to the exit status."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from collections.abc import Sequence

# Most objects live until the end of the run. Python's default, a collection after each 700 new
# objects, takes a tenth of the start.
gc.set_threshold(100_000)

from pyshell import __version__
from pyshell.errors import EXIT_FAILED, PyshellError, UsageError, bug_report
from pyshell.host import EXPIRE, EXPIRE_AFTER
from pyshell.render import error_lines
from pyshell.shell.options import (
    BOOT,
    CLUSTER,
    Invocation,
    Options,
    is_targetcli,
    named_source,
    parse_argv,
    usage,
)
from pyshell.text import output_line

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
    """Run an invocation and return the exit status."""
    if found.host:
        from pyshell.shell.other_host import run_there

        return run_there(found, sys.stdout, sys.stderr, sys.stdin)
    if found.show:
        return _show(found)
    from pyshell.shell.shell import open_shell, run_file, run_one  # help and errors need none of it

    def warn(text: str) -> None:
        sys.stderr.write(f"{output_line(text)}\n")

    streams = (sys.stdout, sys.stderr, sys.stdin)
    shell = open_shell(found.simulate, found.config_dir, found.options, streams, warn)
    if found.words:
        way = os.environ.get("PYSHELL_WAY", "")  # set by systemd's units and the cluster's agent
        if way in (BOOT, CLUSTER):
            shell.options.way = way
        elif named := named_source(os.environ):
            shell.options.way = named
        return run_one(shell, found.words)
    if found.file is None and sys.stdin.isatty() and not found.atomic:
        if found.options.rows:
            raise UsageError(
                f"-o {found.options.rows} needs a command.",
                f"At the prompt, add it to a line: list luns -o {found.options.rows}",
            )
        from pyshell.prompt.session import interact

        shell.options.way = "prompt"
        return interact(shell)
    shell.options.way = "batch"
    return run_file(shell, found.file, keep_going=found.keep_going, atomic=found.atomic)


def _complete(arguments: Sequence[str]) -> int:
    """Answer a completion script of bash, zsh or fish."""
    from pyshell.shell.completion.shells import answer

    for line in answer(arguments, os.environ):
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return 0


def _expire(arguments: Sequence[str]) -> int:
    """Do the work of the timer of an unconfirmed change. Raises PyshellError."""
    if arguments[0] == EXPIRE and len(arguments) > 1:
        from pyshell.shell.expiry import main as expire

        return expire(arguments[1:])
    if len(arguments) > 2:
        from pyshell.shell.detached import main as expire_after

        return expire_after(arguments[1], arguments[2:])
    raise UsageError(f"{arguments[0]} is for pyshell's own timers.", "Run 'confirm' or 'undo'.")


def _show(found: Invocation) -> int:
    """Show help or version on standard output; in targetcli mode on standard error."""
    stream = sys.stderr if found.options.compat else sys.stdout
    if found.show == "version":
        # In targetcli mode the last word must compare as at least 2.1.51.
        compat = "targetcli (pyshell) version 3.0.2"
        stream.write(f"{compat if found.options.compat else f'pyshell version {__version__}'}\n")
        return 0
    stream.write(_USAGE.format(options="\n".join(usage())))
    return 255 if found.options.compat else 0


# Errors of writing to a full or failing disk; all other errors have a file name.
_OUTPUT_FAILURES = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Return whether errors are printed as JSON, even those of the options."""
    pairs = zip(arguments, [*arguments, ""][1:], strict=True)
    return any(a in ("-o=json", "--output=json") or (a, b) in _JSON for a, b in pairs)


def _leave_output_alone() -> None:
    """Keep Python from writing at exit what could not be written before."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """Replace standard streams that the caller closed (`>&-`) by /dev/null.

    Otherwise the next opened file would get the stream's number and output, and configshell could
    not be imported.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            mode = "r" if number == 0 else "w"
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pyshell and return the exit status. Files it creates are private to its user."""
    before = os.umask(0o077)
    try:
        return _main(arguments)
    finally:
        os.umask(before)


def _main(arguments: Sequence[str] | None) -> int:
    _open_closed_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name in configfs may contain bytes that are not text, or that a terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = Options(compat=is_targetcli(sys.argv[0]), json=_wants_json(given))
    try:
        if given[:1] == ["--complete"]:
            return _complete(given[1:])
        if given[:1] in ([EXPIRE], [EXPIRE_AFTER]):
            return _expire(given)
        found = parse_argv(given, sys.argv[0], os.environ)
        options = found.options
        status = run(found)
        sys.stdout.flush()
    except PyshellError as error:
        for line in error_lines(error, as_json=options.json, compat=options.compat):
            sys.stderr.write(f"{line}\n")
        return EXIT_FAILED if options.compat else error.status
    except BrokenPipeError:
        _leave_output_alone()  # the reader has gone
        return EXIT_FAILED
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT_FAILURES:
            sys.stderr.write(bug_report(__version__))
            raise
        _leave_output_alone()
        failure = PyshellError(f"Cannot write the output: {error.strerror}.")
        for line in error_lines(failure, as_json=options.json):
            sys.stderr.write(f"{line}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except Exception:
        sys.stderr.write(bug_report(__version__))
        raise
    return status
