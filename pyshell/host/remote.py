# SPDX-License-Identifier: Apache-2.0
"""Run pyshell on another host over the user's own ssh.

Nothing runs there but `pyshell` with its arguments. ssh asks nothing (BatchMode), and forwards
neither an agent nor a port. What the other host prints is text of a stranger: characters that act
on a terminal are made visible, and its length is limited.
"""

from __future__ import annotations

import codecs
import os
import selectors
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen
from typing import Any, TextIO

from pyshell.errors import InterruptedStepsError, NotFoundError, PyshellError
from pyshell.files import reading
from pyshell.host import programs
from pyshell.quoting import shell_word
from pyshell.text import shorten_sentence, visible

NO_INPUT = DEVNULL
_CONNECT_SECONDS = 10
_OPTIONS = (
    ("BatchMode", "yes"),
    ("ConnectTimeout", str(_CONNECT_SECONDS)),
    ("ServerAliveInterval", "15"),  # with ssh's limit of 3, a dead connection ends after a minute
    ("ClearAllForwardings", "yes"),
    ("ControlMaster", "no"),  # an existing connection is used, none is left in the background
    ("RemoteCommand", "none"),
    ("LogLevel", "ERROR"),  # no banner of the other host
)
_SSH_FAILED = 255
_NO_SUCH_COMMAND = 127
"""The exit status of a shell that does not find a program."""
_BLOCK = 1 << 16
_ERRORS_MAX = 1 << 16
"""Bytes of another host's errors that are kept."""
_SHOWN = 400
"""Columns of another host's error that are shown."""


def run(
    host: str, words: Sequence[str], out: TextIO, err: TextIO, stdin: int | bytes = NO_INPUT
) -> int:
    """Run pyshell with `words` on a host, copy its output while it runs, and return its status.

    `host` was checked by `names.ssh_destination`. `stdin` is a descriptor, or the text to send.
    Raises PyshellError if ssh fails or the host has no pyshell.
    """
    sinks = [_Writer(out), _Writer(err)]
    status = _run(host, words, stdin, sinks)
    for sink in sinks:
        sink.write(b"", final=True)
    return status


@dataclass(frozen=True)
class Answer:
    """What pyshell on another host printed with `-o json`."""

    out: bytes
    notes: tuple[str, ...]


def ask(host: str, *words: str) -> Answer:
    """Return what pyshell prints on a host, as JSON. Raises PyshellError if it fails there."""
    out, err = _Store(reading.LARGE), _Store(_ERRORS_MAX, fails=False)
    status = _run(host, ["--output=json", *words], NO_INPUT, [out, err])
    said = [one for one in map(_parsed, bytes(err.data).splitlines()) if isinstance(one, dict)]
    if status == 0:
        return Answer(bytes(out.data), tuple(_text(one["note"]) for one in said if "note" in one))
    for one in said:
        if "error" in one:
            error = PyshellError(f"{host}: {_text(one['error'])}", _text(one.get("hint", "")))
            error.status = status
            raise error
    reason = _last_line(bytes(err.data)) or f"exit status {status}"
    raise PyshellError(f"pyshell failed on {host}: {reason}", _must_work(host))


def _parsed(line: bytes) -> Any:
    with suppress(ValueError):
        return reading.parse_json(line.decode(errors="replace"), any_string=True)
    return None


def _text(value: Any) -> str:
    return shorten_sentence(" ".join(str(value).split()), _SHOWN)


def _last_line(data: bytes) -> str:
    lines = data.decode(errors="replace").replace("\r", "").split("\n")
    return next((_text(line).removeprefix("ssh: ") for line in reversed(lines) if line.strip()), "")


def _must_work(host: str) -> str:
    return f"'ssh {host} pyshell version' must work, and ask nothing."


class _Writer:
    """Writes what another host prints to a text stream, with unsafe characters made visible."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self.used = False

    def write(self, data: bytes, *, final: bool = False) -> None:
        self.used = self.used or bool(data)
        text = self._decoder.decode(data, final).replace("\r\n", "\n")  # ssh ends its lines so
        self._stream.write(visible(text))
        self._stream.flush()


class _Store:
    """Keeps what another host prints, up to a limit; beyond it, the rest is dropped or an error."""

    def __init__(self, limit: int, *, fails: bool = True) -> None:
        self._limit = limit
        self._fails = fails
        self.data = bytearray()

    @property
    def used(self) -> bool:
        return bool(self.data)

    def write(self, data: bytes) -> None:
        if self._fails and len(self.data) + len(data) > self._limit:
            raise PyshellError(f"The other host printed more than {self._limit >> 20} MiB.")
        self.data += data[: self._limit - len(self.data)]


def _run(
    host: str, words: Sequence[str], stdin: int | bytes, sinks: Sequence[_Writer | _Store]
) -> int:
    """Run pyshell on a host and pass its standard output and error to the two sinks."""
    log = os.memfd_create("ssh")  # ssh's own errors, apart from those of pyshell there
    try:
        with _started(host, words, stdin, log) as process:
            _copy(process, [sink.write for sink in sinks])
            status = process.wait()
        reason = _last_line(os.pread(log, _ERRORS_MAX, 0))
    except KeyboardInterrupt:
        raise InterruptedStepsError(
            f"Interrupted. The command may still be running on {host}.", signal.SIGINT
        ) from None
    finally:
        os.close(log)
    if status == _NO_SUCH_COMMAND:
        raise NotFoundError(f"No pyshell in the PATH of {host}.", f"Install it. {_must_work(host)}")
    if status not in range(_SSH_FAILED):
        told = reason or (f"signal {-status}" if status < 0 else "the connection ended")
        begun = any(sink.used for sink in sinks)
        also = " The command may have run, in part or completely." if begun else ""
        raise PyshellError(f"ssh to {host} failed: {told}", f"{_must_work(host)}{also}")
    return status


@contextmanager
def _started(
    host: str, words: Sequence[str], stdin: int | bytes, log: int
) -> Iterator[Popen[bytes]]:
    """Start ssh, send it the text of `stdin`, and end it if the caller fails."""
    # The login shell of the other host splits the line into words again.
    line = " ".join(map(shell_word, ["pyshell", *words]))
    options = [word for name, value in _OPTIONS for word in ("-o", f"{name}={value}")]
    # No terminal, agent or display of this host. ssh closes descriptors that it inherits.
    own = ["-T", "-a", "-x", "-E", f"/proc/{os.getpid()}/fd/{log}", *options]
    given = PIPE if isinstance(stdin, bytes) else stdin
    try:
        process = programs.start_ssh(*own, "--", host, line, stdin=given)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"Cannot reach {host}: this host has no ssh.", "Install the OpenSSH client."
        ) from error
    try:
        if isinstance(stdin, bytes) and process.stdin is not None:
            with suppress(BrokenPipeError), process.stdin as pipe:
                pipe.write(stdin)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _copy(process: Popen[bytes], sinks: Sequence[Callable[[bytes], None]]) -> None:
    """Pass standard output and error of a process to the two sinks until both end."""
    with selectors.DefaultSelector() as ready:
        for stream, sink in zip((process.stdout, process.stderr), sinks, strict=True):
            assert stream is not None
            ready.register(stream, selectors.EVENT_READ, sink)
        while ready.get_map():
            for key, _ in ready.select():
                data = os.read(key.fd, _BLOCK)
                if data:
                    key.data(data)
                else:
                    ready.unregister(key.fileobj)
