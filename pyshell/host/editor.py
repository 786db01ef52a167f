# SPDX-License-Identifier: Apache-2.0
"""The user's text editor, which `$VISUAL` or `$EDITOR` names.

pyshell runs as root, perhaps with another user's environment: as with `$PAGER`, the variable
selects a known program and gives it no arguments that can run commands. A name is looked up in the
system's folders only, a path must be one that only root or the caller can change, and no shell is
involved.
"""

from __future__ import annotations

import os
import shlex
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pyshell.errors import NotFoundError, UsageError, os_errors
from pyshell.files.reading import open_trusted
from pyshell.host import programs

_DEFAULTS = ("sensible-editor", "editor", "vi", "nano")
_KNOWN = frozenset((
    *_DEFAULTS, "code", "codium", "dte", "ed", "emacs", "emacsclient", "helix", "hx", "jed", "joe",
    "kak", "mcedit", "mg", "micro", "nano-tiny", "ne", "nvim", "pico", "red", "rnano", "rvim",
    "tilde", "vim", "vim.basic", "vim.gtk3", "vim.nox", "vim.tiny", "vis", "zile",
))  # fmt: skip
"""The names of editors that root can select."""
_LINE_EDITORS = ("ed", "red")
"""Their exit status is 1 if any command was mistyped, also if the file was written afterwards."""
_HARMLESS = frozenset(("-nw", "--no-window-system", "-t", "--tty", "-w", "--wait"))
"""The arguments that root can give: wait, and use the terminal."""
_DUMB = ("", "dumb")


def edit(file: Path, *, keep: Sequence[int] = ()) -> int:
    """Run the editor on a file and return its exit status; the terminal is then as before.

    It inherits the descriptors in `keep`. Raises PyshellError if it cannot be started.
    """
    command = chosen()
    with _modes_kept(), os_errors(f"run the editor '{command[0]}'"):
        status = programs.run_on_terminal(*command, str(file), keep=keep)
    return 0 if status == 1 and os.path.basename(command[0]) in _LINE_EDITORS else status


def chosen(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the editor's command: `$VISUAL` if the terminal is not dumb, `$EDITOR`, a default.

    Raises PyshellError.
    """
    dumb = environment.get("TERM", "") in _DUMB
    for variable in ("EDITOR",) if dumb else ("VISUAL", "EDITOR"):
        if environment.get(variable, "").strip():
            return _checked(variable, environment[variable])
    for name in _DEFAULTS:
        if programs.has(name):
            return [name]
    raise NotFoundError("There is no text editor.", "Install one, or set EDITOR to its path.")


def _checked(variable: str, value: str) -> list[str]:
    hint = f"Set {variable} to a name such as vi, or to the full path of an editor."
    try:
        command = shlex.split(value)
    except ValueError as error:
        raise UsageError(f"${variable} is not valid: {str(error).lower()}.", hint) from error
    if os.geteuid() == 0:
        _require_known(variable, command)
    if os.path.isabs(command[0]):
        os.close(open_trusted(Path(command[0])))
    elif "/" in command[0] or not programs.has(command[0]):
        raise NotFoundError(f"${variable} names no known editor: '{command[0]}'.", hint)
    return command


def _require_known(variable: str, command: Sequence[str]) -> None:
    name = os.path.basename(command[0])
    if name not in _KNOWN:
        raise UsageError(
            f"${variable} names no known editor: '{command[0]}'.",
            f"For root, {variable} selects an editor such as vi, nano or emacs. For a script, write"
            " the configuration with 'saveconfig FILE', let it change the file, and 'apply FILE'.",
        )
    for word in command[1:]:
        if word not in _HARMLESS:
            raise UsageError(
                f"${variable} has the argument '{word}', which could run commands as root.",
                f"Set {variable} to '{command[0]}'.",
            )


@contextmanager
def _modes_kept() -> Iterator[None]:
    """Restore the terminal's modes at the end: a killed editor leaves its own."""
    try:
        modes = termios.tcgetattr(sys.stdin)
    except (OSError, ValueError, termios.error):
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError, termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, modes)
