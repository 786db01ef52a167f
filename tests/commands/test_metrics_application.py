# SPDX-License-Identifier: Apache-2.0
"""The answers to requests for metrics: formats, paths, methods and names of the host."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from driver import Pyshell, clean_environment
from pyshell.commands.metric_families import Reading
from pyshell.commands.metrics_application import Application
from pyshell.errors import PyshellError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@dataclass
class Answer:
    """What a client gets."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The content as text."""
        return self.body.decode()


def reading() -> Reading:
    """Return two values."""
    made = Reading()
    made.add("pyshell_target_up", 1)
    made.add("pyshell_logins", 3, target='a"b\\c\nd é')
    return made


def ask(path: str = "/metrics", query: str = "", address: str = "127.0.0.1", **more: str) -> Answer:
    """Ask a server at `address`; the standard library checks the protocol."""
    environ: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query, **more}
    environ.setdefault("HTTP_HOST", "localhost:9814")
    return answered(validator(Application(reading, address)), environ)


def answered(application: WSGIApplication, environ: dict[str, Any]) -> Answer:
    """Run an application as a server does."""
    setup_testing_defaults(environ)
    begun: list[Any] = []

    def start(*told: Any) -> Callable[[bytes], object]:
        begun.extend(told)
        return len

    answers = application(environ, start)
    body = b"".join(answers)
    if hasattr(answers, "close"):
        answers.close()
    return Answer(int(begun[0].split()[0]), dict(begun[1]), body)


def test_prometheus_text_is_the_default() -> None:
    answer = ask()
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["Server"] == "pyshell"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    own = "".join(f"{line}\n" for line in reading().lines())
    assert list(parser.text_string_to_metric_families(answer.text)) == list(
        parser.text_string_to_metric_families(own)
    )


def test_openmetrics_for_those_who_ask() -> None:
    answer = ask(HTTP_ACCEPT=OPENMETRICS)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    families = {one.name: one for one in openmetrics.text_string_to_metric_families(answer.text)}
    assert families["pyshell_lun_read_bytes"].unit == "bytes"
    (login,) = families["pyshell_logins"].samples
    assert (login.labels, login.value) == ({"target": 'a"b\\c\nd é'}, 3)


def test_it_is_compressed_for_those_who_ask() -> None:
    assert gzip.decompress(ask(HTTP_ACCEPT_ENCODING="gzip").body) == ask().body


def test_a_request_can_name_metrics() -> None:
    lines = ask(query="name[]=pyshell_logins_total").text.splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'pyshell_logins_total{target="a\\"b\\\\c\\nd é"} 3.0'
    ]


def test_the_root_is_a_page_that_leads_there() -> None:
    answer = ask("/")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert '<a href="/metrics">' in answer.text
    assert ask("/", HTTP_HOST="evil.example:9814").status == 403


@pytest.mark.parametrize("path", ["/index.html", "/etc/passwd", "/metrics/../etc/passwd", ""])
def test_nothing_else_is_there(path: str) -> None:
    assert ask(path or "/metrics/").status == 404


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_done_but_read(method: str) -> None:
    answer = ask(REQUEST_METHOD=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_a_page_of_elsewhere_does_not_read_along() -> None:
    assert ask(HTTP_HOST="evil.example:9814").status == 403
    assert ask(HTTP_HOST="localhost:9814").status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example:9814", 403), ("evil.example", 403), ("127.0.0.1.evil.example", 403),
        ("192.0.2.1:9814", 200), ("[2001:db8::1]:9814", 200), ("localhost:9814", 200),
        (f"{socket.gethostname()}:9814", 200), (socket.gethostname().upper(), 200),
    ],
)  # fmt: skip
def test_a_public_server_answers_to_addresses_and_its_own_names(host: str, status: int) -> None:
    """Finding 51: a web page whose name leads here (DNS rebinding) does not read along."""
    assert ask(address="0.0.0.0", HTTP_HOST=host).status == status


def test_a_target_that_cannot_be_read_is_told_in_a_line() -> None:
    def fail() -> Reading:
        raise PyshellError("Cannot list \x1b[1m/iscsi.", "Try again.")

    answer = answered(Application(fail, "0.0.0.0"), {"PATH_INFO": "/metrics"})
    assert answer.status == 500
    assert answer.text == "Cannot list \\x1b[1m/iscsi. Try again.\n"


def test_without_the_library_one_line_says_what_to_install(exported: Pyshell) -> None:
    """Metrics as text do not need it."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        program = (
            "import sys; sys.modules['prometheus_client'] = None\n"
            f"sys.argv[1:] = {[f'--simulate={exported.folder}', *words]}\n"
            "from pyshell.cli import main; sys.exit(main())\n"
        )
        return subprocess.run(
            [sys.executable, "-c", program],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    served = run("metrics", "serve=9814")
    assert (served.returncode, served.stdout) == (3, "")
    assert served.stderr == (
        "Cannot serve metrics: the Python library prometheus_client is not installed. Install"
        " python3-prometheus-client (Debian), python3-prometheus_client (Fedora) or"
        " prometheus_client (pip). 'metrics' without serve= does not need it.\n"
    )
    printed = run("metrics")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "pyshell_target_up 1" in printed.stdout
