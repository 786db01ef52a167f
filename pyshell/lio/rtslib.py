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
StorageObject._config_pr_aptpl  each new storage object reads /proc/mounts and writes dbroot
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rtslib_fb
import rtslib_fb.fabric
import rtslib_fb.node
import rtslib_fb.target
import rtslib_fb.tcm
import rtslib_fb.utils
from rtslib_fb.node import CFSNode
from rtslib_fb.utils import RTSLibError as RTSLibError  # noqa: PLC0414 - for `except` elsewhere

from pyshell.errors import NotFoundError, PyshellError, from_os_error
from pyshell.host import programs
from pyshell.lio.configfs import confine, confine_change, write_below

if TYPE_CHECKING:
    from pyshell.lio.attach import Lio

_MORE_THAN_A_PAGE = 65536
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
    from pyshell.simulator import under_rtslib  # only if a target is or was simulated

    under_rtslib.detach()
    replace_parts()
    if lio.simulator is not None:
        under_rtslib.attach(lio.simulator)
    else:
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

    Changes outside of configfs are refused. Errors are those of the system calls, with the path.
    """

    __slots__ = ("_entry", "_text")

    def __init__(self, *parts: str | os.PathLike[str]) -> None:
        self._text = os.path.join(*[os.fspath(part) for part in parts]) if parts else "."
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

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Create the folder, which must be in configfs; with `exist_ok` any existing one will do.

        rtslib creates /var/run with it, which holds its own lock.
        """
        if exist_ok and os.path.isdir(self._text):
            return
        confine_change(configfs_root(), self._text)
        if parents or exist_ok:
            Path(self._text).mkdir(mode, parents, exist_ok)
        else:
            os.mkdir(self._text, mode)

    def rmdir(self) -> None:
        """Remove the folder, which must be in configfs."""
        confine_change(configfs_root(), self._text)
        os.rmdir(self._text)

    def unlink(self) -> None:
        """Remove the link, which must be in configfs."""
        confine_change(configfs_root(), self._text)
        os.unlink(self._text)

    def read_text(self) -> str:
        """Return the text of an attribute file, which the kernel returns in one read."""
        descriptor = os.open(self._text, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = read = os.read(descriptor, _MORE_THAN_A_PAGE)
            while len(read) == _MORE_THAN_A_PAGE:
                read = os.read(descriptor, _MORE_THAN_A_PAGE)
                found += read
        except OSError as error:
            error.filename = self._text
            raise
        finally:
            os.close(descriptor)
        return found.decode("utf-8", errors="surrogateescape")

    def write_text(self, data: str) -> int:
        """Write a value to an existing file in configfs by one call."""
        write_below(configfs_root(), self._text, data.encode())
        return len(data)


class _ConfinedOs:
    """The `os` of rtslib's `target` module, which creates the links in configfs with it."""

    path = os.path

    @staticmethod
    def symlink(source: str | os.PathLike[str], link: str) -> None:
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


def _restore_reservations(created: Any) -> None:
    """Restore the persistent reservations of a new storage object if the kernel kept any.

    rtslib creates its root object to find their folder, once for each storage object: that reads
    /proc/mounts and tries to set dbroot.
    """
    try:
        dbroot = rtslib_fb.utils.fread(f"{created.configfs_dir}/dbroot")
    except OSError:
        dbroot = "/var/target"  # kernels without the file
    kept = rtslib_fb.utils.Path(dbroot) / "pr"
    try:
        if not any(path.name.startswith("aptpl_") for path in kept.iterdir()):
            return
        unit = rtslib_fb.utils.fread(f"{created.path}/wwn/vpd_unit_serial")
    except OSError:
        return  # as in rtslib: no serial number, no reservations
    serial = unit.partition(":")[2].strip()
    if (kept / f"aptpl_{serial}").is_file():
        _rtslibs_restore(created)


_rtslibs_restore = rtslib_fb.tcm.StorageObject._config_pr_aptpl


def replace_parts() -> None:
    """Replace the parts of rtslib listed above, except those that a simulator replaced."""
    CFSNode.exists = property(lambda node: os.path.isdir(node._path), doc=CFSNode.exists.__doc__)
    # Opening the file reports the same, with errno and path.
    CFSNode._check_self = lambda node: None
    rtslib_fb.tcm.StorageObject._config_pr_aptpl = _restore_reservations
    for module in (rtslib_fb.node, rtslib_fb.target, rtslib_fb.tcm, rtslib_fb.utils):
        if module.Path is Path:
            module.Path = QuickPath
    if rtslib_fb.fabric.modprobe.__module__ == rtslib_fb.utils.__name__:
        rtslib_fb.fabric.modprobe = modprobe
    if rtslib_fb.target.os is os:
        rtslib_fb.target.os = _ConfinedOs


replace_parts()
