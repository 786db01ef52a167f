# SPDX-License-Identifier: Apache-2.0
"""Serves one text at /metrics over HTTP, and at / a page that links to it.

Only GET and HEAD of these paths are possible; of a request, only its first line and Host are used.
It must arrive within a few seconds. If too many are open, a new one replaces the oldest.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from threading import Lock
from typing import Any

from pyshell import names
from pyshell.errors import UsageError, os_errors

PORT = 9814
LOOPBACK = "127.0.0.1"
PATH = "/metrics"
_PAGE = (
    '<!DOCTYPE html><html lang="en"><title>pyshell</title>'
    f'<p>Metrics of this storage target: <a href="{PATH}">{PATH}</a></p></html>\n'
)
_PAGE_TYPE = "text/html; charset=utf-8"
REQUEST_SECONDS = 5.0
"""How long a client may take to send its request, and then to read each part of the answer."""
_ANSWERED = float("inf")
_AT_ONCE = 8


def place(text: str) -> tuple[str, int]:
    """Read `PORT`, `ADDRESS` or `ADDRESS:PORT` (IPv6 in brackets). Raises UsageError."""
    if names.whole(text) is not None:
        return LOOPBACK, names.port_number(text)
    address, colon, port = text.rpartition(":")
    if not colon or "]" in port or (":" in address and not address.startswith("[")):
        address, port = text, str(PORT)
    try:
        plain = names.address(address)
    except UsageError as error:
        raise UsageError(
            error.message, f"serve= takes PORT, ADDRESS or ADDRESS:PORT, as {LOOPBACK}:{PORT}."
        ) from error
    return plain, names.port_number(port)


def is_loopback(address: str) -> bool:
    """Return whether an address can be reached only from this host."""
    return ipaddress.ip_address(address).is_loopback


def server(address: str, port: int, text: Callable[[], str], kind: str) -> ThreadingHTTPServer:
    """Return a server that is bound to its address. Raises PyshellError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = type("_MetricsServer", (_Server,), {"address_family": family})
    with os_errors(f"serve at {names.bracketed(address)}:{port}"):
        found: ThreadingHTTPServer = made((address, port), _handler(text, kind, address))
    return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _AT_ONCE

    def __init__(self, *arguments: Any) -> None:
        self._open: dict[socket.socket, float] = {}
        """The open connections, the oldest first, and until when each may last."""
        self._lock = Lock()
        super().__init__(*arguments)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, as the standard server does."""
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread; if too many are open, end the oldest."""
        with self._lock:
            if len(self._open) >= _AT_ONCE:
                waiting = (one for one, until in self._open.items() if until != _ANSWERED)
                oldest = next(waiting, request)  # all are being answered: refuse this one
                _end(oldest)
                self._open.pop(oldest, None)
            self._open[request] = time.monotonic() + REQUEST_SECONDS
        super().process_request(request, client_address)

    def answers(self, request: socket.socket) -> None:
        """Note that a request was read: its answer may take longer."""
        with self._lock:
            if request in self._open:
                self._open[request] = _ANSWERED

    def service_actions(self) -> None:
        """End connections whose time is up; called at least twice per second."""
        now = time.monotonic()
        with self._lock:
            for request, until in self._open.items():
                if until < now:
                    _end(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not report clients that disconnect."""


def _end(request: socket.socket) -> None:
    """Shut a connection down; its own thread closes it."""
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _handler(text: Callable[[], str], kind: str, address: str) -> type[BaseHTTPRequestHandler]:
    lock = Lock()  # one read of the kernel at a time

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version, sys_version = "pyshell", ""

        def do_GET(self) -> None:
            """Answer with the text."""
            if not self._is_meant():
                return
            assert isinstance(self.server, _Server)
            self.server.answers(self.connection)
            if self._place() == PATH:
                with lock:
                    self._answer(kind, text().encode())
            else:
                self._answer(_PAGE_TYPE, _PAGE.encode())

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def _answer(self, content_type: str, body: bytes) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _place(self) -> str:
            return self.path.partition("?")[0]

        def _is_meant(self) -> bool:
            host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
            if not _is_own(host, local=is_loopback(address)):
                # A foreign web page must not read them by a name that resolves to this host.
                self.send_error(HTTPStatus.FORBIDDEN)
                return False
            if self._place() not in (PATH, "/"):
                self.send_error(HTTPStatus.NOT_FOUND)
                return False
            return True

        def log_message(self, *_: Any) -> None:
            """Keep no log of requests."""

    return Handler


def _is_own(host: str, *, local: bool) -> bool:
    """Return whether a request's Host is an address, or a name of this host.

    Only names can be made to resolve to this host. `local` allows only those of loopback.
    """
    bare = host.strip("[]").lower()
    if bare in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback or not local
    except ValueError:
        own = socket.gethostname().lower()
        return not local and bare in (own, own.partition(".")[0], *_names_in_hosts())


def _names_in_hosts() -> Iterator[str]:
    """Yield the names in /etc/hosts, without asking a name server."""
    with (
        contextlib.suppress(OSError),
        open("/etc/hosts", encoding="utf-8", errors="replace") as file,
    ):
        for line in islice(file, 1000):
            yield from line.partition("#")[0].lower().split()[1:]
