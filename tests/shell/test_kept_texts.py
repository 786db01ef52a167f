# SPDX-License-Identifier: Apache-2.0
"""Texts that are kept until they are applied."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pyshell.errors import PyshellError
from pyshell.shell import kept_texts
from pyshell.shell.kept_texts import KeptText, body, with_comments, without_head

BASE = '{\n  "targets": []\n}\n'


def left(folder: Path) -> list[str]:
    """Return the texts that are offered."""
    found = []
    for kept in kept_texts.left(folder):
        found.append(kept.read())
        kept.release()
    return found


def keep(folder: Path, text: str) -> KeptText:
    """Keep a text as if the process had ended."""
    with kept_texts.new(folder, "/iscsi", BASE, text) as kept:
        return kept


def test_comments_keep_the_numbers_of_lines() -> None:
    text = with_comments(["one", "two"], '{\n  # mine\n  "x": "// no comment"\n}\n')
    assert without_head(text).startswith("{\n  # mine\n")
    assert body(text) == '{\n\n  "x": "// no comment"\n}\n'
    assert body("# one\n\n// two") == ""


def test_a_text_is_private_and_offered_in_order(tmp_path: Path) -> None:
    for text in ("first", "second"):
        kept = keep(tmp_path, text)
        assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.file.parent.stat().st_mode) == 0o700
    assert left(tmp_path) == ["first", "second"]


def test_a_text_in_use_is_not_offered(tmp_path: Path) -> None:
    with kept_texts.new(tmp_path, "/iscsi", BASE, "changed"):
        assert left(tmp_path) == []
    assert left(tmp_path) == ["changed"]


@pytest.mark.parametrize("text", ["", BASE, with_comments(["head"], BASE), "// all removed\n"])
def test_a_text_without_a_change_is_removed(tmp_path: Path, text: str) -> None:
    kept = keep(tmp_path, text)
    assert left(tmp_path) == []
    assert not kept.file.parent.exists()


@pytest.mark.parametrize("about", ["", "[]", "{}", '{"path": "/"}', "\0"])
def test_a_damaged_record_is_left_to_be_read_by_hand(tmp_path: Path, about: str) -> None:
    kept = keep(tmp_path, "changed")
    (kept.file.parent / "about.json").write_text(about)
    assert left(tmp_path) == []
    assert kept.file.read_text() == "changed"


def test_a_folder_of_another_user_s_choice_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(PyshellError), kept_texts.new(tmp_path, "/", BASE, "x"):
        pass
    assert left(tmp_path) == []
