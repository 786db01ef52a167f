# SPDX-License-Identifier: Apache-2.0
"""rtslib, unchanged, on the simulated kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rtslib_fb
from rtslib_fb import fabric, node, tcm, utils
from rtslib_fb import root as root_module

from pyshell.lio.rtslib import end_simulation, simulate
from pyshell.lio.rtslib_files import QuickPath
from pyshell.lio.rtslib_older import WITHOUT_PATHLIB
from pyshell.simulator import open_simulator
from simulator.acts import CLIENT, IQN, VOLUME, Acts

# rtslib 2.1 leaves the file of its lock open.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@pytest.fixture
def root(kernel: Acts) -> Iterator[Any]:
    """Return rtslib's root on a fresh simulated kernel."""
    simulate(kernel.simulator)
    yield opened(kernel)
    end_simulation()


def opened(kernel: Acts) -> Any:
    """Return rtslib's root; the folder that it needs has another name in Debian."""
    folder = kernel.simulator.machine.file(rtslib_fb.RTSRoot._preferred_dbroot)
    folder.mkdir(parents=True, exist_ok=True)
    return rtslib_fb.RTSRoot()


def scenario() -> None:
    """Do what the owner's walk-through does, and some more."""
    disk = rtslib_fb.BlockStorageObject("lee_block", dev=VOLUME)
    tpg = rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), IQN), 1)
    rtslib_fb.NetworkPortal(tpg, "0.0.0.0", 3260)
    tpg.set_attribute("authentication", "0")
    tpg.enable = True
    acl = rtslib_fb.NodeACL(tpg, CLIENT)
    acl.chap_userid = "user"
    rtslib_fb.MappedLUN(acl, 0, rtslib_fb.LUN(tpg, 0, disk))
    rtslib_fb.RDMCPStorageObject("memory", 1 << 20)
    rtslib_fb.FileIOStorageObject("image", "/tmp/image", 1 << 20, write_back=True)
    rtslib_fb.PSCSIStorageObject("passed", "/dev/sdc")
    loop = rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("loopback")), 1)
    rtslib_fb.LUN(loop, 0, rtslib_fb.RDMCPStorageObject("more", 1 << 20))


def settled(dump: dict[str, Any]) -> Any:
    """Put a dump's lists in order, as folders have none."""
    return json.loads(json.dumps(dump), object_hook=_ordered)


def _ordered(value: dict[str, Any]) -> dict[str, Any]:
    lists = {name: list_ for name, list_ in value.items() if isinstance(list_, list)}
    return value | {
        n: sorted(one, key=lambda o: json.dumps(o, sort_keys=True)) for n, one in lists.items()
    }


def test_the_scenario(root: Any) -> None:
    scenario()
    disk = rtslib_fb.BlockStorageObject("lee_block")
    assert (disk.status, disk.size, disk.udev_path) == ("activated", 21474836480, VOLUME)
    assert [lun.mapped_lun for lun in root.mapped_luns] == [0]
    assert [portal.ip_address for portal in root.network_portals] == ["0.0.0.0"]


def test_everything_is_restored(root: Any) -> None:
    scenario()
    before = root.dump()
    root.clear_existing(confirm=True)
    assert ([*root.storage_objects], [*root.targets]) == ([], [])
    assert root.restore(settled(before)) == []
    assert settled(root.dump()) == settled(before)


def test_the_configuration_is_saved_in_the_simulators_folder(root: Any, kernel: Acts) -> None:
    scenario()
    root.save_to_file()
    saved = Path(root_module.default_save_file)
    assert saved.is_relative_to(kernel.simulator.folder)
    assert settled(json.loads(saved.read_text())) == settled(root.dump())
    assert saved.stat().st_mode & 0o777 == 0o600


def test_deleting_a_storage_object_deletes_its_luns(root: Any) -> None:
    scenario()
    rtslib_fb.BlockStorageObject("lee_block").delete()
    assert [lun.parent_tpg.parent_target.fabric_module.name for lun in root.luns] == ["loopback"]


def test_the_hosts_real_files_are_out_of_reach(root: Any, kernel: Acts) -> None:
    path_type = getattr(utils, "Path", QuickPath)
    assert path_type("/etc/passwd") == kernel.simulator.folder / "files/etc/passwd"
    assert path_type("/etc/target/x").parent == kernel.simulator.config_dir
    assert (path_type("/etc") / "passwd").exists() is False
    with pytest.raises(FileNotFoundError):
        utils.fread("/etc/passwd")
    if WITHOUT_PATHLIB:
        assert not tcm.os.path.exists("/etc/passwd")
        assert [*tcm.glob.iglob("/etc/pass*")] == [*fabric.glob("/etc/pass*")] == []
        with pytest.raises(FileNotFoundError):
            root_module.os.listdir("/etc/apt")


def test_a_missing_device(root: Any, kernel: Acts) -> None:
    disk = rtslib_fb.BlockStorageObject("lee_block", dev=VOLUME)
    kernel.simulator.machine.remove(VOLUME)
    with pytest.raises(utils.pyudev.DeviceNotFoundError):
        _ = disk.size
    with pytest.raises(rtslib_fb.RTSLibError):
        rtslib_fb.BlockStorageObject("other", dev=VOLUME)


def test_a_device_in_use_is_refused(root: Any) -> None:
    with pytest.raises(rtslib_fb.RTSLibError, match="in use"):
        rtslib_fb.BlockStorageObject("system", dev="/dev/sda1")


def test_a_fabric_that_the_kernel_lacks(root: Any) -> None:
    with pytest.raises(rtslib_fb.RTSLibError, match="no module"):
        rtslib_fb.Target(rtslib_fb.FabricModule("vhost"), "naa.5001405000000001")


def test_a_folder_behind_a_link(kernel: Acts, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(kernel.simulator.folder)
    simulate(open_simulator(tmp_path / "link"))
    root = opened(kernel)
    scenario()
    assert [mapped.tpg_lun.lun for mapped in root.mapped_luns] == [0]


def test_afterwards_rtslib_is_as_it_was(kernel: Acts) -> None:
    def parts() -> list[object]:
        paths = [getattr(module, "Path", None) for module in (tcm, fabric)]
        return [node.CFSNode.configfs_dir, *paths, tcm.is_dev_in_use, utils.modprobe, tcm.fread]

    before = parts()
    simulate(kernel.simulator)
    simulate(kernel.simulator)
    assert parts() != before
    end_simulation()
    end_simulation()
    assert parts() == before
