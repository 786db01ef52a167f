# SPDX-License-Identifier: Apache-2.0
"""Leaving a session: what is saved, and what is asked first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyshell.config.store import default_file
from pyshell.shell.shell import Shell

from .conftest import Desk

CTRL_C = "\x03"
CTRL_D = "\x04"
ESCAPE = "\x1b"
DISK = "/backstores/ramdisk create name=disk size=1M"


@pytest.mark.parametrize("answer", ["\r", "sa\r", "SAVE\r", "s\rsave\r", CTRL_D])
def test_leaving_asks_and_saves_what_was_changed(desk: Desk, answer: str) -> None:
    out, err = desk.type(f"{DISK}\r{CTRL_D}{answer}")
    file = default_file(desk.shell.lio)
    assert err == ""
    assert out.splitlines()[-1] == f"Configuration saved to {file}"
    assert _saved_names(file) == ["disk"]


def test_leaving_unsaved_says_so(desk: Desk) -> None:
    _, err = desk.type(f"{DISK}\rexit\rleave\r")
    assert err == "The running configuration is not saved. Run 'saveconfig' to save it.\n"
    assert not default_file(desk.shell.lio).exists()


@pytest.mark.parametrize("stay", ["stay\r", "st\r", CTRL_C, "sa" + ESCAPE])
def test_who_stays_is_at_the_prompt_again(desk: Desk, stay: str) -> None:
    out, _ = desk.type(f"{DISK}\rexit\r{stay}pwd\rexit\rleave\r")
    assert out.endswith("/\n")


def test_without_the_preference_to_save_one_stays_unless_one_says_more(desk: Desk) -> None:
    desk.shell.console.preferences.set({"auto_save_on_exit": False})
    out, _ = desk.type(f"{DISK}\rexit\r\rpwd\rexit\rsave\r")
    file = default_file(desk.shell.lio)
    assert out.endswith(f"/\nConfiguration saved to {file}\n")


def test_leaving_saves_nothing_where_nothing_was_changed(desk: Desk) -> None:
    assert desk.type(f"ls depth=1\r{CTRL_D}")[1] == ""
    assert not default_file(desk.shell.lio).exists()


@pytest.mark.parametrize(
    ("answer", "saved"),
    [
        ("y\r", ["disk"]),
        ("Yes\r", ["disk"]),
        ("n\r", ["old"]),
        ("\r", ["old"]),
        ("what\rn\r", ["old"]),
        (f"{CTRL_C}exit\rsave\rn\r", ["old"]),
    ],
)
def test_what_would_lose_saved_objects_is_asked_about(
    desk: Desk, answer: str, saved: list[str]
) -> None:
    file = _lose_what_was_saved(desk.shell)
    out, err = desk.type(f"{DISK}\rexit\rsave\r{answer}")
    assert f"Not saved: {file} holds /backstores/ramdisk/old, which is not running." in err
    assert _saved_names(file) == saved
    assert out.count("saved to") == (2 if saved == ["disk"] else 1)


def test_the_option_yes_answers(desk: Desk) -> None:
    file = _lose_what_was_saved(desk.shell)
    desk.shell.options.yes = True
    desk.type(f"{DISK}\r{CTRL_D}")
    assert _saved_names(file) == ["disk"]


def test_an_answer_is_not_kept_in_the_history(desk: Desk) -> None:
    _lose_what_was_saved(desk.shell)
    desk.type(f"{DISK}\rexit\rsave\rno\r")
    assert desk.history.lines() == [DISK, "exit"]


def _lose_what_was_saved(shell: Shell) -> Path:
    """Leave a saved file with a storage object that is not running and was never deleted."""
    for line in ("/backstores/ramdisk create old 1M", "saveconfig", "clearconfig confirm=true"):
        shell.run_line(line)
    return default_file(shell.lio)


def _saved_names(file: Path) -> list[str]:
    document = json.loads(file.read_text(encoding="utf-8"))
    return [entry["name"] for entry in document["storage_objects"]]


def test_finding_14_who_has_undone_all_changes_is_asked_nothing(desk: Desk) -> None:
    desk.shell.run_line("saveconfig force=true")
    _, err = desk.type(f"{DISK}\rundo\rexit\r")
    assert err == ""
    assert desk.shell.executor.left
    assert not desk.shell.saving.unsaved


def test_finding_14_who_has_deleted_what_was_made_is_asked_nothing(desk: Desk) -> None:
    desk.shell.run_line("saveconfig force=true")
    _, err = desk.type(f"{DISK}\r/backstores/ramdisk delete disk\rexit\r")
    assert err == ""
    assert desk.shell.executor.left
