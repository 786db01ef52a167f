# SPDX-License-Identifier: Apache-2.0
"""The changes between two configurations are applied to a third one."""

from __future__ import annotations

from pyshell.config.model import Item, Items
from pyshell.config.three_way import merged
from pyshell.lio.identifiers import Lun, StorageObject, Target, Tpg

TPG = Tpg(Target("iscsi", "iqn.2020-07.com.example:a", "/root"), 1)
DISK = StorageObject("ramdisk", "disk", 0, "/root")


def made(*items: Item) -> Items:
    return {item.path: item for item in items}


def tpg(**settings: str) -> Item:
    return Item(TPG, settings=settings)


def lun(index: int = 0) -> Item:
    return Item(Lun(TPG, index), {"storage_object": DISK.path}, links=(DISK.path,))


TARGET = Item(TPG.target)


def test_settings_that_only_one_side_changed_are_merged() -> None:
    base = made(TARGET, tpg(one="1", two="2", three="3"))
    ours = made(TARGET, tpg(one="10", two="2", three="3"))
    theirs = made(TARGET, tpg(one="1", two="20", three="3"))
    assert merged(base, ours, theirs)[tpg().path].settings == {
        "one": "10",
        "two": "20",
        "three": "3",
    }


def test_the_candidate_counts_if_both_changed_a_setting() -> None:
    base, ours, theirs = (made(TARGET, tpg(one=value)) for value in ("1", "2", "3"))
    assert merged(base, ours, theirs) == ours


def test_a_setting_that_is_omitted_now_is_omitted() -> None:
    base, ours = made(TARGET, tpg(one="1", two="2")), made(TARGET, tpg(two="2"))
    assert merged(base, ours, base)[tpg().path].settings == {"two": "2"}


def test_objects_of_both_sides_are_kept() -> None:
    base = made(TARGET, tpg(), Item(DISK))
    ours, theirs = base | made(lun(0)), base | made(lun(1))
    assert merged(base, ours, theirs).keys() == (ours | theirs).keys()


def test_what_others_deleted_stays_deleted_unless_it_was_changed() -> None:
    base = made(TARGET, tpg(one="1"))
    theirs = made(TARGET)
    assert merged(base, base, theirs) == theirs
    ours = made(TARGET, tpg(one="2"))
    assert merged(base, ours, theirs) == ours


def test_owners_of_changed_objects_are_restored() -> None:
    base = made(TARGET, tpg(), Item(DISK))
    ours = base | made(lun())
    assert merged(base, ours, {}) == ours


def test_what_belongs_to_a_deleted_object_is_deleted() -> None:
    base = made(TARGET, tpg(), Item(DISK))
    theirs = base | made(lun())
    assert merged(base, made(TARGET, tpg()), theirs) == made(TARGET, tpg())
    assert merged(base, made(Item(DISK)), theirs) == made(Item(DISK))
