# SPDX-License-Identifier: Apache-2.0
"""Put a simulated kernel under rtslib, whose code runs unchanged.

rtslib reaches files only through the names `Path` and `os` in its own modules, and devices through
a few functions of its `utils`. While attached, these names refer to the simulator: an absolute path
outside the simulator's folder means that path of the simulated host (`/etc/target` its folder
`etc/target`, anything else below `files`), so nothing of the real host is read or changed.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import rtslib_fb.alua
import rtslib_fb.fabric
import rtslib_fb.node
import rtslib_fb.root
import rtslib_fb.target
import rtslib_fb.tcm
import rtslib_fb.utils
from rtslib_fb.utils import RTSLibError

from pyshell.simulator import Simulator
from pyshell.simulator.hardware import SimulatedDevice
from pyshell.simulator.plugins import PAGE_SIZE

_MODULES_WITH_PATH = (
    rtslib_fb.fabric,
    rtslib_fb.node,
    rtslib_fb.root,
    rtslib_fb.target,
    rtslib_fb.tcm,
    rtslib_fb.utils,
)
# What was replaced, to be restored: object, name, value.
_replaced: list[tuple[Any, str, Any]] = []


def attach(simulator: Simulator) -> None:
    """Let rtslib work on `simulator` instead of the kernel or of another simulator."""
    detach()
    for module in _MODULES_WITH_PATH:
        _bind(module, "Path", _path_class(simulator))
    _bind(rtslib_fb.node.CFSNode, "configfs_dir", str(simulator.configfs))
    _bind(rtslib_fb.target, "os", _LinkingOs(simulator))
    _bind(rtslib_fb.tcm, "resource", _Resource())
    for name, function in _host_functions(simulator).items():
        for module in (rtslib_fb.fabric, rtslib_fb.root, rtslib_fb.tcm, rtslib_fb.utils):
            if hasattr(module, name):
                _bind(module, name, function)
    rtslib_fb.tcm.bs_cache.clear()


def detach() -> None:
    """Let rtslib work on the real host again; do nothing if nothing is attached."""
    while _replaced:
        owner, name, value = _replaced.pop()
        setattr(owner, name, value)
    rtslib_fb.tcm.bs_cache.clear()


def _bind(owner: Any, name: str, value: object) -> None:
    _replaced.append((owner, name, getattr(owner, name)))
    setattr(owner, name, value)


class _LinkingOs:
    """The `os` of rtslib's `target` module, which creates links."""

    path = os.path

    def __init__(self, simulator: Simulator) -> None:
        self.symlink = simulator.symlink


class _Resource:
    """The `resource` of rtslib's `tcm` module, which reads the page size."""

    @staticmethod
    def getpagesize() -> int:
        return PAGE_SIZE


def _path_class(simulator: Simulator) -> type[Path]:
    """Return a path class that uses the simulator's rules below its configfs."""
    folder, configfs = str(simulator.folder), str(simulator.configfs)

    def moved(parts: tuple[Any, ...]) -> tuple[str, ...]:
        """Translate a path of the simulated host to where it is stored."""
        path = os.path.join("", *parts)
        if not path.startswith("/") or path == folder or path.startswith(f"{folder}/"):
            return (path,)
        return (str(simulator.machine.file(path)),)

    class SimulatedPath(type(Path())):  # type: ignore[misc]
        __slots__ = ()

        def __new__(cls, *parts: Any) -> SimulatedPath:
            made: SimulatedPath = super().__new__(cls, *moved(parts))
            return made

        if sys.version_info >= (3, 12):

            def __init__(self, *parts: Any) -> None:
                super().__init__(*moved(parts))

        @property
        def _is_kernels(self) -> bool:
            path = str(self)
            return path == configfs or path.startswith(f"{configfs}/")

        def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
            if not self._is_kernels:
                super().mkdir(mode, parents, exist_ok)
            elif not (exist_ok and self.is_dir()):
                simulator.mkdir(str(self))

        def rmdir(self) -> None:
            simulator.rmdir(str(self)) if self._is_kernels else super().rmdir()

        def unlink(self, missing_ok: bool = False) -> None:
            simulator.unlink(str(self)) if self._is_kernels else super().unlink(missing_ok)

        def read_text(self, *arguments: Any, **named: Any) -> str:
            if self._is_kernels:
                return simulator.read(str(self))
            text: str = super().read_text(*arguments, **named)
            return text

        def write_text(self, data: str, *arguments: Any, **named: Any) -> int:
            if self._is_kernels:
                simulator.write(str(self), data)
                return len(data)
            count: int = super().write_text(data, *arguments, **named)
            return count

        def open(self, mode: str = "r", *arguments: Any, **named: Any) -> IO[Any]:
            if not self._is_kernels:
                file: IO[Any] = super().open(mode, *arguments, **named)
                return file
            if mode in ("r", "rt"):
                return io.StringIO(simulator.read(str(self)))
            raise NotImplementedError("an attribute is written with write_text")

    return SimulatedPath


def _host_functions(simulator: Simulator) -> dict[str, Callable[..., Any]]:
    """Return replacements for the functions by which rtslib reads the host."""
    machine = simulator.machine

    def found(path: object) -> SimulatedDevice:
        device = machine.device(str(path))
        if device is None:
            raise _not_found("device_file", str(path))
        return device

    def get_blockdev_type(path: object) -> int | None:
        device = machine.device(str(path))
        return device.scsi_type if device else None

    def get_size_for_disk_name(name: str) -> int:
        device = machine.named(name)
        if device is None:
            raise _not_found("block", name)
        return device.sectors

    def convert_scsi_path_to_hctl(path: object) -> list[int]:
        device = machine.device(str(path))
        if device is None or device.hctl is None:
            raise RTSLibError("Could not convert scsi path to hctl")
        return [int(number) for number in device.hctl.split(":")]

    def convert_scsi_hctl_to_path(*hctl: object) -> str:
        device = machine.at(":".join(str(number) for number in hctl))
        if device is None:
            raise RTSLibError("Could not find path for SCSI hctl")
        return device.path

    def modprobe(module: str) -> None:
        raise RTSLibError(f"the simulated kernel has no module {module}")

    return {
        "get_blockdev_type": get_blockdev_type,
        "get_size_for_blk_dev": lambda path: found(path).sectors,
        "get_size_for_disk_name": get_size_for_disk_name,
        "is_dev_in_use": lambda path: simulator.holder(str(path)) is not None,
        "convert_scsi_path_to_hctl": convert_scsi_path_to_hctl,
        "convert_scsi_hctl_to_path": convert_scsi_hctl_to_path,
        "mount_configfs": lambda: None,
        "modprobe": modprobe,
    }


def _not_found(kind: str, name: str) -> Exception:
    error: Exception = rtslib_fb.utils.pyudev.DeviceNotFoundByNameError(kind, name)
    return error
