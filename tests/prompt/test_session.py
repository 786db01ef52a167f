# SPDX-License-Identifier: Apache-2.0
"""Sessions with keys from a pipe: what is run, kept and saved."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import pytest
from prompt_toolkit.application import Application

from driver import Pyshell
from pyshell.config.store import default_file
from pyshell.errors import UsageError
from pyshell.prompt import session
from pyshell.prompt.history import CommandHistory
from pyshell.prompt.session import PlainReader, converse, prompt_text, reader_for
from pyshell.shell.shell import Shell

from .conftest import Desk

CTRL_C = "\x03"
CTRL_D = "\x04"
LONG = "/iscsi/iqn.2020-07.com.example:disk1/tpg1"
PASTE = "\x1b[200~{}\x1b[201~"


@pytest.mark.parametrize(
    ("path", "longest", "prompt"),
    [
        ("/", 30, "/> "),
        ("/iscsi", 30, "/iscsi> "),
        (LONG, 0, "/iscsi/iqn.2020-07.com.example:disk1/tpg1> "),
        (LONG, 30, "/iscsi/iqn.202…mple:disk1/tpg1> "),
        ("/iscsi", 5, "/i…si> "),
        ("/iscsi", 6, "/iscsi> "),
        ("/iscsi", 1, "…> "),
        ("/iscsi/a\x1b[2Jb", 0, "/iscsi/a\\x1b[2Jb> "),
    ],
)
def test_prompt(path: str, longest: int, prompt: str) -> None:
    assert prompt_text(path, longest) == prompt
    assert longest == 0 or len(prompt) <= longest + len("> ")


def test_lines_are_run_until_exit(desk: Desk) -> None:
    assert desk.type("cd /iscsi\rpwd\r\r  \rexit\rpwd\r") == ("/iscsi\n", "")
    assert desk.shell.executor.left


def test_ctrl_d_on_an_empty_line_leaves(desk: Desk) -> None:
    assert desk.type(f"pwd\r{CTRL_D}pwd\r") == ("/\n", "")


def test_field_failure_43_ctrl_c_drops_the_line(desk: Desk) -> None:
    assert desk.type(f"exit{CTRL_C}pwd\r{CTRL_D}") == ("/\n", "")
    assert desk.history.lines() == ["pwd"]


def test_an_error_is_shown_with_its_caret_and_the_session_goes_on(desk: Desk) -> None:
    out, err = desk.type(f"ls 'x\rpwd\r{CTRL_D}")
    assert out == "/\n"
    assert err.splitlines() == ["This quote is not closed. Add the missing '.", "  ls 'x", "     ^"]


def test_a_bug_is_shown_with_its_trace_and_the_session_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_line = Shell.run_line

    def fail(self: Shell, text: str) -> None:
        if text == "boom":
            raise RuntimeError("the bug")
        run_line(self, text)

    monkeypatch.setattr(Shell, "run_line", fail)
    out, err = desk.type(f"boom\rpwd\r{CTRL_D}")
    assert out == "/\n"
    assert err.startswith("This is a bug in pyshell")
    assert "Traceback" in err
    assert err.endswith("RuntimeError: the bug\n")


def test_ctrl_c_during_a_command_ends_that_command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Shell, text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Shell, "run_line", interrupted)
    assert desk.type(f"ls\r{CTRL_D}") == ("", "\nInterrupted.\n")


def test_pasted_lines_run_after_one_yes_up_to_the_first_that_fails(desk: Desk) -> None:
    out, err = desk.type(PASTE.format("cd /iscsi\npwd\n\nnosuch\npwd\ncd /\n") + f"\ry\r{CTRL_D}")
    assert out == "/iscsi\n"
    assert err.splitlines()[0].startswith("Command not found: nosuch.")
    assert err.splitlines()[-1] == "Pasted lines not run: 2."
    assert desk.shell.path == "/iscsi"


PASTED = (
    "/backstores/ramdisk create one 1M",
    "cd /iscsi",
    "create iqn.2020-07.com.example:a",
)


def test_pasted_changes_are_made_together(desk: Desk) -> None:
    out, err = desk.type(PASTE.format("\n".join(PASTED)) + f"\ry\r{CTRL_D}l\r")
    assert "Committed the candidate: 4 created" in out
    assert desk.shell.path == "/iscsi"
    assert "Nothing" not in err
    assert desk.shell.candidate is None


def test_if_a_pasted_line_fails_nothing_is_changed(desk: Desk) -> None:
    lines = [*PASTED, "/backstores/ramdisk create one 1M", "pwd"]
    _, err = desk.type(PASTE.format("\n".join(lines)) + f"\ry\r{CTRL_D}")
    assert err.splitlines()[-2:] == ["Line 4 of 5 failed.", "Nothing was changed."]
    assert desk.shell.path == "/"
    desk.shell.run_line("ls /backstores/ramdisk")
    assert "Storage Objects: 0" in desk.shell.console.out.getvalue()  # type: ignore[attr-defined]


def test_a_save_after_pasted_changes_runs_after_the_commit(desk: Desk) -> None:
    lines = [*PASTED, "/ saveconfig"]
    out, _ = desk.type(PASTE.format("\n".join(lines)) + f"\ry\r{CTRL_D}")
    assert out.index("Committed") < out.index("Configuration saved")


def test_pasted_lines_that_fail_in_an_open_candidate_are_put_back(desk: Desk) -> None:
    desk.shell.options.way = "prompt"
    block = PASTE.format("/backstores/ramdisk create two 1M\npwd\nnonsense\n")
    first = "begin\r/backstores/ramdisk create one 1M\r"
    out, err = desk.type(f"{first}{block}\ry\rundo\rdiff\rabort\r{CTRL_D}")
    assert "Line 3 of 3 failed. The candidate is as before these lines." in err
    assert "Undid '/backstores/ramdisk create one 1M'" in out
    assert "two" not in out.partition("Undid")[2]


def test_leaving_with_an_open_candidate_is_asked_about(desk: Desk) -> None:
    desk.shell.options.way = "prompt"
    change = "begin\r/backstores/ramdisk create one 1M\r"
    out, _ = desk.type(f"{change}{CTRL_D}\rpwd\r{CTRL_D}abort\r")
    assert out.endswith("/\n")  # Enter stays, then it was dropped
    assert not desk.shell.dropped
    out, _ = desk.type(f"{change}exit\rcommit\rleave\r")
    assert "Committed the candidate: 1 created" in out


@pytest.mark.parametrize("way", [CTRL_D, "exit\r"])
def test_a_candidate_without_changes_stays_open_if_the_user_stays(desk: Desk, way: str) -> None:
    desk.shell.options.way = "prompt"
    create = "/backstores/ramdisk create one 1M"
    out, err = desk.type(f"{create}\rbegin\r{way}stay\rabort\r{CTRL_D}leave\r")
    assert "Dropped the candidate without changes." in out
    assert "No candidate" not in err


def test_a_save_on_leaving_is_of_the_running_configuration(desk: Desk) -> None:
    desk.shell.options.way = "prompt"
    desk.type("/backstores/ramdisk create one 1M\rbegin\rexit\rsave\r")
    assert desk.shell.candidate is None
    assert not desk.shell.saving.unsaved
    desk.shell.run_line("diff")
    assert desk.shell.executor.status == 0


@pytest.mark.parametrize("answer", ["n\r", "\r", CTRL_C])
def test_pasted_lines_are_not_run_without_a_yes(desk: Desk, answer: str) -> None:
    assert desk.type(PASTE.format("pwd\npwd\n") + f"\r{answer}{CTRL_D}") == (
        "",
        "Nothing was run.\n",
    )


def test_one_pasted_line_is_not_asked_about(desk: Desk) -> None:
    assert desk.type(PASTE.format("pwd") + f"\r{CTRL_D}") == ("/\n", "")


def test_a_secret_is_masked_before_it_is_kept(desk: Desk) -> None:
    desk.shell.run_line("/iscsi create")
    out, err = desk.type(f"/iscsi set discovery_auth password=verysecret12\r{CTRL_D}leave\r")
    assert "verysecret12" not in out + err
    assert desk.history.lines() == ["/iscsi set discovery_auth password=********"]


def test_a_mask_does_not_become_the_secret(desk: Desk) -> None:
    desk.shell.run_line("/iscsi create")
    line = "/iscsi set discovery_auth password=********"
    out, err = desk.type(f"{line}\r{CTRL_D}leave\r")
    assert "is now" not in out
    said, shown, caret, *_ = err.splitlines()
    assert said.startswith("Secrets are not kept in the history.")
    assert (shown, caret) == (f"  {line}", "  " + "^".rjust(len(line) - len("*******")))


def test_plain_reader(shell: Shell, tmp_path: Path) -> None:
    screen = io.StringIO()
    history = CommandHistory(tmp_path / "history", pytest.fail)
    converse(shell, PlainReader(io.StringIO("pwd\ncd /iscsi\npwd"), screen, history))
    assert isinstance(shell.console.out, io.StringIO)
    assert shell.console.out.getvalue() == "/\n/iscsi\n"
    assert screen.getvalue() == "/> /> /iscsi> /iscsi> \n"
    assert history.lines() == ["cd /iscsi", "pwd"]


def test_keys_that_are_no_text_stop_nothing(shell: Shell, tmp_path: Path) -> None:
    typed = io.TextIOWrapper(_Lines(b"\xff\n", b"pwd\n"), encoding="utf-8")
    history = CommandHistory(tmp_path / "history", pytest.fail)
    converse(shell, PlainReader(typed, None, history))
    assert isinstance(shell.console.out, io.StringIO)
    assert isinstance(shell.console.err, io.StringIO)
    assert (shell.console.out.getvalue(), shell.console.err.getvalue()) == (
        "/\n",
        "The input is not valid UTF-8 text.\n",
    )


def test_a_prompt_that_the_terminal_cannot_show_stops_nothing(tmp_path: Path) -> None:
    screen = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    history = CommandHistory(tmp_path / "history", pytest.fail)
    assert PlainReader(io.StringIO("ls\n"), screen, history).command("/…> ") == "ls"
    screen.seek(0)
    assert screen.read() == "/?> "


class _Lines(io.BytesIO):
    """Bytes as a terminal gives them: a line at a time."""

    def __init__(self, *lines: bytes) -> None:
        super().__init__()
        self._lines = list(lines)

    def read1(self, size: int | None = -1, /) -> bytes:
        return self._lines.pop(0) if self._lines else b""


def test_without_a_terminal_to_show_them_there_are_no_prompts(shell: Shell, tmp_path: Path) -> None:
    history = CommandHistory(tmp_path / "history", pytest.fail)
    converse(shell, PlainReader(io.StringIO("pwd\n"), None, history))
    assert isinstance(shell.console.out, io.StringIO)
    assert shell.console.out.getvalue() == "/\n"


@pytest.mark.parametrize("term", ["", "dumb", "unknown"])
def test_a_terminal_that_only_shows_text_is_read_plainly(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(shell.console.out, "isatty", lambda: True)
    assert isinstance(reader_for(shell), PlainReader)


def test_a_pipe_loads_neither_prompt_nor_completion(pyshell: Pyshell) -> None:
    ran = pyshell.process(stdin="pwd\n", python=("-X", "importtime"))
    loaded = {line.rpartition("|")[2].strip() for line in ran.err.splitlines()}
    assert (ran.out, "pyshell.shell.shell" in loaded) == ("/\n", True)
    assert not {name for name in loaded if name.startswith(("prompt_toolkit", "pyshell.prompt"))}
    assert not loaded & {"pyshell.shell.completion", "pyshell.shell.completion.sources"}


def test_who_may_change_nothing_is_told_so(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(shell.lio), "may_change", False)
    shell.console.stdin = io.StringIO("pwd\n")
    assert session.interact(shell) == 0
    assert isinstance(shell.console.err, io.StringIO)
    assert shell.console.err.getvalue() == "You are not root: the configuration is read-only.\n"


def test_finding_34_a_command_written_for_a_shell_runs_here(desk: Desk) -> None:
    folder = desk.shell.lio.simulated
    program = f"pyshell --simulate='{folder}'"
    out, err = desk.type(
        f"{program} /backstores/ramdisk create 'a' size=1M --dry-run\r"
        f"{program} -o json /backstores/ramdisk create 'a' 1M\r"
        f"{program} 'saveconfig' 'comment=two words'\rpwd\r{CTRL_D}"
    )
    assert err == ""
    assert out.count("(dry run)") >= 1
    assert '"Created ramdisk a with size 1M."' in out
    assert out.endswith("/\n")
    saved = default_file(desk.shell.lio).read_text(encoding="utf-8")
    assert '"name": "a"' in saved


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pyshell ls", "This command is for a different target"),
        ("pyshell --simulate=/tmp/other ls", "This command is for a different target"),
        ("pyshell --simulate={} --config-dir=/other ls", "This command is for a different target"),
        (
            "pyshell --simulate={} -f /tmp/lines",
            "These options are valid only on a shell's command line.",
        ),
        ("pyshell --version", "These options are valid only on a shell's command line."),
        ("pyshell --nosuch", "Unknown option --nosuch."),
        ("pyshell --simulate={}", "This is already the pyshell prompt."),
        ("pyshell --simulate={} nosuch", "Command not found: nosuch."),
        ("pyshell --simulate={} 'ls", "This quote is not closed."),
    ],
)
def test_finding_34_a_command_for_another_target_is_refused(
    desk: Desk, line: str, told: str
) -> None:
    out, err = desk.type(f"{line.format(desk.shell.lio.simulated)}\rpwd\r{CTRL_D}")
    assert out == "/\n"
    assert err.startswith(told)


def test_a_command_for_another_host_is_refused_at_the_prompt_of_the_kernel(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.shell, "running", replace(desk.shell.lio, simulated=None))
    with pytest.raises(UsageError, match="different target"):
        session._run_here(desk.shell, "pyshell --host storage2 pwd")


def test_finding_37_pasted_lines_answer_no_question(desk: Desk) -> None:
    desk.shell.run_line("/backstores/ramdisk create one 1M")
    paste = PASTE.format("save\nls\n")
    _, err = desk.type(f"exit\r{paste}leave\r")
    assert "not saved" in err
    assert not default_file(desk.shell.lio).exists()


@pytest.mark.parametrize("finished", [False, True])
def test_ctrl_c_when_a_line_has_just_ended_drops_the_line(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    """prompt_toolkit still handles the signal then, until its application has `finished`."""
    finish = Application.cancel_and_wait_for_background_tasks
    pressed: list[Application[str]] = []

    async def interrupted(app: Application[str]) -> None:
        await finish(app)
        if not pressed:
            pressed.append(app)
            asyncio.get_running_loop().call_soon(app.key_processor.send_sigint)
            if not finished:
                await asyncio.sleep(0)

    monkeypatch.setattr(Application, "cancel_and_wait_for_background_tasks", interrupted)
    out, err = desk.type("/iscsi pwd\rpwd\rexit\r")
    assert pressed
    assert (out, "This is a bug in pyshell" in err) == ("/\n", False)
