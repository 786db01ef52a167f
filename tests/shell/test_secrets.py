# SPDX-License-Identifier: Apache-2.0
"""Secrets that are fetched from elsewhere, and hidden in what is shown of a line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from driver import TPG, Pyshell
from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.shell.grammar import split, split_unfinished
from pyshell.shell.secrets import (
    PLAIN_WORDS,
    in_the_open,
    masked,
    masked_fault,
    read_indirect,
    without_secrets,
)
from pyshell.tree.root import SimulatedRootNode


def fetched(line: str, stdin: str = "") -> list[str]:
    """Return the values of a line's words, once fetched."""
    return [word.text for word in read_indirect(split(line), io.StringIO(stdin))]


def test_a_dash_reads_one_line() -> None:
    stdin = io.StringIO("first\nsecond\n")
    (word,) = read_indirect(split("password=-"), stdin)
    assert (word.text, stdin.readline()) == ("first", "second\n")


def test_two_dashes_read_two_lines() -> None:
    assert fetched("password=- mutual_password=-", "one\ntwo\n") == ["one", "two"]


def test_a_terminal_is_asked_without_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return "hidden"

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", getpass)
    assert [w.text for w in read_indirect(split("password=-"), terminal)] == ["hidden"]

    assert asked == ["password: "]


@pytest.mark.parametrize(("second", "fits"), [("hidden", True), ("hiden", False)])
def test_a_new_secret_is_asked_twice(
    second: str, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"password: ": "hidden", "password again: ": second}
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", answers.pop)
    if fits:
        assert read_indirect(split("password=-"), terminal, twice=True)[0].text == "hidden"
    else:
        with pytest.raises(UsageError, match="not typed the same twice"):
            read_indirect(split("password=-"), terminal, twice=True)
    assert not answers


def test_what_holds_the_lines_can_hold_no_secret() -> None:
    with pytest.raises(UsageError, match="Cannot read the password from standard input"):
        read_indirect(split("password=-"), None)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("password='-'", "-"),
        ("password='@x'", "@x"),
        ("password=@", "@"),
        ("password=x@y", "x@y"),
        ("userid=-", "-"),
        ("userid=@x", "@x"),
        ("-", "-"),
    ],
)
def test_all_else_stands_for_itself(line: str, kept: str) -> None:
    assert fetched(line) == [kept]


def test_a_file_holds_the_secret_in_its_one_line(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes("gehéim \r\n".encode())
    assert fetched(f"password=@{tmp_path}/secret") == ["gehéim "]


@pytest.mark.parametrize("text", ["", "\n", "\r\n", "one\ntwo\n"])
def test_a_file_with_no_line_or_with_two_holds_no_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_bytes(text.encode())
    with pytest.raises(UsageError, match="password"):
        fetched(f"password=@{tmp_path}/secret")


def test_an_empty_line_is_no_secret() -> None:
    with pytest.raises(UsageError, match="removes the secret"):
        fetched("password=-", "\n")


def test_a_file_at_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("kept")
    assert fetched("password=@~/secret") == ["kept"]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"Cannot read .*/nothing: No such file"):
        fetched(f"password=@{tmp_path}/nothing")
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="UTF-8"):
        fetched(f"password=@{tmp_path}/binary")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("set auth password=abc userid=me", "set auth password=******** userid=me"),
        ("set auth password='a b' mutual_password=c", "set auth password=******** "
         "mutual_password=********"),
        ("set auth password=", "set auth password=********"),
        ("set auth userid=password=x", "set auth userid=password=x"),
        ("ls", "ls"),
    ],
)  # fmt: skip
def test_secrets_are_masked(line: str, shown: str) -> None:
    assert masked(line, split(line)) == shown


@pytest.mark.parametrize(
    ("line", "at", "shown", "below"),
    [
        ("set auth password=abc more", "more", "set auth ********", "********"),
        ("set x password=a-long-secret more", "more", "set x password=******** more", "more"),
        ("sett auth password=abc", "sett", "sett auth password=********", "sett"),
        ("set auth password=abc", "abc", "set auth password=********", "********"),
        ("ls depth=x", "x", "ls depth=x", "x"),
        ("set auth password='abc", "'abc", "set auth ********", "********"),
        ("set auth password=abc 'more", "'more", "set auth ********", "********"),
        ("set auth 'x password=abc", "'x", "set auth ********", "********"),
        ("set auth password abc", "password", "set auth ********", "********"),
        ("set auth abc", "abc", "set auth ********", "********"),
        ("set auth password = abc", "=", "set auth ********", "********"),
        ('set auth "password=abc"', '"', "set auth ********", "********"),
        ("set auth pass\\word=abc", "pass", "set auth ********", "********"),
        ("sset auth mutual_passwd=abc", "sset", "sset auth ********", "sset"),
        ("set discovery_auth passw0rd abc", "abc", "set discovery_auth ********", "********"),
        ("set auth userid=me # abc", "set", "set auth ********", "set"),
        ("create pasword=abc", "pasword", "create ********", "********"),
        ("ls 'x", "'x", "ls 'x", "'x"),
    ],
)
def test_a_faulty_line_is_shown_masked_with_its_fault_in_place(
    line: str, at: str, shown: str, below: str
) -> None:
    found, column = masked_fault(line, line.index(at))
    assert found == shown
    assert column == shown.index(below)


@pytest.mark.parametrize(
    ("line", "quoted"),
    [
        ("acls/x set auth hushhush", "hushhush"),
        ("set auth password=hush hush", "hush"),
        ("set auth pasword=hushhush", "pasword=hushhush"),
    ],
)
def test_what_is_told_of_a_line_quotes_no_word_that_may_be_a_secret(line: str, quoted: str) -> None:
    told = without_secrets(f"Unexpected argument '{quoted}' for set.", line)
    assert "hush" not in told
    assert told.startswith("Unexpected argument '********' for")


def test_what_says_where_a_secret_is_hides_nothing() -> None:
    line = "set auth password=- mutual_password=@/root/secret"
    assert masked(line, split(line)) == line
    quoted = "set auth password='-'"
    assert masked(quoted, split(quoted)) == "set auth password=********"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("set auth password=abc", "password"),
        ("set auth userid=u mutual_password='a b", "mutual_password"),
        ("set auth password=", None),
        ("set auth password=-", None),
        ("set auth password=@", None),
        ("set auth password=@file", None),
        ("set auth password='-'", "password"),
        ("set auth password=********", None),
        ("get auth password", None),
    ],
)
def test_a_secret_in_the_open(line: str, name: str | None) -> None:
    assert in_the_open(split_unfinished(line)) == name


def test_a_secret_is_not_read_from_a_device_or_from_another_users_file(tmp_path: Path) -> None:
    """Findings 45 and 52."""
    for told, make in (
        ("is a device", lambda path: path.symlink_to("/dev/zero")),
        ("is too large", lambda path: path.write_text("x" * 70_000)),
        ("other users can write to it", lambda path: (path.write_text("x"), path.chmod(0o666))),
    ):
        file = tmp_path / told.replace(" ", "-")
        make(file)
        with pytest.raises(PyshellError, match=told):
            read_indirect(split(f"set auth password=@{file}"), None)


def test_a_line_of_comment_signs_is_masked_in_a_moment() -> None:
    """Finding 52: the time was quadratic in the length of the line, here hours."""
    line = "#" * 1_000_000
    assert masked(line, []) == line


def test_a_secret_on_the_command_line_is_noted_at_a_terminal(target: Pyshell) -> None:
    """Finding 53: it could be seen in the list of processes."""
    words = (TPG, "set", "auth", "userid=u")
    ran = target(*words, "password=sixteen-bytes-ok", terminal=True)
    assert "could see the password in 'ps'" in " ".join(ran.err.split())
    assert "sixteen" not in ran.err
    assert "in 'ps'" not in target(*words, "password=sixteen-bytes-ok").err
    assert "'ps'" not in target(*words, "password=-", stdin="another-secret-1\n", terminal=True).err


@pytest.mark.parametrize(
    "line",
    [
        "password=S3CRET12345",
        "/iscsi/x/auth password=S3CRET12345",
        "password='S3CRET12345 x'",
        "mutual_password=S3CRET12345 set auth",
        "password=@S3CRET12345",
        f"{TPG} set auth userid=u password=@S3CRET12345",
        f"{TPG} set auth userid=u x=1 password=@S3CRET12345",
        f"{TPG} ls password=S3CRET12345",
        f"{TPG} create password=S3CRET12345",
    ],
)
@pytest.mark.parametrize("form", [[], ["-o", "json"], ["--compat"]])
def test_no_error_and_no_log_holds_a_secret(target: Pyshell, line: str, form: list[str]) -> None:
    assert target("--compat", "set global logfile=/var/log/x loglevel_file=info").status == 0
    for ran in (target.batch([line]), target(*form, *line.split(" ", 1))):
        assert ran.status != 0
        assert "S3CRET" not in ran.out + ran.err
    log = target.folder / "files/var/log/x"
    logged = log.read_text(encoding="utf-8") if log.exists() else ""
    assert "S3CRET" not in logged
    assert ("[ERROR]" in logged) is (form == ["--compat"])


def test_the_words_of_commands_with_secrets_are_counted_as_they_take_them() -> None:
    commands = SimulatedRootNode.commands()
    assert {
        name: sum(not param.named_only for param in described.params)
        for name, described in commands.items()
        if any(param.secret for param in described.params)
    } == PLAIN_WORDS
