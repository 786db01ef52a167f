# SPDX-License-Identifier: Apache-2.0
"""Menus while values are still being read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.document import Document

from pyshell.prompt import completer
from pyshell.prompt.guard import Guard
from pyshell.shell.completion.sources import complete
from pyshell.shell.shell import Shell

LINE = "/backstores/block create x "


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return what lets the reading of values end."""
    go_on = threading.Event()

    def waiting(*arguments: object, quickly: bool = False) -> Iterator[object]:
        if not quickly:
            assert go_on.wait(20)
        yield from complete(*arguments, quickly=quickly)  # type: ignore[arg-type]

    monkeypatch.setattr(completer, "complete", waiting)
    return go_on


def menu(made: completer.TreeCompleter) -> list[tuple[str, str]]:
    """Return the rows of a menu: word and description."""
    return rows(made.get_completions(Document(LINE), CompleteEvent()))


def rows(found: Iterable[Completion]) -> list[tuple[str, str]]:
    return [(one.display_text, one.display_meta_text) for one in found]


def test_a_menu_that_is_not_whole_says_so_and_is_offered_again(
    shell: Shell, slow: threading.Event
) -> None:
    told: list[str] = []
    whole = threading.Event()
    made = completer.TreeCompleter(shell, _both(told.append, whole), Guard(pytest.fail))
    first = menu(made)
    assert first[-1] == ("…", "reading…")
    assert "dev=" in dict(first)
    slow.set()
    assert whole.wait(20)
    assert told == [LINE]
    again = dict(rows(made.late(Document(LINE))))
    assert "/dev/sdb" in again
    assert "dev=" in again
    assert "reading…" not in again.values()


def test_the_toolbar_tells_while_a_menu_waits(shell: Shell, slow: threading.Event) -> None:
    seen: list[int] = []
    guard = Guard(pytest.fail)
    made = completer.TreeCompleter(shell, pytest.fail, guard, lambda: seen.append(made.reading))
    threading.Timer(0.2, slow.set).start()
    found = made.get_completions(Document("/backstores/block create x dev="), CompleteEvent())
    assert len(list(found)) > 1
    assert seen == [1, 0]


def test_a_single_word_that_contains_the_letters_waits_to_be_the_only_one(
    shell: Shell, slow: threading.Event
) -> None:
    """Else it would be a row of a menu, and not inserted."""
    made = completer.TreeCompleter(shell, pytest.fail, Guard(pytest.fail))
    threading.Timer(0.2, slow.set).start()
    found = made.get_completions(Document("rsto"), CompleteEvent())
    assert [word for word, _ in rows(found)] == ["restoreconfig"]


def _both(first: Callable[[str], None], then: threading.Event) -> Callable[[str], None]:
    def call(line: str) -> None:
        first(line)
        then.set()

    return call
