# SPDX-License-Identifier: Apache-2.0
"""The simulated host's hardware: `machine.json`, a small table that can be edited by hand.

Its ports are adapters whose targets are named after their hardware. rtslib finds them in sysfs, so
they are laid out as the kernel lays them out: below `sysfs/KEY` in the simulator's folder, where
KEY is a hash of the ports. A changed table has another key: a folder never changes once it is
complete, and no process sees half of one.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from pyshell.files import reading
from pyshell.host import DISK, file_text


@dataclass(frozen=True)
class SimulatedDevice:
    """A device node of the simulated host.

    `size` counts bytes. `scsi_type` is the SCSI peripheral type (0 disk, 1 tape, 5 CD). `hctl` is
    "host:channel:target:lun" for a SCSI device, `holder` says what else than LIO uses it ("mounted
    on /"). An absent device (`present` false) keeps its entry in the table.
    `number` is "major:minor". The last six describe its queue; their defaults are those of the
    recorded logical volume. The kernel shows the limits as attributes of a storage object. A device
    with `discard_sectors` 0 cannot discard. `write_cache` is whether it has a volatile cache, None
    if it does not say.
    """

    path: str
    kernel_name: str
    size: int
    sector_size: int = 512
    scsi_type: int = DISK
    hctl: str | None = None
    holder: str | None = None
    vendor: str = ""
    model: str = ""
    revision: str = ""
    serial: str = ""
    number: str = "8:0"
    present: bool = True
    max_sectors: int = 2560
    queue_depth: int = 128
    rotational: bool = False
    discard_sectors: int = 8388607
    discard_granularity: int = 8
    write_cache: bool | None = True

    @property
    def sectors(self) -> int:
        """The size in logical blocks, of the device's own block size."""
        return self.size // self.sector_size


DEFAULT_TABLE = Path(__file__).with_name("machine.json")
_DEFAULT_ADDRESSES = {"192.168.56.101": "eth0", "127.0.0.1": "lo", "::1": "lo"}
# Folders that every host has. Missing folders below them are created with an image file.
HOST_FOLDERS = (
    "/dev/shm", "/etc/target", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp",  # noqa: S108
    "/var/lib", "/var/run", "/var/tmp",  # noqa: S108
)  # fmt: skip
_DEFAULT_MEMORY = 16 << 30
_CPUS_MAX = 8192
_Made = TypeVar("_Made")


_KINDS = {
    "devices": list,
    "links": dict,
    "fabrics": list,
    "cpus": int,
    "memory": int,
    "ports": list,
    "handlers": dict,
    "addresses": dict,
}
_REQUIRED = ("devices", "links", "fabrics", "cpus")


@dataclass(frozen=True)
class HardwareTable:
    """The content of `machine.json`."""

    devices: tuple[SimulatedDevice, ...]
    """All devices, including absent ones."""
    links: Mapping[str, str]
    """Other names of devices: path to path, as udev's links."""
    fabrics: tuple[str, ...]
    """The fabrics that this kernel can provide: those named, and those of the ports."""
    cpus: int
    memory: int
    """Bytes."""
    ports: tuple[SimulatedPort, ...]
    """Adapters that can be targets."""
    ipv6: bool
    addresses: Mapping[str, str]
    """The host's addresses, each with its interface."""
    handlers: Mapping[str, str]
    """Handlers of user-space storage objects, with their descriptions."""


class Hardware:
    """The hardware of one simulator folder.

    A change of the table by hand, or by another process, takes effect immediately.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "machine.json"
        self._read: tuple[object, HardwareTable] | None = None
        """What identifies the file that was read, and its content."""

    def prepare(self) -> None:
        """Create the host's folders, and the default table if the folder has none."""
        for name in HOST_FOLDERS:
            self.file(name).mkdir(parents=True, exist_ok=True)
        if not self._file.exists():
            self._save(json.loads(DEFAULT_TABLE.read_text(encoding="utf-8")))

    def log(self, line: str) -> None:
        """Append a line to the simulated kernel's log."""
        with (self._folder / "kernel.log").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def logged(self) -> str:
        """Return the simulated kernel's log."""
        return file_text(self._folder / "kernel.log")

    def table(self) -> HardwareTable:
        """Return the table. Raises ValueError with the file and the entry if it is damaged."""
        status = os.stat(self._file)
        identity = (status.st_ino, status.st_ctime_ns, status.st_size)
        if self._read is None or self._read[0] != identity:
            self._read = identity, _parsed(str(self._file), self._load())
        return self._read[1]

    def device(self, path: str) -> SimulatedDevice | None:
        """Return the present device at `path`, a device node or a link to one."""
        table = self.table()
        for _ in range(len(table.links) + 1):
            for device in table.devices:
                if path in (device.path, f"/dev/{device.kernel_name}"):
                    return device if device.present else None
            path = table.links.get(path, path)
        return None

    def named(self, kernel_name: str) -> SimulatedDevice | None:
        """Return the present device that the kernel calls `kernel_name` ("dm-0")."""
        found = (d for d in self.table().devices if d.present and d.kernel_name == kernel_name)
        return next(found, None)

    def at(self, hctl: str) -> SimulatedDevice | None:
        """Return the present SCSI device at "host:channel:target:lun"."""
        return next((d for d in self.table().devices if d.present and d.hctl == hctl), None)

    def add(self, device: SimulatedDevice) -> None:
        """Add `device` to the table; it replaces one with the same path."""
        self._replace(device.path, device)

    def remove(self, path: str) -> None:
        """Remove the device at `path`, even in use; `add` restores it."""
        device = self.device(path)
        if device is None:
            raise ValueError(f"the simulated machine has no device {path}")
        self._replace(device.path, replace(device, present=False))

    def add_port(self, port: SimulatedPort) -> None:
        """Add an adapter to the table."""
        entries = [{f: v for f, v in vars(one).items() if v} for one in (*self.table().ports, port)]
        self.edit(ports=entries)

    def edit(self, **parts: object) -> None:
        """Replace parts of the table."""
        self._save({**self._load(), **parts})

    def file(self, path: str) -> Path:
        """Return where the file or folder `path` of the simulated host is stored."""
        inside = os.path.normpath(f"/{path}").lstrip("/")
        if inside == "sys" or inside.startswith("sys/"):
            return sysfs(self._folder, self.table().ports) / inside[len("sys/") :]
        if inside == "etc/target" or inside.startswith("etc/target/"):
            return self._folder / inside
        return self._folder / "files" / inside

    def offers(self, path: str) -> bool:
        """Return whether `path` is below one of the host's folders, and not below a file.

        The current folder counts as one: a relative path refers to it.
        """
        normal = os.path.normpath("/" + path.lstrip("/"))
        if os.path.dirname(normal) == os.getcwd():
            return True
        parents = (self.file(str(parent)) for parent in Path(normal).parents)
        return any(normal.startswith(f"{folder}/") for folder in HOST_FOLDERS) and not any(
            parent.exists() and not parent.is_dir() for parent in parents
        )

    def _replace(self, path: str, device: SimulatedDevice) -> None:
        others = [one for one in self.table().devices if one.path != path]
        self.edit(devices=[_entry(one) for one in (*others, device)])

    def _load(self) -> dict[str, Any]:
        try:
            table: Any = reading.parse_json(reading.read(self._file, folder_known=True).data)
        except ValueError as error:
            raise ValueError(f"{self._file} is not JSON: {error}") from error
        if not isinstance(table, dict):
            raise ValueError(f"{self._file} is not a table")
        return table

    def _save(self, table: Mapping[str, Any]) -> None:
        staged = self._file.with_suffix(".new")
        staged.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        staged.replace(self._file)


def _parsed(file: str, raw: Mapping[str, Any]) -> HardwareTable:
    """Return a table as it was written in a file. Raises ValueError."""
    missing = [name for name in _REQUIRED if name not in raw]
    if missing:
        raise ValueError(f"{file} lacks {' and '.join(missing)}")
    for name, kind in _KINDS.items():
        if name in raw and not isinstance(raw[name], kind):
            raise ValueError(f"{file}: {name} is not a {kind.__name__}")
    for name in ("links", "addresses", "handlers"):
        if not all(isinstance(one, str) for one in raw.get(name, {}).values()):
            raise ValueError(f"{file}: a value of {name} is not a string")
    if not all(isinstance(one, str) for one in raw["fabrics"]):
        raise ValueError(f"{file}: a name in fabrics is not a string")
    cpus, memory = raw["cpus"], raw.get("memory", _DEFAULT_MEMORY)
    if not 0 < cpus <= _CPUS_MAX or not 0 <= memory < 1 << 63:
        raise ValueError(f"{file}: cpus or memory is out of range")
    devices = _made(file, "devices", SimulatedDevice, raw)
    for device in devices:
        _require_types(f"{file}, device {device.path}", device)
    ports = _made(file, "ports", SimulatedPort, raw)
    ipv6 = bool(raw.get("ipv6", True))
    addresses = raw.get("addresses", _DEFAULT_ADDRESSES)
    return HardwareTable(
        devices=devices,
        links=raw["links"],
        fabrics=tuple(dict.fromkeys([*raw["fabrics"], *(port.fabric for port in ports)])),
        cpus=cpus,
        memory=memory,
        ports=ports,
        ipv6=ipv6,
        addresses={one: at for one, at in addresses.items() if ipv6 or ":" not in one},
        handlers=raw.get("handlers", {}),
    )


def _made(file: str, part: str, kind: type[_Made], raw: Mapping[str, Any]) -> tuple[_Made, ...]:
    """Return the devices or ports that a part of the table describes."""
    made = []
    for entry in raw.get(part, ()):
        if not isinstance(entry, dict):
            raise ValueError(f"{file}: {entry!r} among the {part} is not a dict")
        try:
            made.append(kind(**entry))
        except (TypeError, ValueError) as error:
            name = entry.get("path", entry.get("name", "without path"))
            raise ValueError(f"{file}, {part[:-1]} {name}: {error}") from error
    return tuple(made)


def _require_types(where: str, made: SimulatedDevice) -> None:
    """Raise ValueError for a device with a field of the wrong type or out of range."""
    # Annotations are texts: str, int, bool, or one of them or None.
    for name, kind in SimulatedDevice.__annotations__.items():
        value = getattr(made, name)
        if type(value).__name__ not in kind.replace("None", "NoneType").split(" | "):
            raise ValueError(f"{where}: {name} is not of type {kind}")
        if isinstance(value, int) and not 0 <= value < 1 << 63:
            raise ValueError(f"{where}: {name} is out of range")
    if made.sector_size < 1:
        raise ValueError(f"{where}: sector_size is out of range")


def _entry(device: SimulatedDevice) -> dict[str, Any]:
    """Return a device's entry in the table, without defaults."""
    return {
        field.name: getattr(device, field.name)
        for field in fields(device)
        if getattr(device, field.name) != field.default
    }


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
    if not ports:
        return folder / "sysfs" / "none"  # it does not exist
    from hashlib import blake2b  # it loads OpenSSL

    place = folder / "sysfs" / blake2b(repr(list(ports)).encode(), digest_size=8).hexdigest()
    if not place.is_dir():
        import shutil
        import tempfile

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
