# SPDX-License-Identifier: Apache-2.0
"""Acts on a simulated kernel by short paths, and objects made ready for a test."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pyshell.simulator import SimulatedPort, Simulator, open_simulator

IQN = "iqn.2020-07.org.example:server"
CLIENT = "iqn.2020-07.org.example:client"
NAA = "naa.5001405000000001"
TPG = f"iscsi/{IQN}/tpgt_1"
ACL = f"{TPG}/acls/{CLIENT}"
LUN = f"{TPG}/lun/lun_0"
VOLUME = "/dev/mapper/lee-lee.lv"


class Acts:
    """A simulated kernel whose paths are relative to its target tree."""

    def __init__(self, folder: Path) -> None:
        self.simulator: Simulator = open_simulator(folder)

    def path(self, rel: str) -> str:
        """Return the absolute path of `rel`."""
        return f"{self.simulator.configfs}/{rel}"

    def mkdir(self, *rels: str) -> None:
        for rel in rels:
            self.simulator.mkdir(self.path(rel))

    def rmdir(self, *rels: str) -> None:
        for rel in rels:
            self.simulator.rmdir(self.path(rel))

    def write(self, rel: str, text: str) -> None:
        self.simulator.write(self.path(rel), text)

    def read(self, rel: str) -> str:
        return self.simulator.read(self.path(rel))

    def link(self, source: str, rel: str) -> None:
        self.simulator.symlink(self.path(source), self.path(rel))

    def unlink(self, rel: str) -> None:
        self.simulator.unlink(self.path(rel))

    def names(self, rel: str) -> list[str]:
        """List a folder, with nothing but the operating system."""
        return sorted(os.listdir(self.path(rel)))

    def plain(self, rel: str) -> str:
        """Read a file with nothing but the operating system."""
        return Path(self.path(rel)).read_text(encoding="utf-8")

    def edit_machine(self, **parts: object) -> None:
        """Edit the table of hardware by hand."""
        self.simulator.machine.edit(**parts)

    # Objects

    def device(self, plugin: str = "rd_mcp", number: int = 0) -> str:
        """Make a storage object that is not enabled."""
        hba = f"core/{plugin}_{number}"
        self.mkdir(hba, f"{hba}/disk")
        return f"{hba}/disk"

    def enabled(self, plugin: str = "rd_mcp", number: int = 0) -> str:
        """Make a storage object that can be exported."""
        device = self.device(plugin, number)
        self.write(f"{device}/control", CONTROLS[plugin])
        if plugin == "pscsi":
            self.write(f"{device}/udev_path", "/dev/sdc")
        self.write(f"{device}/enable", "1\n")
        return device

    def tpg(self, fabric: str = "iscsi") -> str:
        """Make a target with one TPG."""
        if fabric in PORTS:
            self.simulator.machine.add_port(SimulatedPort(*PORTS[fabric]))
        target = f"{fabric}/{TARGETS.get(fabric, NAA)}"
        self.mkdir(fabric, target, f"{target}/tpgt_1")
        return f"{target}/tpgt_1"

    def exported(self, plugin: str = "rd_mcp") -> str:
        """Make a storage object and its LUN 0, whose path is `LUN`."""
        device = self.enabled(plugin)
        self.tpg()
        self.mkdir(LUN)
        self.link(device, f"{LUN}/link")
        return device

    def mapped(self) -> str:
        """Make a mapped LUN 0 of an exported storage object."""
        self.exported()
        self.mkdir(ACL, f"{ACL}/lun_0")
        self.link(LUN, f"{ACL}/lun_0/link")
        return f"{ACL}/lun_0"


# The names that targets have in configfs, where it is no NAA.
TARGETS = {
    "iscsi": IQN,
    "sbp": "0011223344556677",
    "fc": "20:00:00:11:22:33:44:55",
    "qla2xxx": "21:00:00:24:ff:12:34:56",
    "efct": "10:00:00:90:fa:12:34:56",
    "srpt": "0xfe800000000000000002c903000e8acd",
    "ibmvscsis": "30000002",
}
# The ports that they are named after: fabric and name.
PORTS = {
    **{f: (f, TARGETS[f]) for f in ("sbp", "qla2xxx", "efct", "srpt", "ibmvscsis")},
    "fc": ("tcm_fc", TARGETS["fc"]),
    "usb_gadget": ("usb_gadget", "dummy_udc.0"),
}

CONTROLS = {
    "iblock": f"udev_path={VOLUME}",
    "fileio": "fd_dev_name=/tmp/image,fd_dev_size=1048576",
    "rd_mcp": "rd_pages=256",
    "user": "dev_config=handler/recorder,dev_size=1048576",
    "pscsi": "scsi_host_id=0,scsi_channel_id=0,scsi_target_id=2,scsi_lun_id=0",
}


def outcome(act: object, *arguments: str) -> str:
    """Perform an act and return "ok" or the name of its errno."""
    try:
        act(*arguments)  # type: ignore[operator]
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"
