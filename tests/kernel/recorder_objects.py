# SPDX-License-Identifier: Apache-2.0
"""Makes the objects that the recorder looks at, and takes them away again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import softports
from .conformance_acts import mkdir, rmdir, symlink, unlink, write
from .recorder_recording import IQN, NAA, do

VOLUME = "/dev/mapper/lee-lee.lv"
IMAGE = "/run/recorder.img"
# A handler and what it is to open; none is running, so the kernel waits for nobody's answer.
HANDLED = "handler/recorder"


def scsi_disk() -> Path:
    """Return the folder of a SCSI disk below /sys/class/scsi_device."""
    return sorted(Path("/sys/class/scsi_device").iterdir())[0]


def control_of(plugin: str) -> str:
    """Return what makes a storage object of `plugin` usable."""
    if plugin == "pscsi":
        names = ("scsi_host_id", "scsi_channel_id", "scsi_target_id", "scsi_lun_id")
        numbers = scsi_disk().name.split(":")
        return ",".join(f"{n}={value}" for n, value in zip(names, numbers, strict=True))
    return {
        "iblock": f"udev_path={VOLUME}",
        "fileio": f"fd_dev_name={IMAGE},fd_dev_size=1048576",
        "rd_mcp": "rd_pages=256",
        "user": f"dev_config={HANDLED},dev_size=1048576",
    }[plugin]


def make_device(plugin: str, host: int, name: str = "disk") -> str:
    """Make an HBA with one storage object that is not enabled."""
    hba = f"core/{plugin}_{host}"
    do(mkdir(hba), mkdir(f"{hba}/{name}"))
    return f"{hba}/{name}"


def enable(device: str) -> None:
    """Enable a storage object."""
    plugin = device.split("/")[1].rpartition("_")[0]
    do(write(f"{device}/control", control_of(plugin)))
    if plugin == "pscsi":
        disk = next((scsi_disk() / "device" / "block").iterdir())
        do(write(f"{device}/udev_path", f"/dev/{disk.name}"))
    do(write(f"{device}/enable", "1"))


def remove_device(device: str) -> None:
    """Remove a storage object and its HBA."""
    do(rmdir(device), rmdir(device.rpartition("/")[0]))


def exported(device: str, lun: str) -> None:
    """Make a LUN of the storage object."""
    do(mkdir(lun), symlink(device, f"{lun}/link"))


def withdrawn(lun: str) -> None:
    """Remove such a LUN."""
    do(unlink(f"{lun}/link"), rmdir(lun))


def has_nexus(fabric: str) -> bool:
    """Tell whether a fabric's TPG stands for one initiator, and has no ACLs that matter."""
    return fabric in ("loopback", "vhost")


def instances(fabric: str) -> Iterator[dict[str, Any]]:
    """Yield the names and numbers of two instances of what a fabric has."""
    wwns, initiators = _names(fabric)
    # No node ACL may have the name of a nexus: this kernel waits for ever when it is removed.
    nexuses = [f"{NAA}{d}" for d in "ef"]
    for step in range(2):
        yield {
            "target": wwns[step],
            "initiator": initiators[step],
            "nexus": nexuses[step],
            "tag": 1 if fabric == "fc" else 27 + step,  # one TPG to a port there
            "lun": 33 + step,
            "mapped": 35 + step,
            "host": 9 + step,
            "serial": f"serial-{step}",
        }


def _names(fabric: str) -> tuple[list[str], list[str]]:
    """Return the names of two targets and of two initiators."""
    if fabric == "iscsi":
        targets = [f"{IQN}:{name}" for name in ("alpha", "bravo")]
        return targets, [f"{IQN}:{name}" for name in ("india", "juliet")]
    bare = [f"{NAA}{digit}".removeprefix("naa.") for digit in "abcd"]
    if fabric == "srpt":
        return [f"0x{gid}" for gid in softports.gids()], [f"0x{'0' * 16}{n}" for n in bare[2:]]
    if fabric == "fc":
        bare = [":".join(re.findall("..", name)) for name in bare]
    names = bare if fabric in ("fc", "sbp") else [f"naa.{name}" for name in bare]
    return names[:2], names[2:]
