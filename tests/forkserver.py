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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ENTRY = "pyshell.__main__:start"
_SECONDS = 60
_PR_SET_CHILD_SUBREAPER = 36
_AS_PROGRAM, _AT_TERMINAL = b"p", b"t"
_CLIENT = """\
#!{python} -IS
import os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({path!r})
    environment = (f"{{name}}={{value}}" for name, value in os.environ.items())
    words = [{entry!r}, str(len(sys.argv)), *sys.argv, os.getcwd(), *environment]
    socket.send_fds(asked, [{kind!r}], [0, 1, 2])
    asked.sendall("\\0".join(words).encode(errors="surrogateescape"))
    asked.shutdown(socket.SHUT_WR)
    status = int(asked.recv(10) or 1)
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


def program(folder: Path) -> Path:
    """Return a program `pyshell` in `folder`."""
    made = folder / "pyshell"
    text = _CLIENT.format(python=sys.executable, path=_server(), entry=ENTRY, kind=_AS_PROGRAM)
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
        "PYTHONWARNINGS": "error",
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


def _serve(path: str) -> str:
    """Fork a child for each call. Return the call's entry in the child; never in the server."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{path}~")
        listening.listen()
        os.rename(f"{path}~", path)
        while listening.fileno() in select.select([listening.fileno(), 0], [], [])[0]:
            connection, _ = listening.accept()
            kind, streams, *_ = socket.recv_fds(connection, 1, 3)
            parent = os.fork()
            if parent == 0:
                listening.close()
                return _become(connection, streams, at_terminal=kind == _AT_TERMINAL)
            for stream in streams:
                os.close(stream)
            if kind == _AT_TERMINAL:
                os.waitpid(parent, 0)
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    os._exit(0)  # whoever started the server has ended


def _become(connection: socket.socket, streams: list[int], *, at_terminal: bool) -> str:
    """Return, in a child, the entry that it has to call, as if the caller had started it.

    The child's parent, this process, sends the child's exit status to a program. At a terminal, it
    sends the child's number and ends: the caller adopts the child.
    """
    with connection:
        words = _all_of(connection).decode(errors="surrogateescape").split("\0")
        child = os.fork()
        if child:
            status = child if at_terminal else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            connection.sendall(str(status).encode())
            os._exit(0)
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
    return entry


def main() -> None:
    import pyshell.prompt
    from kernel.forked import modules_of_pyshell  # what one-liners import

    prompt = pkgutil.walk_packages(pyshell.prompt.__path__, "pyshell.prompt.")
    modules = [*modules_of_pyshell(), *(module.name for module in prompt), "pyshell.__main__"]
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a child that collects would copy what it looks at
    module, function = _serve(sys.argv[1]).split(":")
    sys.exit(getattr(importlib.import_module(module), function)())


if __name__ == "__main__":
    main()
