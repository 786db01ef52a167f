# SPDX-License-Identifier: Apache-2.0
"""rtslib-fb as pyshell uses it, from version 2.1.74 on.

Only this module, `rtslib_files`, `rtslib_older` and `rtslib_objects` import it. rtslib makes every
change: folders, links, attribute writes and their order are its own. Importing this module replaces
these parts of it, each for the reason given with the replacement:

part                            without the replacement
CFSNode.exists                  2.5 times as long, and rtslib calls it some ten times per object
CFSNode._check_self             one more `exists` before every file that is opened
Path in node, target, tcm,      an attribute read or written takes three times as long; an invalid
utils; os in target             name can lead out of configfs; commands that only read can write
modprobe in fabric              the caller's environment reaches a shell that runs as root
StorageObject._config_pr_aptpl  each new storage object reads /proc/mounts and writes dbroot; an
                                empty file of reservations, as after a crash, is an error

What older versions lack is in `rtslib_older`.

While rtslib works on a simulated target (see `simulate`), the functions by which it reads the host
are replaced as well, and a path outside the simulator's folder is one of the simulated host. So
nothing of the real host is read or changed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rtslib_fb import fabric, node, root, target, tcm, utils

from pyshell.errors import NotFoundError, PyshellError, from_os_error
from pyshell.host import programs
from pyshell.lio import rtslib_files, rtslib_older
from pyshell.lio.rtslib_files import QuickPath, configfs_root

if TYPE_CHECKING:
    from pyshell.lio import Lio
    from pyshell.simulator import SimulatedDevice, Simulator

RTSLibError = utils.RTSLibError
CFSNode = node.CFSNode


def work_on(lio: Lio) -> None:
    """Let rtslib work on an open target: it knows one configfs folder at a time."""
    if configfs_root() == lio.root:
        return
    if lio.simulator is not None:
        simulate(lio.simulator)
    else:
        end_simulation()
        CFSNode.configfs_dir = lio.root


_turn = threading.Condition()
_working = 0
"""How many threads work on the target that rtslib knows now."""


@contextmanager
def working_on(lio: Lio) -> Iterator[None]:
    """Let rtslib work on an open target meanwhile; threads that want another one wait."""
    global _working  # noqa: PLW0603 - as rtslib's configfs_dir
    with _turn:
        while _working and configfs_root() != lio.root:
            _turn.wait()
        work_on(lio)
        _working += 1
    try:
        yield
    finally:
        with _turn:
            _working -= 1
            _turn.notify_all()


def fabric_module(name: str, folder: str | None = None) -> Any:
    """Return rtslib's object for a fabric, below the configfs folder if given."""
    module = FABRIC_MODULES[name]()
    if folder is not None:
        module._path = f"{folder}/{os.path.basename(module.path)}"
    return module


def generated_wwn(kind: str) -> str:
    """Return a random WWN of rtslib's form for a kind of name (iqn, naa …)."""
    return str(utils.generate_wwn(kind))


def write_setting(folder: str, group: str, name: str, value: str) -> None:
    """Write an attribute (`attrib`) or parameter (`param`) of the object in `folder`."""
    found = CFSNode()
    found._path = folder
    found.set_attribute(name, value) if group == "attrib" else found.set_parameter(name, value)


# -- Errors ----------------------------------------------------------------------------------------


def refused(
    error: Exception, step: str, path: str | None, hint: Callable[[int], str]
) -> PyshellError | None:
    """Return one of rtslib's errors while doing `step` as pyshell's, None for other errors.

    The arguments are those of `doing`.
    """
    if not isinstance(error, RTSLibError):
        return None
    told = _sentence(error)
    if isinstance(error, rtslib_older.NotInCFSError):
        return NotFoundError(f"Cannot {step}: {error}", path=path, step=step, targetcli=told)
    beneath = kernels_error(error)
    if beneath is None:
        return PyshellError(f"Cannot {step}: {error}", path=path, step=step, targetcli=told)
    made = from_os_error(beneath, step, path=path, hint=hint(beneath.errno or 0))
    made.targetcli = told
    return made


def _sentence(error: BaseException) -> str:
    """Return rtslib's message on one line, as targetcli prints it."""
    return " ".join(rtslib_older.message(error).split("\n"))


def kernels_error(error: BaseException) -> OSError | None:
    """Return the kernel's error behind one of rtslib's, which keeps it only as its context."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


# -- Replaced parts --------------------------------------------------------------------------------


def modprobe(module: str) -> None:
    """Load a kernel module. rtslib's own function passes the caller's environment to a shell."""
    try:
        done = programs.run("modprobe", "--", module)
    except OSError as error:
        raise RTSLibError(f"cannot run modprobe: {error.strerror}") from error
    if done.returncode != 0:
        raise RTSLibError(done.stderr.strip() or f"exit status {done.returncode}")


def replace_parts() -> None:
    """Replace the parts of rtslib listed above, except those that a simulator replaced."""
    CFSNode.exists = property(lambda found: os.path.isdir(found._path), doc=CFSNode.exists.__doc__)
    # Opening the file reports the same, with errno and path.
    CFSNode._check_self = lambda _: None
    tcm.StorageObject._config_pr_aptpl = lambda _: None  # CreateStorageObject does
    for module in (node, target, tcm, utils):
        if getattr(module, "Path", None) is Path:
            module.Path = QuickPath
    if fabric.modprobe.__module__ == utils.__name__:
        fabric.modprobe = modprobe
    if target.os is os:
        target.os = rtslib_files.HostOs()
    rtslib_older.replace_parts()


replace_parts()

FABRIC_MODULES: dict[str, Callable[[], Any]] = {
    **fabric.fabric_modules,
    # rtslib has this class, too, and does not list it because it is rarely used.
    "usb_gadget": fabric.USBGadgetFabricModule,
}


# -- Simulated targets -----------------------------------------------------------------------------

# What was replaced for one, to be restored: object, name, value.
_replaced: list[tuple[Any, str, Any]] = []


def simulate(simulator: Simulator) -> None:
    """Let rtslib work on a simulated kernel instead of the real one or of another simulator."""
    end_simulation()
    rtslib_files.use(simulator)
    _bind(CFSNode, "configfs_dir", simulator.root)
    for module in (fabric, root):
        if hasattr(module, "Path"):
            _bind(module, "Path", QuickPath)
    _bind(root, "default_save_file", rtslib_files.stored(root.default_save_file))
    if hasattr(tcm, "lock_file"):
        _bind(tcm, "lock_file", rtslib_files.stored(tcm.lock_file))
    _bind(tcm, "resource", _Resource(simulator.page_size))
    for name, function in _host_functions(simulator).items():
        for module in rtslib_older.modules_with(name):
            _bind(module, name, function)
    tcm.bs_cache.clear()


def end_simulation() -> None:
    """Let rtslib work on the real host again; do nothing if it does."""
    rtslib_files.use(None)
    while _replaced:
        owner, name, value = _replaced.pop()
        setattr(owner, name, value)
    tcm.bs_cache.clear()


def _bind(owner: Any, name: str, value: object) -> None:
    _replaced.append((owner, name, getattr(owner, name)))
    setattr(owner, name, value)


class _Resource(NamedTuple):
    """The `resource` of rtslib's `tcm` module, which reads the page size."""

    page_size: int

    def getpagesize(self) -> int:
        return self.page_size


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
    error: Exception = utils.pyudev.DeviceNotFoundByNameError(kind, name)
    return error
