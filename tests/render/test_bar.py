# SPDX-License-Identifier: Apache-2.0
"""A bar is shown at a terminal, for what takes a while, and leaves nothing behind."""

from __future__ import annotations

import io
import re
import time

import pytest

from pyshell.render import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setenv("TERM", "xterm")
    return now


def test_what_is_done_soon_shows_nothing(clock: list[float]) -> None:
    stream = Terminal()
    bar = Bar(stream)
    for done in range(1, 101):
        clock[0] += 0.005
        bar(done, 100)
    bar.close()
    assert stream.getvalue() == ""


def test_long_work_shows_count_and_remaining_time(clock: list[float]) -> None:
    stream = Terminal()
    bar = Bar(stream)
    clock[0] += 2
    bar(20, 100)
    bar.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert "20/100" in shown
    assert re.search(r"-:--:--|0:00:\d\d", shown)


def test_a_large_file_is_counted_in_bytes(clock: list[float]) -> None:
    stream = Terminal()
    bar = Bar(stream)
    clock[0] += 2
    bar(1 << 30, 8 << 30)
    bar.close()
    assert re.search(r"/8\.\d (GB|GiB)", stream.getvalue())
