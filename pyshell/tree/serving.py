# SPDX-License-Identifier: Apache-2.0
"""Serves one text at /metrics over HTTP, until it is stopped, and at / a page that links to it.

Only reading is possible: no other path, no other method, nothing of a request is used but its
first line and its Host. Few are served at once, and none who is slow.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Lock
from typing import Any

from pyshell.errors import UsageError, from_os_error
from pyshell.target import names

PORT = 9814
LOOPBACK = "127.0.0.1"
PATH = "/metrics"
_PAGE = (
    '<!DOCTYPE html><html lang="en"><title>pyshell</title>'
    f'<p>Metrics of this storage target: <a href="{PATH}">{PATH}</a></p></html>\n'
)
_PAGE_TYPE = "text/html; charset=utf-8"
_SECONDS = 10.0
_AT_ONCE = 8


def place(text: str) -> tuple[str, int]:
    """Read `PORT`, `ADDRESS` or `ADDRESS:PORT` (IPv6 in brackets). Raises UsageError."""
    if text.isdigit():
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
    """Tell whether only this host reaches an address."""
    return ipaddress.ip_address(address).is_loopback


def server(address: str, port: int, text: Callable[[], str], kind: str) -> ThreadingHTTPServer:
    """Return a server that is bound already. Raises PyshellError where that cannot be."""
    made = type("_MetricsServer", (_Server,), {"address_family": _family(address)})
    try:
        found: ThreadingHTTPServer = made((address, port), _handler(text, kind, address))
    except OSError as error:
        raise from_os_error(error, f"serve at {names.bracketed(address)}:{port}") from error
    return found


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _AT_ONCE

    def __init__(self, *arguments: Any) -> None:
        self._free = BoundedSemaphore(_AT_ONCE)
        super().__init__(*arguments)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name that the standard server makes."""
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread of its own, or not at all where too many are served."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""


def _handler(text: Callable[[], str], kind: str, address: str) -> type[BaseHTTPRequestHandler]:
    lock = Lock()  # one look at the kernel at a time

    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS
        server_version, sys_version = "pyshell", ""

        def do_GET(self) -> None:
            """Answer with the text."""
            if not self._is_meant():
                return
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
            if is_loopback(address) and not _is_local(host):
                # A page of elsewhere, whose name leads here, is not to read along.
                self.send_error(HTTPStatus.FORBIDDEN)
                return False
            if self._place() not in (PATH, "/"):
                self.send_error(HTTPStatus.NOT_FOUND)
                return False
            return True

        def log_message(self, *_: Any) -> None:
            """Keep no log of requests."""

    return Handler


def _is_local(host: str) -> bool:
    bare = host.strip("[]")
    if bare in ("", "localhost"):
        return True
    try:
        return is_loopback(bare)
    except ValueError:
        return False
