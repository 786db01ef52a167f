# SPDX-License-Identifier: Apache-2.0
"""Who is at work, as a revision remembers it."""

from __future__ import annotations

import os
import pwd
from datetime import datetime, timezone
from pathlib import Path

from pyshell.config.store import state

ME = pwd.getpwuid(os.geteuid()).pw_name


def test_who_called_sudo_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "loginuid").write_text("0")
    assert state.user_name({"SUDO_USER": "lee"}, tmp_path / "loginuid") == "lee"


def test_else_who_logged_in(tmp_path: Path) -> None:
    login = tmp_path / "loginuid"
    login.write_text("1")
    assert state.user_name({}, login) == pwd.getpwuid(1).pw_name


def test_else_whose_process_it_is(tmp_path: Path) -> None:
    login = tmp_path / "loginuid"
    assert state.user_name({}, login) == ME
    login.write_text("4294967295")
    assert state.user_name({}, login) == ME


def test_a_user_without_a_name_goes_by_number() -> None:
    assert state.name_of(4190003) == "4190003"


def test_moments_are_kept_in_utc() -> None:
    moment = datetime(2020, 7, 1, 12, 0, 0, tzinfo=timezone.utc)
    assert state.utc(moment) == "2020-07-01T12:00:00Z"
    assert state.moment(state.utc(moment)) == moment
    assert state.moment("yesterday") is None


def test_what_was_kept_comes_back_and_nonsense_does_not() -> None:
    kept = state.About("2020-07-01T12:00:00Z", "lee", "prompt", "why")
    assert state.from_json(kept.to_json()) == kept
    assert state.from_json({"time": 7}) is None
    assert state.from_json(["time"]) is None
