# SPDX-License-Identifier: Apache-2.0
"""What rtslib before 2.2.4 does differently; `rtslib` and `rtslib_objects` bind it to rtslib.

version         difference
before 2.2.4    a block storage object cannot share its device
2.2.3           `rtslib_fb` is not a package: its modules cannot be imported by that name
2.1             files are reached by `os`, `glob` and `open`; a folder that cannot be created is
                reported without the kernel's reason; two errors have other names
2.1.75          a mapped LUN is at most 255
2.1.74          `is_dev_in_use` opens the device for writing; there is no fabric efct; ports of all
                other drivers are those of qla2xxx; the file cpus_allowed_list is a target

Distributions apply patches, so that each is looked for, not the version.
"""

from __future__ import annotations

import glob
import inspect
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import rtslib_fb
from rtslib_fb import alua, fabric, node, root, target, tcm, utils

from pyshell.expressions import expression
from pyshell.lio import rtslib_files

WITHOUT_PATHLIB = not hasattr(tcm, "Path")
NotInCFSError: type[Exception] = getattr(rtslib_fb, "RTSLibNotInCFSError", None) or (
    rtslib_fb.RTSLibNotInCFS
)
_NOT_CREATED = expression(r"Could not create \w+ in configFS")
_SG = "/sys/class/scsi_generic"


def modules_with(name: str) -> Iterator[Any]:
    """Yield rtslib's modules that have a name."""
    for module in (alua, fabric, node, root, target, tcm, utils):
        if hasattr(module, name):
            yield module


def message(error: BaseException) -> str:
    """Return the message of one of rtslib's errors, with the kernel's reason."""
    text = str(error)
    has_no_reason = error.__context__ is not None and _NOT_CREATED.fullmatch(text)
    return f"{text}: {error.__context__}" if has_no_reason else text


def is_dev_in_use(path: object) -> bool:
    """Do as the function of rtslib 2.2: only a SCSI generic device is opened for writing."""
    real = os.path.realpath(str(path))
    is_generic = os.path.exists(f"{_SG}/{os.path.basename(real)}")
    access = os.O_RDWR if is_generic else os.O_RDONLY
    try:
        opened = os.open(real, access | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True
    with suppress(OSError):  # a tape without a medium cannot be rewound
        os.close(opened)
    return False


def replace_parts() -> None:
    """Replace the parts of rtslib 2.1 by those of later versions."""
    target.MappedLUN.MAX_LUN = target.LUN.MAX_TARGET_LUN
    if not WITHOUT_PATHLIB:
        return
    host_os = rtslib_files.HostOs()
    for module in modules_with("os"):
        if module.os is os:
            module.os = host_os
    for name in ("fread", "fwrite"):
        for module in modules_with(name):
            if getattr(module, name).__module__ == utils.__name__:
                setattr(module, name, getattr(rtslib_files, name))
    for module in modules_with("glob"):
        if module.glob is glob:
            module.glob = rtslib_files.Glob
        elif module.glob is glob.iglob:
            module.glob = rtslib_files.Glob.iglob
    for module in modules_with("is_dev_in_use"):
        if module.is_dev_in_use.__module__ == utils.__name__:
            module.is_dev_in_use = is_dev_in_use
    fabric.target_names_excludes |= {"cpus_allowed_list"}
    if "efct" not in fabric.fabric_modules:
        _replace_fibre_channel()


def _replace_fibre_channel() -> None:
    fabric.Qla2xxxFabricModule.wwns = property(lambda _: _ports("driver", "qla2xxx"))
    fabric.FCoEFabricModule.wwns = property(lambda _: _ports("subsystem", "fcoe"))
    fabric.fabric_modules["efct"] = EfctFabricModule


def _ports(link: str, name: str) -> Iterator[str]:
    """Yield the WWNs of the host's Fibre Channel ports whose device has such a link."""
    for file in rtslib_files.Glob.iglob("/sys/class/fc_host/host*/port_name"):
        with suppress(OSError):
            device = os.path.realpath(os.path.dirname(file)).rsplit("/", 3)[0]
            if os.path.basename(os.path.realpath(f"{device}/{link}")) == name:
                yield f"naa.{rtslib_files.fread(file)[2:]}"


class EfctFabricModule(fabric._BaseFabricModule):  # type: ignore[misc]
    """The fabric of Emulex' Fibre Channel adapters, which rtslib 2.1.74 does not know."""

    wwns = property(lambda _: _ports("driver", "efct"))

    def __init__(self) -> None:
        super().__init__("efct")
        self.features = ("acls",)
        self.wwn_types = ("naa",)
        self.kernel_module = "efct"

    def to_fabric_wwn(self, wwn: str) -> str:
        """Return the kernel's form of a WWN."""
        return str(utils.colonize(wwn[4:]))

    def from_fabric_wwn(self, wwn: str) -> str:
        """Return rtslib's form of a WWN."""
        return f"naa.{wwn.replace(':', '')}"


class _SharedBlock(tcm.BlockStorageObject):  # type: ignore[misc]
    """A block storage object whose device others may open: `exclusive` of rtslib 2.2.4."""

    def _configure(self, dev: str, wwn: str | None, readonly: bool) -> None:
        if tcm.get_blockdev_type(dev) != 0:
            raise utils.RTSLibError(f"Device {dev} is not a TYPE_DISK block device")
        self._set_udev_path(dev)
        for setting in (f"udev_path={dev}", f"readonly={readonly:d}", "exclusive=0"):
            self._control(setting)
        if self._parse_info("exclusive") != "0":
            raise utils.RTSLibError(
                "Cannot configure StorageObject. exclusive=false not supported."
            )
        self._enable()
        tcm.StorageObject._configure(self, wwn)


tcm.bs_params[_SharedBlock] = tcm.bs_params[tcm.BlockStorageObject]
KNOWS_EXCLUSIVE = "exclusive" in inspect.signature(tcm.BlockStorageObject.__init__).parameters


def create_block(*, exclusive: bool = True, **arguments: Any) -> None:
    """Create a block storage object with the arguments of rtslib 2.2.4."""
    if KNOWS_EXCLUSIVE:
        tcm.BlockStorageObject(exclusive=exclusive, **arguments)
    else:
        (tcm.BlockStorageObject if exclusive else _SharedBlock)(**arguments)
