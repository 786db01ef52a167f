# SPDX-License-Identifier: Apache-2.0
"""A program `pyshell` that starts at once, for tests of what calls it many times, as shells do.

It passes its arguments, environment, folder and standard streams to a process that has imported
pyshell, which forks a child for each call. As a script, this is that process: forkserver.py SOCKET
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ForkingMixIn, UnixStreamServer

_CLIENT = """\
#!{python} -IS
import os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({path!r})
    environment = (f"{{name}}={{value}}" for name, value in os.environ.items())
    words = [str(len(sys.argv)), *sys.argv, os.getcwd(), *environment]
    socket.send_fds(asked, [b"\\0"], [0, 1, 2])
    asked.sendall("\\0".join(words).encode(errors="surrogateescape"))
    asked.shutdown(socket.SHUT_WR)
    sys.exit((asked.recv(1) or b"\\1")[0])
"""
_SECONDS = 60


@contextmanager
def program(folder: Path) -> Iterator[Path]:
    """Yield the path of a program `pyshell` in `folder`, with its process running."""
    path = folder / "socket"
    made = folder / "pyshell"
    made.write_text(_CLIENT.format(python=sys.executable, path=str(path)), encoding="utf-8")
    made.chmod(0o755)
    # A package is tested while it is built, where pyshell is not installed.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, __file__, str(path)]
    with subprocess.Popen(command, env=environment) as serving:
        try:
            deadline = time.monotonic() + _SECONDS
            while not path.exists():
                assert serving.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield made
        finally:
            serving.kill()


class _Handler(BaseRequestHandler):
    """Is pyshell for one call, in a child of the server."""

    def handle(self) -> None:
        """Run pyshell and send its exit status. Never returns."""
        status = 1
        try:
            _, streams, *_ = socket.recv_fds(self.request, 1, 3)
            parts = []
            while part := self.request.recv(1 << 16):
                parts.append(part)
            count, *words = b"".join(parts).decode(errors="surrogateescape").split("\0")
            _become(streams, words[: int(count)], *words[int(count) :])
            from pyshell.__main__ import start

            status = start()
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            self.request.sendall(bytes([status]))
            os._exit(0)


def _become(streams: list[int], argv: list[str], folder: str, *environment: str) -> None:
    """Take on what a process has from its caller."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (
        open(0, encoding="utf-8", closefd=False),  # noqa: SIM115
        open(1, "w", encoding="utf-8", closefd=False, buffering=1),  # noqa: SIM115
        open(2, "w", encoding="utf-8", closefd=False, buffering=1, errors="backslashreplace"),  # noqa: SIM115
    )
    sys.argv = argv
    os.chdir(folder)
    os.environ.clear()
    for entry in environment:
        name, _, value = entry.partition("=")
        os.environ[name] = value


class _Server(ForkingMixIn, UnixStreamServer):
    """Forks a child for each call."""


def main() -> None:
    from kernel.forked import modules_of_pyshell  # what one-liners import

    for module in [*modules_of_pyshell(), "pyshell.simulator.under_rtslib", "pyshell.__main__"]:
        __import__(module)
    with _Server(sys.argv[1], _Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
