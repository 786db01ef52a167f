# SPDX-License-Identifier: Apache-2.0
"""The golden list: what each test gives with pyshell, and with Debian's targetcli-fb.

expected.json is {NAME OF THE PROGRAM BY WHICH IT IS RUN: {PROGRAM: {TEST: OUTCOME}}}, recorded by
`python -m tests.kernel.dropin run --record`. The reason of a failure is written by hand.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from .programs import FAILED, PASSED, PROGRAMS, SKIPPED

FILE = Path(__file__).with_name("expected.json")
PYSHELL, TARGETCLI = "pyshell-targetcli", "targetcli-fb"
KINDS = (PASSED, FAILED, SKIPPED)


class Golden:
    """The golden list."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, dict[str, str]]] = json.loads(
            FILE.read_text(encoding="utf-8")
        )

    def differences(self, called: str, program: str, came: Mapping[str, str]) -> list[str]:
        """Return what came otherwise than expected, a line each."""
        expected = self.outcomes.get(called, {}).get(program, {})
        return [
            f"{program}: {test}: {came.get(test, 'nothing')}, expected: {expected.get(test, '-')}"
            for test in {**expected, **came}
            if not _is_same(came.get(test, ""), expected.get(test, ""))
        ]

    def record(self, called: str, program: str, came: Mapping[str, str]) -> None:
        """Write down what is expected of these tests, without losing why they fail."""
        known = self.outcomes.setdefault(called, {}).get(program, {})
        merged = {
            test: known[test] if _is_same(what, known.get(test, "")) else what
            for test, what in came.items()
        }
        self.outcomes[called][program] = merged
        FILE.write_text(json.dumps(self.outcomes, indent=1) + "\n", encoding="utf-8")

    def tables(self) -> Iterator[str]:
        """Yield the lines of the tables in docs/targetcli.md."""
        yield f"| program | {' | '.join(KINDS)} |"
        yield f"|---|{'---|' * len(KINDS)}"
        ours = self.outcomes[PYSHELL]
        for name, program in PROGRAMS.items():
            kinds = Counter(map(_kind, ours[name].values()))
            yield f"| {program.title} | {' | '.join(str(kinds[kind]) for kind in KINDS)} |"
        yield ""
        yield f"| test | {PYSHELL} | {TARGETCLI} |"
        yield "|---|---|---|"
        for name in PROGRAMS:
            theirs = self.outcomes.get(TARGETCLI, {}).get(name, {})
            for test, outcome in ours[name].items():
                if outcome != PASSED:
                    other = theirs.get(test, "not run")
                    yield f"| `{test}` | {outcome} | {'the same' if other == outcome else other} |"


def _kind(outcome: str) -> str:
    """Return the outcome without its reason; what Ansible counts is a failure if it says so."""
    if outcome.endswith(" failed"):
        runs = outcome.split("; ")
        return PASSED if all(run.endswith(" 0 failed") for run in runs) else FAILED
    return outcome.partition(": ")[0]


def _is_same(came: str, expected: str) -> bool:
    # What a failing test says may change with each run.
    kinds = (came.partition(": ")[0], expected.partition(": ")[0])
    return kinds == (FAILED, FAILED) or came == expected


def counted(outcomes: Mapping[str, str]) -> str:
    """Return the number of tests of each outcome, as a text."""
    kinds = Counter(map(_kind, outcomes.values()))
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())
