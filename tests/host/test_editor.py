# SPDX-License-Identifier: Apache-2.0
"""Which editor runs, and with what environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyshell.errors import NotFoundError, NotPermittedError, UsageError
from pyshell.host import editor, programs


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some programs be installed."""
    monkeypatch.setattr(programs, "has", {"vi", "nano", "emacs", "sh", "ed"}.__contains__)


def by(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    """Let the user be another one."""
    monkeypatch.setattr(os, "geteuid", lambda: user)


def test_visual_comes_before_editor_but_not_at_a_dumb_terminal() -> None:
    both = {"VISUAL": "emacs -nw", "EDITOR": "ed"}
    assert editor.chosen({**both, "TERM": "xterm"}) == ["emacs", "-nw"]
    assert editor.chosen({**both, "TERM": "dumb"}) == ["ed"]
    assert editor.chosen({"VISUAL": " ", "EDITOR": "ed", "TERM": "xterm"}) == ["ed"]


def test_without_either_the_first_known_editor_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert editor.chosen({}) == ["vi"]
    monkeypatch.setattr(programs, "has", lambda _: False)
    with pytest.raises(NotFoundError, match="no text editor"):
        editor.chosen({})


@pytest.mark.parametrize("value", ["./vi", "bin/vi", "micro", "~/vi"])
def test_only_a_name_or_a_full_path_is_accepted(value: str) -> None:
    with pytest.raises(NotFoundError, match=r"\$EDITOR names no known editor"):
        editor.chosen({"EDITOR": value})


@pytest.mark.parametrize("value", ["sh", "/bin/sh", "sh -c 'touch /x'", "env vi", "python3 -i"])
def test_for_root_the_variable_selects_an_editor_alone(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    by(monkeypatch, 0)
    with pytest.raises(UsageError, match=r"\$EDITOR names no known editor"):
        editor.chosen({"EDITOR": value})


@pytest.mark.parametrize(
    "value", ["vi -c '!sh'", "vi --cmd '!sh'", "emacs --eval x", "vi -u /tmp/x"]
)
def test_for_root_an_argument_cannot_run_commands(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    by(monkeypatch, 0)
    with pytest.raises(UsageError, match="which could run commands as root"):
        editor.chosen({"EDITOR": value})
    by(monkeypatch, 1000)
    assert len(editor.chosen({"EDITOR": value})) > 2


def test_ed_is_no_failure_after_a_mistyped_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(programs, "run_on_terminal", lambda *_, **__: 1)
    for name, status in (("ed", 0), ("vi", 1)):
        monkeypatch.setattr(editor, "chosen", lambda name=name: [name])
        assert editor.edit(tmp_path) == status


def test_quotes_must_be_closed() -> None:
    with pytest.raises(UsageError, match=r"\$EDITOR is not valid: no closing quotation"):
        editor.chosen({"EDITOR": "vi 'x"})


def test_an_editor_that_others_can_change_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "editor"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o777)
    with pytest.raises(NotPermittedError, match="chmod go-w"):
        editor.chosen({"EDITOR": str(file)})
    with pytest.raises(NotFoundError):
        editor.chosen({"EDITOR": str(tmp_path / "nano")})


def test_the_callers_environment_does_not_reach_the_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, file = tmp_path / "editor", tmp_path / "text; touch x"
    script.write_text('#!/bin/sh\nenv > "$2"\npwd >> "$2"\nexit 5\n')
    script.chmod(0o700)
    monkeypatch.setenv("EDITOR", f"{script} --wait")
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("PYTHONPATH", "/tmp")
    monkeypatch.setenv("TERM", "xterm")
    assert editor.edit(file) == 5
    found = file.read_text().splitlines()
    assert "TERM=xterm" in found
    assert f"PATH={programs.SEARCH_PATH}" in found
    assert not [line for line in found if line.startswith(("LD_", "PYTHON", "EDITOR"))]
    assert found[-1] == "/"
