# SPDX-License-Identifier: Apache-2.0
"""Binding the words of a line to a command's parameters."""

from __future__ import annotations

from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.errors import UsageError
from pyshell.shell.binding import bind
from pyshell.shell.grammar import split
from pyshell.tree.command import BOOL, NUMBER, TEXT, Command, Param

CREATE = Command(
    "create",
    "",
    (
        Param("name", TEXT, "", required=True),
        Param("size", NUMBER, "", required=True),
        Param("sparse", BOOL, "", default=True, aliases=("thin",)),
    ),
)
GET = Command("get", "", (Param("group", TEXT, ""),), rest=Param("parameter", TEXT, ""))
SET = Command("set", "", (Param("group", TEXT, ""),), named_rest=Param("parameter", TEXT, ""))


def bound(described: Command, line: str) -> dict[str, Any]:
    """Bind the words of a line."""
    return bind(described, split(line), len(line))


@pytest.mark.parametrize(
    "line",
    [
        "a 5",
        "a size=5",
        "name=a size=5",
        "size=5 name=a",
        "size=5 a",
        "name=a 5",
        "a 5 true",
        "a 5 sparse=yes",
        "a 5 thin=on",
        "'a' '5'",
    ],
)
def test_values_by_place_and_by_name(line: str) -> None:
    assert bound(CREATE, line) == {"name": "a", "size": 5, "sparse": True}


def test_the_rest_is_gathered() -> None:
    assert bound(GET, "attribute a b") == {"group": "attribute", "rest": ["a", "b"]}
    assert bound(GET, "") == {"group": None, "rest": []}


def test_named_words_are_gathered() -> None:
    found = bound(SET, "auth userid=a password='b c'")
    assert found == {"group": "auth", "named": {"userid": "a", "password": "b c"}}


@pytest.mark.parametrize(
    ("described", "line", "column", "message"),
    [
        (CREATE, "", 0, "Missing required parameters name, size."),
        (CREATE, "a", 1, "Missing required parameter size."),
        (CREATE, "a 5 true x", 9, "Unexpected argument 'x' for create."),
        (CREATE, "a 5 siz=3", 4, "create has no parameter 'siz'."),
        (CREATE, "a size=5 size=6", 9, "size is given twice."),
        (CREATE, "a 5 sparse=1 thin=1", 13, "sparse is given twice."),
        (CREATE, "a x", 2, "size: 'x' is not a number."),
        (CREATE, "a size=x", 7, "size: 'x' is not a number."),
        (CREATE, "a 5 perhaps", 4, "sparse: 'perhaps' is neither true nor false."),
        (SET, "auth a=1 a=2", 9, "a is given twice."),
        (SET, "auth more", 5, "Unexpected argument 'more' for set."),
    ],
)
def test_a_fault_is_told_with_its_column(
    described: Command, line: str, column: int, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        bound(described, line)
    assert (caught.value.message, caught.value.column) == (message, column)


class TestPaths:
    """Any argument that is the path of a node is resolved like a path (finding 5)."""

    @pytest.fixture
    def disks(self, exported: Pyshell) -> Pyshell:
        """Return a target that is saved and then loses its iSCSI part."""
        exported.prepare("saveconfig", f"{TPG} bookmarks add tpg", "/iscsi bookmarks add fabric")
        exported.prepare(f"/iscsi delete {SERVER}")
        return exported

    @pytest.mark.parametrize(
        "path",
        ["iscsi", "/iscsi/", "./iscsi/.", "/backstores/../iscsi", "@fabric", "'/iscsi'"],
    )
    def test_diff_compares_below_any_spelling(self, disks: Pyshell, path: str) -> None:
        shown = disks.line("diff path=/iscsi")
        assert shown.status == 1
        assert disks.line(f"diff path={path}") == shown

    @pytest.mark.parametrize(
        "path",
        [SERVER.upper(), f"{SERVER}/", f"{SERVER.upper()}/tpg1/..", f"nothing/../{SERVER}"],
    )
    def test_a_path_of_what_is_gone_is_spelled_like_the_tree(
        self, disks: Pyshell, path: str
    ) -> None:
        assert disks.line(f"diff path=iscsi/{path}") == disks.line(f"diff path=/iscsi/{SERVER}")
        assert disks.line("diff path=iscsi/iqn.2020-07.com.example:other").status == 2

    def test_export_top_doctor_and_ls_take_relative_paths(self, exported: Pyshell) -> None:
        assert exported.must("export path=backstores/") == exported.must("export /backstores")
        assert exported.must("/iscsi ls ../backstores/") == exported.must("ls /backstores")
        exported.must(f"{TPG}/luns bookmarks add luns")
        assert exported.must("ls @luns/..") == exported.must(f"ls {TPG}")
        assert exported.line("doctor backstores/.").status == 0
        assert exported.line("top backstores/block/lee_block/ count=1").status == 0

    def test_a_target_and_a_storage_object_may_be_given_by_path(self, exported: Pyshell) -> None:
        exported.must(f"{TPG} bookmarks add tpg")
        exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
        for given in (
            f"target=/iscsi/{SERVER.upper()}/",
            "target=@tpg",
            f"initiator={TPG}/acls/{CLIENT.upper()}/",
            "storage_object=backstores/block/lee_block/",
            "storage_object=block/lee_block/",
            "storage_object=/backstores/./block/../block/lee_block",
        ):
            assert CLIENT in exported.line(f"sessions {given}").out, given
        assert exported.line("sessions target=/backstores").status == 2
        assert exported.line(f"sessions initiator={TPG}/acls").status == 2

    def test_lun_and_mapping_are_made_of_relative_paths(self, exported: Pyshell) -> None:
        exported.must("/backstores/ramdisk create a 1M", "/backstores/ramdisk bookmarks add r")
        exported.must(f"{TPG}/luns create ../../../../backstores/ramdisk/a/")
        acl = f"{TPG}/acls/{CLIENT}"
        assert exported.line(f"{acl} create 7 ../../luns/lun1").status == 0
        exported.must(f"{TPG}/luns delete 1", f"{TPG}/luns create @r/a")

    def test_a_child_may_be_given_by_path(self, exported: Pyshell) -> None:
        ran = exported.line(f"{TPG}/acls delete ../luns")
        assert ran.err.startswith("wwn: ../luns is not directly below")
        exported.must(f"{TPG}/acls delete ./{CLIENT.upper()}/")
        assert exported.line("/backstores/block delete /backstores/block/lee_block/").status == 0

    def test_only_one_object_is_restored_by_its_path(self, exported: Pyshell) -> None:
        exported.must("/backstores/ramdisk create lee_block 1M", "saveconfig")
        exported.must("clearconfig confirm=true")
        exported.must("restoreconfig storage_object=backstores/ramdisk/lee_block/")
        assert "Storage Objects: 0" in exported.must("/backstores/block status")[0]
        assert "Storage Objects: 1" in exported.must("/backstores/ramdisk status")[0]
