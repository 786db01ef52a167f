# SPDX-License-Identifier: Apache-2.0
"""`--atomic`: the lines of a file make all their changes, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import SERVER, TPG, Pyshell

LINES = (
    "/backstores/ramdisk create name=one size=4M",
    f"/iscsi create wwn={SERVER}",
    f"{TPG}/luns create /backstores/ramdisk/one",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of lines."""
    found = tmp_path / "lines"
    found.touch(0o600)
    found.write_text("\n".join(LINES))
    return found


def test_all_lines_are_one_change(pyshell: Pyshell, file: Path) -> None:
    ran = pyshell("--atomic", "-f", str(file)).done()
    assert "Committed the candidate: 5 created" in ran.out
    assert pyshell.must("undo")[-1].startswith(f"Undid '/ commit comment={file}'")
    assert "one" not in pyshell("ls").out


def test_a_line_that_fails_changes_nothing(pyshell: Pyshell, file: Path) -> None:
    pyshell("ls")
    before = pyshell.tree()
    file.write_text("\n".join([*LINES, f"{TPG}/luns create /backstores/ramdisk/none", LINES[0]]))
    ran = pyshell("--atomic", "-f", str(file))
    assert ran.status == 3
    assert ran.out == ""
    first, last = ran.err.splitlines()
    assert first.startswith(f"{file}:4: ")
    assert last == "Nothing was changed."
    assert pyshell.tree() == before


def test_the_commit_prints_what_to_do_next(pyshell: Pyshell, file: Path) -> None:
    file.write_text("share /dev/sdb to=iqn.2020-07.com.example:c1\n")
    assert "shows the instructions for its host." in pyshell("--atomic", "-f", str(file)).out


def test_no_lines_are_counted_where_only_the_commit_prints(pyshell: Pyshell, file: Path) -> None:
    file.write_text(f"{LINES[0]} | count\npwd | count\n")
    lines = pyshell("--atomic", "-f", str(file)).done().lines
    assert lines[0] == "1"
    assert lines[1].startswith("created ")


def test_what_a_line_names_for_removal_is_not_asked_about(pyshell: Pyshell, file: Path) -> None:
    pyshell.must(*LINES)
    file.write_text(f"{TPG}/luns delete 0\n{TPG}/portals delete 0.0.0.0 3260\n")
    ran = pyshell("--atomic", "-f", str(file), keyboard=True)
    assert (ran.status, "Continue?" in ran.err) == (0, False), ran.err
    file.write_text("clearconfig confirm=true\n")
    assert "1 storage object. Continue?" in pyshell("--atomic", "-f", str(file), keyboard=True).err


def test_standard_input(pyshell: Pyshell) -> None:
    assert "Committed" in pyshell.batch(LINES, "--atomic").done().out
    ran = pyshell.batch([*LINES, "ls"], "--atomic")
    assert ran.status == 5
    assert ran.err.splitlines()[-1] == "Nothing was changed."


def test_a_dry_run_shows_what_all_lines_would_change(pyshell: Pyshell, file: Path) -> None:
    pyshell("ls")
    before = pyshell.tree()
    lines = [*LINES, "set global auto_save_on_exit=false"]
    ran = pyshell.batch(lines, "--atomic", "--dry-run").done()
    assert f"Would create {TPG}/luns/lun0 [online] (dry run)" in ran.lines
    assert [line for line in ran.lines if "(dry run)" not in line] == []
    assert ran.lines[-1].startswith("Would commit the candidate: 5 to create")
    assert pyshell.tree() == before
    assert pyshell.must("get global auto_save_on_exit") == ["auto_save_on_exit=true "]


@pytest.mark.parametrize("line", ["begin", "commit", "abort", "saveconfig"])
def test_lines_that_are_not_for_all_or_nothing(pyshell: Pyshell, line: str) -> None:
    ran = pyshell.batch([*LINES, line], "--atomic")
    assert ran.status in (2, 5)
    assert ran.err.splitlines()[-1] == "Nothing was changed."


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--atomic", "ls"), "--atomic is for several lines."),
        (("--atomic", "--keep-going"), "--atomic and --keep-going exclude each other."),
        (("--compat", "--atomic"), "There is no --atomic in targetcli-compatible mode."),
    ],
)
def test_options_that_exclude_it(pyshell: Pyshell, arguments: tuple[str, ...], error: str) -> None:
    ran = pyshell(*arguments)
    assert ran.status != 0
    assert error in ran.out + ran.err


def test_results_of_single_changes_are_not_printed_and_reads_are(pyshell: Pyshell) -> None:
    pyshell.must("set global auto_save_on_exit=false")
    reads = ["/backstores/ramdisk ls | match one", "/backstores/* ls depth=0"]
    ran = pyshell.batch([*LINES, "clearconfig confirm=true", LINES[0], *reads], "--atomic").done()
    assert "Created" not in ran.out
    assert "cleared" not in ran.out
    assert "o- one ." in ran.lines[0]
    assert "[/backstores/ramdisk]" in ran.lines
    assert ran.lines[-1].startswith("Committed the candidate: 1 created")


def test_json_is_the_document_of_the_commit(pyshell: Pyshell) -> None:
    pyshell.must("set global auto_save_on_exit=false")
    ran = pyshell.batch(LINES, "--atomic", "-o", "json").done()
    assert len(ran.json["result"]["objects"]) == 5
    failed = pyshell.batch(["/backstores/ramdisk create name=two size=1M", LINES[0]], "--atomic")
    assert failed.status == 5
    assert failed.out == ""


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("/backstores/ramdisk create name=two size=1M", "core/rd_mcp_1/two"),
        (f"/iscsi create wwn={SERVER}", f"iscsi/{SERVER}"),
        (f"{TPG}/luns delete 5", f"iscsi/{SERVER}/tpgt_1/lun/lun_5"),
    ],
)
def test_errors_as_json_name_files_of_the_target(pyshell: Pyshell, line: str, path: str) -> None:
    pyshell.prepare(
        "/backstores/ramdisk create name=one size=1M",
        "/backstores/ramdisk create name=two size=1M",
        "/backstores/ramdisk delete one",
        f"/iscsi create wwn={SERVER}",
    )
    ran = pyshell.batch([line], "--atomic", "-o", "json")
    assert json.loads(ran.err.splitlines()[0])["path"] == str(pyshell.configfs / path)
    assert "candidates" not in ran.err


def test_errors_as_json_name_new_objects_by_their_path(pyshell: Pyshell) -> None:
    ran = pyshell.batch([LINES[0], LINES[0]], "--atomic", "-o", "json")
    assert json.loads(ran.err.splitlines()[0])["path"] == "/backstores/ramdisk/one"


def test_other_changes_meanwhile_stop_the_commit(pyshell: Pyshell) -> None:
    def lines() -> Iterator[str]:
        yield from LINES
        pyshell.must("/backstores/ramdisk create name=theirs size=1M")

    ran = pyshell.batch(lines(), "--atomic")
    assert ran.status == 5
    assert "+ /backstores/ramdisk/theirs" in ran.err
    assert ran.err.splitlines()[-1] == "Nothing was changed."
    assert SERVER not in pyshell("ls").out
