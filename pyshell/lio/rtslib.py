# SPDX-License-Identifier: Apache-2.0
"""rtslib-fb as pyshell uses it. Only this module and `rtslib_objects` import it.

rtslib makes every change: folders, links, attribute writes and their order are its own. Importing
this module replaces these parts of it, each for the reason given with the replacement:

part                            without the replacement
CFSNode.exists                  2.5 times as long, and rtslib calls it some ten times per object
CFSNode._check_self             one more `exists` before every file that is opened
Path in node, target, tcm,      an attribute read or written takes three times as long; an invalid
utils; os in target             name can lead out of configfs; commands that only read can write
modprobe in fabric              the caller's environment reaches a shell that runs as root
StorageObject._config_pr_aptpl  each new storage object reads /proc/mounts and writes dbroot; an
                                empty file of reservations, as after a crash, is an error

While rtslib works on a simulated target (see `simulate`), the functions by which it reads the host
are replaced as well, and a path outside the simulator's folder is one of the simulated host. So
nothing of the real host is read or changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import rtslib_fb
import rtslib_fb.fabric
import rtslib_fb.node
import rtslib_fb.root
import rtslib_fb.target
import rtslib_fb.tcm
import rtslib_fb.utils
from rtslib_fb.node import CFSNode
from rtslib_fb.utils import RTSLibError as RTSLibError  # noqa: PLC0414 - for `except` elsewhere

from pyshell.errors import NotFoundError, PyshellError, from_os_error
from pyshell.host import programs
from pyshell.lio.configfs import Kernel, RealKernel, confine, confine_change, is_below

if TYPE_CHECKING:
    from pyshell.lio import Lio
    from pyshell.simulator import SimulatedDevice, Simulator

FABRIC_MODULES: dict[str, Callable[[], Any]] = {
    **rtslib_fb.fabric.fabric_modules,
    # rtslib has this class, too, and does not list it because it is rarely used.
    "usb_gadget": rtslib_fb.fabric.USBGadgetFabricModule,
}
NOT_TARGETS = frozenset(rtslib_fb.fabric.target_names_excludes)
"""Folders in a fabric's folder that are not targets."""


def configfs_root() -> str:
    """Return the folder in configfs that rtslib works in: the kernel's or a simulator's."""
    return str(CFSNode.configfs_dir)


def work_on(lio: Lio) -> None:
    """Let rtslib work on an open target: it knows one configfs folder at a time."""
    if configfs_root() == lio.root:
        return
    if lio.simulator is not None:
        simulate(lio.simulator)
    else:
        end_simulation()
        CFSNode.configfs_dir = lio.root


def fabric_module(name: str, root: str | None = None) -> Any:
    """Return rtslib's object for a fabric, below the configfs folder `root` if given."""
    module = FABRIC_MODULES[name]()
    if root is not None:
        module._path = f"{root}/{os.path.basename(module.path)}"
    return module


def generated_wwn(kind: str) -> str:
    """Return a random WWN of rtslib's form for a kind of name (iqn, naa …)."""
    return str(rtslib_fb.utils.generate_wwn(kind))


def page_size() -> int:
    """Return the size of a memory page in bytes, to which rtslib rounds ramdisks."""
    size: int = rtslib_fb.tcm.resource.getpagesize()
    return size


def write_setting(folder: str, group: str, name: str, value: str) -> None:
    """Write an attribute (`attrib`) or parameter (`param`) of the object in `folder`."""
    node = CFSNode()
    node._path = folder
    node.set_attribute(name, value) if group == "attrib" else node.set_parameter(name, value)


def readable(wwns: Iterable[object]) -> Iterator[str]:
    """Yield the WWNs of a fabric's hardware up to the first whose name cannot be read.

    rtslib's generator ends with an exception there.
    """
    try:
        for wwn in wwns:
            yield str(wwn)
    except (OSError, ValueError, RTSLibError):
        return


# -- Errors ----------------------------------------------------------------------------------------


@contextmanager
def doing(
    step: str, path: str | None = None, hint: Callable[[int], str] = lambda _: ""
) -> Iterator[None]:
    """Turn what rtslib or the kernel raises while doing `step` into a PyshellError.

    `step` is a verb phrase ("create target iqn…"). Errno and path of the kernel's error are kept.
    `hint` returns what to do about an errno.
    """
    try:
        yield
    except rtslib_fb.RTSLibNotInCFSError as error:
        raise NotFoundError(
            f"Cannot {step}: {error}", path=path, step=step, targetcli=_sentence(error)
        ) from error
    except RTSLibError as error:
        beneath = kernels_error(error)
        if beneath is not None:
            made = from_os_error(beneath, step, path=path, hint=hint(beneath.errno or 0))
            made.targetcli = _sentence(error)
            raise made from error
        raise PyshellError(
            f"Cannot {step}: {error}", path=path, step=step, targetcli=_sentence(error)
        ) from error
    except OSError as error:
        raise from_os_error(error, step, path=path, hint=hint(error.errno or 0)) from error
    except UnicodeEncodeError as error:  # raised when rtslib writes a text from the command line
        message = f"Cannot {step}: a value holds bytes that are not UTF-8 text"
        raise PyshellError(message, path=path, step=step) from error


def _sentence(error: BaseException) -> str:
    """Return rtslib's message on one line, as targetcli prints it."""
    return " ".join(str(error).split("\n"))


def kernels_error(error: BaseException) -> OSError | None:
    """Return the kernel's error behind one of rtslib's, which keeps it only as its context."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


# -- Replaced parts --------------------------------------------------------------------------------


class QuickPath:
    """rtslib's `Path`: text, with few system calls; other methods are pathlib's.

    Changes outside of configfs are refused, but for those of a simulated host's files. Errors are
    those of the system calls, with the path.
    """

    __slots__ = ("_entry", "_text")

    def __init__(self, *parts: str | os.PathLike[str]) -> None:
        text = os.path.join(*[os.fspath(part) for part in parts]) if parts else "."
        self._text = text if _simulator is None else _stored(_simulator, text)
        self._entry: os.DirEntry[str] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(Path(self._text), name)

    def __fspath__(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"QuickPath({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QuickPath | Path) and Path(self._text) == Path(other)

    def __hash__(self) -> int:
        return hash(Path(self._text))

    def __truediv__(self, name: str | os.PathLike[str]) -> QuickPath:
        return QuickPath(self._text, name)

    @property
    def name(self) -> str:
        """Return the last part."""
        return os.path.basename(self._text)

    def stat(self) -> os.stat_result:
        """Do as pathlib's method."""
        return os.stat(self._text)

    def is_dir(self) -> bool:
        """Do as pathlib's method."""
        return os.path.isdir(self._text)

    def is_file(self) -> bool:
        """Do as pathlib's method."""
        return os.path.isfile(self._text)

    def is_symlink(self) -> bool:
        """Do as pathlib's method, without a system call for what `iterdir` yielded."""
        if self._entry is not None:
            return self._entry.is_symlink()
        try:
            return stat.S_ISLNK(os.lstat(self._text).st_mode)
        except OSError:
            return False

    def iterdir(self) -> Iterator[QuickPath]:
        """Do as pathlib's method."""
        with os.scandir(self._text) as entries:
            for entry in entries:
                found = QuickPath(entry.path)
                found._entry = entry
                yield found

    @property
    def _is_simulated_file(self) -> bool:
        """Return whether it is a file of the simulated host, and not in configfs."""
        return _simulator is not None and not is_below(self._text, configfs_root())

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Create the folder, which must be in configfs; with `exist_ok` any existing one will do.

        rtslib creates /var/run with it, which holds its own lock.
        """
        if exist_ok and os.path.isdir(self._text):
            return
        if self._is_simulated_file:
            Path(self._text).mkdir(mode, parents, exist_ok)
        elif parents or exist_ok:
            confine_change(configfs_root(), self._text)
            Path(self._text).mkdir(mode, parents, exist_ok)
        else:
            _kernel().mkdir(self._text)

    def rmdir(self) -> None:
        """Remove the folder."""
        os.rmdir(self._text) if self._is_simulated_file else _kernel().rmdir(self._text)

    def unlink(self) -> None:
        """Remove the link."""
        os.unlink(self._text) if self._is_simulated_file else _kernel().unlink(self._text)

    def read_text(self) -> str:
        """Return the text of an attribute file, which the kernel returns in one read."""
        if is_below(self._text, configfs_root()):
            return _kernel().read(self._text)
        return Path(self._text).read_text("utf-8", "surrogateescape")

    def write_text(self, data: str) -> int:
        """Write a value to an existing file by one call."""
        data.encode()  # raises UnicodeEncodeError, see `doing`
        if self._is_simulated_file:
            return Path(self._text).write_text(data, encoding="utf-8")
        _kernel().write(self._text, data)
        return len(data)


def _kernel() -> Kernel:
    """Return the kernel that rtslib works on. It refuses paths that are not in its configfs."""
    return _simulator or RealKernel(configfs_root())


class _LinkingOs:
    """The `os` of rtslib's `target` module, which creates the links in configfs with it."""

    path = os.path

    @staticmethod
    def symlink(source: str | os.PathLike[str], link: str) -> None:
        if _simulator is not None:
            _simulator.symlink(os.fspath(source), link)
            return
        confine(configfs_root(), os.fspath(source))
        confine_change(configfs_root(), link)
        os.symlink(source, link)


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
    CFSNode.exists = property(lambda node: os.path.isdir(node._path), doc=CFSNode.exists.__doc__)
    # Opening the file reports the same, with errno and path.
    CFSNode._check_self = lambda node: None
    rtslib_fb.tcm.StorageObject._config_pr_aptpl = lambda created: None  # CreateStorageObject does
    for module in (rtslib_fb.node, rtslib_fb.target, rtslib_fb.tcm, rtslib_fb.utils):
        if module.Path is Path:
            module.Path = QuickPath
    if rtslib_fb.fabric.modprobe.__module__ == rtslib_fb.utils.__name__:
        rtslib_fb.fabric.modprobe = modprobe
    if rtslib_fb.target.os is os:
        rtslib_fb.target.os = _LinkingOs


replace_parts()


# -- Simulated targets -----------------------------------------------------------------------------

_simulator: Simulator | None = None
# What was replaced for it, to be restored: object, name, value.
_replaced: list[tuple[Any, str, Any]] = []


def simulate(simulator: Simulator) -> None:
    """Let rtslib work on a simulated kernel instead of the real one or of another simulator."""
    global _simulator  # noqa: PLW0603 - as rtslib's configfs_dir
    end_simulation()
    _simulator = simulator
    _bind(CFSNode, "configfs_dir", simulator.root)
    for module in (rtslib_fb.fabric, rtslib_fb.root):
        _bind(module, "Path", QuickPath)
    _bind(rtslib_fb.tcm, "resource", _Resource(simulator.page_size))
    for name, function in _host_functions(simulator).items():
        for module in (rtslib_fb.fabric, rtslib_fb.root, rtslib_fb.tcm, rtslib_fb.utils):
            if hasattr(module, name):
                _bind(module, name, function)
    rtslib_fb.tcm.bs_cache.clear()


def end_simulation() -> None:
    """Let rtslib work on the real host again; do nothing if it does."""
    global _simulator  # noqa: PLW0603
    _simulator = None
    while _replaced:
        owner, name, value = _replaced.pop()
        setattr(owner, name, value)
    rtslib_fb.tcm.bs_cache.clear()


def _bind(owner: Any, name: str, value: object) -> None:
    _replaced.append((owner, name, getattr(owner, name)))
    setattr(owner, name, value)


class _Resource(NamedTuple):
    """The `resource` of rtslib's `tcm` module, which reads the page size."""

    page_size: int

    def getpagesize(self) -> int:
        return self.page_size


def _stored(simulator: Simulator, path: str) -> str:
    """Return where a path of the simulated host is stored; one in its folder stays as it is."""
    if not path.startswith("/") or is_below(path, str(simulator.folder)):
        return path
    return str(simulator.machine.file(path))


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
