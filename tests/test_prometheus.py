# SPDX-License-Identifier: Apache-2.0
"""A Prometheus scrapes a simulated target: every panel has data, and alerts fire."""

from __future__ import annotations

import http
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TIME_LIMIT, TPG, Pyshell, clean_environment, tool
from monitoring import RULES, expressions

PORTAL = "192.168.56.101"
_INTERVAL = "1s"


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the end of the block."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stderr=output, stdout=output, env=clean_environment()) as program,
    ):
        try:
            yield program
        finally:
            program.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                program.wait(TIME_LIMIT)
            program.kill()


class Prometheus:
    """A Prometheus that is running, by the port of its API."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path: str, **arguments: str) -> Any:
        """Return the data of an answer, None before there is one."""
        url = f"{self._address}/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=TIME_LIMIT) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.SERVICE_UNAVAILABLE:
                return None
            pytest.fail(f"{path} {arguments}: {error.read().decode()}")
        except OSError:
            return None

    def without_data(self) -> list[tuple[str, str]]:
        """Return the queries of the dashboard that find nothing."""
        answers = {one: self.get("query", query=one[1]) for one in expressions()}
        return [one for one, data in answers.items() if not (data and data["result"])]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        data = self.get("alerts") or {"alerts": []}
        return {one["labels"]["alertname"] for one in data["alerts"] if one["state"] == "firing"}


def wait_until(expected: Any, read: Any) -> None:
    """Read until that is as expected."""
    deadline = time.monotonic() + TIME_LIMIT
    while (found := read()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


@pytest.fixture
def exporter(exported: Pyshell, tmp_path: Path) -> Iterator[tuple[int, Any]]:
    """Serve the metrics of a target with one initiator; return the port and the program."""
    exported.give_addresses(PORTAL)
    exported.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create {PORTAL}")
    exported.must("saveconfig", "clearconfig confirm=true", "restoreconfig")
    exported.must(f"login {CLIENT}", f"reserve {CLIENT} type=write_exclusive")
    port = free_port()
    command = [sys.executable, "-m", "pyshell", f"--simulate={exported.folder}", "metrics"]
    with running([*command, f"serve={port}"], tmp_path / "exporter.log") as program:
        yield port, program


@pytest.fixture
def prometheus(exporter: tuple[int, Any], tmp_path: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes it; alerts do not wait."""
    rules = re.sub(r"(?m)^ +for: \w+\n", "", RULES.read_text(encoding="utf-8"))
    (tmp_path / "pyshell.rules.yml").write_text(rules)
    scraped = {"job_name": "pyshell", "static_configs": [{"targets": [f"127.0.0.1:{exporter[0]}"]}]}
    config = {
        "global": {"scrape_interval": _INTERVAL, "evaluation_interval": _INTERVAL},
        "rule_files": ["pyshell.rules.yml"],
        "scrape_configs": [{**scraped, "scrape_timeout": _INTERVAL}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    command = [
        tool("prometheus", "prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, tmp_path / "prometheus.log"):
        yield Prometheus(port)


def test_every_panel_has_data_and_alerts_fire(
    exported: Pyshell, exporter: tuple[int, Any], prometheus: Prometheus
) -> None:
    exported.must(f"traffic {CLIENT} read=20M written=5M")
    wait_until([], prometheus.without_data)
    sessions = prometheus.get("query", query='pyshell_sessions{kind="acl"}')["result"]
    assert [(one["metric"]["target"], one["value"][1]) for one in sessions] == [(SERVER, "1")]
    wait_until(set(), prometheus.firing)

    exported.simulator.refuse(SERVER, 1, CLIENT, "192.168.56.105")
    exported.give_addresses("192.168.56.102")
    exported.must(f"{TPG} disable")
    exported.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    wait_until(
        {
            "PyshellUnsaved", "PyshellTpgDisabled", "PyshellPortalDown", "PyshellDeviceMissing",
            "PyshellLoginsRefused",
        },
        prometheus.firing,
    )  # fmt: skip

    exporter[1].send_signal(signal.SIGINT)
    wait_until(True, lambda: "PyshellMetricsMissing" in prometheus.firing())
