# SPDX-License-Identifier: Apache-2.0
"""The status below the prompt, and the background reads for it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from driver import Pyshell
from pyshell.config import store
from pyshell.config.store import unconfirmed
from pyshell.errors import PyshellError
from pyshell.lio import Lio
from pyshell.lio.configfs import RealKernel, asking, folders, links
from pyshell.prompt import toolbar
from pyshell.prompt.line import CheckedLine, while_wanted
from pyshell.prompt.toolbar import SavedComparison, Status, Typing
from pyshell.shell.lock import is_held, last_holder, locked


def test_a_running_change_is_compared_when_it_is_done(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create one 1M")
    pyshell.must("saveconfig")
    lio = pyshell.open()
    shell = cast(Any, SimpleNamespace(running=lio, unsaved=False, compat=False))
    comparison = SavedComparison(shell)

    with locked(lio.lock_file):
        assert is_held(lio.lock_file)
        comparison.update()  # before the change of whoever holds the lock
    assert comparison.known() is None
    (attribute,) = pyshell.configfs.glob("core/rd_mcp_*/one/attrib/emulate_caw")
    attribute.write_text("0\n", encoding="ascii")
    comparison.update()
    assert comparison.known()


def test_finding_14_the_comparison_overrides_what_commands_left(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create one 1M", "saveconfig")
    lio = pyshell.open()
    shell = cast(Any, SimpleNamespace(running=lio, unsaved=True, compat=False))
    comparison = SavedComparison(shell)
    assert comparison.known() is None
    comparison.update()
    assert comparison.known() is False


@pytest.mark.parametrize("large", [0, 200])
def test_configurations_are_compared_here_and_by_another_process(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(toolbar, "LARGE", large)
    pyshell.must("/backstores/ramdisk create one 1M")
    assert toolbar.differs(pyshell.open())
    pyshell.must("saveconfig")
    assert not toolbar.differs(pyshell.open())


@pytest.mark.parametrize(
    ("left", "style", "text"),
    [
        (7199.5, "warning", "2:00:00 to confirm"),
        (299.2, "warning", "5:00 to confirm"),
        (59.0, "fault", "0:59 to confirm"),
        (-3.0, "fault", "0:00 to confirm"),
    ],
)
def test_the_toolbar_counts_down(
    monkeypatch: pytest.MonkeyPatch, left: float, style: str, text: str
) -> None:
    monkeypatch.setattr(unconfirmed, "clock", lambda: 1000.0)
    status = Status(expires=1000.0 + left, unsaved=True)
    shown = toolbar.toolbar(CheckedLine(""), status, "", 60)
    assert (f"class:toolbar.{style}", text) in shown


def test_reading_waits_until_nobody_types(lio: Lio) -> None:
    typing = Typing()
    kernel = RealKernel(lio.kernel.root)
    with asking(typing.give_way):
        started = time.monotonic()
        kernel.read(f"{lio.kernel.root}/version")
        assert time.monotonic() - started < 0.2
        typing.pressed()
        started = time.monotonic()
        kernel.read(f"{lio.kernel.root}/version")
        assert time.monotonic() - started > 0.2


def test_a_read_that_is_no_longer_wanted_ends(tmp_path: Path) -> None:
    wanted = True
    with while_wanted(lambda: wanted):
        assert folders(str(tmp_path)) == []
        wanted = False
        with pytest.raises(PyshellError):
            folders(str(tmp_path))
        with pytest.raises(PyshellError):
            links(str(tmp_path))
    assert folders(str(tmp_path)) == []


def test_the_user_who_changed_the_target_is_named(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lio = pyshell.open()
    pyshell.process("/backstores/ramdisk", "create", "one", "1M")
    assert toolbar._others(lio, since=0) == store.user_name()
    monkeypatch.setattr("os.getpid", lambda: last_holder(lio.lock_file))
    assert toolbar._others(lio, since=0) == ""


def test_a_program_that_logs_no_change_has_no_name(pyshell: Pyshell) -> None:
    lio = pyshell.open()
    pyshell.process("/backstores/ramdisk", "create", "one", "1M")
    later = time.time() + 5
    os.utime(lio.lock_file, (later, later))
    assert toolbar._others(lio, since=0) == "another program"
