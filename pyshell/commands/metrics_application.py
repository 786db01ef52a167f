# SPDX-License-Identifier: Apache-2.0
"""Answers HTTP requests for metrics by prometheus_client, which knows the formats and compression.

Only GET of /metrics, and of a page at / that links to it, is possible, and only for a request that
names this host.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pyshell.commands.metric_families import METRICS, Family, Reading
from pyshell.commands.metrics_server import PATH, is_loopback
from pyshell.errors import PyshellError
from pyshell.text import output_line

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PAGE = (
    '<!DOCTYPE html><html lang="en"><title>pyshell</title>'
    f'<p>Metrics of this storage target: <a href="{PATH}">{PATH}</a></p></html>\n'
)
_HEADERS = (("Server", "pyshell"), ("X-Content-Type-Options", "nosniff"))


class Application:
    """Answers the requests to a server that listens at `address`: a WSGI application."""

    def __init__(self, collect: Callable[[], Reading], address: str) -> None:
        registry = CollectorRegistry()
        registry.register(_Target(collect))
        self._exposition: WSGIApplication = make_wsgi_app(registry)
        self._local = is_loopback(address)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""

        def begin(
            status: str, headers: list[tuple[str, str]], _: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            return start(status, [*headers, *_HEADERS])

        def plain(status: HTTPStatus, text: str, kind: str = "text/plain") -> list[bytes]:
            line = f"{status.value} {status.phrase}"
            begin(line, [("Content-Type", f"{kind}; charset=utf-8"), ("Allow", "GET")])
            return [text.encode()]

        path = environ["PATH_INFO"]
        # A foreign web page must not read them by a name that resolves to this host.
        if not _is_own(environ.get("HTTP_HOST", ""), local=self._local):
            return plain(HTTPStatus.FORBIDDEN, "The Host header does not name this host.\n")
        if environ["REQUEST_METHOD"] != "GET":
            return plain(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is possible.\n")
        if path == "/":
            return plain(HTTPStatus.OK, _PAGE, "text/html")
        if path != PATH:
            return plain(HTTPStatus.NOT_FOUND, f"Metrics are at {PATH}.\n")
        try:
            return self._exposition(environ, begin)
        except (PyshellError, OSError) as error:
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR, f"{output_line(str(error))}\n")


class _Target(Collector):
    """Reads the target for the library, one reading at a time."""

    def __init__(self, collect: Callable[[], Reading]) -> None:
        self._collect = collect
        self._lock = Lock()

    def describe(self) -> Iterable[Metric]:
        """Return the metrics without values, so that a request can name some of them."""
        return [_converted(Family(metric)) for metric in METRICS]

    def collect(self) -> Iterable[Metric]:
        """Return the metrics with their values."""
        with self._lock:
            reading = self._collect()
        return [_converted(family) for family in reading]


def _converted(family: Family) -> Metric:
    metric = family.metric
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    made = kind(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
    for labels, value in family.values:
        made.add_metric(list(labels.values()), value)
    return made


def _is_own(header: str, *, local: bool) -> bool:
    """Return whether a request's Host is an address, or a name of this host.

    Only names can be made to resolve to this host. `local` allows only those of loopback.
    """
    host = header.rpartition(":")[0] or header
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
