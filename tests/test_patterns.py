# SPDX-License-Identifier: Apache-2.0
"""Regular expressions of users: errors have a column, and no search hangs."""

from __future__ import annotations

import signal
import time

import pytest

from pyshell import patterns
from pyshell.errors import PyshellError, UsageError
from pyshell.patterns import Pattern


def test_case_is_ignored_unless_it_is_requested() -> None:
    assert Pattern("LUN").found_in("lun0")
    assert not Pattern("(?-i:LUN)").found_in("lun0")


@pytest.mark.parametrize(
    ("text", "column"),
    [("a(b", 1), ("[", 0), ("a**", 2), ("", None), ("x" * 1001, None), ("a{99999999999}", None)],
)
def test_an_expression_that_is_not_valid_is_a_usage_error(text: str, column: int | None) -> None:
    with pytest.raises(UsageError) as raised:
        Pattern(text)
    assert raised.value.column == column


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("(a+)+$", "a" * 60 + "!"),
        ("(.*)*x", "b" * 1000),
        (".*.*.*.*x", "c" * 3000),
        ("(?=(a*)*b)", "a" * 100),
    ],
)
def test_a_search_that_takes_too_long_is_stopped(
    monkeypatch: pytest.MonkeyPatch, text: str, line: str
) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.1)
    pattern, handler = Pattern(text), signal.getsignal(signal.SIGALRM)
    begun = time.monotonic()
    for _ in range(2):  # the time is that of all searches together
        with pytest.raises(PyshellError, match="takes too long"):
            pattern.found_in(line)
    assert time.monotonic() - begun < 5
    assert signal.getsignal(signal.SIGALRM) == handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_ctrl_c_ends_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 60)

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            Pattern("(a+)+$").found_in("a" * 60 + "!")
    finally:
        signal.signal(signal.SIGVTALRM, before)
