# SPDX-License-Identifier: Apache-2.0
"""`edit` at a real pseudo-terminal, with an editor of its own process: at 100 and 60 columns."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driver import TPG, Pyshell

from .screen import ENTER, Screen

# Python 3.12 warns of forking where threads are; the child is another program at once.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning"),
    pytest.mark.parametrize("columns", [100, 60]),
]
LABELLED = "[PRODUCTION] /"
SLOWER = 's/"login_timeout": 15/"login_timeout": 20/'


class Desk:
    """A target that runs the example, and an editor: a script of which the test sets the text."""

    def __init__(self, pyshell: Pyshell) -> None:
        self.pyshell = pyshell
        self._script = pyshell.folder.parent / "editor"
        self.environment = {"EDITOR": f"{self._script} -w"}

    def let(self, script: str) -> None:
        """Let the editor be a script of sh; its second argument is the file."""
        self._script.write_text(f"#!/bin/sh\n{script}\n")
        self._script.chmod(0o700)

    @property
    def kept(self) -> list[Path]:
        """Return the files of texts that are kept."""
        return sorted((self.pyshell.folder / "run" / "edit").glob("*/configuration.jsonc"))

    def login_timeout(self) -> str:
        """Return the setting that the tests change."""
        (line,) = self.pyshell.must(f"{TPG} get attribute login_timeout")
        return line.strip()


@pytest.fixture
def desk(pyshell: Pyshell) -> Desk:
    """Return a desk; the host has a label."""
    pyshell.prepare(f"restoreconfig {pyshell.example}", "set global label=PRODUCTION", "saveconfig")
    return Desk(pyshell)


def words(screen: Screen) -> str:
    """Return what the screen shows, without line breaks."""
    return " ".join(screen.text.split())


def test_errors_questions_and_the_change(desk: Desk, columns: int) -> None:
    desk.let(
        'echo EDITOR; if grep -q "has an error" "$2"; then head -n 4 "$2";'
        f' sed -i \'{SLOWER}; s/flase/true/\' "$2"; else sed -i s/true/flase/ "$2"; fi'
    )
    with Screen(desk.pyshell.folder, columns=columns, environment=desk.environment) as screen:
        screen.prompt(LABELLED)
        screen.type(f"edit {TPG}{ENTER}")
        screen.see("Continue? [y/N]")
        shown = words(screen)
        assert shown.count("EDITOR") == 2
        assert "// The text has an error; leave without a change to stop:" in shown
        assert "not JSON: expecting value" in shown
        assert "login_timeout: 15 -> 20" in shown
        assert "On PRODUCTION, this changes 1 object. Continue? [y/N]" in shown
        screen.type(f"n{ENTER}")
        screen.prompt(LABELLED)
        assert "Your text is kept in" in words(screen)
        assert desk.login_timeout() == "login_timeout=15"
        desk.let("true")
        screen.type(f"edit {TPG}{ENTER}")
        screen.see("[CONTINUE/delete/leave]")
        screen.type(ENTER)
        screen.until(lambda text: text.count("Continue? [y/N]") == 2, "another question")
        screen.type(f"y{ENTER}")
        screen.prompt(LABELLED)
        assert "1 changed" in words(screen)
        assert desk.login_timeout() == "login_timeout=20"
        assert desk.kept == []
        screen.run("undo", LABELLED)
        assert desk.login_timeout() == "login_timeout=15"


def test_ctrl_c_is_for_the_editor_and_the_terminal_is_as_before(desk: Desk, columns: int) -> None:
    desk.let(
        "trap 'caught=1; echo CAUGHT' INT; stty -echo raw isig; echo WAITING;"
        ' while [ -z "$caught" ]; do sleep 0.1; done; exit 0'
    )
    with Screen(desk.pyshell.folder, columns=columns, environment=desk.environment) as screen:
        screen.prompt(LABELLED)
        screen.type(f"edit{ENTER}")
        screen.see("WAITING")
        screen.type("\x03")
        screen.see("CAUGHT")
        screen.see("Nothing was changed.")
        screen.prompt(LABELLED)
        screen.run("pwd", LABELLED)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_what_was_written_survives_the_terminal(
    desk: Desk, columns: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "/bin/true")
    monkeypatch.delenv("VISUAL", raising=False)
    go_on = desk.pyshell.folder.parent / "go"
    desk.let(
        f"trap '' HUP; sed -i '{SLOWER}' \"$2\"; echo WRITTEN;"
        f' while [ ! -e {go_on} ]; do sleep 0.05; done; echo "// later" >> "$2"'
    )
    with Screen(desk.pyshell.folder, columns=columns, environment=desk.environment) as screen:
        screen.prompt(LABELLED)
        screen.type(f"edit {TPG}{ENTER}")
        screen.see("WRITTEN")
        os.kill(screen.child.pid, number)
        screen.child.wait()
        (file,) = desk.kept
        ran = desk.pyshell("edit", TPG, stdin="leave\n", keyboard=True)
        assert "was not applied" not in ran.err  # its editor still has it
    go_on.touch()
    until(lambda: file.read_text().endswith("// later\n"))
    desk.let("true")
    with Screen(desk.pyshell.folder, columns=columns, environment=desk.environment) as screen:
        screen.prompt(LABELLED)
        until(lambda: not is_locked(file.with_name("lock")))
        screen.type(f"edit {TPG}{ENTER}")
        screen.see("[CONTINUE/delete/leave]")
        screen.type(f"c{ENTER}")
        screen.see("login_timeout: 15 -> 20")
        screen.see("Continue? [y/N]")
        screen.type(f"y{ENTER}")
        screen.prompt(LABELLED)
    assert desk.login_timeout() == "login_timeout=20"


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never held")


def is_locked(file: Path) -> bool:
    """Return whether a process has locked a file."""
    inode = file.stat().st_ino
    return any(f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())
