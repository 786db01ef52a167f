# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of `metrics serve=`: its address, and limits for slow clients.

A request must arrive within a few seconds. If too many are open, a new one replaces the oldest.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from io import StringIO
from socketserver import TCPServer, ThreadingMixIn
from threading import Lock
from typing import TYPE_CHECKING, Any, TextIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from pyshell import names
from pyshell.errors import UsageError, os_errors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PORT = 9814
LOOPBACK = "127.0.0.1"
PATH = "/metrics"
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


def server(address: str, port: int, application: WSGIApplication) -> WSGIServer:
    """Return a server that is bound to its address. Raises PyshellError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = type("_MetricsServer", (_Server,), {"address_family": family})
    with os_errors(f"serve at {names.bracketed(address)}:{port}"):
        found: WSGIServer = made((address, port), _Handler)
    found.set_app(application)
    return found


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = _AT_ONCE

    def __init__(self, *arguments: Any) -> None:
        self._open: dict[socket.socket, float] = {}
        """The open connections, the oldest first, and until when each may last."""
        self._lock = Lock()
        super().__init__(*arguments)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, as the standard server does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

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


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def parse_request(self) -> bool:
        """Read the request; then its time limit ends."""
        is_read = super().parse_request()
        if is_read:
            assert isinstance(self.server, _Server)
            self.server.answers(self.connection)
        return is_read

    def get_stderr(self) -> TextIO:
        """Do not report clients that stop reading."""
        return StringIO()

    def log_message(self, *_: Any) -> None:
        """Keep no log of requests."""
