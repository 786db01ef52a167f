# SPDX-License-Identifier: Apache-2.0
"""Run other programs, systemctl among them. No other module of pyshell starts a process.

pyshell runs as root, perhaps in another user's folder and with another user's environment. A
program is therefore looked up in the system's folders only, and runs in `/` with an environment of
its own: neither `PATH`, `PYTHONPATH`, `LD_PRELOAD` nor `MODPROBE_OPTIONS` of the caller reaches it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyshell
from pyshell.errors import NotFoundError, PyshellError, os_errors
from pyshell.host import EXPIRE, EXPIRE_AFTER

_ASK_SECONDS = 10
SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));from pyshell.cli import main; sys.exit(main())"
)


def environment() -> dict[str, str]:
    """Return the whole environment of a program that pyshell runs."""
    return {"PATH": SEARCH_PATH, "LC_ALL": "C"}


def run(*command: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it printed.

    Raises OSError if it cannot be started, subprocess.TimeoutExpired after `seconds`.
    """
    return subprocess.run(
        [_found(command[0]), *command[1:]],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=seconds,
        check=False,
        cwd="/",
        env=environment(),
    )


def run_checked(*command: str) -> None:
    """Run a program to its end. Raises PyshellError with what it printed if it fails."""
    line = " ".join(command)
    with os_errors(f"run '{line}'"):
        done = run(*command)
    if done.returncode != 0:
        reason = done.stderr.strip().replace("\n", " ") or f"exit status {done.returncode}"
        raise PyshellError(f"'{line}' failed: {reason}", "Run it yourself to see why.")


def ask(*command: str) -> str | None:
    """Return what a program that changes nothing prints.

    None if it is missing, fails or takes more than 10 seconds.
    """
    try:
        done = run(*command, seconds=_ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def start_less() -> subprocess.Popen[str]:
    """Start less on this terminal, to show what is written to its standard input.

    It can run no command and write no file (LESSSECURE), and ignores the caller's options.
    """
    own = {"LC_ALL": "C.UTF-8", "LESS": "FRX", "LESSSECURE": "1", "LESSHISTFILE": "-"}
    return subprocess.Popen(
        [_found("less")],
        stdin=subprocess.PIPE,
        encoding="utf-8",
        errors="backslashreplace",
        cwd="/",
        env={**environment(), **own, "TERM": os.environ.get("TERM", "")},
    )


_OF_TERMINAL = ("TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE")
"""What a program on the user's terminal needs to know of it."""


def run_on_terminal(*command: str, keep: Sequence[int] = ()) -> int:
    """Run a program on this terminal, for its user, to its end; return its exit status.

    It inherits the descriptors in `keep`. Ctrl-C is left to it. Raises OSError if it cannot be
    started.
    """
    own = {name: os.environ[name] for name in _OF_TERMINAL if name in os.environ}
    with _interrupts_ignored():
        process = subprocess.Popen(
            [_found(command[0]), *command[1:]],
            cwd="/",
            env={"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "HOME": _own_home(), **own},
            pass_fds=keep,
        )
        return process.wait()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C in this process alone: a program that is started does not inherit a handler."""
    try:
        before = signal.signal(signal.SIGINT, lambda *_: None)
    except ValueError:  # another thread than the main one, where none is raised
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def start_pyshell(*arguments: str) -> subprocess.Popen[str]:
    """Start another process of this pyshell, in a session of its own, and return it.

    Python's isolated mode keeps it from importing anything from the caller's folder, from
    `PYTHONPATH` or from the user's own packages.
    """
    return subprocess.Popen(
        _pyshell(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        cwd="/",
        env=environment(),
        start_new_session=True,  # Ctrl-C at the prompt does not end it
    )


def _pyshell(*arguments: str) -> list[str]:
    """Return the command line of this pyshell, by absolute paths."""
    package_folder = str(Path(pyshell.__file__).resolve().parents[1])
    return [sys.executable, "-I", "-c", _START, package_folder, *arguments]


def start_detached_timer(delays: Sequence[int], words: Sequence[str]) -> None:
    """Start a process that runs `pyshell --expire WORDS` after each of these seconds.

    It has no terminal and a session of its own, and outlives its caller. Raises PyshellError.
    """
    after = ",".join(map(str, delays))
    with os_errors("start the timer"):
        done = subprocess.run(
            _pyshell(EXPIRE_AFTER, after, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            cwd="/",
            env=environment(),
            start_new_session=True,
        )
    if done.returncode != 0:  # it ends with 0 when the timer runs in the background
        raise PyshellError(f"Cannot start the timer: exit status {done.returncode}.")


_OF_SSH = ("SSH_AUTH_SOCK", "KRB5CCNAME")
"""Where the user's keys and tickets are; root's environment has them only if root kept them."""


def start_ssh(*arguments: str, stdin: int) -> subprocess.Popen[bytes]:
    """Start ssh for its user, with that user's own configuration, and pipes for its output.

    Raises OSError if it cannot be started.
    """
    own = {name: os.environ[name] for name in _OF_SSH if name in os.environ}
    return subprocess.Popen(
        [_found("ssh"), *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env={**environment(), "HOME": _own_home(), **own},
    )


def _own_home() -> str:
    return pwd.getpwuid(os.getuid()).pw_dir


def log(text: str) -> None:
    """Write a line to the system's log, which systemd's journal is."""
    import syslog  # few commands need it

    syslog.openlog("pyshell", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_WARNING, text)


def write_to_all(text: str) -> None:
    """Write a text to the terminals of all users, if there is a program for that."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        run("wall", text, seconds=_ASK_SECONDS)


def has(name: str) -> bool:
    """Return whether there is a program of that name."""
    return shutil.which(name, path=SEARCH_PATH) is not None


def _found(name: str) -> str:
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return path


# The systemd units that restore a target at boot: pyshell's own, and those of other programs.
RESTORE = "pyshell-restore.service"
OURS = (RESTORE, "pyshell-missing.path")
OTHERS_RESTORE = (
    "target.service",  # targetcli, on Fedora and its derivatives
    "targetcli.service",  # targetcli, on older distributions
    "rtslib-fb-targetctl.service",  # rtslib, on Debian and its derivatives
)
OTHERS = (*OTHERS_RESTORE, "targetclid.socket", "targetclid.service")  # targetcli's daemon


class Systemd:
    """The host's systemd, or the one of the system whose files lie below `root`."""

    def __init__(self, root: str = "/") -> None:
        self._root = root

    @property
    def _systemctl(self) -> list[str]:
        if not has("systemctl"):
            raise NotFoundError("This host has no systemd.")
        # Without --root, systemctl asks the running manager and reports changes to it.
        return ["systemctl"] if self._root == "/" else ["systemctl", f"--root={self._root}"]

    def start_timer(self, unit: str, delays: Sequence[int], words: Sequence[str]) -> None:
        """Have `pyshell --expire WORDS` run after each of these seconds. Raises PyshellError."""
        command = [word.replace("$", "$$") for word in _pyshell(EXPIRE, *words)]
        with os_errors("start the timer"):
            done = run(
                "systemd-run",
                "--quiet",
                "--collect",
                f"--unit={unit}",
                "--description=Revert an unconfirmed change of the storage target (LIO)",
                "--timer-property=AccuracySec=100ms",
                *(f"--on-active={seconds}s" for seconds in delays),
                "--",
                *command,
            )
        if done.returncode != 0:
            reason = done.stderr.strip().replace("\n", " ") or f"exit status {done.returncode}"
            raise PyshellError(f"Cannot start the timer: systemd-run failed: {reason}.")

    def stop_timer(self, unit: str) -> None:
        """Stop a timer. It does nothing if it runs once more, so a failure does not matter."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            run("systemctl", "stop", f"{unit}.timer", seconds=_ASK_SECONDS)

    def state(self, unit: str) -> str:
        """Return what `systemctl is-enabled` prints, "" if the unit is not installed."""
        with os_errors("run systemctl"):
            done = run(*self._systemctl, "is-enabled", unit)
        state = done.stdout.strip()
        # Older releases report a missing unit on standard error alone.
        return "" if state == "not-found" else state

    def enable(self, units: Sequence[str]) -> None:
        """Have units started at boot; none is started now. Raises PyshellError."""
        run_checked(*self._systemctl, "enable", *units)

    def disable(self, units: Sequence[str]) -> None:
        """Have units no longer started at boot; none is stopped now. Raises PyshellError."""
        run_checked(*self._systemctl, "disable", *units)
