# SPDX-License-Identifier: Apache-2.0
"""`share` on the real kernel: the walk-through's end in one line, or nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from pyshell.errors import PyshellError
from pyshell.lio import attach
from pyshell.lio.operations import base
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell

from .. import snapshot
from ..initiator import NAME, Chap, Initiator
from .export import ADDRESS, SERVER, export_lee
from .shell import pyshell, scenario

ONE_LINE = f"share /dev/mapper/lee-lee.lv to={NAME} name=lee_block target={SERVER} portal={ADDRESS}"


def _tree() -> snapshot.Tree:
    """Return all of configfs, with names in place of what is drawn by lot."""
    return snapshot.plain_tree(snapshot.take())


def test_one_line_makes_just_what_the_walk_through_does(lee: Path) -> None:
    export_lee(lee)
    by_hand, shown = _tree(), pyshell("ls").stdout
    pyshell("clearconfig", "confirm=true")
    pyshell(*ONE_LINE.split())
    assert pyshell("ls").stdout == shown == scenario()[-1][1]
    assert snapshot.differences(by_hand, _tree()) == {}
    assert "nothing to do" in pyshell(*ONE_LINE.split()).stdout


def test_the_initiator_gets_in_with_the_secret_that_was_made_up(
    lee: Path, initiator: Initiator
) -> None:
    pyshell(*ONE_LINE.split(), "chap=mutual")
    initiator.start()
    initiator.discover(ADDRESS)
    assert initiator.try_login(SERVER).returncode != 0
    initiator.stop()
    acl = f"/iscsi/{SERVER}/tpg1/acls/{NAME}"
    told = dict(
        line.strip().split("=", 1)
        for line in pyshell(
            acl, "get", "auth", "show_secrets=true",
            "userid", "password", "mutual_userid", "mutual_password",
        ).stdout.splitlines()
    )  # fmt: skip
    initiator.start(
        Chap(told["userid"], told["password"]),
        Chap(told["mutual_userid"], told["mutual_password"]),
    )
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    assert initiator.disk(SERVER).exists()
    # The session goes on without the portal, until unshare ends it.
    assert (
        "session"
        not in pyshell(f"/iscsi/{SERVER}/tpg1/portals", "delete", f"{ADDRESS}:3260").stdout
    )
    assert f"Terminated the session of {NAME}" in pyshell("unshare", str(lee)).stdout
    assert "Targets: 0" in pyshell("/iscsi", "status").stdout


def test_a_fault_at_any_step_leaves_nothing_behind(
    lee: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pyshell("/iscsi", "create", SERVER)
    pyshell("/iscsi", "delete", SERVER)
    before = _tree()
    do = base._do
    begun: list[str] = []
    failing_at = 0

    def failing(lio: Any, operation: base.Operation, **how: Any) -> Any:
        begun.append(operation.step())
        if len(begun) == failing_at:
            raise PyshellError("The kernel refuses")
        return do(lio, operation, **how)

    monkeypatch.setattr(base, "_do", failing)
    none = tmp_path / "none"
    while True:
        failing_at += 1
        begun.clear()
        lio = attach(None, tmp_path)
        shell = Shell(
            lio, Preferences(none, none, print), Options(),
            io.StringIO(), io.StringIO(), io.StringIO(),
        )  # fmt: skip
        failure = _failure(shell, f"{ONE_LINE} chap=mutual")
        if failure is None:
            break
        assert "failed: The kernel refuses" in str(failure)
        assert snapshot.differences(before, _tree()) == {}, begun[failing_at - 1]
    assert failing_at > 14
    assert len(begun) == failing_at - 1


def _failure(shell: Shell, line: str) -> PyshellError | None:
    try:
        shell.run_line(line)
    except PyshellError as error:
        return error
    return None
