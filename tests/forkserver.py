# SPDX-License-Identifier: Apache-2.0
"""pyshell that starts at once: for tests that start it many times, as a program or at a terminal.

A server has imported pyshell and forks a child for each call. The child gets the call's arguments,
environment, folder and standard streams. As a script, this is the server: forkserver.py SOCKET
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import functools
import gc
import importlib
import os
import pkgutil
import select
import socket
import struct
import subprocess
import sys
import termios
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ENTRY = "pyshell.__main__:start"
_SECONDS = 60
_PR_SET_CHILD_SUBREAPER = 36
_AS_PROGRAM, _AT_TERMINAL = b"p", b"t"
# With as few modules as possible, as shells start it again and again.
_CLIENT = """\
#!{python} -IS
import os, sys
from _socket import AF_UNIX, SCM_RIGHTS, SHUT_WR, SOL_SOCKET, socket
asked = socket(AF_UNIX)
asked.connect({path!r})
environment = [f"{{name}}={{value}}" for name, value in os.environ.items()]
words = [{entry!r}, str(len(sys.argv)), *sys.argv, os.getcwd(), *environment]
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
asked.sendmsg([{kind!r}], [(SOL_SOCKET, SCM_RIGHTS, streams)])
asked.sendall("\\0".join(words).encode(errors="surrogateescape"))
asked.shutdown(SHUT_WR)
os._exit(int(asked.recv(10) or 1))
"""


@functools.cache
def program() -> Path:
    """Return a program `pyshell`, alone in its folder but for the server's socket."""
    path = _server()
    made = Path(path).with_name("pyshell")
    text = _CLIENT.format(python=sys.executable, path=path, entry=ENTRY, kind=_AS_PROGRAM)
    made.write_text(text, encoding="utf-8")
    made.chmod(0o755)
    return made


def at_terminal(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    dimensions: tuple[int, int],
    entry: str = ENTRY,
    results: Path | None = None,
    **options: Any,
) -> tuple[Any, list[Any]]:
    """Start pyshell at a terminal; return pexpect's child and the modes that the terminal had.

    Like a process that pexpect starts, it is a child of this process in a session of its own. With
    `results`, its standard output goes to that file. `options` are pexpect's.
    """
    import pexpect  # the server needs none of it

    own, other = os.openpty()
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", *dimensions, 0, 0))
    modes = termios.tcgetattr(own)
    words = [entry, str(1 + len(arguments)), "pyshell", *arguments, os.getcwd()]
    words += [f"{name}={value}" for name, value in environment.items()]
    with ExitStack() as stack:
        stack.callback(os.close, other)
        out = other
        if results is not None:
            out = stack.enter_context(results.open("wb")).fileno()
        asked = stack.enter_context(socket.socket(socket.AF_UNIX))
        asked.connect(_server())
        stack.enter_context(_adopting())
        socket.send_fds(asked, [_AT_TERMINAL], [other, out, other])
        asked.sendall("\0".join(words).encode(errors="surrogateescape"))
        asked.shutdown(socket.SHUT_WR)
        pid = int(_all_of(asked))
    child: Any = pexpect.spawn(None, **options)
    child.ptyproc = pexpect.pty_spawn.ptyprocess.PtyProcess(pid, own)
    child.pid, child.child_fd, child.args = pid, own, [*arguments]
    child.closed = child.terminated = False
    return child, modes


@contextmanager
def _adopting() -> Iterator[None]:
    """Become the parent of processes below whose own parent ends."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _all_of(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


@functools.cache
def _server() -> str:
    """Return the socket of this process's server, which ends with this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    path = f"{stack.enter_context(TemporaryDirectory(prefix='pyshell-fork-'))}/socket"
    # A package is tested while it is built, where pyshell is not installed.
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[1]),
        # rtslib asks pyudev for real devices in a way that is deprecated.
        "PYTHONWARNINGS": "error,ignore:Will be removed in 1.0:DeprecationWarning",
        "LC_ALL": "C.UTF-8",
    }
    serving = subprocess.Popen(
        [sys.executable, __file__, path], env=environment, stdin=subprocess.PIPE
    )
    stack.callback(serving.communicate)
    deadline = time.monotonic() + _SECONDS
    while not os.path.exists(path):
        assert serving.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path


def _serve(path: str) -> tuple[str, socket.socket]:
    """Fork a child for each call. Return in the child, see `_become`; never in the server."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{path}~")
        listening.listen()
        os.rename(f"{path}~", path)
        while listening.fileno() in select.select([listening.fileno(), 0], [], [])[0]:
            connection, _ = listening.accept()
            kind, streams, *_ = socket.recv_fds(connection, 1, 3)
            child = os.fork()
            if child == 0:
                listening.close()
                return _become(connection, streams, at_terminal=kind == _AT_TERMINAL)
            for stream in streams:
                os.close(stream)
            if kind == _AT_TERMINAL:
                os.waitpid(child, 0)
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    os._exit(0)  # whoever started the server has ended


def _become(
    connection: socket.socket, streams: list[int], *, at_terminal: bool
) -> tuple[str, socket.socket]:
    """Become what the caller started; return the entry to call and where to send its exit status.

    At a terminal, send the number of a child that becomes it, and end: the caller adopts the child.
    """
    words = _all_of(connection).decode(errors="surrogateescape").split("\0")
    if at_terminal:
        child = os.fork()
        if child:
            connection.sendall(str(child).encode())
            os._exit(0)
        connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if at_terminal:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # The server's own were made for other files.
    sys.stdin, sys.stdout, sys.stderr = (
        open(0, encoding="utf-8", errors=sys.stdin.errors, closefd=False),  # noqa: SIM115
        open(1, "w", encoding="utf-8", errors=sys.stdout.errors, closefd=False),  # noqa: SIM115
        open(2, "w", encoding="utf-8", errors=sys.stderr.errors, closefd=False, buffering=1),  # noqa: SIM115
    )
    entry, count, *words = words
    sys.argv, folder, *environment = words[: int(count)], *words[int(count) :]
    os.chdir(folder)
    os.environ.clear()
    for name, _, value in (word.partition("=") for word in environment):
        os.environ[name] = value
    return entry, connection


def main() -> None:
    import pyshell.prompt
    from kernel.forked import modules_of_pyshell  # what one-liners import

    prompt = pkgutil.walk_packages(pyshell.prompt.__path__, "pyshell.prompt.")
    modules = [*modules_of_pyshell(), *(module.name for module in prompt), "pyshell.__main__"]
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a child that collects would copy what it looks at
    entry, connection = _serve(sys.argv[1])
    module, function = entry.split(":")
    status: Any = 1
    try:
        status = getattr(importlib.import_module(module), function)()
    except SystemExit as leaving:
        status = leaving.code
    except BaseException:
        traceback.print_exc()
    finally:
        status = int(status or 0)
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):  # closed, or the caller has ended
            connection.sendall(str(status).encode())
        os._exit(status)  # to free all that was imported would take longer than most calls


if __name__ == "__main__":
    main()
