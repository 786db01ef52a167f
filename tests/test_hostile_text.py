# SPDX-License-Identifier: Apache-2.0
"""No text of another's reaches a terminal as it is: finding 47, as a property of every command.

The attacker is an initiator that logs in in demo mode or is refused, the maker of a device, or
whoever wrote a file; the name that they choose holds characters that a terminal obeys or hides.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.errors import PyshellError
from pyshell.prompt.line import CheckedLine
from pyshell.prompt.session import prompt_text
from pyshell.prompt.toolbar import Status, toolbar
from pyshell.render import Format, error_lines, note_line, render
from pyshell.shell.completion.shells import answer
from pyshell.simulator import SimulatedDevice
from pyshell.text import one_line, unsafe_in, visible, visible_json
from pyshell.tree.results import Lines

ADDRESS = "192.168.56.105"
# One of each kind: C0, DEL, C1, bidirectional, zero-width, separators, fillers, tags, surrogate.
HOSTILE = [
    "\x1b", "\x07", "\x08", "\r", "\x7f", "\x9b", "\x85", "\u202e", "\u2066", "\u061c", "\u200b",
    "\u200d", "\u2060", "\ufeff", "\xad", "\u2028", "\u2029", "\u3164", "\u115f", "\ufe0f",
    "\u034f", "\U000e0041", "\ufff9",
]  # fmt: skip
COMMANDS = [
    "ls", "ls / 9", "status", "sessions", "sessions detail", "info", "doctor", "diff", "export",
    "graph format=svg", "graph format=dot", "graph format=mermaid", "metrics", "guide linux",
    "saveconfig", "undo list", f"trace {CLIENT} one", "trace iqn.2020-07.com.evil:x one",
    f"{TPG} sessions", f"{TPG}/acls ls", f"{TPG} status", "top once", "backstores ls",
    "/backstores/block info", "revisions", "help x", "no-such-command",
    "/no/such/path", f"{TPG}/acls create iqn.2020-07.x:", "find one", "check", "status",
    "clearconfig confirm=true --dry-run", f"/iscsi delete {SERVER} --dry-run", "bookmarks list",
    "/backstores/ramdisk/one info", "restoreconfig --dry-run", f"{TPG}/acls/* ls", "version",
]  # fmt: skip


def hostile_name(character: str) -> str:
    """Return an initiator's name with a hostile character in it."""
    return f"iqn.2020-07.com.evil:a{character}[31mroot{character}b"


@pytest.fixture
def attacked(pyshell: Pyshell, request: pytest.FixtureRequest) -> Pyshell:
    """Return a target where the attacker is logged in, was refused, and has ACL, disk and file."""
    name = hostile_name(request.param)
    pyshell.prepare(
        "/backstores/ramdisk create one 1M",
        f"/iscsi create {SERVER}",
        f"{TPG}/luns create /backstores/ramdisk/one",
        f"{TPG} set attribute generate_node_acls=1",
        "saveconfig",
    )
    simulator = pyshell.simulator
    simulator.login(SERVER, 1, name, ADDRESS)
    simulator.refuse(SERVER, 1, f"{name}x", ADDRESS)
    simulator.refuse(SERVER, 1, f"{name}y", ADDRESS, "authorize")
    simulator.mkdir(str(pyshell.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{name}z"))
    model = f"evil{request.param}model"
    simulator.machine.add(SimulatedDevice("/dev/sdz", "sdz", 1 << 21, model=model))
    return pyshell


def remove_acls(pyshell: Pyshell) -> None:
    """Remove the ACLs with hostile names, which some commands refuse to read."""
    folder = pyshell.configfs / f"iscsi/{SERVER}/tpgt_1/acls"
    for acl in folder.iterdir():
        pyshell.simulator.rmdir(str(acl))


def raw(text: str) -> str:
    """Return what of an output a terminal would obey or hide, apart from pyshell's own colours."""
    own = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return unsafe_in(own.replace("\n", "").replace("\t", ""))


@pytest.mark.parametrize("with_acl", [True, False])
@pytest.mark.parametrize("attacked", HOSTILE[::5], indirect=True, ids=ascii)
def test_no_command_prints_what_others_chose_as_it_is(attacked: Pyshell, with_acl: bool) -> None:
    """The unit tests below have each kind of character; this has each command."""
    seen = ""
    if not with_acl:
        remove_acls(attacked)
    for line in COMMANDS:
        for options in ([], ["-o", "json"]):
            ran = attacked(*options, *line.split())
            assert not ran.bug
            assert raw(ran.out) == "", (line, options)
            assert raw(ran.err) == "", (line, options)
            seen += ran.out
    assert "com.evil" in seen


@pytest.mark.parametrize("attacked", ["\x1b", "\x9b", "\u202e", "\u200b"], indirect=True, ids=ascii)
@pytest.mark.parametrize("line", ["ls / 9", "sessions detail", "doctor", "info", "guide linux"])
def test_a_terminal_gets_colours_of_pyshells_own_only(attacked: Pyshell, line: str) -> None:
    ran = attacked("--color=always", *line.split(), terminal=True)
    assert raw(ran.out + ran.err) == ""


@pytest.mark.parametrize("attacked", ["\x1b", "\u202e"], indirect=True, ids=ascii)
def test_a_question_shows_the_name_as_text(attacked: Pyshell) -> None:
    ran = attacked("/iscsi", "delete", SERVER, stdin="n\n", keyboard=True)
    assert "com.evil" in ran.err
    assert raw(ran.err) == ""


@pytest.mark.parametrize("attacked", ["\x1b", "\u202e", "\u2028"], indirect=True, ids=ascii)
@pytest.mark.parametrize("form", ["svg", "dot", "mermaid"])
def test_a_picture_in_a_file_holds_no_such_character(
    attacked: Pyshell, form: str, tmp_path: Path
) -> None:
    remove_acls(attacked)
    attacked.must(f"graph format={form} file={tmp_path / 'picture'}")
    text = (tmp_path / "picture").read_text(encoding="utf-8")
    assert raw(text) == ""
    assert "com.evil" in text.replace("&#46;", ".")


@pytest.mark.parametrize("attacked", ["\x1b", "\u202e", "\n", "\x85"], indirect=True, ids=ascii)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_neither_offers_nor_describes_with_it(attacked: Pyshell, shell: str) -> None:
    environment = {"PYSHELL_SIMULATE": str(attacked.folder)}
    for line in (
        f"pyshell {TPG}/acls create ",
        f"pyshell {TPG}/acls/",
        "pyshell /backstores/block create x ",
    ):
        answers = list(answer([shell, line], environment))
        assert [raw(one) for one in answers if raw(one)] == []
        assert [one for one in answers if "[31m" in one and shell == "bash"] == []


@pytest.mark.parametrize("character", HOSTILE, ids=ascii)
def test_what_is_typed_comes_back_as_text_in_an_error(pyshell: Pyshell, character: str) -> None:
    """Finding 67: control characters of values in errors."""
    for words in (
        [f"/no{character}such"], [f"no{character}such"], ["ls", f"/x{character}y"],
        ["/backstores/ramdisk", "create", f"a{character}b", "1M"],
        ["/iscsi", "create", f"iqn.2020-07.com.x:{character}y"],
        ["set", "global", f"color_mode={character}"], ["apply", f"/no{character}such"],
        ["--simulate=/dev/null/\x1b", "ls"], [f"--no{character}option"],
    ):  # fmt: skip
        for options in ([], ["-o", "json"]):
            ran = pyshell(*options, *words)
            assert ran.status != 0
            assert raw(ran.err) == "", words
            assert not ran.bug


@pytest.mark.parametrize("character", HOSTILE, ids=ascii)
def test_json_gives_the_text_back_as_it_was(character: str) -> None:
    text = f"a{character}b\n"
    line = note_line(text)
    assert raw(line) == ""
    assert json.loads(line)["note"] == text


@pytest.mark.parametrize("character", HOSTILE, ids=ascii)
def test_the_prompt_shows_no_such_character(character: str) -> None:
    text = f"/iscsi/a{character}b"
    assert raw(prompt_text(text, 0)) == ""
    advice = toolbar(CheckedLine("ls", advice=text), Status(host=text), "ls", 80)
    assert raw("".join(part[1] for part in advice).replace("\n", "", 1)) == ""


def test_text_of_any_script_stays_as_it_is() -> None:
    for text in ("plain", "Zürich", "東京", "Ελλάδα", "ü\u0308", "→ — …", "🙂"):
        assert visible(text) == one_line(text) == visible_json(text) == text
    assert visible("a\tb\nc") == "a\tb\nc"
    assert one_line("a\tb\nc") == "a\\x09b\\x0ac"


def test_every_control_format_and_separator_of_unicode_is_an_escape() -> None:
    kinds = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    every = map(chr, range(sys.maxunicode + 1))
    found = [character for character in every if unicodedata.category(character) in kinds]
    shown = one_line("|".join(found)).split("|")  # no escape has that character
    assert len(shown) == len(found)
    assert all(map(str.isascii, shown))
    assert {escape[:1] for escape in shown} == {"\\"}


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\x1c", "\u3000"], ids=ascii)
def test_one_name_is_one_session(pyshell: Pyshell, separator: str) -> None:
    """A name with what Python takes for a blank does not make a second session of another."""
    name = f"iqn.2020-07.com.evil:a{separator}{CLIENT}"
    pyshell.must(f"/iscsi create {SERVER}", f"{TPG} set attribute generate_node_acls=1")
    pyshell.simulator.login(SERVER, 1, name, ADDRESS)
    (found,) = pyshell("-o", "json", "sessions").json["result"]
    assert found["initiator"] == name


@pytest.mark.parametrize("attacked", ["\n"], indirect=True, ids=ascii)
def test_a_line_feed_in_a_name_begins_no_line(attacked: Pyshell) -> None:
    """A name is printed on the line of its sentence, so that it cannot forge another one."""
    seen = ""
    for line in COMMANDS:
        if line.startswith("graph"):
            continue  # a picture's text stands on several lines
        ran = attacked(*line.split())
        assert not ran.bug
        printed = (ran.out + ran.err).split("\n")
        forged = [one for one in printed if one.startswith(("[31m", "b at"))]
        assert forged == [], line
        seen += ran.out
    assert "com.evil:a\\x0a[31mroot" in seen
    asked = attacked("/iscsi", "delete", SERVER, stdin="n\n", keyboard=True).err
    assert "\n[31m" not in asked
    assert "a\\x0a[31mroot" in asked


def test_each_element_is_one_line() -> None:
    shown = Format(json=False, width=80, colour=False, preference=lambda name: True)
    assert list(render(Lines(["a\nb\tc"]), shown)) == ["a\\x0ab\tc"]
    error = PyshellError("two\nlines", faults=["a\nb"])
    assert [one for one in error_lines(error, as_json=False) if "\n" in one] == []
