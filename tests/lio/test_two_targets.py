# SPDX-License-Identifier: Apache-2.0
"""Two targets are open in one process: each is read and changed by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver import SERVER
from pyshell.config.running import read_running
from pyshell.lio import Lio, attach, listing, settings
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import Lun, StorageObject, Target, Tpg
from pyshell.lio.operations.base import Operation, carry_out
from pyshell.lio.operations.mapping import CreateLun
from pyshell.lio.operations.setters import Set, SetEnabled
from pyshell.lio.operations.storage import CreateStorageObject, remove_storage_object
from pyshell.lio.operations.targets import CreateTarget, CreateTpg

OTHER = "iqn.2020-07.com.example:other"


@pytest.fixture
def two(tmp_path: Path) -> tuple[Lio, Lio]:
    """Return two open simulated targets, with one ramdisk each."""
    one, other = attach(tmp_path / "one"), attach(tmp_path / "other")
    carry_out(one, exported(one, "first", SERVER))
    carry_out(other, exported(other, "second", OTHER))
    return one, other


def exported(lio: Lio, name: str, wwn: str) -> list[Operation]:
    """Return operations that export a new ramdisk."""
    disk = StorageObject("ramdisk", name, 0, lio.root)
    tpg = Tpg(Target("iscsi", wwn, lio.root), 1)
    return [
        CreateStorageObject(disk, {"size": 1 << 20}),
        CreateTarget(tpg.target),
        CreateTpg(tpg),
        CreateLun(Lun(tpg, 0), disk),
        SetEnabled(tpg, True),
    ]


def names(lio: Lio) -> tuple[list[str], list[str]]:
    """Return the names of the storage objects and iSCSI targets."""
    found = listing.targets(fabric("iscsi", lio.root))
    return [place.name for place in listing.storage_objects(lio)], [one.wwn for one in found]


def test_both_are_listed(two: tuple[Lio, Lio]) -> None:
    one, other = two
    assert names(one) == (["first"], [SERVER])
    assert names(other) == (["second"], [OTHER])
    for lio in (one, other, one):
        (disk,) = listing.storage_objects(lio)
        assert disk.folder.startswith(f"{lio.root}/")
        (lun,) = listing.luns_of(lio, disk)
        assert listing.storage_object_of(lun) == disk


def test_both_are_read_as_documents(two: tuple[Lio, Lio]) -> None:
    found = [read_running(lio) for lio in two]
    assert [entry["name"] for one in found for entry in one["storage_objects"]] == [
        "first",
        "second",
    ]
    assert [entry["wwn"] for one in found for entry in one["targets"]] == [SERVER, OTHER]


def test_identifiers_of_the_same_name_differ(two: tuple[Lio, Lio]) -> None:
    one, other = (Target("iscsi", SERVER, lio.root) for lio in two)
    assert one != other
    assert str(one) == str(other)
    assert listing.existing(one)
    assert not listing.existing(other)


def test_each_is_changed_by_itself(two: tuple[Lio, Lio]) -> None:
    one, other = two
    for lio in (one, other, one):
        (disk,) = listing.storage_objects(lio)
        before = settings.read(lio.kernel, disk.folder, "attrib/emulate_caw")
        carry_out(lio, [Set(disk, "attrib/emulate_caw", str(1 - int(before)))])
    (disk,) = listing.storage_objects(one)
    outcome = carry_out(one, remove_storage_object(one, disk))
    assert names(one) == ([], [SERVER])
    assert names(other) == (["second"], [OTHER])
    carry_out(one, outcome.undo)
    assert names(one) == (["first"], [SERVER])
