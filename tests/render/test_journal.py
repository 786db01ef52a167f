# SPDX-License-Identifier: Apache-2.0
"""Lines for systemd's journal."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pyshell.render import JOURNAL_ERROR, is_journal, prioritised


def test_the_stream_that_systemd_names_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream, (tmp_path / "other").open("w") as other:
        found = os.fstat(stream.fileno())
        environment = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert is_journal(stream, environment)
        assert not is_journal(other, environment)


@pytest.mark.parametrize("environment", [{}, {"JOURNAL_STREAM": ""}, {"JOURNAL_STREAM": "x"}])
def test_without_its_name_nothing_is(tmp_path: Path, environment: dict[str, str]) -> None:
    with (tmp_path / "stream").open("w") as stream:
        assert not is_journal(stream, environment)


def test_what_is_no_file_is_not_the_journal() -> None:
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


def test_a_line_begins_with_its_priority() -> None:
    assert prioritised("No device", JOURNAL_ERROR) == "<3>No device"
