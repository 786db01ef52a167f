# SPDX-License-Identifier: Apache-2.0
"""The golden list: what each test of the storage test suite gives with pyshell.

expected.json is {FILE: {TEST: OUTCOME}}, recorded by `python -m tests.kernel.sts run --record`. The
reason of a failure is written by hand; the others are the suite's own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from . import suite

FILE = Path(__file__).with_name("expected.json")
KINDS = (suite.PASSED, suite.EXPECTED, suite.FAILED, suite.SKIPPED)


class Golden:
    """The golden list."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))

    def differences(self, name: str, came: Mapping[str, str]) -> list[str]:
        """Return what came otherwise than expected, a line each."""
        expected = self.outcomes.get(name, {})
        return [
            f"{name}: {test}: {came[test]}, expected: {expected.get(test, 'nothing')}"
            for test in came
            if not _is_same(came[test], expected.get(test, ""))
        ]

    def record(self, name: str, came: Mapping[str, str]) -> None:
        """Write down what is expected of these tests, without losing why they fail."""
        known = self.outcomes.get(name, {})
        news = {
            test: what for test, what in came.items() if not _is_same(what, known.get(test, ""))
        }
        merged = {**self.outcomes, name: {**known, **news}}
        self.outcomes = {one: merged[one] for one in suite.FILES if one in merged}
        text = json.dumps(self.outcomes, indent=1)
        FILE.write_text(text + "\n", encoding="utf-8")

    def tables(self) -> Iterator[str]:
        """Yield the lines of the tables in docs/targetcli.md."""
        yield f"| file of tests | {' | '.join(KINDS)} |"
        yield f"|---|{'---|' * len(KINDS)}"
        for name, file in suite.FILES.items():
            kinds = Counter(_kind(outcome) for outcome in self.outcomes[name].values())
            counts = " | ".join(str(kinds[one]) for one in KINDS)
            yield f"| `{file.path}` | {counts} |"
        yield ""
        yield "| not passed | why |"
        yield "|---|---|"
        for outcomes in self.outcomes.values():
            for test, outcome in outcomes.items():
                if outcome != suite.PASSED:
                    yield f"| `{test.rpartition('::')[2]}` | {outcome} |"


def _kind(outcome: str) -> str:
    """Return the outcome without its reason."""
    return outcome.partition(": ")[0]


def _is_same(came: str, expected: str) -> bool:
    # What a failing test says changes with each run.
    kinds = (_kind(came), _kind(expected))
    return kinds == (suite.FAILED, suite.FAILED) or came == expected


def counted(outcomes: Iterable[str]) -> str:
    """Return the number of tests of each outcome, as a text."""
    kinds = Counter(_kind(outcome) for outcome in outcomes)
    return ", ".join(f"{count} {one}" for one, count in kinds.items())
