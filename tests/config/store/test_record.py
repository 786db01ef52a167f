# SPDX-License-Identifier: Apache-2.0
"""Operations as data, and back."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import sys
from typing import Any

import pytest

from driver import CLIENT, SERVER, Pyshell
from identified import ROOT, root_all
from pyshell.config.store.undo import from_data, to_data
from pyshell.lio import Lio, identifiers, operations
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import (
    AluaGroup,
    Lun,
    MappedLun,
    NodeAcl,
    Portal,
    StorageObject,
    Target,
    Tpg,
)
from pyshell.lio.listing import HbaNumbers
from pyshell.lio.operations import base, mapping, reservations, setters, storage, targets
from pyshell.lio.operations.base import Operation

DISK = StorageObject("block", "disk", 3, ROOT)
TARGET = Target("iscsi", SERVER, ROOT)
GROUP = Tpg(TARGET, 1)
ACL = NodeAcl(GROUP, CLIENT)
LUN = Lun(GROUP, 0)
OPERATIONS: list[Operation] = [
    storage.CreateStorageObject(DISK, {"dev": "/dev/sdb", "readonly": False, "wwn": None}),
    storage.DeleteStorageObject(DISK),
    storage.CreateAluaGroup(AluaGroup(DISK, "fast"), 7),
    targets.CreateTarget(TARGET),
    targets.DeletePortal(Portal(GROUP, "2001:db8::1", 3260)),
    targets.SetNexus(GROUP, "naa.5001405000000001"),
    setters.Set(identifiers.FabricPlace(fabric("iscsi", ROOT)), "discovery_auth/userid", "lee"),
    setters.SetEnabled(GROUP, False),
    base.Several([mapping.UnmapLun(MappedLun(ACL, 0)), mapping.DeleteLun(LUN)]),
    mapping.CreateLun(LUN, DISK, "0123456789"),
    mapping.MapLun(MappedLun(ACL, 0), LUN, True),
    mapping.SetLunAluaGroup(LUN, "fast"),
    setters.SetWriteCache(DISK, "attrib/emulate_write_cache", "0"),
    storage.SetImageSize(DISK, 1 << 20),
    setters.SetSerial(DISK, "8d2b4f5e"),
    base.Irreversible("it is gone", "Restore it from a backup."),
    reservations.StoreRegistrations(DISK, [], "the kernel's file"),
]


@pytest.fixture(autouse=True)
def _identifiers_of_the_target(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    root_all(monkeypatch, sys.modules[__name__], str(pyshell.configfs))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: type(o).__name__)
def test_an_operation_comes_back_from_its_data(operation: Operation, pyshell: Pyshell) -> None:
    numbers = HbaNumbers(pyshell.open())
    found = from_data(json.loads(json.dumps(to_data(operation))), numbers)
    assert type(found) is type(operation)
    assert to_data(found) == to_data(operation)
    assert found.step() == operation.step()


def test_storage_objects_get_the_hba_numbers_of_now(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create zero 1M", "/backstores/ramdisk create one 1M")
    numbers = HbaNumbers(pyshell.open())
    recorded = [
        StorageObject("ramdisk", "one", 7, ROOT),  # runs as number 1
        StorageObject("ramdisk", "gone", 5, ROOT),
        StorageObject("fileio", "one", 1, ROOT),
        StorageObject("ramdisk", "other", 1, ROOT),
        StorageObject("ramdisk", "one", 0, ROOT),
    ]
    operations: list[Operation] = [
        storage.DeleteStorageObject(recorded[0]),
        base.Several([storage.DeleteStorageObject(recorded[1])]),
        storage.CreateAluaGroup(AluaGroup(recorded[2], "fast"), 7),
        mapping.CreateLun(LUN, recorded[3], None),
        storage.DeleteStorageObject(recorded[4]),
    ]
    found = json.dumps([to_data(from_data(to_data(one), numbers)) for one in operations])
    assert [int(number) for number in re.findall(r'"hba": (\d+)', found)] == [1, 5, 2, 3, 1]


def test_what_it_says_is_left_out() -> None:
    told = dataclasses.replace(storage.DeleteStorageObject(DISK), said=["Deleted."])
    assert "Deleted." not in json.dumps(to_data(told))


def test_no_kind_of_operation_is_unknown_to_undo(lio: Lio) -> None:
    for module in pkgutil.iter_modules(operations.__path__, f"{operations.__name__}."):
        importlib.import_module(module.name)
    kinds = _all_of(Operation)
    assert {setters.Set, setters.SetWriteCache} <= kinds
    for kind in kinds:
        if kind.__module__.startswith(operations.__name__) and not inspect.isabstract(kind):
            with pytest.raises(ValueError, match="argument"):  # known, and given none
                from_data({"kind": kind.__name__}, HbaNumbers(lio))


def _all_of(kind: type[Any]) -> set[type[Any]]:
    below = set(kind.__subclasses__())
    return below.union(*(_all_of(one) for one in below))


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"kind": "Nothing"}, {"kind": "Target"}, {"kind": "SetEnabled"},
             {"kind": "Target", "fabric_name": "iscsi", "wwn": "x"}],
)  # fmt: skip
def test_what_is_no_operation_is_refused(lio: Lio, data: Any) -> None:
    with pytest.raises(ValueError, match="no operation"):
        from_data(data, HbaNumbers(lio))
