# SPDX-License-Identifier: Apache-2.0
"""Listings: read from configfs, in the tree's order, whatever else lies there."""

from __future__ import annotations

import sys

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from identified import ROOT, root_all
from pyshell.lio import listing
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, Portal, StorageObject, Target, Tpg

FIRST = Tpg(Target("iscsi", SERVER, ROOT), 1)
DISK = StorageObject("block", "lee_block", 0, ROOT)


@pytest.fixture(autouse=True)
def _identifiers_of_the_target(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    root_all(monkeypatch, sys.modules[__name__], str(pyshell.configfs))


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["lun10", "lun9", "lun1"], ["lun1", "lun9", "lun10"]),
        (["b", "a10", "a9", "a"], ["a", "a9", "a10", "b"]),
        (["x2y", "x10y"], ["x10y", "x2y"]),
    ],
)
def test_numbers_at_the_end_sort_as_numbers(names: list[str], order: list[str]) -> None:
    assert sorted(names, key=listing.natural) == order


@pytest.mark.parametrize(
    ("taken", "start", "free"), [(set(), 0, 0), ({0, 1, 3}, 0, 2), ({1}, 1, 2), ({0}, 1, 1)]
)
def test_the_lowest_free_number(taken: set[int], start: int, free: int) -> None:
    assert listing.lowest_free(taken, start) == free


def test_what_is_there_is_listed(exported: Pyshell) -> None:
    lio = exported.open()
    lun, acl = Lun(FIRST, 0), NodeAcl(FIRST, CLIENT)
    assert listing.storage_objects(lio) == [DISK]
    assert listing.targets(fabric("iscsi", ROOT)) == [FIRST.target]
    assert listing.tpgs(FIRST.target) == [FIRST]
    assert listing.luns(FIRST) == [lun]
    assert listing.node_acls(FIRST) == [acl]
    assert listing.mapped_luns(acl) == [MappedLun(acl, 0)]
    assert listing.portals(FIRST) == [Portal(FIRST, "0.0.0.0", 3260)]
    assert [group.name for group in listing.alua_groups(DISK)] == ["default_tg_pt_gp"]


def test_links_lead_from_one_to_the_other(exported: Pyshell) -> None:
    lio = exported.open()
    lun, mapped = Lun(FIRST, 0), MappedLun(NodeAcl(FIRST, CLIENT), 0)
    assert listing.storage_object_of(lun) == DISK
    assert listing.luns_of(lio, DISK) == [lun]
    assert listing.lun_of(mapped) == lun
    assert listing.mappings_of(lun) == [mapped]


def test_lists_of_what_is_not_there_are_empty(pyshell: Pyshell) -> None:
    lio = pyshell.open()
    assert listing.storage_objects(lio) == []
    assert listing.targets(fabric("iscsi", ROOT)) == []
    assert listing.tpgs(FIRST.target) == []
    assert listing.luns_of(lio, DISK) == []


def test_unknown_files_and_folders_do_no_harm(exported: Pyshell) -> None:
    exported.open()
    iscsi = exported.configfs / "iscsi"
    (iscsi / "cpus_allowed_list_of_tomorrow").write_text("0-7\n")
    (exported.configfs / "core" / "what_is_this").mkdir()
    (exported.configfs / "core" / "iblock_x").mkdir()
    (iscsi / SERVER / "tpgt_1" / "lun" / "lun_x").mkdir()
    (iscsi / SERVER / "tpgt_1" / "np" / "nonsense").mkdir()
    (iscsi / SERVER / "tpgt_x").mkdir()
    assert len(listing.targets(fabric("iscsi", ROOT))) == 1
    assert listing.tpgs(FIRST.target) == [FIRST]
    assert exported.line("ls").done().out.count("lun0") == 3
    exported.line("/backstores/block delete lee_block").done(noting="It is exported")


def test_a_lun_without_its_storage_object_is_shown_as_broken(exported: Pyshell) -> None:
    exported.simulator.mkdir(str(exported.configfs / f"iscsi/{SERVER}/tpgt_1/lun/lun_4"))
    exported.simulator.mkdir(str(exported.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/lun_4"))
    shown = exported.line("ls").done().out
    assert "[BROKEN STORAGE LINK]" in shown
    assert "[BROKEN LUN LINK]" in shown
    exported.must("saveconfig", f"{TPG}/acls/{CLIENT} delete 4", f"{TPG}/luns delete 4")
    assert "BROKEN" not in exported.line("ls").done().out


def test_portals_are_found_by_any_spelling_of_their_address(target: Pyshell) -> None:
    target.open()
    assert listing.portal(FIRST, "0.0.0.0", 3260) is not None
    assert listing.portal(FIRST, "::0", 3260) is None
    assert listing.wildcard_portal(FIRST, "::0", 3260) == Portal(FIRST, "0.0.0.0", 3260)
    assert listing.wildcard_portal(FIRST, "192.0.2.1", 3260) is None
    assert listing.same_address("::", "[::0]")
    assert not listing.same_address("nonsense", "::")
