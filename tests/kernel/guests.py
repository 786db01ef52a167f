# SPDX-License-Identifier: Apache-2.0
"""All guests of one test session: which tests each runs, and that they run beside the host's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from . import image
from .relay import TOOLS_OF_TESTS, Relay
from .standin import GuestItem

# One is one processor's work, as pytest is in each.
GUESTS = 2
# What the tests of a file take, about, on a busy machine: the end of each session tells anew. A
# file that is not named here counts as one of middling length.
SECONDS = {
    "test_boot.py": 600,
    "test_examples.py": 400,
    "test_side_by_side.py": 400,
    "test_conformance.py": 300,
    "test_applying.py": 250,
    "test_guiding.py": 210,
    "test_cost.py": 200,
    "test_confirm.py": 200,
    "test_scsi.py": 190,
    "test_tracing.py": 180,
    "test_scenario.py": 170,
    "test_backstores.py": 170,
    "test_seeing.py": 125,
    "test_cluster.py": 75,
    "test_contract.py": 75,
    "test_prompt.py": 65,
    "test_reservations.py": 65,
    "test_sts.py": 60,
    "test_attributes.py": 50,
    "test_export.py": 45,
    "test_settings.py": 40,
    "test_fabrics.py": 30,
    "test_field_failures.py": 30,
    "test_sharing.py": 25,
    "test_renaming.py": 20,
    "test_bed.py": 1,
}
OTHERS_SECONDS = 90


def shares(files: Iterable[str], count: int) -> list[set[str]]:
    """Split files by name into at most so many shares that take about the same time."""
    longest_first = sorted(files, key=lambda name: (-SECONDS.get(name, OTHERS_SECONDS), name))
    made: list[set[str]] = [set() for _ in range(count)]
    for name in longest_first:
        min(made, key=_seconds).add(name)
    return [share for share in made if share]


def _seconds(share: set[str]) -> int:
    return sum(SECONDS.get(name, OTHERS_SECONDS) for name in share)


class Guests:
    """A plugin of the host's pytest: begins the guests ahead of the first test, ends them last."""

    def __init__(self, config: pytest.Config, selected: Sequence[pytest.Item]) -> None:
        kept = os.environ.get("PYSHELL_BED_RESULTS")
        self._relays: list[Relay] = []
        for number, share in enumerate(shares({_file(item) for item in selected}, GUESTS), 1):
            items = [item for item in selected if _file(item) in share]
            results = Path(kept) / f"guest{number}" if kept else None
            self._relays.append(Relay(config, items, results))

    def stand_ins(self) -> list[pytest.Item]:
        """Return the host's items for the guests' tests."""
        return [
            GuestItem.from_parent(item.parent, name=item.name, relay=relay)
            for relay in self._relays
            for item in relay.selected
            if item.parent is not None
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Begin all guests, where tests are run and the bed is there."""
        if session.config.option.collectonly or session.testsfailed:
            return
        if image.missing(TOOLS_OF_TESTS) is None:
            for relay in self._relays:
                relay.begin()

    def pytest_runtest_logfinish(self) -> None:
        """Look after the guests while the host's tests run: one that hangs is ended in time."""
        for relay in self._relays:
            relay.look()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what each file took, for the table above."""
        for number, relay in enumerate(self._relays, 1):
            taken = relay.seconds().most_common()
            files = ", ".join(f"{name} {seconds}" for name, seconds in taken)
            total = sum(seconds for _, seconds in taken)
            terminalreporter.write_line(f"guest {number}: {total} seconds: {files}")

    def pytest_unconfigure(self) -> None:
        """End what still runs."""
        for relay in self._relays:
            relay.close()


def _file(item: pytest.Item) -> str:
    return item.path.name
