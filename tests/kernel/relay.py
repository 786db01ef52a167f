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
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import pytest

from . import image, peer
from .guestmachine import POLL_SECONDS, BedError, Guest, Settings

# All in the results folder: which tests the guest is to run, and what came of them.
SELECTION = "selected-tests"
REPORTS = "reports.jsonl"
TOTAL_SECONDS = 2400.0
# A guest whose tests neither end nor reach their own time limit is beyond help.
SILENCE_SECONDS = 750.0
# What the tests run in the guest; program: Debian package.
TOOLS_OF_TESTS = {
    "dbus-daemon": "dbus",
    "tcmu-runner": "tcmu-runner",
    "blkdiscard": "util-linux",
    "fdisk": "fdisk",
    "iscsid": "open-iscsi",
    "lvcreate": "lvm2",
    "mkfs.xfs": "xfsprogs",
    "mkfs.ext4": "e2fsprogs",
    "rdma": "iproute2",
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
    """Runs all selected guest tests in one guest, begun by whoever asks first."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._guest: Guest | None = None
        self._end: str | None = None
        self._read_to = 0
        self._last_news = 0.0
        self._selected: list[pytest.Item] = []
        self._reports: dict[str, list[pytest.TestReport]] = {}
        kept = os.environ.get("PYSHELL_BED_RESULTS")
        self._results = Path(kept or tempfile.mkdtemp(prefix="pyshell-bed-")).absolute()
        self._keep = bool(kept)

    def select(self, items: Sequence[pytest.Item]) -> None:
        """Name the tests that the guest is to run, in their order."""
        self._selected = list(items)

    def reports(self, node: str) -> Sequence[pytest.TestReport]:
        """Wait for one test's end and return its reports; BedError where it has none."""
        if self._guest is None and self._end is None:
            self._begin()
        while not self._is_complete(node) and self._end is None:
            time.sleep(POLL_SECONDS)
            self._advance()
        if not self._is_complete(node):
            error = BedError(f"the guest did not report this test: {self._end}")
            # All that is known of the end is shown once.
            self._end = f"{self._end}".splitlines()[0]
            raise error
        return self._reports[node]

    def close(self) -> None:
        """End the guest, and remove what it left unless PYSHELL_BED_RESULTS asks to keep it."""
        if self._guest is not None:
            self._guest.kill()
        if not self._keep:
            shutil.rmtree(self._results, ignore_errors=True)

    def _begin(self) -> None:
        self._results.mkdir(parents=True, exist_ok=True)
        (self._results / REPORTS).unlink(missing_ok=True)
        nodes = "".join(f"{item.nodeid}\n" for item in self._selected)
        (self._results / SELECTION).write_text(nodes, encoding="utf-8")
        needs_lvm = any("lee" in getattr(item, "fixturenames", ()) for item in self._selected)
        environment = {"PYSHELL_BED_RELAY": "1"}
        if any("targetcli" in getattr(item, "fixturenames", ()) for item in self._selected):
            environment["PYSHELL_PEER"] = _peer()
        settings = Settings(lvm=needs_lvm, environment=environment)
        self._last_news = time.monotonic()
        try:
            self._guest = Guest(self._command(), self._results, TOTAL_SECONDS, settings)
        except Exception as error:
            # Each later test must say so too, rather than try again.
            self._end = f"no guest: {error}"
            raise

    def _command(self) -> list[str]:
        files = dict.fromkeys(str(item.path) for item in self._selected)
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


class FailedInGuestError(Exception):
    """A test failed in the guest; `report` is the phase of it that did."""

    def __init__(self, report: pytest.TestReport) -> None:
        super().__init__(report.nodeid)
        self.report = report


class GuestItem(pytest.Item):
    """Stands on the host for a test in the guest, and does as that one did."""

    def __init__(self, relay: Relay, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._relay = relay

    def runtest(self) -> None:
        """Wait for the twin in the guest, then pass, fail or skip as it did."""
        refuse_without_bed()
        reports = self._relay.reports(self.nodeid)
        self._show_output(reports)
        for report in reports:
            if report.failed:
                raise FailedInGuestError(report)
        for report in reports:
            if report.skipped and hasattr(report, "wasxfail"):
                pytest.xfail(report.wasxfail)
            if report.skipped:
                pytest.skip(_skip_reason(report))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the guest's own account of the failure."""
        if isinstance(excinfo.value, FailedInGuestError):
            return excinfo.value.report.longrepr
        if isinstance(excinfo.value, BedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say where the test stands."""
        return self.path, None, self.name

    def _show_output(self, reports: Iterable[pytest.TestReport]) -> None:
        # The last report holds what was captured in all phases, as "Captured stdout call".
        *_, last = reports
        for title, content in last.sections:
            _, *stream, phase = title.split()
            # By its own name pytest would show the last phase a second time.
            phase = "clean-up" if phase == "teardown" else phase
            self.add_report_section(phase, " ".join(["guest's", *stream]), content)


def _peer() -> str:
    """Return the Python that has targetcli, or why there is none: for the tests that need it."""
    try:
        return str(peer.build())
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return f"no targetcli to compare with: {error}"


def refuse_without_bed() -> None:
    """Skip where the bed cannot run; fail there if PYSHELL_REQUIRE_KERNEL is set."""
    reason = image.missing(TOOLS_OF_TESTS)
    if reason is None:
        return
    if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") not in ("", "0"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _skip_reason(report: pytest.TestReport) -> str:
    # pytest keeps a skip as (file, line, "Skipped: reason"), which JSON makes a list.
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple | list) else where).removeprefix("Skipped: ")
