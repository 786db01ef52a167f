# SPDX-License-Identifier: Apache-2.0
"""What is kept for `undo` while the target is changed already."""

from __future__ import annotations

import pytest

from driver import Pyshell
from pyshell.errors import PyshellError
from pyshell.saved import undo
from pyshell.saved.running import read_running
from pyshell.target.operations.storage import DeleteStorageObject
from pyshell.target.operations.targets import DeleteTarget


@pytest.fixture
def running(pyshell: Pyshell) -> Pyshell:
    """Return a target that runs the example."""
    pyshell.must(f"restoreconfig {pyshell.example}")
    return pyshell


def test_a_clear_keeps_all_before_the_first_storage_object_goes(
    running: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_running(running.open())
    kept = []
    delete = DeleteStorageObject.do_for_good

    def look_first(operation: DeleteStorageObject, lio: object) -> object:
        done = undo.last(running.open())
        kept.append(done.before if done and done.line.startswith("clearconfig") else None)
        return delete(operation, lio)  # type: ignore[arg-type]

    monkeypatch.setattr(DeleteStorageObject, "do_for_good", look_first)
    running.must("clearconfig confirm=true")
    assert kept == [before] * len(before["storage_objects"])


def test_a_clear_that_fails_keeps_all_the_same(
    running: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_running(running.open())

    def refuse(operation: DeleteTarget, lio: object) -> None:
        raise PyshellError("Not today")

    monkeypatch.setattr(DeleteTarget, "do_for_good", refuse)
    assert running("clearconfig confirm=true").status == 1
    done = undo.last(running.open())
    assert done is not None
    assert (done.line, done.before) == ("clearconfig confirm=true", before)


def test_what_cannot_be_kept_is_told_and_stops_nothing(
    running: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PyshellError("There is no space")

    monkeypatch.setattr(undo, "keep_document", refuse)
    ran = running("clearconfig confirm=true")
    assert (ran.status, ran.err) == (0, "It cannot be undone by 'undo': There is no space.\n")
