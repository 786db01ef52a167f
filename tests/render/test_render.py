# SPDX-License-Identifier: Apache-2.0
"""Results and errors as text and JSON; width and colour."""

from __future__ import annotations

import io
import json

import pytest

from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.render import Format, error_lines, render, wants_colour, width
from pyshell.text import wrapped
from pyshell.tree.results import Branch, Lines, Tree

PREFERRED = {"tree_round_nodes": True, "tree_status_mode": True, "tree_show_root": True}
TEXT = Format(False, 30, False, PREFERRED.__getitem__)
JSON = Format(True, 30, False, PREFERRED.__getitem__)
LEAF = Branch("a", "/a", "full", True, tuple)


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_lines_as_text_and_as_data() -> None:
    assert list(render(Lines(["a", "b"]), TEXT)) == ["a", "b"]
    (document,) = render(Lines(["a", "b"]), JSON)
    assert json.loads(document) == {"schema": 1, "result": ["a", "b"]}
    (document,) = render(Lines(["a"], {"x": None}), JSON)
    assert json.loads(document) == {"schema": 1, "result": {"x": None}}


def test_data_that_is_empty_is_data() -> None:
    (document,) = render(Lines(["(none)"], []), JSON)
    assert json.loads(document)["result"] == []


def test_a_tree_as_text_and_as_data() -> None:
    assert list(render(Tree(LEAF), TEXT)) == ["o- a .................. [full]"]
    (document,) = render(Tree(LEAF), JSON)
    assert json.loads(document)["tree"] == {
        "name": "a",
        "path": "/a",
        "summary": "full",
        "healthy": True,
        "children": [],
    }


def test_json_keeps_every_script() -> None:
    (document,) = render(Lines(["größe 秘密"]), JSON)
    assert "größe 秘密" in document


def test_preferences_count_for_the_tree() -> None:
    shown = Format(False, 30, False, {**PREFERRED, "tree_status_mode": False}.__getitem__)
    assert list(render(Tree(LEAF), shown)) == ["o- a"]


def test_colour_is_richs() -> None:
    (line,) = render(Tree(LEAF), Format(False, 30, True, PREFERRED.__getitem__))
    assert line.startswith("o- \x1b[1ma\x1b[0m ")
    assert line.endswith("[\x1b[32mfull\x1b[0m]")


# Errors


def test_an_error_is_one_line() -> None:
    assert error_lines(NotFoundError("It is gone", "Look for it."), as_json=False) == [
        "It is gone. Look for it."
    ]


def test_a_faulty_line_is_shown_with_a_caret_below() -> None:
    error = UsageError("It is wrong.", column=3)
    error.line = "ls !x"
    assert error_lines(error, as_json=False) == ["It is wrong.", "  ls !x", "     ^"]
    assert error_lines(error, as_json=False, compat=True) == ["It is wrong."]


def test_an_errors_faults_have_a_line_each() -> None:
    error = PyshellError("One:", "Try.", faults=["two", "three"])
    assert error_lines(error, as_json=False) == ["One:", "two", "three", "Try."]
    assert json.loads(error_lines(error, as_json=True)[0])["faults"] == ["two", "three"]


def test_of_very_many_faults_the_first_are_told() -> None:
    lines = error_lines(PyshellError("One:", faults=["x"] * 130), as_json=False)
    assert (len(lines), lines[-1]) == (102, "and 30 more")


def test_an_error_as_data() -> None:
    error = PyshellError("It failed", "Try.", errno=22, path="/x", step="set x")
    (document,) = error_lines(error, as_json=True, where="file:3")
    assert json.loads(document) == {
        "schema": 1,
        "where": "file:3",
        "error": "It failed",
        "faults": [],
        "hint": "Try.",
        "path": "/x",
        "step": "set x",
        "errno": 22,
        "code": 1,
    }


# Width and colour


@pytest.mark.parametrize(
    ("environment", "columns"),
    [
        ({}, 132),
        ({"COLUMNS": "101"}, 101),
        ({"COLUMNS": "0"}, 132),
        ({"COLUMNS": "-1"}, 132),
        ({"COLUMNS": "many"}, 132),
        ({"COLUMNS": ""}, 132),
        ({"COLUMNS": "\xb2"}, 132),
        ({"COLUMNS": "\u0663"}, 132),
        ({"COLUMNS": "9" * 21}, 132),
        ({"COLUMNS": "9" * 5000}, 132),
        ({"COLUMNS": "99999999"}, 1000),
    ],
)
def test_a_pipe_is_as_wide_as_columns_says(environment: dict[str, str], columns: int) -> None:
    assert width(io.StringIO(), environment) == columns


def test_a_terminal_has_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert width(Terminal(), {}) == 77


@pytest.mark.parametrize(
    ("choice", "terminal", "preferred", "environment", "coloured"),
    [
        ("auto", True, True, {"TERM": "xterm"}, True),
        ("auto", False, True, {"TERM": "xterm"}, False),
        ("auto", True, False, {"TERM": "xterm"}, False),
        ("auto", True, True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ("auto", True, True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        ("auto", True, True, {"TERM": "dumb"}, False),
        ("auto", True, True, {}, False),
        ("always", False, False, {"NO_COLOR": "1"}, True),
        ("never", True, True, {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_wanted(
    choice: str, terminal: bool, preferred: bool, environment: dict[str, str], coloured: bool
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    found = wants_colour(choice, stream, preferred=preferred, environment=environment)
    assert found is coloured


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It fits.", "It fits."),
        ("one two three four", "one two\nthree four"),
        ("one a-very-long-name two", "one\na-very-long-name\ntwo"),
        ("  a line pointed into", "  a line pointed into"),
    ],
)
def test_a_sentence_is_broken_between_words(text: str, shown: str) -> None:
    assert wrapped(text, 10) == shown
