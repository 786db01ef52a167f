# SPDX-License-Identifier: Apache-2.0
"""What pyshell knows of rtslib without importing it is what the installed rtslib has."""

from __future__ import annotations

import os

import pytest
from rtslib_fb import fabric as rtslib_fabric
from rtslib_fb import tcm

from pyshell.lio import Lio, fabrics, installed, rtslib, rtslib_objects, rtslib_older, storage_info
from pyshell.lio.rtslib import FABRIC_MODULES, working_on
from pyshell.simulator import SimulatedPort

_NAMES = {"ib": "ib.fe80000000000000", "eui": "eui.0011223344556677", "free": "30000002"}
# rtslib lists it from version 2.1.76 on.
_NEWER = {"cpus_allowed_list"}


def test_it_has_the_same_fabrics() -> None:
    assert fabrics.known() == sorted(FABRIC_MODULES)


@pytest.mark.parametrize("name", fabrics.known())
def test_a_fabric_is_described_as_by_rtslib(lio: Lio, name: str) -> None:
    described, module = fabrics.fabric(name, lio.root), rtslib.fabric_module(name, lio.root)
    assert set(described.features) - _NEWER == set(module.features) - _NEWER
    assert described.wwn_kinds == tuple(module.wwn_types)
    assert described.folder == module.path
    if name != "usb_gadget":  # rtslib loads the module before today's
        assert described.kernel_module == module.kernel_module
    wwn = _NAMES.get(described.wwn_kinds[0], "naa.5001405000000001")
    assert described.to_folder(wwn) == module.to_fabric_wwn(wwn)
    assert described.from_folder(described.to_folder(wwn)) == wwn


def test_it_takes_the_same_names_for_no_targets() -> None:
    assert set(rtslib_fabric.target_names_excludes) == fabrics.NOT_TARGETS


@pytest.mark.parametrize(
    "port",
    [
        SimulatedPort("qla2xxx", "21:00:00:24:ff:12:34:56"),
        SimulatedPort("efct", "21:00:00:24:ff:12:34:57"),
        SimulatedPort("tcm_fc", "21:00:00:24:ff:12:34:58"),
        SimulatedPort("srpt", f"0x{'fe80' * 8}"),
        SimulatedPort("sbp", "0011223344556677"),
        SimulatedPort("ibmvscsis", "30000002"),
    ],
    ids=lambda port: str(port.fabric),
)
def test_it_finds_the_same_ports(lio: Lio, port: SimulatedPort) -> None:
    of = fabrics.fabric(port.fabric, lio.root)
    assert of.hardware_wwns(lio) == []
    assert lio.simulator is not None
    lio.simulator.machine.add_port(port)
    with working_on(lio):
        assert of.hardware_wwns(lio) == sorted(of.module.wwns) != []


def test_a_port_without_a_name_is_skipped(lio: Lio) -> None:
    assert lio.simulator is not None
    for digit in "67":
        port = SimulatedPort("qla2xxx", f"21:00:00:24:ff:12:34:5{digit}")
        lio.simulator.machine.add_port(port)
    os.unlink(lio.simulator.machine.file("/sys/class/fc_host/host0/port_name"))
    found = fabrics.fabric("qla2xxx", lio.root).hardware_wwns(lio)
    assert found == ["naa.21000024ff123457"]


def test_it_knows_whose_alua_support_rtslib_reads() -> None:
    read = {
        plugin
        for plugin, kind in rtslib_objects._STORAGE_CLASSES.items()
        if kind._get_alua_supported is not tcm.StorageObject._get_alua_supported
    }
    assert read == storage_info._ALUA_BY_KERNEL


def test_it_knows_whether_rtslib_has_exclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed.knows_exclusive() == rtslib_older.KNOWS_EXCLUSIVE
    monkeypatch.setattr(installed, "find_spec", lambda _: None)
    assert installed.knows_exclusive.__wrapped__() == rtslib_older.KNOWS_EXCLUSIVE
