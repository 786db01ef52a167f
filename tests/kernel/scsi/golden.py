# SPDX-License-Identifier: Apache-2.0
"""The golden lists: what each test of iscsi-test-cu, and each line of sg3_utils, gives in each row.

They are {TEST: {OUTCOME: [ROW, ...]}}, recorded by `python -m tests.kernel.scsi run --record`.
reasons.json, written by hand, explains the failures of iscsi-test-cu.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .rows import ROWS
from .testcu import FAILED, PASSED, SKIPPED

HERE = Path(__file__).parent
REASONS = HERE / "reasons.json"


@dataclass(frozen=True)
class Reason:
    """Why some tests do not pass."""

    tests: tuple[str, ...]
    why: str
    rows: tuple[str, ...]
    """The rows in which it is the reason."""
    race: bool = False
    """Whether they pass or fail by chance: the golden list has that they pass."""


def reasons() -> list[Reason]:
    """Return why tests of iscsi-test-cu fail."""
    return [
        Reason(
            tuple(one["tests"]), one["why"], tuple(one.get("rows", ROWS)), one.get("race", False)
        )
        for one in json.loads(REASONS.read_text(encoding="utf-8"))
    ]


class Golden:
    """One golden list."""

    def __init__(self, name: str) -> None:
        self._file = HERE / f"{name}.json"
        self._outcomes: dict[str, dict[str, list[str]]] = json.loads(
            self._file.read_text(encoding="utf-8")
        )

    def tests(self) -> list[str]:
        """Return the names of all tests, in the program's order."""
        return list(self._outcomes)

    def rows(self) -> list[str]:
        """Return the names of the rows that were recorded whole."""
        return [row for row in ROWS if all(self.outcome(test, row) for test in self._outcomes)]

    def outcomes(self, test: str) -> Mapping[str, list[str]]:
        """Return the rows of each outcome of a test."""
        return self._outcomes[test]

    def outcome(self, test: str, row: str) -> str:
        """Return what a test gives in a row, "" if that was never recorded."""
        found = [what for what, rows in self._outcomes.get(test, {}).items() if row in rows]
        return found[0] if found else ""

    def differences(self, row: str, came: Mapping[str, str]) -> list[str]:
        """Return what came otherwise than expected, a line each."""
        races = {test for one in reasons() if one.race and row in one.rows for test in one.tests}
        return [
            f"{row}: {test}: {what}, expected: {self.outcome(test, row) or 'nothing'}"
            for test, what in came.items()
            if what != self.outcome(test, row) and not (test in races and what == FAILED)
        ]

    def failing(self, test: str) -> list[str]:
        """Return the rows in which a test fails or hangs."""
        return [
            row
            for what, rows in self._outcomes[test].items()
            for row in rows
            if not what.startswith((PASSED, SKIPPED))
        ]

    def record(self, row: str, came: Mapping[str, str]) -> None:
        """Write down what is expected of these tests in a row."""
        for test, what in came.items():
            outcomes = self._outcomes.setdefault(test, {})
            for rows in outcomes.values():
                if row in rows:
                    rows.remove(row)
            outcomes.setdefault(what, []).append(row)
            outcomes[what].sort()
            self._outcomes[test] = {key: outcomes[key] for key in sorted(outcomes) if outcomes[key]}
        text = json.dumps(self._outcomes, indent=1)
        self._file.write_text(text + "\n", encoding="utf-8")
