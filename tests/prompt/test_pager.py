# SPDX-License-Identifier: Apache-2.0
"""The pager: moving both ways, searching, and what $PAGER may choose (finding 36)."""

from __future__ import annotations

from collections.abc import Iterator
from os import terminal_size

import pytest

from pyshell.host import programs
from pyshell.prompt.pager import KEYS, Pager, by_less, chosen

LINES = [f"line {number}" for number in range(1, 21)]


def shown(*keys: str, search: str = "", lines: int = 5) -> list[str]:
    """Return what is printed where keys answer the questions one after the other; `|` is one."""
    printed: list[str] = []
    pressed = iter(keys)

    def ask(_: str) -> str:
        printed.append("|")
        return KEYS[next(pressed, "q")]

    printing = Pager(LINES, lambda: terminal_size((80, lines)), ask, lambda _: search)
    for line in printing:
        printed.append(line)
    return [text.removeprefix("line ") for text in printed]


def test_a_page_is_shown_and_q_ends() -> None:
    assert shown() == ["1", "2", "3", "4", "|"]


def test_space_and_page_down_go_a_page_on_and_the_arrow_a_line() -> None:
    assert shown(" ", "down", "pagedown") == [
        *("1", "2", "3", "4", "|"), *("5", "6", "7", "8", "|", "9", "|"), *("10", "11", "12", "13"),
        "|",
    ]  # fmt: skip


def test_page_up_shows_the_page_before() -> None:
    assert shown(" ", "pageup")[-6:] == ["|", "1", "2", "3", "4", "|"]


def test_the_arrow_goes_a_line_back() -> None:
    assert shown(" ", "up")[-5:] == ["4", "5", "6", "7", "|"]


def test_a_search_goes_to_the_next_line_that_has_the_text() -> None:
    assert shown("/", search="NE 15")[-5:] == ["15", "16", "17", "18", "|"]
    assert shown("/", search="absent")[-2:] == ["-- no further match for 'absent' --", "|"]


def test_a_shows_all_without_another_question() -> None:
    assert shown("a") == ["1", "2", "3", "4", "|", *map(str, range(5, 21))]


def test_what_is_not_shown_is_not_read() -> None:
    read: list[str] = []

    def lines() -> Iterator[str]:
        for line in LINES:
            read.append(line)
            yield line

    list(Pager(lines(), lambda: terminal_size((80, 5)), lambda _: KEYS["q"], str))
    assert len(read) == 5


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (None, "built-in"),
        ("less", "less"),
        ("/usr/bin/less -R", "less"),
        ("/home/mallory/less", "less"),
        ("cat", "none"),
        ("", "none"),
        ("sh -c 'rm -rf /'", "built-in"),
        ("less '", "built-in"),
    ],
)
def test_the_variable_selects_a_known_pager_and_is_never_run(value: str | None, meant: str) -> None:
    assert chosen({} if value is None else {"PAGER": value}) == meant


def test_what_fits_the_screen_starts_no_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "start_less", pytest.fail)
    assert list(by_less(LINES[:4], lambda: terminal_size((80, 5)))) == LINES[:4]
