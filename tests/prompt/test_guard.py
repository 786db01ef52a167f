# SPDX-License-Identifier: Apache-2.0
"""Errors around a line: the prompt still works, and one line reports them (findings 1, 2).

Each test injects an error where prompt_toolkit or a thread calls pyshell, then runs a command.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from pyshell.errors import NotFoundError
from pyshell.prompt import completer, editor, history, keys, line, picker, toolbar
from pyshell.prompt.guard import Guard
from pyshell.shell.completion import Candidate
from pyshell.shell.shell import Shell

from .conftest import Desk

CTRL_D, F1, TAB = "\x04", "\x1bOP", "\t"
SECRET = "verysecret12"
KEY = "A key"
GENERATORS = ("spans", "complete", "_completions")


def fail(*arguments: object, **named: object) -> Any:
    """Fail as a bug does."""
    raise ValueError(SECRET)


def fail_late(*arguments: object, **named: object) -> Iterator[Any]:
    """Fail while what is returned is used."""
    yield from ()
    raise ValueError(SECRET)


@pytest.mark.parametrize(
    ("part", "place", "name", "typed"),
    [
        ("Highlighting", line, "spans", "ls"),
        ("Highlighting", line.LineLexer, "lex_document", "ls"),
        ("Suggesting", keys.PathSuggest, "get_suggestion", "l"),
        ("Completion", completer, "complete", f"ls {TAB}"),
        ("Completion", completer, "_completions", f"ls {TAB}"),
        ("Completion", completer.TreeCompleter, "look", f"ls {TAB}"),
        ("Completion", completer.TreeCompleter, "_found", f"cd {TAB}"),
        ("Completion", completer.TreeCompleter, "get_completions", f"cd {TAB}"),
        ("The toolbar", editor, "toolbar", "l"),
        ("The toolbar", editor, "status_at_once", "l"),
        ("The toolbar", toolbar.StatusWatch, "begin", "l"),
        ("The history", history.CommandHistory, "add", "l"),
        ("The history", history.CommandHistory, "entries", "l"),
        ("The history", keys.KeptHistory, "keep", "l"),
        ("The check of the line", editor.Editor, "_look", "l"),
        ("The check of the line", line.LineWatch, "look", "l"),
        ("Help", editor, "help_at", F1),
        (KEY, keys, "_show", F1),
        (KEY, completer.TreeCompleter, "begun", f"l{TAB}"),
        (KEY, keys, "asks_for_help", "?"),
        (KEY, toolbar.Typing, "pressed", "l"),
    ],
)
def test_an_error_in_a_callback_leaves_a_working_prompt_and_one_notice(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    place: object,
    name: str,
    typed: str,
) -> None:
    monkeypatch.setattr(place, name, fail_late if name in GENERATORS else fail)
    out, err = desk.type(f"{typed}\x15pwd\r{typed}\x15pwd\r{CTRL_D}")
    assert out == "/\n/\n"
    notices = [line for line in err.splitlines() if line.startswith(part)]
    assert len(notices) == len(err.splitlines()) == 1, err
    assert "ValueError at " in notices[0]
    assert SECRET not in err


def _watched(desk: Desk, monkeypatch: pytest.MonkeyPatch, prepared: Callable[[], None]) -> str:
    """Return the errors of a session whose threads have had the time to fail."""
    failed: list[str] = []
    notice = Guard.notice

    def noted(self: Guard, part: str, text: str) -> None:
        notice(self, part, text)
        failed.append(part)

    monkeypatch.setattr(Guard, "notice", noted)
    monkeypatch.setattr(toolbar, "EVERY", 0.01)
    monkeypatch.setattr(toolbar, "_RARELY", 0)
    command = Shell.run_line

    def run_line(self: Shell, text: str) -> None:
        if text == "wait":
            deadline = time.monotonic() + 20
            while not failed and time.monotonic() < deadline:
                time.sleep(0.01)
            return
        command(self, text)

    monkeypatch.setattr(Shell, "run_line", run_line)
    prepared()
    out, err = desk.type(f"wait\rpwd\r{CTRL_D}")
    assert out == "/\n"
    return err


@pytest.mark.parametrize(
    ("part", "place", "name"),
    [
        ("The check of the line", line, "problem"),
        ("The check of the line", line, "hint"),
        ("The check of the line", line, "advice"),
        ("The check of the line", line, "while_wanted"),
        ("The toolbar", toolbar, "read_status"),
        ("The toolbar", toolbar.SavedComparison, "update"),
        ("The toolbar", toolbar, "_stamp"),
    ],
)
def test_an_error_in_a_thread_leaves_a_working_prompt_and_one_notice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, part: str, place: object, name: str
) -> None:
    err = _watched(desk, monkeypatch, lambda: monkeypatch.setattr(place, name, fail))
    (notice,) = err.splitlines()
    assert notice.startswith(f"{part} failed: ValueError at ")
    assert SECRET not in err


def test_finding_2_a_description_that_fails_is_empty_and_the_menu_is_offered(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Candidate, "described", fail)
    told: list[str] = []
    made = completer.TreeCompleter(shell, pytest.fail, Guard(told.append))
    found = list(made.get_completions(Document("cd /"), CompleteEvent()))
    assert {one.display_meta_text for one in found} == {""}
    assert "/iscsi/" in {one.text for one in found}
    assert len(told) == 1


def test_finding_2_tab_waits_for_a_silent_device_up_to_a_limit(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on: list[bool] = []

    def silent(*arguments: object, quickly: bool = False) -> Iterator[object]:
        while not quickly and not go_on:
            time.sleep(0.01)
        yield from ()

    monkeypatch.setattr(completer, "complete", silent)
    monkeypatch.setattr(completer, "LIMIT", 0.05)
    told: list[str] = []
    made = completer.TreeCompleter(shell, pytest.fail, Guard(told.append))
    assert list(made.get_completions(Document("cd /"), CompleteEvent())) == []
    assert list(made.get_completions(Document("cd /"), CompleteEvent())) == []
    go_on.append(True)
    (notice,) = told
    assert notice.startswith("Completion: nothing was read within")
    assert made.reading == 0


def test_an_error_in_the_list_of_paths_ends_neither_it_nor_the_prompt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picker.Paths, "fitting", fail)
    out, err = desk.type(f"cd\rx\x03pwd\r{CTRL_D}")
    assert out == "/\n"
    (notice,) = err.splitlines()
    assert notice.startswith("The list of paths failed: ValueError at ")


def test_what_nothing_else_caught_is_reported_by_the_loop(desk: Desk) -> None:
    def raise_in_loop(self: Shell) -> None:
        asyncio.get_running_loop().call_soon(fail)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(editor.Editor, "_look", raise_in_loop)
        out, err = desk.type(f"pwd\rpwd\r{CTRL_D}")
    assert out == "/\n/\n"
    (notice,) = err.splitlines()
    assert notice.startswith("The prompt failed: ValueError at ")


def test_what_is_usual_while_objects_come_and_go_is_not_reported() -> None:
    told: list[str] = []
    guard = Guard(told.append)
    guard.failed("Completion", NotFoundError("It is gone."))
    guard.failed("Completion", FileNotFoundError(2, "No such file"))
    guard.failed("Completion", PermissionError(13, "Permission denied"))
    assert told == []
    guard.failed("Completion", OSError(5, "Input/output error"))
    guard.failed("Completion", OSError(5, "Input/output error"))
    assert told == [
        "Completion failed: OSError (Input/output error). "
        "This is a bug in pyshell: please report it. The prompt still works."
    ]
