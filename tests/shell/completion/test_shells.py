# SPDX-License-Identifier: Apache-2.0
"""What the completion scripts of bash, zsh and fish are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell, run_here
from pyshell.shell.completion.shells import answer

HEAD, TAIL = SERVER.split(":")


@pytest.fixture
def served(target: Pyshell) -> Pyshell:
    """Return pyshell with a target, an ACL, and a ramdisk that is not exported."""
    target.prepare(f"{TPG}/acls create {CLIENT}", "/backstores/ramdisk create memory 1M")
    return target


def told(pyshell: Pyshell, shell: str, *arguments: str) -> list[str]:
    """Return the words of an answer, without what zsh and fish are told of them."""
    environment = {"PYSHELL_SIMULATE": str(pyshell.folder)}
    return [line.partition("\t")[0] for line in answer([shell, *arguments], environment)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/isc", ["/iscsi/"]),
        ("  /isc", ["/iscsi/"]),
        (f"/iscsi/{HEAD[:12]}", [f"/iscsi/{SERVER}/"]),
        (f"/iscsi/{HEAD}:", [f"/iscsi/{SERVER}/"]),
        (f"'/iscsi/{SERVER[:-3]}", [f"/iscsi/{SERVER}/"]),
        (f"{TPG}/portals/0", [f"{TPG}/portals/0.0.0.0:3260 "]),
        (f"{TPG}/acls/{CLIENT[:25]}", [f"{TPG}/acls/{CLIENT}/"]),
        (f"{TPG}/luns cre", ["create "]),
        (f"{TPG}/acls delete {CLIENT[:-2]}", [f"{CLIENT} "]),
        (f"{TPG}/luns create stor", ["storage_object="]),
        (
            f"{TPG}/luns create storage_object=/backstores/ram",
            ["storage_object=/backstores/ramdisk/memory "],
        ),
        (f"{TPG} set attribute demo_mode_d", ["demo_mode_discovery="]),
        ("/nothing/of/th", []),
        ("/iscsi create x > fi", []),
        ("--dry", ["--dry-run "]),
        ("--nosuch", []),
        ("--o", ["--output "]),
        ("-o ", ["text ", "json ", "table ", "jsonl ", "tsv ", "name "]),
        ("-o js", ["json ", "jsonl "]),
        ("-o json /isc", ["/iscsi/"]),
        ("--color=al", ["--color=always "]),
        ("--dry-run -- /isc", ["/iscsi/"]),
        ("-o nonsense /isc", []),
        ("--lock-timeout ", []),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_is_offered(served: Pyshell, shell: str, line: str, words: list[str]) -> None:
    assert told(served, shell, f"pyshell {line}") == words


@pytest.mark.parametrize(
    ("line", "part", "words"),
    [
        (f"/iscsi/{SERVER[:-3]}", SERVER[:-3].split(":")[1], [f"{TAIL}/"]),
        (f"/iscsi/{HEAD}:", "", [f"{TAIL}/"]),
        (f"/iscsi/{HEAD}:", f"/iscsi/{HEAD}:", [f"/iscsi/{SERVER}/"]),
        (f"'/iscsi/{HEAD}:", f"'/iscsi/{HEAD}:", [f"/iscsi/{SERVER}/"]),
        (f"{TPG}/luns create storage_object=/b", "/b", ["/backstores/ramdisk/memory "]),
        ("--color=al", "al", ["always "]),
        ("/isc", "something else", []),
    ],
)
def test_bash_gets_what_takes_the_place_of_its_part(
    served: Pyshell, line: str, part: str, words: list[str]
) -> None:
    assert told(served, "bash", f"pyshell {line}", part) == words


def test_options_hold_for_the_line(served: Pyshell, tmp_path: Path) -> None:
    other = Pyshell(tmp_path)
    other.must("/backstores/ramdisk create other 1M")
    line = f"pyshell --simulate={tmp_path} /backstores/ramdisk/"
    assert told(served, "zsh", line) == ["/backstores/ramdisk/other/"]


def test_a_target_that_is_not_there_is_not_made(served: Pyshell, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert told(served, "zsh", f"pyshell --simulate={folder} /isc") == ["/iscsi/"]
    assert not folder.exists()


def test_files_are_offered_where_an_option_takes_one(
    served: Pyshell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a file;").touch()
    Path("folder").mkdir()
    assert told(served, "zsh", "pyshell -f ") == ["a file; ", "folder/"]
    assert told(served, "bash", "pyshell -f a", "a") == [r"a\ file\; "]
    assert told(served, "fish", "pyshell --config-dir=fo") == ["--config-dir=folder/"]
    assert told(served, "fish", "pyshell -f nowhere/") == []


def test_zsh_and_fish_are_told_what_words_mean(served: Pyshell) -> None:
    environment = {"PYSHELL_SIMULATE": str(served.folder)}
    for shell in ("zsh", "fish"):
        (line,) = answer([shell, "pyshell --keep"], environment)
        assert line == "--keep-going \twith several lines: continue after a failure"


@pytest.mark.parametrize("arguments", [[], ["bash"], ["tcsh", "pyshell "], ["bash", ""], [""] * 4])
def test_nonsense_gets_no_answer(served: Pyshell, arguments: list[str]) -> None:
    assert list(answer(arguments, os.environ)) == []


def test_pyshell_answers(served: Pyshell) -> None:
    ran = run_here(["--complete", "bash", f"pyshell --simulate={served.folder} /isc"])
    assert (ran.out, ran.err, ran.status) == ("/iscsi/\n", "", 0)


def test_no_answer_is_no_failure() -> None:
    ran = run_here(["--complete", "bash", "pyshell --simulate=/proc /"])
    assert (ran.out, ran.err, ran.status) == ("", "", 0)
