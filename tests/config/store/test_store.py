# SPDX-License-Identifier: Apache-2.0
"""The recorded state of the saved file, and who saved it."""

from __future__ import annotations

import os
import pwd
import stat
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pyshell.config import store
from pyshell.config.store import About, State
from pyshell.files import paths

LUN = "/loopback/naa.5001405000000001/luns/lun0"
REMEMBERED = State(
    {"0123": About("2020-07-01T12:00:00Z", "lee", "prompt", "why")},
    {"/backstores/block/disk1": "no device", LUN: "needs /backstores/block/disk1"},
    7,
)


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert store.read(tmp_path, pytest.fail) == State()


def test_the_state_is_read_as_written(tmp_path: Path) -> None:
    store.write(tmp_path, REMEMBERED)
    assert store.read(tmp_path, pytest.fail) == REMEMBERED
    assert stat.S_IMODE((tmp_path / store.FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"known": 1}', '{"missing": {"/a": 2}}', '{"last_revision": "x"}']
)
def test_a_damaged_file_is_ignored_with_a_warning(tmp_path: Path, text: str) -> None:
    (tmp_path / store.FILE).write_text(text)
    told: list[str] = []
    assert store.read(tmp_path, told.append) == State()
    assert len(told) == 1
    assert "is damaged" in told[0]


def settled(tmp_path: Path, made: set[str], deleted: set[str]) -> set[str]:
    """Return what is still marked after objects were made and deleted."""
    store.write(tmp_path, REMEMBERED)
    store.settle(tmp_path, tmp_path / "mark", made, deleted, pytest.fail)
    return set(store.read(tmp_path, pytest.fail).missing)


def test_created_objects_lose_their_mark(tmp_path: Path) -> None:
    assert settled(tmp_path, {"/backstores/block/disk1"}, set()) == {LUN}


def test_deleted_objects_and_all_below_lose_their_marks(tmp_path: Path) -> None:
    left = settled(tmp_path, set(), {"/loopback/naa.5001405000000001"})
    assert left == {"/backstores/block/disk1"}


def test_objects_with_similar_names_keep_their_marks(tmp_path: Path) -> None:
    left = settled(tmp_path, {"/backstores/block"}, {"/backstores/block/disk"})
    assert left == set(REMEMBERED.missing)


ME = pwd.getpwuid(os.geteuid()).pw_name


def test_the_user_is_the_one_who_called_sudo(tmp_path: Path) -> None:
    (tmp_path / "loginuid").write_text("0")
    assert store.user_name({"SUDO_USER": "lee"}, tmp_path / "loginuid") == "lee"


def test_else_the_user_who_logged_in(tmp_path: Path) -> None:
    login = tmp_path / "loginuid"
    login.write_text("1")
    assert store.user_name({}, login) == pwd.getpwuid(1).pw_name


def test_else_the_user_of_the_process(tmp_path: Path) -> None:
    login = tmp_path / "loginuid"
    assert store.user_name({}, login) == ME
    login.write_text("4294967295")
    assert store.user_name({}, login) == ME


def test_a_user_without_a_name_is_shown_by_number() -> None:
    assert paths.user_name(4190003) == "4190003"


def test_times_are_stored_in_utc() -> None:
    moment = datetime(2020, 7, 1, 12, 0, 0, tzinfo=timezone.utc)
    assert store.utc(moment) == "2020-07-01T12:00:00Z"
    assert store.moment(store.utc(moment)) == moment
    assert store.moment("yesterday") is None


def test_an_author_is_read_as_written_and_invalid_data_is_not() -> None:
    kept = store.About("2020-07-01T12:00:00Z", "lee", "prompt", "why")
    assert store.from_json(kept.to_json()) == kept
    assert store.from_json({"time": 7}) is None
    assert store.from_json(["time"]) is None
