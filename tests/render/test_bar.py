# SPDX-License-Identifier: Apache-2.0
"""A bar is shown at a terminal, for what takes a while, and leaves nothing behind."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator

import pyte
import pytest

from driver import CLIENT, SERVER, Pyshell, at_keyboard
from pyshell import render
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


def test_the_time_before_an_answer_does_not_count(clock: list[float]) -> None:
    stream = Terminal()
    bar = Bar(stream)
    clock[0] += 60
    bar.restart()
    bar(1, 100)
    assert stream.getvalue() == ""


def test_results_are_printed_below_a_bar_that_is_gone(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "FEW", 1)
    monkeypatch.setattr(render, "PATIENCE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    screen = pyte.Screen(100, 30)
    shown = pyte.Stream(screen)
    seen = ""

    def lines(printed: Callable[[], str]) -> Iterator[str]:
        nonlocal seen
        printed()
        yield f"share /dev/sdb to={CLIENT} target={SERVER} name=disk\n"
        seen = printed()
        shown.feed(seen.replace("\n", "\r\n"))

    at_keyboard([f"--simulate={pyshell.folder}", "--plain"], lines)
    assert "━" in seen
    assert screen.display[0].rstrip() == "Created block storage object disk using /dev/sdb."
    assert "━" not in "".join(screen.display)


def test_a_large_file_is_counted_in_bytes(clock: list[float]) -> None:
    stream = Terminal()
    bar = Bar(stream)
    clock[0] += 2
    bar(1 << 30, 8 << 30)
    bar.close()
    assert re.search(r"/8\.\d (GB|GiB)", stream.getvalue())
