# SPDX-License-Identifier: Apache-2.0
"""Splitting, parsing and quoting lines."""

from __future__ import annotations

import random
import shlex
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshell import quoting
from pyshell.errors import UsageError
from pyshell.shell import grammar

SPLIT = [
    ("", []),
    ("   \t ", []),
    ("ls", ["ls"]),
    ("  ls   depth=1 ", ["ls", "depth=1"]),
    ("a\tb", ["a", "b"]),
    ("'a b' c", ["a b", "c"]),
    ('"a b" c', ["a b", "c"]),
    ("a\\ b", ["a b"]),
    ("a' 'b", ["a b"]),
    ("'a'\"b\"c", ["abc"]),
    ("''", [""]),
    ('""', [""]),
    ("'a\\b'", ["a\\b"]),
    ('"a\\b"', ["a\\b"]),
    ('"a\\"b"', ['a"b']),
    ('"a\\\\b"', ["a\\b"]),
    ('"a\\$b\\`c"', ["a$b`c"]),
    ("a\\\\b", ["a\\b"]),
    ("\\'", ["'"]),
    ("'\"'", ['"']),
    ('"\'"', ["'"]),
    ("# nothing", []),
    ("ls # depth=1", ["ls"]),
    ("a#b", ["a#b"]),
    ("\\#a", ["#a"]),
    ("'#a'", ["#a"]),
    ("a{b|c^d;e", ["a{b|c^d;e"]),
    ("$HOME `x` ~ *", ["$HOME", "`x`", "~", "*"]),
    ("grün 秘密 🔑", ["grün", "秘密", "🔑"]),
]


@pytest.mark.parametrize(("line", "words"), SPLIT)
def test_lines_split_as_in_a_posix_shell(line: str, words: list[str]) -> None:
    found = [f"{w.name}={w.text}" if w.name else w.text for w in grammar.split(line)]
    assert found == words


# shlex takes # for itself, and a backslash before $ and ` within double quotes, as POSIX does not.
@pytest.mark.parametrize(
    ("line", "words"),
    [(line, words) for line, words in SPLIT if "#" not in line and "`c" not in line],
)
def test_shlex_agrees(line: str, words: list[str]) -> None:
    assert shlex.split(line) == words


@pytest.mark.parametrize(
    ("line", "column"),
    [("'", 0), ("a 'b", 2), ('a "b', 2), ("ab'c", 2), ('a "b\\"', 2), ("a b\\", 3), ("\\", 0)],
)
def test_what_does_not_end_is_refused_where_it_begins(line: str, column: int) -> None:
    with pytest.raises(UsageError) as caught:
        grammar.split(line)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("line", "name", "value", "start"),
    [
        ("dev=/dev/sda", "dev", "/dev/sda", 4),
        ("a=b=c", "a", "b=c", 2),
        ("a=", "a", "", 2),
        ("a=''", "a", "", 2),
        ("a='b c'", "a", "b c", 2),
        ("some-name_1=x", "some-name_1", "x", 12),
        ("  a=b", "a", "b", 4),
    ],
)
def test_a_name_and_its_value(line: str, name: str, value: str, start: int) -> None:
    (word,) = grammar.split(line)
    assert (word.name, word.text, word.value_start) == (name, value, start)


@pytest.mark.parametrize("line", ["'a'=b", "=b", "a.b=c", "'a=b'", "/a/b=c", '"a"=b', "a\\=b"])
def test_what_is_no_name_and_value(line: str) -> None:
    (word,) = grammar.split(line)
    assert word.name is None


def test_words_know_where_they_stand() -> None:
    line = "  ab  'c d' e"
    assert [(w.start, w.end, line[w.start : w.end]) for w in grammar.split(line)] == [
        (2, 4, "ab"),
        (6, 11, "'c d'"),
        (12, 13, "e"),
    ]


@pytest.mark.parametrize(
    ("line", "path", "command", "arguments"),
    [
        ("ls", None, "ls", []),
        ("/iscsi", "/iscsi", None, []),
        ("/iscsi ls", "/iscsi", "ls", []),
        ("iscsi/ ls depth=1", "iscsi/", "ls", ["1"]),
        (". ls", ".", "ls", []),
        (".. ls x", "..", "ls", ["x"]),
        ("* ls", "*", "ls", []),
        ("/a/* status", "/a/*", "status", []),
        ("@mark ls", "@mark", "ls", []),
        ("ls /iscsi", None, "ls", ["/iscsi"]),
        ("'/a b/c' ls", "/a b/c", "ls", []),
        ("/ saveconfig", "/", "saveconfig", []),
        ("cd <", None, "cd", ["<"]),
    ],
)
def test_a_line_is_a_path_a_command_and_arguments(
    line: str, path: str | None, command: str | None, arguments: list[str]
) -> None:
    found = grammar.parse(line)
    assert (found.path and found.path.text) == path
    assert (found.command and found.command.text) == command
    assert [word.text for word in found.arguments] == arguments


@pytest.mark.parametrize("line", ["", "   ", "# a comment", "\t# another"])
def test_a_line_without_words_is_empty(line: str) -> None:
    assert grammar.parse(line).empty


@pytest.mark.parametrize(
    ("line", "every"), [("/a/*", True), ("* ls", True), ("/a ls", False), ("ls *", False)]
)
def test_a_star_at_the_paths_end_means_every_child(line: str, every: bool) -> None:
    assert grammar.parse(line).every_child is every


@pytest.mark.parametrize(
    ("line", "column"), [("a=b", 0), ("/a x=y", 3), ("!", 0), ("ls;", 0), ("l-s", 0), ("'' x", 0)]
)
def test_what_is_no_command_is_refused(line: str, column: int) -> None:
    with pytest.raises(UsageError) as caught:
        grammar.parse(line)
    assert caught.value.column == column


# Quoting

LETTERS = "ab01 \t'\"\\#=$`/*?{}[]()<>|&;!~^%é秘🔑"


def random_texts(count: int) -> list[str]:
    """Return texts of all kinds of characters, the same ones at every run."""
    source = random.Random(20200701)
    return ["".join(source.choices(LETTERS, k=source.randrange(12))) for _ in range(count)]


def test_what_is_quoted_is_read_back_as_one_word() -> None:
    for text in random_texts(2000):
        words = grammar.split(quoting.typed(text))
        assert [w.raw if w.name else w.text for w in words] in ([text], [quoting.typed(text)])
        assert "".join(f"{w.name}={w.text}" if w.name else w.text for w in words) == text


def test_a_quoted_value_is_read_back_behind_its_name() -> None:
    for text in random_texts(2000):
        (word,) = grammar.split(f"password={quoting.typed(text)}")
        assert (word.name, word.text) == ("password", text)


def test_what_needs_no_quotes_gets_none() -> None:
    assert quoting.typed("/dev/mapper/lee-lee.lv") == "/dev/mapper/lee-lee.lv"


def test_arguments_of_a_program_are_joined_by_blanks() -> None:
    assert grammar.parse_arguments(["/iscsi", "create", "a"]) == grammar.parse("/iscsi create a")
    assert grammar.parse_arguments(["/iscsi create", "a"]) == grammar.parse("/iscsi create a")


def parsed(parse: Callable[[], grammar.Line]) -> tuple[grammar.Line | None, str, int | None]:
    """Return the line, else the error and its column."""
    try:
        return parse(), "", None
    except UsageError as error:
        return None, str(error), error.column


@pytest.mark.parametrize("compat", [False, True])
def test_arguments_of_a_program_mean_what_the_line_shown_means(compat: bool) -> None:
    texts = random_texts(3000)
    for one, two, three in zip(texts[::3], texts[1::3], texts[2::3], strict=True):
        arguments = ["/iscsi", one, "create", two, f"name={three}"]
        try:
            shown = grammar.parse_arguments(arguments, compat=compat).text
        except UsageError as error:
            shown = str(error.line)
        found = parsed(lambda: grammar.parse_arguments(arguments, compat=compat))  # noqa: B023
        assert found == parsed(lambda: grammar.parse(shown, compat=compat))  # noqa: B023


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["create", "a b", "x='1 2'"], ["a b", "1 2"]),
        (["create", "", "it's"], ["", "it's"]),
        (["create", "'a b'"], ["a b"]),
        (["create 'a", "b'"], ["a b"]),
        (["create", "name=a 'b'", "#"], ["a 'b'", "#"]),
    ],
)
def test_an_argument_of_a_program_is_a_word(arguments: list[str], meant: list[str]) -> None:
    assert [word.text for word in grammar.parse_arguments(arguments).arguments] == meant


def test_in_targetcli_mode_arguments_of_a_program_are_one_text() -> None:
    line = grammar.parse_arguments(["create", "a b", "", "name=a b", "# c"], compat=True)
    assert [word.text for word in line.arguments] == ["a", "b", "a b"]


def test_a_programs_argument_keeps_all_that_stands_behind_its_name() -> None:
    for text in random_texts(2000):
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
        if quoted:
            continue  # taken as quoted for the line, as scripts for targetcli do
        word = grammar.parse_arguments(["set", "auth", f"password={text}"]).arguments[-1]
        assert (word.name, word.text) == ("password", text)


def test_a_programs_argument_that_is_quoted_for_the_line_is_read_so() -> None:
    (word,) = grammar.parse_arguments(["set", "password='a b'"]).arguments
    assert word.text == "a b"


PIECES = ("|", "||", " ", "\t", "'", '"', "\\", "#", "a", "b=", "/", "ls", "match", ">", "é")
LINES = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
VALUES = st.text(max_size=20).filter(lambda text: "\0" not in text)


def has_pipe(line: str) -> bool:
    """Return whether a | stands alone outside of quotes and comments."""
    return any(word.raw == "|" for word in grammar.split_unfinished(line))


@given(LINES)
def test_a_line_without_a_pipe_is_parsed_as_in_targetcli_mode_which_has_none(line: str) -> None:
    if not has_pipe(line):
        found = parsed(lambda: grammar.parse(line))
        assert found[::2] == parsed(lambda: grammar.parse(line, compat=True))[::2]
        assert found[0] is None or (found[0].pipes, found[0].filters) == ((), ())


@given(LINES, VALUES)
def test_a_pipe_ends_the_arguments_and_changes_none_of_them(line: str, value: str) -> None:
    alone = parsed(lambda: grammar.parse(line))[0]
    if alone is None or alone.empty or has_pipe(line) or "#" in line:
        return
    piped = grammar.parse(f"{line} | match {quoting.quoted(value)}")
    assert (piped.path, piped.command, piped.arguments) == (
        alone.path,
        alone.command,
        alone.arguments,
    )
    assert [[word.meaning for word in words] for words in piped.filters] == [["match", value]]
    assert piped.body.rstrip() == line.rstrip()


@given(VALUES)
def test_a_quoted_pipe_is_a_value(value: str) -> None:
    text = f"{value} | {value}"
    for written in (quoting.quoted(text), quoting.argument("name", text)):
        (argument,) = grammar.parse(f"create {written}").arguments
        assert argument.text == text


@given(st.lists(VALUES.filter(bool), min_size=1, max_size=4))
def test_an_argument_after_the_command_of_a_program_is_never_a_pipe(values: list[str]) -> None:
    assert grammar.parse_arguments(["ls", *values, "|", "x"]).pipes == ()


@pytest.mark.parametrize(
    ("line", "filters"),
    [
        ("ls | match a | except b", [["match", "a"], ["except", "b"]]),
        ("ls|x | count", None),
        ("ls |match", None),
        ("ls /| match a", None),
        ("ls |matches", []),
        ("ls a|b", []),
        ("ls '|' match", []),
        ("ls \\| match", []),
        ("ls # | match", []),
        ("ls | match '|' | count", [["match", "|"], ["count"]]),
        ("ls |", [[]]),
        ("ls | | count", [[], ["count"]]),
    ],
)
def test_pipes_stand_alone(line: str, filters: list[list[str]] | None) -> None:
    found = parsed(lambda: grammar.parse(line))[0]
    assert filters == (
        None if found is None else [[word.text for word in words] for words in found.filters]
    )


def test_a_program_given_one_argument_splits_it_with_its_pipes() -> None:
    line = grammar.parse_arguments(["/iscsi ls | match", "a b"])
    assert [[word.text for word in words] for words in line.filters] == [["match", "a b"]]
