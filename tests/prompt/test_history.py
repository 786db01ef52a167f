# SPDX-License-Identifier: Apache-2.0
"""The history of typed lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyshell.prompt import history
from pyshell.prompt.history import CommandHistory, kept_form


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("ls", "ls"),
        ("  ls  ", "ls"),
        ("", None),
        ("   ", None),
        ("ls 'x", "ls 'x"),
        ("set auth userid=me", "set auth userid=me"),
        ("set auth password=abc", "set auth password=********"),
        ("set auth password='a b' userid=me", "set auth password=******** userid=me"),
        ('set auth password="a b"', "set auth password=********"),
        ("set auth password=a\\ b", "set auth password=********"),
        (
            "set auth mutual_password=abc password=def",
            "set auth mutual_password=******** password=********",
        ),
        ("set auth password=", "set auth password=********"),
        ("set auth password='abc", None),
        ("set auth Password='abc", None),
        ("set auth password abc", None),
        ("set auth 'password=abc'", None),
        ("set auth Password=abc", None),
        ("set auth pasword=abc", None),
        ("set auth passwd=abc", None),
        ("set auth mutual_passwort=abc", None),
        ("set auth mutual_userid=abc", "set auth mutual_userid=abc"),
        ("ls # password=abc", None),
        ("set auth password=a # password=b", None),
        ("cd /; set auth password S3", None),
        ("cd /x; set auth userid=u password S3", None),
        ("/x ls auth u S3", None),
        ("'ls' set auth u S3", None),
        ("ls password S3", None),
        ("info Password=S3", None),
        ("share sdb iqn u S3", None),
        ("shaer sdb iqn u S3", None),
        ("/ share sdb iqn chap=oneway S3", None),
        ("login iqn u S3", None),
        ("x/ls set auth u S3", None),
        ("set auth password=@S3", "set auth password=********"),
        ("set auth password=@/root/x", "set auth password=@/root/x"),
        ("share sdb iqn chap=oneway", "share sdb iqn chap=oneway"),
        ("unshare sdb iqn", "unshare sdb iqn"),
        ("get auth password", "get auth password"),
        ("help set auth", "help set auth"),
        ("/backstores/fileio/password-vault ls 2", "/backstores/fileio/password-vault ls 2"),
    ],
)
def test_kept_form(line: str, kept: str | None) -> None:
    assert kept_form(line) == kept


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the history is to be."""
    return tmp_path / "home" / "history"


@pytest.fixture
def kept(file: Path) -> CommandHistory:
    """Return a history that must not warn."""
    return CommandHistory(file, pytest.fail)


def test_a_line_stands_once_at_its_latest_place(kept: CommandHistory, file: Path) -> None:
    for line in ("ls", "pwd", "ls", "ls", "cd /"):
        kept.add(line)
    assert kept.lines() == ["pwd", "ls", "cd /"]
    assert file.read_text(encoding="utf-8") == "pwd\nls\ncd /\n"


def test_only_a_newline_ends_a_line(kept: CommandHistory) -> None:
    kept.add("bookmarks add a\u2028b")
    assert kept.lines() == ["bookmarks add a\u2028b"]


def test_two_sessions_lose_nothing(kept: CommandHistory, file: Path) -> None:
    other = CommandHistory(file, pytest.fail)
    kept.add("one")
    other.add("two")
    kept.add("three")
    assert other.lines() == ["one", "two", "three"]


def test_only_the_latest_lines_are_kept(
    kept: CommandHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LONGEST", 3)
    for number in range(5):
        kept.add(f"cd {number}")
    assert kept.lines() == ["cd 2", "cd 3", "cd 4"]


def test_others_cannot_read_it_from_its_first_instant(
    kept: CommandHistory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    open_file = os.open

    def watched(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        descriptor = open_file(path, flags, mode, **more)
        if "history" in str(path):
            modes.append(os.fstat(descriptor).st_mode & 0o777)
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    before = os.umask(0)
    try:
        kept.add("ls")
    finally:
        os.umask(before)
    assert modes
    assert set(modes) == {0o600}
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(kept: CommandHistory, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("ls\n", encoding="utf-8")
    file.chmod(0o644)
    kept.add("pwd")
    assert file.stat().st_mode & 0o777 == 0o600
    assert kept.lines() == ["ls", "pwd"]


def test_text_that_is_no_utf8_stops_nothing(kept: CommandHistory, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"ls\n\xff\n")
    kept.add("pwd")
    assert kept.lines() == ["ls", "\N{REPLACEMENT CHARACTER}", "pwd"]


def test_keys_that_are_no_text_stop_nothing(kept: CommandHistory) -> None:
    kept.add("ls \udcff")
    assert kept.lines() == ["ls ?"]


def test_where_it_cannot_be_written_that_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    told: list[str] = []
    kept = CommandHistory(tmp_path / "home" / "history", told.append)
    assert kept.add("set auth password=abc") == "set auth password=********"
    assert kept.add("ls") == "ls"
    assert kept.lines() == []
    assert len(told) == 1
    assert told[0].startswith("Cannot keep the history: ")


# Findings 45 and 49: a folder or file of others


@pytest.mark.parametrize("file", ["history", "history.lock"])
def test_a_link_in_a_folder_of_others_is_not_written_through(tmp_path: Path, file: str) -> None:
    told: list[str] = []
    victim, home = tmp_path / "victim", tmp_path / "home"
    victim.write_text("precious")
    home.mkdir()
    (home / file).symlink_to(victim)
    home.chmod(0o777)
    kept = CommandHistory(home / "history", told.append)
    assert kept.add("ls") == "ls"
    assert kept.add("pwd") == "pwd"
    assert victim.read_text() == "precious"
    assert [entry.name for entry in home.iterdir()] == [file]
    assert len(told) == 1
    assert f"chmod go-w {home}" in told[0]


def test_lines_that_others_could_have_written_are_not_suggested(tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "history"
    file.write_text("clearconfig confirm=true\n")
    file.chmod(0o666)
    assert CommandHistory(file, told.append).lines() == []
    assert "other users can write to it" in told[0]
