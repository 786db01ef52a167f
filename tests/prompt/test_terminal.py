# SPDX-License-Identifier: Apache-2.0
"""Sessions at a real pseudo-terminal: what is shown there, byte by byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import DATA, ROOT, TPG, Pyshell
from pyshell import __version__

from .screen import Screen
from .terminal import PROMPT, RUNNING, Terminal, without_colour, without_escapes

# Python 3.12 warns of forking where threads are; the child is another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")

CTRL_C, CTRL_D, CTRL_R, UP = "\x03", "\x04", "\x12", "\x1b[A"
LEAVING = "Save, leave without saving, or stay (Esc)? [SAVE/leave/stay] "
LEAVING_PLAIN = LEAVING.replace("Esc", "Ctrl-C")
SCENARIO = (DATA / "scenario.txt").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix(PROMPT) for line in SCENARIO.splitlines() if line.startswith(PROMPT)]
OUTPUT = re.sub(rf"^{PROMPT}.*\n", "", SCENARIO, flags=re.MULTILINE)


def test_the_scenario_at_a_dumb_terminal(pyshell: Pyshell) -> None:
    with Terminal(pyshell.folder, {"TERM": "dumb"}, real=True) as terminal:
        shown = terminal.see(PROMPT) + PROMPT
        for command in COMMANDS:
            terminal.type(f"{command}\n")
            shown += terminal.see(f"\r\n{PROMPT}") + f"\n{PROMPT}"
        assert shown == SCENARIO + PROMPT
        terminal.type("exit\n")
        terminal.see(LEAVING_PLAIN)
        terminal.type("save\n")
        assert terminal.end() == f"save\n{_saved(pyshell)}"


def test_the_scenario_at_a_terminal_with_colours(pyshell: Pyshell) -> None:
    with Terminal(pyshell.folder, {"TERM": "xterm"}, real=True) as terminal:
        banner = f"pyshell {__version__} (simulated target). Type 'help' to list the commands,"
        assert without_escapes(terminal.ready()) == f"{banner} press F1 for help.\n"  # finding 39
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        assert f"```text\n{banner} press F1 for help.\n/>\n```" in readme
        printed = "".join(terminal.run(command) for command in COMMANDS)
        assert without_colour(printed) == OUTPUT
        assert printed != OUTPUT
        terminal.type("exit\r")
        terminal.see(LEAVING)
        terminal.type("\r")
        terminal.see(RUNNING)
        assert without_colour(terminal.end()) == _saved(pyshell)


def test_what_is_not_saved_is_marked_until_it_is(pyshell: Pyshell) -> None:
    with Terminal(pyshell.folder, {"TERM": "xterm"}) as terminal:
        terminal.ready()
        terminal.type("/backstores/ramdisk create one 1M\r")
        assert "unsaved change" not in terminal.see(RUNNING)
        terminal.ready()
        terminal.see("unsaved change")  # the last column is drawn by itself
        terminal.type("saveconfig\r")
        terminal.see(RUNNING)
        terminal.ready()
        terminal.type("pwd\r")
        assert "unsaved change" not in terminal.see(RUNNING)


def test_where_nothing_is_known_of_the_terminal(pyshell: Pyshell) -> None:
    with Terminal(pyshell.folder, {}) as terminal:
        assert terminal.see(PROMPT) == ""
        terminal.type("exit")
        terminal.see("exit")
        terminal.type(CTRL_C)
        assert terminal.see(PROMPT) == "^C\n"
        terminal.type("pwd\n")
        assert terminal.see(PROMPT) == "pwd\n/\n"
        terminal.type(CTRL_D)
        assert terminal.end() == "\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the session that many tests share keeps its target, preferences, history."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def session(home: Path) -> Iterator[Terminal]:
    """Return a session without colours that many tests use one after the other."""
    environment = {"TERM": "xterm", "NO_COLOR": "1"}
    with Terminal(home / "simulator", environment) as terminal:
        terminal.ready()
        yield terminal


@pytest.fixture
def editing(session: Terminal) -> Iterator[Terminal]:
    """Return that session at an empty prompt of the root."""
    yield session
    session.run("cd /")


def test_nothing_is_coloured_and_the_terminal_is_asked_nothing(editing: Terminal) -> None:
    editing.type("ls 'x\r")
    shown = editing.see("This quote is not closed.") + editing.ready()
    assert re.search(r"\x1b\[[0-9;]*[34][0-8]", shown) is None
    assert "\x1b[6n" not in shown


def test_a_line_that_is_wrong_is_pointed_into(editing: Terminal) -> None:
    said, line, caret = editing.run("/iscsi create 'x").splitlines()
    assert said == "This quote is not closed. Add the missing '."
    assert line == "  /iscsi create 'x"
    assert caret.index("^") == line.index("'")


def test_tab_completes(editing: Terminal) -> None:
    for keys, rest in (("/back\t", "stores/"), ("ramd\t", "isk/"), (" crea\t", "te")):
        editing.type(keys)
        editing.see(rest)
    assert editing.run("one 1M") == "Created ramdisk one with size 1M.\n"


def test_ctrl_c_drops_the_line(editing: Terminal) -> None:
    editing.type(f"exit{CTRL_C}")
    editing.ready()
    assert editing.run("pwd") == "/\n"


def test_up_finds_what_begins_alike(editing: Terminal) -> None:
    editing.run("pwd")
    editing.run("cd /iscsi", "/iscsi> ")
    editing.type(f"p{UP}")
    editing.see("pwd")
    assert editing.run("", "/iscsi> ") == "/iscsi\n"


def test_ctrl_r_searches(editing: Terminal) -> None:
    editing.run("pwd")
    editing.run("cd /iscsi", "/iscsi> ")
    editing.type(f"{CTRL_R}wd")
    editing.see("wd")
    editing.type("\r")
    assert editing.run("", "/iscsi> ") == "/iscsi\n"


def test_a_secret_is_asked_for_without_echo(editing: Terminal, home: Path) -> None:
    editing.run("/iscsi create iqn.2020-07.192.168.56.101:server")
    editing.type(f"{TPG} set auth password=-\r")
    editing.see(RUNNING)
    editing.see("password: ")
    editing.type("verysecret12\r")
    editing.see("password again: ")
    editing.type("verysecret12\r")
    assert editing.ready().endswith("\nParameter password is now '********'.\n")
    shown = editing.run(f"{TPG} get auth password show_secrets=true")
    assert shown == "password=verysecret12 \n"
    kept = (home / "simulator/home/history").read_text(encoding="utf-8")
    assert f"{TPG} set auth password=-\n" in kept, (
        "the line as typed tells nothing, and can be used again"
    )
    assert "verysecret12" not in kept


def test_a_later_session_finds_the_lines_of_this_one(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must("pwd")
    (pyshell.folder / "home").mkdir()
    (pyshell.folder / "home/history").write_text("pwd\nls\n", encoding="utf-8")
    environment = {"TERM": "xterm", "NO_COLOR": "1"}
    results = tmp_path / "results"
    with Terminal(pyshell.folder, environment, results, real=True) as terminal:
        terminal.ready()
        terminal.type(f"p{UP}")
        terminal.see("pwd")
        terminal.run("")
        terminal.type(CTRL_D)
        terminal.end()
    # What is redirected holds results alone: the prompts went to standard error.
    assert results.read_text(encoding="utf-8") == "/\n"


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_what_would_lose_saved_objects_is_asked_about(pyshell: Pyshell, term: str) -> None:
    pyshell.must("/backstores/ramdisk create old 1M", "saveconfig", "clearconfig confirm=true")
    with Terminal(pyshell.folder, {"NO_COLOR": "1", "TERM": term}) as terminal:
        terminal.see(PROMPT)
        terminal.type("/backstores/ramdisk create disk 1M\r")
        terminal.see("Created ramdisk disk with size 1M.")
        terminal.see(PROMPT)
        terminal.type(CTRL_D)
        terminal.see(LEAVING if term == "xterm" else LEAVING_PLAIN)
        terminal.type("save\r")
        assert "Not saved: " in terminal.see("Save anyway? [y/N] ")
        terminal.type("y\r")
        assert f"Configuration saved to {pyshell.saved_file}\n" in terminal.end()
    assert [entry["name"] for entry in pyshell.document()["storage_objects"]] == ["disk"]


def _saved(pyshell: Pyshell) -> str:
    return f"Global pref auto_save_on_exit=true\nConfiguration saved to {pyshell.saved_file}\n"


@pytest.mark.parametrize("options", [("--compat",), ("--compat", "--plain")])
def test_finding_39_targetcli_mode_shows_targetclis_banner(
    pyshell: Pyshell, options: tuple[str, ...]
) -> None:
    with Screen(pyshell.folder, *options) as screen:
        shown = screen.see("/>")
        assert "targetcli shell version 3.0.2" in shown
        assert "Type 'help'" not in shown


def test_filters_at_a_terminal_with_colours(exported: Pyshell, tmp_path: Path) -> None:
    file = tmp_path / "out"
    with Terminal(exported.folder, {"TERM": "xterm"}) as terminal:
        terminal.ready()
        printed = terminal.run("ls | match LUN0 | except mapped")
        assert without_escapes(printed).count("o- lun0 ") == 1
        assert not re.search("\x1b\\[[0-9;]+m.*lun0", printed)
        assert "1 line written to" in terminal.run(f"pwd | save {file}")
        terminal.type(f"/iscsi pwd | save {file}\r")
        terminal.see("it? [y/N] ")  # the file's name can be long enough for two lines
        terminal.type("y\r")
        terminal.see("1 line written to")
        terminal.ready()
        assert file.read_text() == "/iscsi\n"
        line = f"pyshell --simulate={exported.folder} -o tsv list luns headings=false | count"
        assert without_escapes(terminal.run(line)).strip() == "1"
