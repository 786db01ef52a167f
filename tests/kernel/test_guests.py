# SPDX-License-Identifier: Apache-2.0
"""The guests' tests are split by file into shares that take about the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import guests

FILES = {path.name for path in Path(__file__).with_name("guest").glob("test_*.py")}


@pytest.fixture
def _seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "SECONDS", {"long": 100, "half": 50, "short": 10, "tiny": 1})
    monkeypatch.setattr(guests, "OTHERS_SECONDS", 40)


@pytest.mark.usefixtures("_seconds")
@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ([], []),
        (["tiny"], [{"tiny"}]),
        (["half", "long"], [{"long"}, {"half"}]),
        (["tiny", "half", "short", "long"], [{"long"}, {"half", "short", "tiny"}]),
        (["new", "half", "long"], [{"long"}, {"half", "new"}]),
        (["b", "a"], [{"a"}, {"b"}]),
    ],
)
def test_shares_are_balanced_and_stable(files: list[str], wanted: list[set[str]]) -> None:
    assert guests.shares(files, 2) == wanted
    assert guests.shares(reversed(files), 2) == wanted


def test_the_table_names_files_that_are_there() -> None:
    assert guests.SECONDS.keys() <= FILES


def test_no_share_of_ours_takes_much_longer_than_another() -> None:
    sums = [
        sum(guests.SECONDS.get(name, guests.OTHERS_SECONDS) for name in share)
        for share in guests.shares(FILES, guests.GUESTS)
    ]
    assert max(sums) < 1.25 * min(sums)
