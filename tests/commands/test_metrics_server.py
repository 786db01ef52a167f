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

import pytest

from driver import Pyshell, clean_environment
from pyshell.commands import metrics_server
from pyshell.errors import PyshellError, UsageError

TEXT = "pyshell_target_up 1\n# EOF\n"
_POLL_SECONDS = 0.01
"""How often a server looks whether to end."""


@pytest.fixture
def port() -> Iterator[int]:
    """Return the port of a server on loopback."""
    with metrics_server.server("127.0.0.1", 0, lambda: TEXT, "text/plain") as server:
        thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", host: str = "") -> tuple[int, str]:
    """Return the status and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_the_text_is_at_metrics(port: int) -> None:
    assert ask(port, "/metrics") == (200, TEXT)
    assert ask(port, "/metrics?from=here") == (200, TEXT)
    assert ask(port, "/metrics", "HEAD") == (200, "")


def test_the_root_is_a_page_that_leads_there(port: int) -> None:
    status, page = ask(port, "/")
    assert status == 200
    assert '<a href="/metrics">' in page
    assert ask(port, "/", host="evil.example:9814")[0] == 403


@pytest.mark.parametrize("path", ["/index.html", "/etc/passwd", "/metrics/../etc/passwd"])
def test_nothing_else_is_there(port: int, path: str) -> None:
    assert ask(port, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_done_but_read(port: int, method: str) -> None:
    assert ask(port, "/metrics", method)[0] == 501


def test_a_page_of_elsewhere_does_not_read_along(port: int) -> None:
    assert ask(port, "/metrics", host="evil.example:9814")[0] == 403
    assert ask(port, "/metrics", host="localhost:9814")[0] == 200


@pytest.fixture
def public_port() -> Iterator[int]:
    """Return the port of a server on all addresses."""
    with metrics_server.server("0.0.0.0", 0, lambda: TEXT, "text/plain") as server:
        thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example:9814", 403), ("evil.example", 403), ("127.0.0.1.evil.example", 403),
        ("192.0.2.1:9814", 200), ("[2001:db8::1]:9814", 200), ("localhost:9814", 200),
        (f"{socket.gethostname()}:9814", 200), (socket.gethostname().upper(), 200),
    ],
)  # fmt: skip
def test_a_public_server_answers_to_addresses_and_its_own_names(
    public_port: int, host: str, status: int
) -> None:
    """Finding 51: a web page whose name leads here (DNS rebinding) does not read along."""
    assert ask(public_port, "/metrics", host=host)[0] == status


@pytest.mark.parametrize("begun", [b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: "])
def test_slow_clients_in_all_places_do_not_starve_others(port: int, begun: bytes) -> None:
    """Finding 51."""
    slow = []
    for _ in range(30):
        slow.append(socket.create_connection(("127.0.0.1", port)))
        slow[-1].sendall(begun)
        # If the queue of connections overflows, the kernel tries again after a second.
        time.sleep(_POLL_SECONDS)
    assert ask(port, "/metrics") == (200, TEXT)
    for one in slow:
        one.close()


def test_a_request_has_a_time_limit_as_a_whole() -> None:
    """Finding 51: a byte now and then does not keep a place."""
    with metrics_server.server("127.0.0.1", 0, lambda: TEXT, "text/plain") as server:
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
    assert ask(port, "/metrics") == (200, TEXT)
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
        metrics_server.server("127.0.0.1", port, lambda: TEXT, "text/plain")


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
        status, text = ask(number, "/metrics")
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    assert status == 200
    assert text == exported("metrics").out


def test_a_dry_run_serves_nothing(exported: Pyshell) -> None:
    ran = exported("--dry-run", "metrics", "serve=9814").done()
    assert ran.out == "Metrics would be served at http://127.0.0.1:9814/metrics (dry run)\n"
