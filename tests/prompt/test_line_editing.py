# SPDX-License-Identifier: Apache-2.0
"""vi keys, the line in the user's editor, and the label: at 100 and at 60 columns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driver import Pyshell
from pyshell.prompt.line_editing import edited

from .screen import ENTER, ESCAPE, F1, TAB, Screen

# Python 3.12 warns of forking where threads are; the child is another program at once.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning"),
    pytest.mark.parametrize("columns", [100, 60]),
]
CTRL_X_CTRL_E = "\x18\x05"
LABELLED = "[PRODUCTION] /"


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Return what writes a script and returns its path."""

    def write(text: str) -> str:
        file = tmp_path / "editor"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o700)
        return str(file)

    return write


def test_the_label_is_in_the_prompt_and_in_its_questions(pyshell: Pyshell, columns: int) -> None:
    pyshell.must("set global label=PRODUCTION")
    with Screen(pyshell.folder, columns=columns) as screen:
        screen.prompt(LABELLED)
        assert screen.style("[PRODUCTION]").reverse
        screen.run("/backstores/ramdisk create one 1M", LABELLED)
        screen.type(f"exit{ENTER}")
        shown = " ".join(screen.see("stay (Esc)?").split())
        assert "On PRODUCTION, there are unsaved changes. Save," in shown
        screen.type(f"leave{ENTER}")
        screen.end()


@pytest.mark.parametrize("options", [["--plain"], ["--color=never"]])
def test_the_label_is_there_without_colours(
    pyshell: Pyshell, columns: int, options: list[str]
) -> None:
    pyshell.must("set global label=PRODUCTION")
    with Screen(pyshell.folder, *options, columns=columns) as screen:
        screen.prompt(LABELLED)
        assert screen.style("[PRODUCTION]").fg == "default"


def test_vi_keys(pyshell: Pyshell, columns: int) -> None:
    with Screen(pyshell.folder, columns=columns) as screen:
        screen.prompt()
        assert "vi:" not in screen.text
        screen.run("set global editing=vi")
        screen.type("pwdx")
        screen.see("vi: insert")
        before = time.monotonic()
        screen.type(ESCAPE)
        screen.see("vi: normal")
        assert time.monotonic() - before < 5
        screen.type("x0")
        screen.until(lambda text: "/> pwd\n" in text, "the line without its last letter")
        screen.type(f"i{F1}")
        screen.see("pwd")
        screen.type(ENTER)
        screen.prompt()
        screen.type(f"/backst{TAB}")
        screen.see("/> /backstores/")
        screen.type(ESCAPE)
        screen.see("vi: normal")
        screen.type("?")  # a search backwards in vi, not help
        screen.see("(i-search)")


def test_the_line_in_an_editor(
    pyshell: Pyshell, columns: int, script: Callable[[str], str]
) -> None:
    seen = pyshell.folder.parent / "seen"
    editor = script(f'stat -c "%a %n" "$1" > {seen}; cat "$1" >> {seen}; echo ls /iscsi > "$1"')
    with Screen(pyshell.folder, columns=columns, environment={"EDITOR": editor}) as screen:
        screen.prompt()
        screen.type(f"password=secret{CTRL_X_CTRL_E}")
        screen.see("/> ls /iscsi")
        mode, text = seen.read_text().splitlines()
        file = Path(mode.split(" ", 1)[1])
        assert (mode[:3], text, file.exists()) == ("600", "password=secret", False)
        screen.type(ENTER)
        screen.see("o- iscsi")
        screen.prompt()
        screen.run("set global editing=vi")
        screen.type(f"pwd{ESCAPE}")
        screen.see("vi: normal")
        screen.type("v")
        screen.see("/> ls /iscsi")


def test_an_editor_that_fails_leaves_the_line(
    pyshell: Pyshell, columns: int, script: Callable[[str], str]
) -> None:
    editor = script('echo other > "$1"; exit 3')
    with Screen(pyshell.folder, columns=columns, environment={"EDITOR": editor}) as screen:
        screen.prompt()
        screen.type(f"pwd{CTRL_X_CTRL_E}")
        screen.see("The editor failed with status 3: the line is kept.")
        screen.see("/> pwd")
        screen.type(ENTER)
        screen.prompt()
    with Screen(pyshell.folder, columns=columns, environment={"EDITOR": "/bin/sh"}) as screen:
        screen.prompt()
        screen.type(f"pwd{CTRL_X_CTRL_E}")
        screen.see("$EDITOR names no known editor: '/bin/sh'.")
        screen.see("/> pwd")


def test_a_file_left_by_a_killed_process_is_removed(
    tmp_path: Path, columns: int, script: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, running = (tmp_path / f"line.{pid}.txt" for pid in (9999999, os.getppid()))
    for file in (left, running):
        file.write_text("set auth password=x")
    monkeypatch.setenv("EDITOR", script("true"))
    assert edited("ls\npwd", tmp_path) == "ls\npwd"
    assert (left.exists(), running.exists()) == (False, True)
