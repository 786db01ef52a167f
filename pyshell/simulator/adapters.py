# SPDX-License-Identifier: Apache-2.0
"""The simulated host's target ports: adapters whose targets are named after their hardware.

rtslib finds them in sysfs, so they are laid out as the kernel lays them out: below
`sysfs/KEY` in the simulator's folder, where KEY is a hash of the ports. A changed table has
another key: a folder never changes once it is complete, and no process sees half of one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Where sysfs shows an adapter's driver, or for FCoE its bus.
_FC_OWNER = {
    "qla2xxx": ("driver", "bus/pci/drivers/qla2xxx"),
    "efct": ("driver", "bus/pci/drivers/efct"),
    "tcm_fc": ("subsystem", "bus/fcoe"),
}
_DIGITS = {"qla2xxx": 16, "efct": 16, "tcm_fc": 16, "sbp": 16, "srpt": 32}


@dataclass(frozen=True)
class SimulatedPort:
    """One port. `name` is its hexadecimal name in any spelling (`21:00:00:24:ff:12:34:56`).

    That is the name of a Fibre Channel port (fabric `qla2xxx`, `efct`, `tcm_fc`), the GID of an
    InfiniBand port (`srpt`), the GUID of a FireWire unit (`sbp`), the unit address of a virtual
    adapter (`ibmvscsis`), or the name of a USB device controller (`usb_gadget`). An adapter that
    is only an `initiator` refuses to be a target.
    """

    fabric: str
    name: str
    initiator: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a port that no kernel could have."""
        if self.fabric not in _LAYOUTS:
            known = ", ".join(sorted(_LAYOUTS))
            raise ValueError(f"no ports belong to fabric {self.fabric!r}; those of {known} do")
        wanted = _DIGITS.get(self.fabric)
        good = rf"[0-9a-f]{{{wanted}}}" if wanted else r"\w[\w.@-]*"
        if not re.fullmatch(good, self.plain):
            form = f"{wanted} hexadecimal digits" if wanted else "a name"
            raise ValueError(f"{self.name!r} is not a valid port name: {self.fabric} needs {form}")

    @property
    def plain(self) -> str:
        """The name as bare lower-case digits."""
        if self.fabric not in _DIGITS:
            return self.name
        return self.name.lower().removeprefix("0x").replace(":", "")


def sysfs(folder: Path, ports: Sequence[SimulatedPort]) -> Path:
    """Return the folder that is /sys of a host with these ports; create it if it is missing."""
    key = hashlib.blake2b(repr(list(ports)).encode(), digest_size=8).hexdigest()
    place = folder / "sysfs" / key
    if ports and not place.is_dir():
        place.parent.mkdir(exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=place.parent))
        for number, port in enumerate(ports):
            _LAYOUTS[port.fabric](staged, number, port)
        try:
            staged.rename(place)
        except OSError as error:
            shutil.rmtree(staged)
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise  # otherwise another process created it first
    return place


def _fibre_channel(root: Path, number: int, port: SimulatedPort) -> None:
    kind, owner = _FC_OWNER[port.fabric]
    device = root / f"devices/pci0000:00/0000:00:{number + 3:02x}.0"
    host = device / f"host{number}/fc_host/host{number}"
    _file(host / "port_name", f"0x{port.plain}\n")
    (root / owner).mkdir(parents=True, exist_ok=True)
    _link(device / kind, root / owner)
    _link(root / f"class/fc_host/host{number}", host)


def _infiniband(root: Path, number: int, port: SimulatedPort) -> None:
    gid = ":".join(re.findall("....", port.plain))
    _file(root / f"class/infiniband/mlx5_{number}/ports/1/gids/0", f"{gid}\n")


def _firewire(root: Path, number: int, port: SimulatedPort) -> None:
    unit = root / f"bus/firewire/devices/fw{number}"
    _file(unit / "is_local", "1\n")
    _file(unit / "guid", f"0x{port.plain}\n")


def _virtual_io(root: Path, number: int, port: SimulatedPort) -> None:
    unit = root / f"module/ibmvscsis/drivers/vio:ibmvscsis/{port.name}"
    _file(unit / "devspec", f"/vdevice/v-scsi-host@{port.name}\n")


def _usb(root: Path, number: int, port: SimulatedPort) -> None:
    _file(root / f"class/udc/{port.name}/state", "not attached\n")


_LAYOUTS: dict[str, Callable[[Path, int, SimulatedPort], None]] = {
    "qla2xxx": _fibre_channel,
    "efct": _fibre_channel,
    "tcm_fc": _fibre_channel,
    "srpt": _infiniband,
    "sbp": _firewire,
    "ibmvscsis": _virtual_io,
    "usb_gadget": _usb,
}


def _file(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent))


def of_fabric(ports: Sequence[SimulatedPort], fabric: str) -> Iterator[SimulatedPort]:
    """Yield the ports of one fabric."""
    return (port for port in ports if port.fabric == fabric)
