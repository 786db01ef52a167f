# SPDX-License-Identifier: Apache-2.0
"""The host's stand-ins for the tests in a guest, which end as their twins there did."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from .guestmachine import BedError
from .relay import Relay, refuse_without_bed


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


def _skip_reason(report: pytest.TestReport) -> str:
    # pytest keeps a skip as (file, line, "Skipped: reason"), which JSON makes a list.
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple | list) else where).removeprefix("Skipped: ")
