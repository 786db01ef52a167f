# SPDX-License-Identifier: Apache-2.0
"""`metrics serve=`: what is served, where, and to whom."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from driver import Pyshell, clean_environment
from pyshell.commands import metrics_server
from pyshell.errors import PyshellError, UsageError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TEXT = "pyshell_target_up 1\n"
_POLL_SECONDS = 0.01
"""How often a server looks whether to end."""


def application(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Answer all requests with the same text."""
    start("200 OK", [("Content-Type", "text/plain")])
    return [TEXT.encode()]


@pytest.fixture
def port() -> Iterator[int]:
    """Return the port of a server on loopback."""
    with metrics_server.server("127.0.0.1", 0, application) as server:
        thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(port: int, path: str = "/metrics") -> tuple[int, str]:
    """Return the status and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize("begun", [b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: "])
def test_slow_clients_in_all_places_do_not_starve_others(port: int, begun: bytes) -> None:
    """Finding 51."""
    slow = []
    for _ in range(30):
        slow.append(socket.create_connection(("127.0.0.1", port)))
        slow[-1].sendall(begun)
        # If the queue of connections overflows, the kernel tries again after a second.
        time.sleep(_POLL_SECONDS)
    assert ask(port) == (200, TEXT)
    for one in slow:
        one.close()


def test_a_request_has_a_time_limit_as_a_whole() -> None:
    """Finding 51: a byte now and then does not keep a place."""
    with metrics_server.server("127.0.0.1", 0, application) as server:
        assert isinstance(server, metrics_server._Server)
        request, other_end = socket.socketpair()
        server.process_request(request, ("127.0.0.1", 1))
        server._open[request] = 0.0  # its time is up
        other_end.sendall(b"G")
        server.service_actions()
        other_end.settimeout(20)
        assert other_end.recv(1) == b""
        other_end.close()


def test_who_says_nothing_holds_up_nobody(port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    assert ask(port) == (200, TEXT)
    for one in silent:
        one.close()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("9814", ("127.0.0.1", 9814)),
        ("192.0.2.1", ("192.0.2.1", metrics_server.PORT)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
        ("[::1]:80", ("::1", 80)),
        ("::1", ("::1", metrics_server.PORT)),
    ],
)
def test_how_an_address_is_written(text: str, place: tuple[str, int]) -> None:
    assert metrics_server.place(text) == place


FORMS = "serve= takes PORT, ADDRESS or ADDRESS:PORT, as"
PORTS = "Give a number from 1 to 65535"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nowhere", FORMS),
        ("", FORMS),
        ("nowhere:80", FORMS),
        ("127.0.0.1:x", PORTS),
        ("70000", PORTS),
        ("127.0.0.1:", PORTS),
    ],
)
def test_what_is_no_address_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        metrics_server.place(text)


def test_what_is_wrong_with_an_address_is_told_in_a_line(exported: Pyshell) -> None:
    ran = exported("metrics", "serve=foo")
    assert (ran.status, ran.err) == (
        2,
        "'foo' is not an IP address. serve= takes PORT, ADDRESS or ADDRESS:PORT, as"
        " 127.0.0.1:9814.\n",
    )


def test_a_port_that_is_taken(port: int) -> None:
    with pytest.raises(PyshellError, match=f"serve at 127.0.0.1:{port}"):
        metrics_server.server("127.0.0.1", port, application)


def test_the_command_serves_until_it_is_interrupted(exported: Pyshell) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    command = [sys.executable, "-m", "pyshell", f"--simulate={exported.folder}"]
    with subprocess.Popen(
        [*command, "metrics", f"serve={number}"],
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    ) as running:
        assert running.stderr is not None
        told = running.stderr.readline()
        assert told == f"Serving http://127.0.0.1:{number}/metrics until Ctrl-C.\n"
        status, text = ask(number)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    assert status == 200
    assert read(text) == read(exported("metrics").out)


def read(text: str) -> list[Any]:
    """Return what the reference client reads in an exposition."""
    return list(text_string_to_metric_families(text))


def test_a_server_can_follow_another_at_once() -> None:
    """The connections that it closed last remain in the kernel for a minute."""
    port = 0
    for _ in range(2):
        with metrics_server.server("127.0.0.1", port, application) as server:
            port = server.server_address[1]
            thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
            thread.start()
            assert ask(port) == (200, TEXT)
            server.shutdown()
            thread.join()


def test_a_client_that_stops_reading_is_not_reported(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        raise TimeoutError

    with metrics_server.server("127.0.0.1", 0, broken) as server:
        thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
        thread.start()
        assert ask(server.server_address[1])[0] == 500
        server.shutdown()
        thread.join()
    assert capfd.readouterr().err == ""


def test_a_dry_run_serves_nothing(exported: Pyshell) -> None:
    ran = exported("--dry-run", "metrics", "serve=9814").done()
    assert ran.out == "Metrics would be served at http://127.0.0.1:9814/metrics (dry run)\n"
