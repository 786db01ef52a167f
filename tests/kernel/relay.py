# SPDX-License-Identifier: Apache-2.0
"""Carries pytest's reports out of the guest: written there as JSON lines, replayed on the host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import pytest

from . import image, peer, stslibs, unpacked
from .guestmachine import POLL_SECONDS, BedError, Guest, Settings

# All in the results folder: which tests the guest is to run, and what came of them.
SELECTION = "selected-tests"
REPORTS = "reports.jsonl"
# Much more than it takes: the machine may have other work.
TOTAL_SECONDS = 3600.0
# A guest whose tests neither end nor reach their own time limit is beyond help.
SILENCE_SECONDS = 1050.0
# What the tests run in the guest; program: Debian package.
TOOLS_OF_TESTS = {
    "dbus-daemon": "dbus",
    "tcmu-runner": "tcmu-runner",
    "blkdiscard": "util-linux",
    "fdisk": "fdisk",
    "iscsi-test-cu": "libiscsi-bin",
    "iscsid": "open-iscsi",
    "lvcreate": "lvm2",
    "mkfs.xfs": "xfsprogs",
    "mkfs.ext4": "e2fsprogs",
    "rdma": "iproute2",
    "nft": "nftables",
    "sg_persist": "sg3-utils",
    "systemctl": "systemd",
    "udevadm": "udev",
    "dmsetup": "dmsetup",
}
TAIL_CHARACTERS = 3000


class Reporter:
    """Writes each report of the guest's pytest to a file on the host."""

    def __init__(self, config: pytest.Config, results: Path) -> None:
        self._config = config
        self._file: TextIO = (results / REPORTS).open("a", encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write one phase of one test: setup, call or teardown."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._file.write(json.dumps(data) + "\n")
        self._file.flush()


class Relay:
    """Runs tests in a guest of their own and hands out what came of each.

    `kept` is where its console, output and files stay; without it they go with the guest.
    """

    def __init__(
        self, config: pytest.Config, selected: Sequence[pytest.Item], kept: Path | None
    ) -> None:
        self.selected = selected
        self._config = config
        self._guest: Guest | None = None
        self._end: str | None = None
        self._read_to = 0
        self._last_news = 0.0
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._results = (kept or Path(tempfile.mkdtemp(prefix="pyshell-bed-"))).absolute()
        self._keep = kept is not None

    def begin(self) -> None:
        """Start the guest. Why there is none, if so, each of its tests will say."""
        try:
            self._begin()
        except Exception as error:  # whatever it is, the host's tests go on
            self._end = f"no guest: {error}"

    def look(self) -> None:
        """Take in what the guest has reported since the last time, and whether it still runs."""
        if self._guest is not None and self._end is None:
            self._advance()

    def reports(self, node: str) -> Sequence[pytest.TestReport]:
        """Wait for one test's end and return its reports; BedError where it has none."""
        while not self._is_complete(node) and self._end is None:
            time.sleep(POLL_SECONDS)
            self.look()
        if not self._is_complete(node):
            error = BedError(f"the guest did not report this test: {self._end}")
            # All that is known of the end is shown once.
            self._end = f"{self._end}".splitlines()[0]
            raise error
        return self._reports[node]

    def seconds(self) -> Counter[str]:
        """Return how long the tests of each file took."""
        taken: Counter[str] = Counter()
        for node, reports in self._reports.items():
            name = Path(node.partition("::")[0]).name
            taken[name] += round(sum(report.duration for report in reports))
        return taken

    def close(self) -> None:
        """End the guest, and remove what it left unless PYSHELL_BED_RESULTS asks to keep it."""
        if self._guest is not None:
            self._guest.kill()
        if not self._keep:
            shutil.rmtree(self._results, ignore_errors=True)

    def _begin(self) -> None:
        self._results.mkdir(parents=True, exist_ok=True)
        (self._results / REPORTS).unlink(missing_ok=True)
        nodes = "".join(f"{item.nodeid}\n" for item in self.selected)
        (self._results / SELECTION).write_text(nodes, encoding="utf-8")
        environment = {"PYSHELL_BED_RELAY": "1"}
        if self._needs("targetcli"):
            environment["PYSHELL_PEER"] = _peer()
        if self._needs("storage_tests"):
            environment["PYSHELL_STS"] = _storage_tests()
        if self._needs("resource_agents"):
            environment["PYSHELL_AGENTS"] = _agents()
        if faults := os.environ.get("PYSHELL_TEST_FAULTS"):
            environment["PYSHELL_TEST_FAULTS"] = faults
        settings = Settings(lvm=self._needs("lee"), environment=environment)
        self._last_news = time.monotonic()
        self._guest = Guest(self._command(), self._results, TOTAL_SECONDS, settings)

    def _needs(self, fixture: str) -> bool:
        return any(fixture in getattr(item, "fixturenames", ()) for item in self.selected)

    def _command(self) -> list[str]:
        files = dict.fromkeys(str(item.path) for item in self.selected)
        ini = self._config.inipath
        return [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short"),
            *(f"--rootdir={self._config.rootpath}", *(("-c", str(ini)) if ini else ())),
            *files,
        ]

    def _advance(self) -> None:
        assert self._guest is not None
        try:
            going = self._guest.running()
            if going and time.monotonic() - self._last_news > SILENCE_SECONDS:
                self._guest.kill()
                raise BedError(f"no news for {SILENCE_SECONDS:g} seconds")
            # Read after the question: what was written before the end is then all there.
            self._read()
            if not going:
                self._end = f"its pytest ended with status {self._guest.wait()}"
        except BedError as error:
            self._read()
            self._end = str(error)
        if self._end is not None:
            self._end += self._tails()

    def _read(self) -> None:
        path = self._results / REPORTS
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self._read_to)
            # A line without its end is still being written.
            lines = [line for line in file if line.endswith(b"\n")]
        for line in lines:
            self._read_to += len(line)
            self._last_news = time.monotonic()
            report = self._config.hook.pytest_report_from_serializable(
                config=self._config, data=json.loads(line)
            )
            self._reports.setdefault(report.nodeid, []).append(report)

    def _is_complete(self, node: str) -> bool:
        return any(report.when == "teardown" for report in self._reports.get(node, ()))

    def _tails(self) -> str:
        assert self._guest is not None
        parts = [self._guest.tail()]
        for name in ("stdout", "stderr"):
            path = self._results / name
            if path.exists():
                text = path.read_text(errors="replace")[-TAIL_CHARACTERS:]
                parts.append(f"--- end of the guest's {name}\n{text}")
        return "\n" + "\n".join(parts)


def _peer() -> str:
    """Return the Python that has targetcli, or why there is none: for the tests that need it."""
    try:
        return str(peer.build())
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return f"no targetcli to compare with: {error}"


def _storage_tests() -> str:
    """Return the folder of the storage test suite, or why there is none."""
    try:
        return str(stslibs.build().folder)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return f"no storage test suite: {error}"


def _agents() -> str:
    """Return where the cluster's resource agents are, or why there are none."""
    try:
        return str(unpacked.unpacked(unpacked.AGENTS, alone=True))
    except (OSError, subprocess.SubprocessError) as error:
        return f"no resource agents: {error}"


def refuse_without_bed() -> None:
    """Skip where the bed cannot run; fail there if PYSHELL_REQUIRE_KERNEL is set."""
    reason = image.missing(TOOLS_OF_TESTS)
    if reason is None:
        return
    if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") not in ("", "0"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
