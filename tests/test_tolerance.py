# SPDX-License-Identifier: Apache-2.0
"""Field failure 24: `exist_ok=true` and `missing_ok=true`, for those who run a thing twice."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

ACL = f"{TPG}/acls/{CLIENT}"

SAME = [
    "/backstores/block create lee_block /dev/mapper/lee-lee.lv",
    f"/iscsi create {SERVER}",
    f"/iscsi create {SERVER.upper().replace('IQN', 'iqn')}",
    f"/iscsi/{SERVER} create 1",
    f"{TPG}/luns create /backstores/block/lee_block",
    f"{TPG}/luns create /backstores/block/lee_block lun=0",
    f"{TPG}/acls create {CLIENT}",
    f"{ACL} create 0 0",
    f"{ACL} create 0 /backstores/block/lee_block",
    f"{TPG}/portals create 0.0.0.0 3260",
]


@pytest.mark.parametrize("line", SAME)
def test_field_failure_24_what_is_there_as_asked_for_is_no_failure(
    exported: Pyshell, line: str
) -> None:
    before = exported.tree()
    ran = exported.line(f"{line} exist_ok=true")
    assert (ran.out, ran.status) == ("", 0)
    assert ran.err.rstrip().endswith("nothing to do.")
    assert exported.tree() == before


@pytest.mark.parametrize("line", SAME)
def test_field_failure_24_without_it_that_is_a_conflict(exported: Pyshell, line: str) -> None:
    before = exported.tree()
    assert exported.line(line).status == 5
    assert exported.tree() == before


@pytest.mark.parametrize(
    "line",
    [
        "/backstores/block create lee_block /dev/sdb",
        "/backstores/block create lee_block /dev/mapper/lee-lee.lv readonly=true",
        f"{TPG}/luns create /backstores/block/lee_block lun=3",
        f"{TPG}/luns create /backstores/ramdisk/other lun=0",
        f"{ACL} create 0 0 write_protect=true",
    ],
)
def test_field_failure_24_what_is_there_otherwise_is_a_conflict(
    exported: Pyshell, line: str
) -> None:
    exported.prepare("/backstores/ramdisk create other 1M")
    before = exported.tree()
    assert exported.line(f"{line} exist_ok=true").status == 5
    assert exported.tree() == before


def test_field_failure_24_a_part_that_is_there_is_not_the_whole(exported: Pyshell) -> None:
    exported.must("/backstores/block create sdb /dev/sdc")
    assert exported.line(f"{TPG}/luns create /dev/sdb exist_ok=true").status == 5


@pytest.mark.parametrize(
    "line",
    [
        "/backstores/block delete none",
        "/iscsi delete iqn.2020-07.com.example:none",
        f"/iscsi/{SERVER} delete 7",
        f"{TPG}/luns delete 7",
        f"{TPG}/acls delete iqn.2020-07.com.example:none",
        f"{ACL} delete 7",
        f"{TPG}/portals delete 192.0.2.1 3260",
    ],
)
def test_field_failure_24_what_is_not_there_need_not_be_deleted(
    exported: Pyshell, line: str
) -> None:
    before = exported.tree()
    assert exported.line(line).status == 3
    ran = exported.line(f"{line} missing_ok=true")
    assert (ran.out, ran.status) == ("", 0)
    assert ran.err.rstrip().endswith("nothing to do.")
    assert exported.tree() == before


def test_they_must_be_given_by_name(exported: Pyshell) -> None:
    assert exported.line("/backstores/block delete none false true").status == 2
