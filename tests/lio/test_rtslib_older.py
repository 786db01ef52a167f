# SPDX-License-Identifier: Apache-2.0
"""What older releases of rtslib lack. `python -m tests.versions` runs this with them."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rtslib_fb import target, tcm, utils

from driver import CLIENT, TPG, Pyshell
from pyshell.lio import rtslib_older
from pyshell.lio.rtslib import FABRIC_MODULES, simulate
from pyshell.lio.rtslib_older import _SharedBlock
from pyshell.simulator import SimulatedPort

LOCKED = "/dev/locked"


def refusal(text: str, *, reason: OSError | None) -> BaseException:
    error = utils.RTSLibError(text)
    error.__context__ = reason
    found: BaseException = error
    return found


def test_the_kernels_reason_is_added_where_rtslib_omits_it() -> None:
    reason = OSError(errno.EINVAL, "Invalid argument", "/x")
    text = "Could not create Target in configFS"
    found = rtslib_older.message(refusal(text, reason=reason))
    assert found == f"{text}: [Errno 22] Invalid argument: '/x'"
    for known in (found, "Device in use"):
        assert rtslib_older.message(refusal(known, reason=reason)) == known
    assert rtslib_older.message(refusal(text, reason=None)) == text


def test_a_mapped_lun_may_have_any_number(exported: Pyshell) -> None:
    exported.must(f"{TPG}/acls/{CLIENT} create mapped_lun=4095 tpg_lun_or_backstore=lun0")
    assert target.MappedLUN.MAX_LUN == 65535


def test_the_fabric_of_emulex_adapters_is_known() -> None:
    assert "efct" in FABRIC_MODULES
    module = rtslib_older.EfctFabricModule()
    wwn = "naa.10000000c9a1b2c3"
    assert module.to_fabric_wwn(wwn) == "10:00:00:00:c9:a1:b2:c3"
    assert module.from_fabric_wwn(module.to_fabric_wwn(wwn)) == wwn
    assert FABRIC_MODULES["efct"]().to_fabric_wwn(wwn) == module.to_fabric_wwn(wwn)


def test_a_fabric_has_the_ports_of_its_driver(pyshell: Pyshell) -> None:
    simulator = pyshell.open().simulator
    assert simulator is not None
    simulate(simulator)
    names = {
        "qla2xxx": "2100002400000001",
        "efct": "2100002400000002",
        "tcm_fc": "2100002400000003",
    }
    for name, digits in names.items():
        simulator.machine.add_port(SimulatedPort(name, digits))
    assert {name: [*FABRIC_MODULES[name]().wwns] for name in names} == {
        name: [f"naa.{digits}"] for name, digits in names.items()
    }
    assert [*rtslib_older.EfctFabricModule().wwns] == [f"naa.{names['efct']}"]


@pytest.mark.parametrize(
    ("path", "is_generic", "access"),
    [("/dev/sda", False, os.O_RDONLY), ("/dev/sg3", True, os.O_RDWR)],
)
def test_only_a_generic_device_is_opened_for_writing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, is_generic: bool, access: int
) -> None:
    opened: list[int] = []

    def opens(file: str, flags: int) -> int:
        opened.append(flags & os.O_ACCMODE)
        raise OSError(errno.EBUSY, "busy", file)

    (tmp_path / "sg3").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(rtslib_older, "_SG", str(tmp_path))
        patched.setattr("os.open", opens)
        assert rtslib_older.is_dev_in_use(path)
    assert opened == [access]


def test_a_device_that_can_be_opened_is_free(tmp_path: Path) -> None:
    (tmp_path / "free").touch()
    assert not rtslib_older.is_dev_in_use(tmp_path / "free")
    assert rtslib_older.is_dev_in_use(tmp_path / "none")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what a block storage object does, on no kernel."""
    found: list[Any] = []
    monkeypatch.setattr(tcm, "get_blockdev_type", lambda path: 0 if path == LOCKED else None)
    for name in ("_set_udev_path", "_control"):
        monkeypatch.setattr(_SharedBlock, name, lambda _, value: found.append(value))
    monkeypatch.setattr(_SharedBlock, "_enable", lambda _: found.append("enable"))
    monkeypatch.setattr(tcm.StorageObject, "_configure", lambda _, wwn: found.append(wwn))
    return found


@pytest.mark.parametrize("answer", ["0", "1", None])
def test_a_shared_device_is_not_opened_exclusively(
    monkeypatch: pytest.MonkeyPatch, done: list[Any], answer: str | None
) -> None:
    monkeypatch.setattr(_SharedBlock, "_parse_info", lambda _, name: answer)
    block = _SharedBlock.__new__(_SharedBlock)
    configured = [LOCKED, f"udev_path={LOCKED}", "readonly=1", "exclusive=0"]
    if answer == "0":
        block._configure(LOCKED, "serial", True)
        assert done == [*configured, "enable", "serial"]
    else:
        with pytest.raises(utils.RTSLibError, match="exclusive=false not supported"):
            block._configure(LOCKED, "serial", True)
        assert done == configured


def test_a_shared_device_must_be_a_disk(done: list[Any]) -> None:
    with pytest.raises(utils.RTSLibError, match="/dev/tape is not a TYPE_DISK block device"):
        _SharedBlock.__new__(_SharedBlock)._configure("/dev/tape", None, False)
    assert done == []


def test_a_block_storage_object_is_saved_alike(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/block create disk /dev/sdb")
    found = json.loads(pyshell("-o", "json", "/backstores/block/disk", "status").done().out)
    assert found
    pyshell.must("saveconfig")
    (saved,) = pyshell.document()["storage_objects"]
    assert saved.get("exclusive") == (True if rtslib_older.KNOWS_EXCLUSIVE else None)
