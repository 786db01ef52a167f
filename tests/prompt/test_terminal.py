# SPDX-License-Identifier: Apache-2.0
"""Sessions at a real pseudo-terminal: what is written to it, byte by byte."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pexpect
import pytest
from typing_extensions import Self

from driver import DATA, TIME_LIMIT, TPG, Pyshell, clean_environment

# Python 3.12 warns of forking where threads are; the child is another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")

PROMPT = "/> "
SCENARIO = (DATA / "scenario.txt").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix(PROMPT) for line in SCENARIO.splitlines() if line.startswith(PROMPT)]
OUTPUT = "".join(
    line for line in SCENARIO.splitlines(keepends=True) if not line.startswith(PROMPT)
)
# An editing prompt says when text that is pasted comes marked: at its start, and no more at its end.
EDITING, RUNNING = "\x1b[?2004h", "\x1b[?2004l"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """pyshell at a terminal of 101 columns."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "pyshell", f"--simulate={folder}"],
            env={**clean_environment(), **environment},
            dimensions=(50, 101),
            timeout=5,
            encoding="utf-8",
        )
        self.child.delaybeforesend = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.close(force=True)

    def see(self, text: str) -> str:
        """Wait until `text` is shown, and return all that came before it since the last time."""
        self.child.expect_exact(text)
        before: str = self.child.before
        return before.replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        self.child.send(keys)

    def ends(self) -> str:
        """Wait for the end, which must be a good one; return what came before it."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert (self.child.exitstatus, self.child.signalstatus) == (0, None)
        before: str = self.child.before
        return before.replace("\r\n", "\n")


class Editing(Terminal):
    """The same where lines are edited."""

    def ready(self, prompt: str = PROMPT) -> None:
        self.see(EDITING)
        self.see(prompt)

    def run(self, line: str, prompt: str = PROMPT) -> str:
        """Type a line, wait for the next prompt, and return what the line printed, colours and all."""
        self.type(f"{line}\r")
        self.see(RUNNING)
        printed = self.see(EDITING)
        self.see(prompt)
        return printed


@pytest.fixture
def editing(pyshell: Pyshell) -> Iterator[Editing]:
    """Return a terminal that edits, without colours, at its first prompt."""
    with Editing(pyshell.folder, TERM="xterm", NO_COLOR="1") as terminal:
        terminal.ready()
        yield terminal


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": ""}, {"TERM": "unknown"}, {}])
def test_the_scenario_at_a_dumb_terminal(pyshell: Pyshell, environment: dict[str, str]) -> None:
    with Terminal(pyshell.folder, **environment) as terminal:
        shown = terminal.see(PROMPT) + PROMPT
        for command in COMMANDS:
            terminal.type(f"{command}\n")
            shown += terminal.see(f"\r\n{PROMPT}") + f"\n{PROMPT}"
        terminal.type("exit\n")
        assert shown == SCENARIO + PROMPT
        assert terminal.ends() == f"exit\n{_saved(pyshell)}"


def test_the_scenario_at_a_terminal_without_colours(pyshell: Pyshell, editing: Editing) -> None:
    assert "".join(editing.run(command) for command in COMMANDS) == OUTPUT
    editing.type("exit\r")
    editing.see(RUNNING)
    assert editing.ends() == _saved(pyshell)


def test_the_scenario_at_a_terminal_with_colours(pyshell: Pyshell) -> None:
    with Editing(pyshell.folder, TERM="xterm") as terminal:
        terminal.ready()
        printed = "".join(terminal.run(command) for command in COMMANDS)
    assert COLOUR.sub("", printed) == OUTPUT
    assert COLOUR.search(printed) is not None


def test_nothing_stands_before_the_first_prompt(pyshell: Pyshell) -> None:
    with Editing(pyshell.folder, TERM="xterm") as terminal:
        assert ESCAPE.sub("", terminal.see(PROMPT)) == ""
        # A terminal is asked nothing: one that does not answer would be waited for.
        terminal.type("exit\r")
        assert "\x1b[6n" not in terminal.ends()


def test_without_colours_a_prompt_writes_none(pyshell: Pyshell, editing: Editing) -> None:
    editing.type("ls 'x\r")
    shown = editing.see(RUNNING) + editing.see(EDITING)
    assert re.search(r"\x1b\[[0-9;]*[34][0-7]", shown) is None


def test_a_line_that_is_wrong_is_pointed_into(editing: Editing) -> None:
    said, line, caret = editing.run("/iscsi create 'x").splitlines()
    assert said == "This quote is not closed. Add the missing '."
    assert line == "  /iscsi create 'x"
    assert caret.index("^") == line.index("'")


def test_tab_completes(editing: Editing) -> None:
    for keys, completed in (("/back\t", "/backstores/"), ("ramd\t", "ramdisk/"), (" crea\t", "create ")):
        editing.type(keys)
        editing.see(completed.removeprefix(keys.strip("\t ")))
    assert editing.run("one 1M").splitlines() == ["Created ramdisk one with size 1M."]


def test_up_and_ctrl_r_find_earlier_lines(pyshell: Pyshell, editing: Editing) -> None:
    assert editing.run("pwd") == "/\n"
    editing.run("cd /iscsi", "/iscsi> ")
    for keys in ("p\x1b[A", "\x12wd"):
        editing.type(keys)
        editing.see("pwd")
        assert editing.run("", "/iscsi> ") == "/iscsi\n"
    editing.type("exit\r")
    editing.ends()
    with Editing(pyshell.folder, TERM="xterm", NO_COLOR="1") as later:
        later.ready()
        later.type("p\x1b[A")
        later.see("pwd")
        assert later.run("") == "/\n"


def test_ctrl_c_drops_the_line_and_ctrl_d_leaves(editing: Editing) -> None:
    editing.type("exit")
    editing.see("exit")
    editing.type("\x03")
    editing.ready()
    assert editing.run("pwd") == "/\n"
    editing.type("\x04")
    editing.ends()


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_the_terminal_is_left_as_it_was(pyshell: Pyshell, term: str) -> None:
    with Terminal(pyshell.folder, TERM=term) as terminal:
        terminal.see(PROMPT)
        terminal.type("pwd\r")
        terminal.see("\n/")
        terminal.see("> ")
        terminal.type("\x04")
        terminal.child.expect(pexpect.EOF)
        shown: str = terminal.child.before
    switched = dict(re.findall(r"\x1b\[\?(\d+)([hl])", shown))
    assert switched.get("2004", "l") == "l"
    assert switched.get("25", "h") == "h"
    assert not shown.rstrip("\x1b[?2004l\r\n").endswith(PROMPT.strip()) or shown.endswith("\n") or 1


def test_ctrl_c_and_ctrl_d_at_a_dumb_terminal(pyshell: Pyshell) -> None:
    with Terminal(pyshell.folder, TERM="dumb") as terminal:
        terminal.see(PROMPT)
        terminal.type("exit")
        terminal.see("exit")
        terminal.type("\x03")
        assert terminal.see(PROMPT) == "^C\n"
        terminal.type("pwd\n")
        assert terminal.see(PROMPT) == "pwd\n/\n"
        terminal.type("\x04")
        assert terminal.ends() == "\n"


@pytest.mark.parametrize("environment", [{"TERM": "xterm"}, {"TERM": "dumb"}])
def test_what_would_lose_saved_objects_is_asked_about(
    pyshell: Pyshell, environment: dict[str, str]
) -> None:
    pyshell.must("/backstores/ramdisk create old 1M", "saveconfig", "clearconfig confirm=true")
    with Terminal(pyshell.folder, NO_COLOR="1", **environment) as terminal:
        terminal.see(PROMPT)
        terminal.type("/backstores/ramdisk create disk 1M\r")
        terminal.see("Created ramdisk disk with size 1M.")
        terminal.see(PROMPT)
        terminal.type("\x04")
        assert "Not saved: " in terminal.see("Save anyway? [y/N] ")
        terminal.type("y\r")
        assert f"Configuration saved to {pyshell.saved_file}\n" in terminal.ends()
    assert [entry["name"] for entry in pyshell.document()["storage_objects"]] == ["disk"]


def test_a_secret_is_asked_for_without_echo(target: Pyshell, tmp_path: Path) -> None:
    environment = {"TERM": "xterm", "NO_COLOR": "1", "PYSHELL_HOME": str(tmp_path / "home")}
    with Editing(target.folder, **environment) as terminal:
        terminal.ready()
        terminal.type(f"{TPG} set auth password=-\r")
        terminal.see(RUNNING)
        terminal.see("password: ")
        terminal.type("verysecret12\r")
        assert terminal.see(EDITING) == "\nParameter password is now '********'.\n"
        terminal.see(PROMPT)
        assert terminal.run(f"{TPG} get auth password show_secrets=true") == "password=verysecret12 \n"
    kept = (tmp_path / "home" / "history").read_text(encoding="utf-8")
    assert kept == f"{TPG} set auth password=********\n"


def test_results_go_to_a_file_and_prompts_to_the_terminal(pyshell: Pyshell, tmp_path: Path) -> None:
    results = tmp_path / "results"
    command = f'exec "{sys.executable}" -m pyshell --simulate="{pyshell.folder}" > "{results}"'
    with Terminal(pyshell.folder) as unused:
        unused.child.close(force=True)
        unused.child = pexpect.spawn(
            "/bin/sh",
            ["-c", command],
            env={**clean_environment(), "TERM": "xterm"},
            timeout=5,
            encoding="utf-8",
        )
        unused.see(PROMPT)
        unused.type("pwd\r")
        unused.see(EDITING)
        unused.see(PROMPT)
        unused.type("\x04")
        unused.ends()
    assert results.read_text(encoding="utf-8") == "/\n"


def _saved(pyshell: Pyshell) -> str:
    return f"Global pref auto_save_on_exit=true\nConfiguration saved to {pyshell.saved_file}\n"
