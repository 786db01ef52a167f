# SPDX-License-Identifier: Apache-2.0
"""Earlier saved configurations: kept under numbers, listed, read, and bounded."""

from __future__ import annotations

import gzip
import json
import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pyshell.config import document_file
from pyshell.config.store import About, revisions
from pyshell.config.store.revisions import Policy
from pyshell.errors import NotFoundError, NotPermittedError, PyshellError
from pyshell.files import writing

LEE = About("2020-07-01T12:00:00Z", "lee", "prompt", "before the move")
DAY = datetime(2020, 7, 2, tzinfo=timezone.utc)
DOCUMENT: dict[str, Any] = {
    "storage_objects": [{"name": "disk1", "plugin": "block", "of_tomorrow": 1}],
    "targets": [
        {
            "wwn": "iqn.2020-01.com.example:x",
            "fabric": "iscsi",
            "tpgs": [{"luns": [{"index": 0, "storage_object": "/backstores/block/disk1"}]}],
        }
    ],
}


def keep(folder: Path, number: int, document: Any = DOCUMENT, after: int = 0) -> Path:
    """Keep a document as a revision that was replaced so many days after a certain one."""
    data = json.dumps(document).encode()
    return revisions.write(folder, number, data, LEE, DAY + timedelta(days=after))


def test_a_revision_is_readable_by_root_only(tmp_path: Path) -> None:
    made = keep(tmp_path, 1)
    assert made == tmp_path / "revisions" / "1.json"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700


def test_a_revision_is_read_as_saved(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    assert revisions.read_revision(tmp_path, "1") == DOCUMENT
    assert revisions.read_revision(tmp_path, "1", trusted=True) == DOCUMENT


def test_a_revision_is_a_saved_configuration_by_itself(tmp_path: Path) -> None:
    found = json.loads(keep(tmp_path, 1).read_text())
    assert {name: found[name] for name in DOCUMENT} == DOCUMENT


def test_a_pipe_among_the_revisions_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "revisions").mkdir()
    os.mkfifo(tmp_path / "revisions" / "1.json")
    with pytest.raises(NotPermittedError, match="is a pipe"):
        revisions.listed(tmp_path)


def test_a_list_reads_only_the_first_line_of_each(tmp_path: Path) -> None:
    made = keep(tmp_path, 1)
    first = made.read_text().splitlines()[0]
    made.write_text(f"{first}\nno JSON at all")
    (found,) = revisions.listed(tmp_path)
    assert (found.word, found.about, found.replaced) == ("1", LEE, "2020-07-02T00:00:00Z")
    assert found.counts == {"storage_objects": 1, "targets": 1, "luns": 1, "acls": 0}


@pytest.mark.parametrize("data", [b"", b"{ a slip", b"[1]", b"\xff\xfe", b"[" * 99999])
def test_a_file_that_is_not_a_saved_configuration_is_kept_as_text(
    tmp_path: Path, data: bytes
) -> None:
    made = revisions.write(tmp_path, 1, data, LEE)
    text = json.loads(made.read_text())["pyshell_revision"]["text"]
    assert text.encode(errors="surrogateescape") == data
    assert revisions.listed(tmp_path)[0].about == LEE
    with pytest.raises(PyshellError, match="not a saved configuration"):
        revisions.read_revision(tmp_path, "1")


def test_an_empty_document_can_be_kept(tmp_path: Path) -> None:
    keep(tmp_path, 1, {})
    assert revisions.read_revision(tmp_path, "1") == {}
    assert revisions.listed(tmp_path)[0].about == LEE


def test_all_revisions_are_listed_newest_first(tmp_path: Path) -> None:
    keep(tmp_path, 2)
    keep(tmp_path, 10)
    file = tmp_path / "saveconfig.json"
    writing.replace(file, b"{}")
    document_file.back_up(file, 3, lambda: datetime(2020, 7, 1, 12, 0, 5).astimezone())
    backup = "saveconfig-20200701-12:00:05-json.gz"
    assert [r.word for r in revisions.listed(tmp_path)] == ["saved", "10", "2", backup]
    assert revisions.read_revision(tmp_path, "saved") == {}
    assert revisions.read_revision(tmp_path, backup) == {}
    assert revisions.read_revision(tmp_path, backup, trusted=True) == {}


def test_targetclis_backups_of_all_releases_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    (folder / "saveconfig-20140101-10:00:00.json").write_text(json.dumps(DOCUMENT))
    (folder / "saveconfig-20190101-10:00:00-json.gz").write_bytes(gzip.compress(b"{}"))
    (folder / "saveconfig-20200101-10:00:00-json.gz").write_bytes(b"damaged")
    found = revisions.listed(tmp_path)
    assert [bool(one.counts) for one in found] == [False, True, True]
    here = datetime(2014, 1, 1, 10).astimezone().astimezone(timezone.utc)
    assert found[-1].about == About(here.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert revisions.read_revision(tmp_path, "saveconfig-20140101-10:00:00.json") == DOCUMENT


@pytest.mark.parametrize("word", ["3", "saved", "", "../1", "-1", "\u0661", "backup/x"])
def test_a_missing_revision_is_reported(tmp_path: Path, word: str) -> None:
    keep(tmp_path, 1)
    with pytest.raises(NotFoundError, match="No such revision"):
        revisions.read_revision(tmp_path, word)


def test_a_revision_that_others_can_write_is_not_applied(tmp_path: Path) -> None:
    keep(tmp_path, 1).chmod(0o666)
    assert revisions.read_revision(tmp_path, "1") == DOCUMENT
    with pytest.raises(NotPermittedError):
        revisions.read_revision(tmp_path, "1", trusted=True)


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (Policy(50, 0), [1, 2, 3, 4]),
        (Policy(2, 0), [3, 4]),
        (Policy(50, 2), [3, 4]),
        (Policy(1, 2), [4]),
        (Policy(0, 0), []),
    ],
)
def test_the_policy_limits_revisions_by_count_and_age(
    tmp_path: Path, policy: Policy, left: list[int]
) -> None:
    for number in range(1, 5):
        keep(tmp_path, number, after=number)
    revisions.prune(tmp_path, policy, DAY + timedelta(days=5))
    assert revisions.numbers(tmp_path) == left


def test_other_files_are_not_removed(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    (tmp_path / "revisions" / "notes.json").write_text("{}")
    revisions.prune(tmp_path, Policy(0, 0))
    assert [path.name for path in (tmp_path / "revisions").iterdir()] == ["notes.json"]
