# SPDX-License-Identifier: Apache-2.0
"""Filters of output: `| match`, `| except`, `| count`, `| save`."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from driver import SERVER, TPG, Pyshell, at_keyboard, run_process
from pyshell import patterns
from pyshell.shell.completion.sources import complete
from pyshell.shell.line_help import asks_for_help, help_at, problem, spans
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell
from pyshell.tree.root import RootNode


def test_match_and_except_choose_lines(exported: Pyshell) -> None:
    every = exported("ls").done().lines
    assert exported("ls | match LUN0").done().lines == [line for line in every if "lun0" in line]
    assert exported("ls | match lun0 | except mapped").done().lines == [
        line for line in every if "lun0" in line and "mapped" not in line
    ]


def test_count_counts_lines(exported: Pyshell) -> None:
    count = len(exported("ls").done().lines)
    assert exported("ls | count").done().out == f"{count}\n"
    assert exported("ls | match nothing-like-this | count").done().out == "0\n"


def test_filters_work_in_files_and_on_standard_input(exported: Pyshell, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("/backstores ls | match lee_block | count\n")
    assert exported("-f", str(file)).done().out == "1\n"
    assert exported.batch(file.read_text().splitlines()).done().out == "1\n"


def test_save_writes_a_private_file_and_says_so(exported: Pyshell, tmp_path: Path) -> None:
    file = tmp_path / "out"
    every = exported("ls").done().out
    ran = exported(f"ls | save {file}").done()
    assert ran.out == f"{len(every.splitlines())} lines written to {file}\n"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (every, 0o600)


def test_save_asks_before_it_replaces_a_file(exported: Pyshell, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("mine\n")
    ran = exported(f"ls | save {file}")
    assert (ran.out, ran.status, file.read_text()) == ("", 5, "mine\n")
    assert "--yes" in ran.err
    no = exported(f"ls | save {file}", stdin="n\n", terminal=True, keyboard=True)
    assert (no.status, file.read_text()) == (5, "mine\n")
    exported(f"pwd | save {file}", stdin="y\n", terminal=True, keyboard=True)
    assert file.read_text() == "/\n"
    exported(f"/iscsi pwd --yes | save {file}").done()
    assert file.read_text() == "/iscsi\n"


def test_save_replaces_nothing_beside_the_saved_configuration(exported: Pyshell) -> None:
    exported.must("saveconfig")
    before = exported.saved_file.read_bytes()
    ran = exported(f"ls --yes | save {exported.saved_file}")
    assert (ran.status, exported.saved_file.read_bytes()) == (2, before)


def test_nothing_is_run_if_a_filter_cannot_work(exported: Pyshell, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    for filters in (
        "match (",
        "mtach x",
        "match",
        "count 1",
        "save",
        f"save {tmp_path / 'taken'}",
        f"save {tmp_path}",
        f"save {tmp_path / 'no' / 'such'}",
        f"save {tmp_path / 'new'} | count",
        "",
    ):
        ran = exported(f"/backstores/ramdisk create one 1M | {filters}")
        assert ran.status in (1, 2, 3, 5), filters
        assert "Created" not in ran.out
    assert exported("/backstores/ramdisk ls | match one | count").done().out == "0\n"


@pytest.mark.parametrize(
    ("line", "column", "told"),
    [
        ("ls | match a(b", 12, "not valid: missing ), unterminated subpattern."),
        ("ls | match 'a(b'", 11, "not valid: missing ), unterminated subpattern."),
        ("ls | mtach b", 5, "Did you mean match?"),
        ("ls |", 3, "no filter after '|'"),
        ("ls | match a b", 13, "Quote blanks."),
        ("ls | save ''", 10, "The file name is empty."),
        ("ls | save f --yes", 12, "Options go before '|'."),
        ("| count", 0, "no command before '|'"),
        ("ls|count", 0, "Write blanks around '|'."),
        ("ls / |count", 5, "Write blanks around '|', or quote it."),
        ("ls / | grep b", 7, "Unknown filter 'grep'. Did you mean match?"),
        ("ls || count", 3, "'||' is not supported"),
        ("ls > file", 3, "'| save FILE' writes the output to a file."),
    ],
)
def test_an_error_of_a_filter_shows_its_column(
    pyshell: Pyshell, line: str, column: int, told: str
) -> None:
    ran = pyshell(line)
    shown = ran.err.splitlines()
    assert (ran.status, ran.out, shown[1:]) == (2, "", [f"  {line}", f"  {' ' * column}^"])
    assert told in shown[0]


def test_an_expression_that_takes_too_long_ends_with_an_error(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.1)
    ran = pyshell("ls | match (\\\\.*)*(\\\\.+)+$")
    assert (ran.status, ran.out) == (1, "")
    assert "takes too long" in ran.err


def test_the_exit_status_is_that_of_the_command(exported: Pyshell) -> None:
    exported.must("saveconfig", "/backstores/ramdisk create one 1M")
    assert exported("diff | match nothing-like-this").status == exported("diff").status == 1
    failed = exported("/iscsi/nosuch ls | count")
    assert (failed.status, failed.out) == (3, "")


def test_notes_questions_and_errors_are_not_filtered(exported: Pyshell) -> None:
    ran = exported("/nosuch* ls | except .")
    assert (ran.out, ran.status) == ("", 3)
    assert "Nothing matches" in ran.err


def test_json_can_be_saved_whole_only(exported: Pyshell, tmp_path: Path) -> None:
    ran = exported("-o", "json", f"pwd | save {tmp_path / 'out'}").done()
    assert ran.json["result"]["messages"] == [f"4 lines written to {tmp_path / 'out'}"]
    assert json.loads((tmp_path / "out").read_text())["result"] == "/"
    refused = exported("-o", "json", "ls | match x")
    assert (refused.status, json.loads(refused.err)["code"]) == (2, 2)


def test_a_dry_run_writes_no_file(exported: Pyshell, tmp_path: Path) -> None:
    ran = exported("--dry-run", f"pwd | save {tmp_path / 'out'}").done()
    assert ran.out == f"1 line would be written to {tmp_path / 'out'} (dry run)\n"
    assert not (tmp_path / "out").exists()


def test_secrets_stay_masked(exported: Pyshell, tmp_path: Path) -> None:
    exported.must(f"{TPG} set auth userid=u password=verysecret12")
    assert exported(f"{TPG} get auth | match verysecret").done().out == ""
    saved = exported(f"saveconfig - | save {tmp_path / 'out'}", terminal=True, keyboard=True)
    assert saved.status == 0
    assert "verysecret" not in (tmp_path / "out").read_text()


def test_undo_shows_the_line_without_its_filters(exported: Pyshell) -> None:
    exported.must("/backstores/ramdisk create one 1M | match Created")
    assert "match" not in exported("undo --dry-run").done().out


def test_colours_are_dropped_and_tables_whole_at_a_terminal(exported: Pyshell) -> None:
    ran = exported("--color=always", "ls | match lee_block", terminal=True)
    assert "\x1b" not in ran.out
    assert ran.out


def test_in_targetcli_mode_there_are_no_pipes(exported: Pyshell) -> None:
    ran = exported("--compat", "ls | match x")
    assert (ran.out, ran.status) == ("", 1)
    assert "'|' is not supported" in ran.err


def test_a_line_for_a_shell_keeps_its_filters_at_the_prompt(exported: Pyshell) -> None:
    shown = run_process(
        [sys.executable, "-m", "pyshell", f"--simulate={exported.folder}", "ls | count"],
    )
    assert shown.out.strip().isdecimal()


def test_a_line_without_filters_loads_no_module_for_them(exported: Pyshell) -> None:
    program = (
        "import sys; from pyshell.cli import main; main(sys.argv[1:]);"
        "print([n for n in sys.modules if 'pipes' in n or 'patterns' in n or 'tables' in n])"
    )
    ran = run_process([sys.executable, "-c", program, f"--simulate={exported.folder}", "pwd"])
    assert ran.out == "/\n[]\n"


# At the prompt


@pytest.fixture
def root(exported: Pyshell) -> RootNode:
    lio = exported.open()
    preferences = Preferences(exported.folder / "home", lio.config_dir, print)
    shell = Shell(lio, preferences, Options(), sys.stdout, sys.stderr, sys.stdin)
    return shell.root()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ls | ", ["count", "except", "match", "save"]),
        ("ls | ma", ["match"]),
        ("ls | match x | e", ["except"]),
        ("ls | match ", []),
        ("ls | count ", []),
        ("ls '|' ", []),
    ],
)
def test_filters_are_completed(root: RootNode, line: str, offered: list[str]) -> None:
    found = [one.text for _, one in complete(line, root, "/")]
    assert [text for text in found if text in ("count", "except", "match", "save")] == offered


def test_the_file_of_save_is_completed(root: RootNode, tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    (found,) = complete(f"ls | save {tmp_path}/o", root, "/")
    assert found[1].text == f"{tmp_path}/one"


def test_help_after_a_pipe_lists_the_filters(root: RootNode) -> None:
    lines = help_at("ls | ", root, "/")
    assert lines[0] == "Filters of the output ('help output'):"
    assert any(line.startswith("  match") for line in lines)
    assert help_at("ls | match ", root, "/")[0].startswith("expression: required text")


def test_a_question_mark_in_an_expression_is_a_character() -> None:
    assert asks_for_help("ls | ")
    assert asks_for_help("ls | match")
    assert not asks_for_help("ls | match a")


def test_filters_are_coloured() -> None:
    line = "ls | match x"
    assert [(line[s.start : s.end], s.kind) for s in spans(line)] == [
        ("ls", "command"),
        ("|", "parameter"),
        ("match", "command"),
        ("x", "value"),
    ]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("ls | match x", None),
        ("ls | ma", None),
        ("ls | match (", None),
        ("ls | match ( ", 11),
        ("ls | mtach x ", 5),
        ("ls | count x ", 11),
        ("| count", 0),
    ],
)
def test_an_error_of_a_filter_is_shown_while_typing(
    root: RootNode, line: str, column: int | None
) -> None:
    found = problem(line, root, "/")
    assert (found.start if found else None) == column


def test_names_may_contain_a_pipe(exported: Pyshell) -> None:
    exported.must("/backstores/ramdisk create a|b 1M")
    exported.must(f"/iscsi/{SERVER}/tpg1/luns create '/backstores/ramdisk/a|b'")
    assert exported("/backstores/ramdisk/a|b pwd").done().out == "/backstores/ramdisk/a|b\n"


def test_a_pipe_inside_an_expression_is_explained(exported: Pyshell) -> None:
    ran = exported.line("ls | match lun|count")
    assert (ran.status, ran.out) == (2, "")
    assert "'lun|count' is one regular expression. Put blanks around '|'" in ran.err
    assert exported.line("ls | match 'lun|count' | count").done().out != "0\n"
    assert exported.line("ls | match lun|tpg | count").done().out != "0\n"


def test_a_wrong_filter_is_explained_as_text_at_the_prompt(exported: Pyshell) -> None:
    shown = ""

    def lines(printed: Callable[[], str]) -> Iterator[str]:
        nonlocal shown
        yield "ls -o json | count\n"
        shown = printed()

    at_keyboard([f"--simulate={exported.folder}"], lines)
    assert "Only '| save FILE' can follow with -o json" in shown
    assert '"schema"' not in shown
    assert exported.line("ls -o json | count").err.startswith("{")
