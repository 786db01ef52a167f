# SPDX-License-Identifier: Apache-2.0
"""Fabrics beside iSCSI: what the kernel can bring up by software alone, from start to end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshell.simulator import open_simulator
from pyshell.simulator.tree_files import TreeFiles

from .. import lio, softports
from ..commands import run, wait_for
from ..conformance import Entry, counters, differences, ports, tree
from ..conformance_acts import CONFIGFS, RealKernel, SimulatedKernel
from .shell import batch, pyshell

NAA = "naa.5001405000000001"
DISK = "/backstores/ramdisk/disk"


@pytest.fixture
def adapters(clean_lio: None) -> Iterator[None]:
    """Give the machine ports of InfiniBand and Fibre Channel."""
    with softports.made():
        try:
            yield
        finally:
            lio.clear()


def targets() -> dict[str, tuple[str, str, str]]:
    """Return each fabric with the path of its TPG, its target and an initiator, "" without ACLs."""
    port, gid = f"naa.{softports.fc_names()[0]}", f"ib.{softports.gids()[0]}"
    return {
        "loopback": (f"/loopback/{NAA}", NAA, ""),
        "vhost": (f"/vhost/{NAA}/tpg1", NAA, "50:01:40:50:00:00:00:02"),
        "sbp": ("/sbp/eui.00112233445566aa", "00:11:22:33:44:55:66:AA", ""),
        "tcm_fc": (f"/tcm_fc/{port}", "", "0x200000AABBCCDD01"),
        "srpt": (f"/srpt/{gid}", "", f"0x{'AB' * 16}"),
    }


def lines() -> Iterator[str]:
    """Yield what makes a target of each fabric with a LUN and, where there are ACLs, a mapping."""
    yield "/backstores/ramdisk create disk 1M wwn=aa1b8f3e-0000-4000-8000-000000000001"
    for fabric, (tpg, typed, initiator) in targets().items():
        yield f"/{fabric} create {typed}"
        yield f"{tpg}/luns create {DISK}"
        if initiator:
            yield f"{tpg}/acls create {initiator}"
        if fabric == "sbp":
            yield f"{tpg} enable"


def named_alike(found: dict[str, Entry]) -> dict[str, Entry]:
    """Give all links one name: theirs follow from where the kernel's configfs is mounted."""
    return {
        f"{os.path.dirname(path)}/link" if entry[0] == "link" else path: entry
        for path, entry in found.items()
    }


def settled() -> dict[str, Entry]:
    """Return the kernel's tree without what counts on, and what is in the order of its making.

    Nor the nexus, which is drawn anew each time.
    """
    unsteady = ("/statistics", "/nexus", "/hba_info", "/members")
    found = tree(RealKernel())
    return {p: e for p, e in found.items() if not any(word in p for word in unsteady)}


def test_every_fabric_does_as_it_does_on_the_simulator_and_comes_back(
    adapters: None, tmp_path: Path
) -> None:
    simulator = open_simulator(tmp_path / "simulator")
    fabrics = ["loopback", "vhost", "sbp"]
    simulator.machine.edit(cpus=os.cpu_count(), fabrics=fabrics, ports=ports())
    run("modprobe", "vhost_scsi")
    os.mkdir(CONFIGFS / "iscsi")
    TreeFiles(simulator.folder).remember("counters", counters())
    (CONFIGFS / "iscsi").rmdir()
    # FireWire is offered where it is in use, as this machine has no unit of it.
    os.mkdir(CONFIGFS / "sbp")
    simulator.mkdir(f"{simulator.configfs}/sbp")
    said = batch(*lines()).splitlines()
    text = "\n".join(lines()) + "\n"
    simulated = pyshell(f"--simulate={simulator.folder}", stdin=text).stdout.splitlines()
    assert simulated[:-1] == said[:-1]  # at last it is told where that was saved
    kernels = RealKernel(), SimulatedKernel(simulator)
    found = differences(*(named_alike(tree(kernel)) for kernel in kernels))
    assert [line for line in found if "/nexus: " not in line] == []

    before = settled()
    config = tmp_path / "target"
    batch("saveconfig", "clearconfig confirm=true", "restoreconfig", config=config)
    assert settled() == before

    for fabric in ("loopback", "vhost"):  # the kernel would wait for ever for such an ACL
        tpg = CONFIGFS / fabric / NAA / "tpgt_1"
        os.mkdir(tpg / "acls" / (tpg / "nexus").read_text().strip())
    batch(*(f"/{fabric} delete {tpg.split('/')[2]}" for fabric, (tpg, _, _) in targets().items()))
    assert not list(CONFIGFS.glob("*/*/tpgt_*"))


def test_a_file_system_on_a_loopback_disk_outlives_its_target(
    clean_lio: None, tmp_path: Path
) -> None:
    run("modprobe", "-a", "sd_mod", "ext4")
    tmp_path.chmod(0o700)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    again = (f"/loopback create {NAA}", f"/loopback/{NAA}/luns create /backstores/fileio/disk")
    image = tmp_path / "disk.img"
    batch(f"/backstores/fileio create disk {image} 32M write_back=false", *again)
    run("mkfs.ext4", "-q", str(loopback_disk()))
    run("mount", str(loopback_disk()), str(mounted))
    (mounted / "kept").write_text("as it was\n")
    run("umount", str(mounted))
    batch(f"/loopback delete {NAA}", *again)
    run("mount", str(loopback_disk()), str(mounted))
    try:
        assert (mounted / "kept").read_text() == "as it was\n"
    finally:
        run("umount", str(mounted))


def loopback_disk() -> Path:
    """Return the disk that a loopback target has made of its LUN."""

    def found() -> Path | None:
        for block in Path("/sys/bus/tcm_loop_bus/devices").glob("*/host*/target*/*:*/block/*"):
            return Path("/dev") / block.name
        return None

    return wait_for("the disk of the loopback target", found)


def test_looking_loads_no_module(clean_lio: None) -> None:
    run("modprobe", "-r", "vhost_scsi")
    shown = pyshell("ls").stdout
    assert "o- vhost " in shown
    assert "vhost_scsi" not in Path("/proc/modules").read_text()
    # A PC has none of their hardware.
    for fabric in ("qla2xxx", "efct", "ibmvscsis", "usb_gadget", "sbp", "srpt", "tcm_fc"):
        assert f"o- {fabric} " not in shown


def test_xen_is_told_where_there_is_none(clean_lio: None) -> None:
    refused = pyshell("/xen-pvscsi", "create", status=None)
    assert refused.returncode != 0
    assert "It works only in a Xen domain." in refused.stderr
