# SPDX-License-Identifier: Apache-2.0
"""A file that others may write never reaches the kernel; the command that mends it is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyshell.errors import NotFoundError, NotPermittedError
from pyshell.saved import trust

SECRET = '{"fabric_modules": [{"name": "iscsi", "discovery_password": "verysecret"}]}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that is to be trusted."""
    found = tmp_path / "folder" / "my config.json"
    found.parent.mkdir(mode=0o755)
    found.write_text(SECRET)
    found.chmod(0o600)
    return found


def refused(file: Path) -> NotPermittedError:
    """Return the error that a file is refused with."""
    with pytest.raises(NotPermittedError) as caught:
        trust.load_trusted(file)
    return caught.value


def test_a_file_of_ones_own_is_read_without_a_word(file: Path) -> None:
    read = trust.load_trusted(file)
    assert read.document["fabric_modules"][0]["name"] == "iscsi"
    assert (read.data, read.warnings) == (SECRET.encode(), ())


@pytest.mark.parametrize("mode", [0o602, 0o622, 0o666])
def test_a_file_that_others_may_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert f"chmod go-w '{file}'" in refused(file).hint


def test_a_file_that_a_group_of_others_may_write_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o660)
    monkeypatch.setattr(trust, "_is_private", lambda group, owner: False)
    assert "others than its owner may write it" in refused(file).message
    monkeypatch.setattr(trust, "_is_private", lambda group, owner: True)
    assert trust.load_trusted(file).warnings != ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    os.chown(file, 4190003, -1)
    error = refused(file)
    assert "it belongs to 4190003" in error.message
    assert f"chown root '{file}'" in error.hint


def test_a_folder_in_which_others_may_exchange_files_is_refused(file: Path) -> None:
    file.parent.chmod(0o777)
    assert f"chmod go-w {file.parent}" in refused(file).hint
    file.parent.chmod(0o1777)
    assert trust.load_trusted(file).warnings == ()


def test_the_folder_of_a_link_counts_as_well(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "lax" / "link.json"
    link.parent.mkdir()
    link.symlink_to(file)
    assert trust.load_trusted(link).data == SECRET.encode()
    link.parent.chmod(0o777)
    assert f"chmod go-w {link.parent}" in refused(link).hint


def test_all_that_mends_it_is_told_at_once(file: Path) -> None:
    file.chmod(0o666)
    file.parent.chmod(0o777)
    assert refused(file).hint.count("chmod go-w") == 2
    assert "&&" in refused(file).hint


def test_secrets_that_others_may_read_are_warned_of(file: Path) -> None:
    file.chmod(0o644)
    (warning,) = trust.load_trusted(file).warnings
    assert f"chmod 600 '{file}'" in warning
    assert "verysecret" not in warning


def test_what_holds_no_secret_may_be_read_by_all(file: Path) -> None:
    file.write_text("{}")
    file.chmod(0o644)
    assert trust.load_trusted(file).warnings == ()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        trust.load_trusted(tmp_path / "none.json")


def test_a_pipe_is_read_as_the_caller_gave_it() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"{}")
    os.close(writer)
    assert trust.load_trusted(Path(f"/dev/fd/{reader}")).document == {}
    os.close(reader)
