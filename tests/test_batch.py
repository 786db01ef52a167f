# SPDX-License-Identifier: Apache-2.0
"""Many lines: from standard input or a file; what is saved at their end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from driver import SERVER, TIME_LIMIT, TPG, Pyshell, clean_environment
from pyshell.simulator import Simulator


def test_a_batch_ends_at_its_first_failure_and_names_the_line(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["pwd", "", "/bogus ls", "pwd"])
    assert (ran.out, ran.status) == ("/\n", 3)
    assert ran.err.startswith("stdin:3: No such path /bogus.")


def test_keep_going_goes_on_and_ends_with_the_first_failure(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["/bogus ls", "pwd", "bogus", "pwd"], "--keep-going")
    assert (ran.out, ran.status) == ("/\n/\n", 3)
    assert re.findall(r"^stdin:(\d)", ran.err, re.MULTILINE) == ["1", "3"]


def test_a_batch_from_a_file_names_the_file(pyshell: Pyshell, tmp_path: Path) -> None:
    batch = tmp_path / "commands"
    batch.write_text("pwd\n\n# nothing here\nbogus\n")
    ran = pyshell("-f", str(batch))
    assert (ran.out, ran.status) == ("/\n", 2)
    assert ran.err.startswith(f"{batch}:4: Command not found: bogus.")


def test_a_dash_for_a_file_is_standard_input(pyshell: Pyshell) -> None:
    assert pyshell("-f", "-", stdin="pwd\n").done().out == "/\n"


def test_a_file_that_is_no_text_is_refused(pyshell: Pyshell, tmp_path: Path) -> None:
    batch = tmp_path / "commands"
    batch.write_bytes(b"\xff\xfe\x00")
    ran = pyshell("-f", str(batch))
    assert (ran.out, ran.status) == ("", 2)
    assert "is not UTF-8 text" in ran.err


def test_cd_holds_for_the_lines_after_it(pyshell: Pyshell) -> None:
    lines = [
        ("cd /backstores", "/backstores"),
        ("cd block", "/backstores/block"),
        ("cd ..", "/backstores"),
        ("cd ../iscsi/", "/iscsi"),
        ("cd <", "/backstores"),
        ("cd -", "/iscsi"),
        ("cd", "/"),
        ("/loopback", "/loopback"),
        ("..", "/"),
        ("backstores/", "/backstores"),
        ("./block", "/backstores/block"),
        ("/", "/"),
    ]
    ran = pyshell.batch(line for typed, _ in lines for line in (typed, "pwd"))
    assert ran.done().lines == [path for _, path in lines]


def test_relative_paths_start_at_the_current_one(target: Pyshell) -> None:
    ran = target.batch([f"cd /iscsi/{SERVER}", "tpg1/acls pwd", "../../iscsi pwd", "pwd"])
    assert ran.done().lines == [f"{TPG}/acls", "/iscsi", f"/iscsi/{SERVER}"]


@pytest.mark.parametrize(
    "line",
    ["# a comment", "   # an indented comment", "", "   ", "\t", "pwd # a comment", "\t pwd  ",
     "pwd\r", "   /   pwd   "],
)  # fmt: skip
def test_comments_and_blanks_do_no_harm(pyshell: Pyshell, line: str) -> None:
    assert pyshell.batch([line]).done().out == ("/\n" if "pwd" in line else "")


def test_a_hash_inside_a_word_is_no_comment(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create disk#1 1M")
    assert (pyshell.configfs / "core/rd_mcp_0/disk#1").is_dir()


def test_a_batch_ends_at_exit(pyshell: Pyshell) -> None:
    assert pyshell.batch(["pwd", "exit", "bogus"]).done().out == "/\n"


def test_a_last_line_needs_no_line_feed(pyshell: Pyshell) -> None:
    assert pyshell(stdin="pwd").done().out == "/\n"


def test_an_empty_batch_does_nothing(pyshell: Pyshell) -> None:
    assert pyshell(stdin="").done().out == ""
    assert not pyshell.saved_file.exists()


def test_a_batch_saves_only_if_it_changed_something_and_nothing_failed(pyshell: Pyshell) -> None:
    pyshell.batch(["ls"]).done()
    assert not pyshell.saved_file.exists()
    pyshell.batch(["/backstores/ramdisk create x 1M", "bogus"], "--keep-going")
    assert not pyshell.saved_file.exists()
    ran = pyshell.batch(["/backstores/ramdisk create y 1M"]).done()
    assert ran.lines[-1] == f"Configuration saved to {pyshell.saved_file}"
    assert len(pyshell.document()["storage_objects"]) == 2


def test_a_batch_does_not_save_where_the_preference_says_so(pyshell: Pyshell) -> None:
    pyshell.must("set global auto_save_on_exit=false")
    pyshell.batch(["/backstores/ramdisk create x 1M"]).done()
    assert not pyshell.saved_file.exists()


def test_going_to_what_was_created_is_a_preference(pyshell: Pyshell) -> None:
    pyshell.must("set global auto_cd_after_create=true auto_save_on_exit=false")
    ran = pyshell.batch([f"/iscsi create {SERVER}", "pwd"])
    assert ran.lines[-1] == f"/iscsi/{SERVER}"


# What is not saved


NOT_SAVED = "The running configuration is not saved. Run 'saveconfig' to save it."


def test_a_batch_that_fails_says_that_its_changes_are_not_saved(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["/backstores/ramdisk create x 1M", "bogus"])
    assert ran.status == 2
    assert ran.err.splitlines()[-1] == (
        "Line 2 of stdin failed: the changes by the lines before it are running, but not saved."
        " Run the rest before 'saveconfig', or 'undo batch=true' to undo them."
    )


def test_a_batch_that_goes_on_after_a_failure_does_not_propose_to_save(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["bogus", "/backstores/ramdisk create x 1M"], "--keep-going")
    assert ran.err.splitlines()[-1] == (
        "Line 1 of stdin failed: the changes by the other lines are running, but not saved."
        " Run the failed lines before 'saveconfig', or 'undo batch=true' to undo them."
    )


def test_a_failure_that_changed_nothing_says_so_of_its_line_only(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    bad.chmod(0o600)
    lines = ["/backstores/ramdisk create x 1M", f"apply {bad}"]
    assert "This line changed nothing." in pyshell.batch(lines).err
    assert pyshell("apply", str(bad)).err.endswith("Nothing was changed.\n")
    shown = pyshell.batch(lines[1:], "-o", "json").err.splitlines()[0]
    assert json.loads(shown)["hint"] == "This line changed nothing."


def test_a_batch_that_clears_says_that_this_is_not_saved(exported: Pyshell) -> None:
    exported.must("saveconfig")
    before = exported.saved_file.read_bytes()
    exported.batch(["clearconfig confirm=true"]).done(noting="The running configuration is empty")
    assert exported.saved_file.read_bytes() == before


def test_a_batch_that_saves_itself_is_not_saved_again(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["/backstores/ramdisk create x 1M", "saveconfig"]).done()
    assert ran.out.count("Configuration saved") == 1


def test_what_was_restored_from_the_saved_file_is_saved(exported: Pyshell) -> None:
    exported.must("saveconfig")
    exported.batch(["clearconfig confirm=true", "restoreconfig"]).done()


def test_what_was_restored_from_another_file_is_not_saved(
    exported: Pyshell, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    exported.must(f"saveconfig {other}")
    exported.batch([f"restoreconfig {other} clear_existing=true"]).done(noting=NOT_SAVED)


def test_ctrl_c_ends_a_batch_before_its_next_line(pyshell: Pyshell) -> None:
    command = [sys.executable, "-m", "pyshell", f"--simulate={pyshell.folder}"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    ) as running:
        assert running.stdin
        assert running.stdout
        assert running.stderr
        running.stdin.write("/backstores/ramdisk create x 1M\n")
        running.stdin.flush()
        assert running.stdout.readline() == "Created ramdisk x with size 1M.\n"
        time.sleep(0.1)  # it waits for the next line
        running.send_signal(signal.SIGINT)
        assert running.wait(TIME_LIMIT) == 130
        assert "so far are running, but not saved." in running.stderr.read()
    assert not pyshell.saved_file.exists()
    assert "x" in os.listdir(pyshell.configfs / "core/rd_mcp_0")


def test_ctrl_c_between_two_steps_ends_a_batch_that_would_keep_going(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Simulator.mkdir

    def interrupted(simulator: Simulator, path: str) -> None:
        if path.endswith("/x"):
            os.kill(os.getpid(), signal.SIGINT)
        mkdir(simulator, path)

    monkeypatch.setattr(Simulator, "mkdir", interrupted)
    ran = pyshell.batch(
        ["/backstores/ramdisk create x 1M", "/backstores/ramdisk create y 1M"], "--keep-going"
    )
    assert ran.status == 130
    assert ran.err.startswith("stdin:1: Interrupted before the step")
    assert "y" not in ran.out
    assert not list(pyshell.configfs.glob("core/rd_mcp_*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_other_ends_of_a_program_leave_nothing_half_made(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    mkdir = Simulator.mkdir

    def ended(simulator: Simulator, path: str) -> None:
        os.kill(os.getpid(), number)
        mkdir(simulator, path)

    monkeypatch.setattr(Simulator, "mkdir", ended)
    # nohup and a shell's '&' start programs with some of them ignored, which pyshell heeds.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        ran = pyshell("/backstores/ramdisk", "create", "x", "1M")
    finally:
        signal.signal(number, before)
    assert ran.status == 128 + number
    assert not list(pyshell.configfs.glob("core/rd_mcp_*"))


# Lines


def test_a_line_goes_on_behind_a_backslash_at_its_end(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["/backstores/ramdisk create \\", "  name=x \\", "  size=1M", "pwd"])
    assert ran.lines[:2] == ["Created ramdisk x with size 1M.", "/"]


def test_an_error_in_a_line_that_goes_on_names_where_it_begins(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["pwd", "/backstores/ramdisk \\", "  bogus"])
    assert ran.err.startswith("stdin:2: Command not found: bogus.")


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_line(pyshell: Pyshell) -> None:
    assert pyshell.batch(["\ufeffpwd"]).done().out == "/\n"


def test_a_comment_does_not_go_on(pyshell: Pyshell) -> None:
    assert pyshell.batch(["# a path\\", "pwd"]).done().out == "/\n"


@pytest.mark.parametrize("word", ["||", ">", ">>", ";", "&&", "&"])
def test_what_only_a_shell_understands_is_refused(pyshell: Pyshell, word: str) -> None:
    ran = pyshell.batch([f"ls {word} file"])
    assert (ran.out, ran.status) == ("", 2)
    assert ran.err.startswith(f"stdin:1: '{word}' is not supported")


def test_an_error_as_json_names_the_line(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["pwd", "bogus"], "-o", "json")
    assert json.loads(ran.err)["where"] == "stdin:2"


def test_a_secret_is_not_read_from_among_the_lines(target: Pyshell) -> None:
    line = "/iscsi set discovery_auth userid=all password=-"
    ran = target.batch([line, "/backstores/ramdisk create x 1M"])
    assert (ran.out, ran.status) == ("", 2)
    assert ran.err.startswith("stdin:1: Cannot read the password from standard input")
    assert "'pyshell -f FILE'" in ran.err


def test_lines_of_a_file_can_read_secrets_from_standard_input(
    target: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "lines"
    file.write_text("/iscsi set discovery_auth userid=all password=-\n")
    target("-f", str(file), stdin="a secret for all\n").done()
    shown = target("/iscsi", "get", "discovery_auth", "password", "show_secrets=true")
    assert "password=a secret for all" in shown.out


def test_lines_of_a_file_that_others_can_write_are_not_run(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    """Finding 45."""
    file = tmp_path / "lines"
    file.write_text("/backstores/ramdisk create a 1M\n")
    file.chmod(0o666)
    ran = pyshell("-f", str(file))
    assert ran.status == 4
    assert f"chmod go-w {file}" in ran.err
    assert "Storage Objects: 1" not in pyshell.line("ls").out
