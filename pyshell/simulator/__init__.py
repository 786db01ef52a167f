# SPDX-License-Identifier: Apache-2.0
"""A simulated LIO kernel: /sys/kernel/config/target in an ordinary folder, with the kernel's rules.

It needs neither root nor LIO: for trying commands out, for teaching and for tests. What it shows
and refuses was recorded from a real kernel. `pyshell.lio.rtslib` puts it under rtslib.

This module has the system calls on its tree, with the kernel's errors.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from pyshell.files import paths
from pyshell.simulator import (
    alua_groups,
    core,
    fabric_kinds,
    login_sessions,
    plugins,
    portal_groups,
    registrations,
)
from pyshell.simulator.hardware import Hardware, SimulatedDevice, SimulatedPort
from pyshell.simulator.login_sessions import ChapCredentials, LoginRefusedError
from pyshell.simulator.recorded import template
from pyshell.simulator.rules import (
    RefusalError,
    Rules,
    SimulatedKernel,
    TreePath,
    locate,
    recorded_value,
    refuse,
    state_of,
)
from pyshell.simulator.tree_files import TreeFiles

__all__ = [
    "RULES",
    "ChapCredentials",
    "Hardware",
    "LoginRefusedError",
    "SimulatedDevice",
    "SimulatedPort",
    "Simulator",
    "open_simulator",
]

_NAME_MAX = 255
_PAGE_MAX = 4095  # a longer write reaches an attribute in pieces of this size


def _merged() -> Rules:
    merged = Rules({}, {}, {}, {}, {})
    for module in (core, alua_groups, portal_groups, fabric_kinds, registrations):
        for rules, more in zip(vars(merged).values(), vars(module.RULES).values(), strict=True):
            rules.update(more)
    return merged


RULES = _merged()


class Simulator:
    """A simulated kernel in a folder.

    `configfs` is what /sys/kernel/config/target is on a real one: an ordinary folder that any tool
    can read. Change it only through this class: it has the kernel's rules, and takes a lock for
    each change. Every method takes an absolute path below `configfs` and raises OSError with the
    kernel's errno and that path.
    """

    def __init__(
        self, folder: Path, machine: Hardware | None = None, *, lean: bool = False
    ) -> None:
        """`machine` is the host's hardware, by default that of the folder's `machine.json`.

        `lean` is as for `TreeFiles`.
        """
        self.folder = folder
        self.configfs = folder / "configfs" / "target"
        self.config_dir = folder / "etc" / "target"
        self.root = str(self.configfs)
        self.page_size = plugins.PAGE_SIZE
        self.machine = machine or Hardware(folder)
        self._tree = TreeFiles(folder, lean=lean)
        self._kernel = SimulatedKernel(self._tree, self.machine)
        self._unrecorded: set[str] = set()
        """Names of attributes that `put` has set."""
        self.before_change: Callable[[str], None] = lambda path: None
        """Called with the path before each change; may raise OSError."""

    def within(self, folder: str) -> AbstractContextManager[Callable[[str], str]]:
        """Return what reads attributes of one folder by their names."""
        return nullcontext(lambda name: self.read(f"{folder}/{name}"))

    def read(self, path: str) -> str:
        """Return the text of an attribute.

        The file has the same text; this raises the kernel's errors as well: EACCES for a
        write-only attribute, ENODEV for a nexus that is not set.
        """
        with self._refusals(path):
            rel = self._tree.inside(path)
            mode = self._lstat(rel)
            if stat.S_ISDIR(mode):
                refuse(errno.EISDIR)
            if not mode & stat.S_IRUSR:
                refuse(errno.EACCES)
            return self._tree.text(rel) or self._read_empty(locate(rel))

    def write(self, path: str, text: str) -> None:
        """Write `text` to an attribute in one call."""
        with self._act(path) as rel:
            self._check_writable(rel)
            for start in range(0, len(text), _PAGE_MAX):
                self._store(locate(rel), text[start : start + _PAGE_MAX])

    def put(self, path: str, text: str) -> None:
        """Set an attribute as a recorded kernel need not have it; it accepts any text afterwards.

        That is for a copy of the settings of another kernel.
        """
        with self._act(path) as rel:
            self._unrecorded.add(rel.rpartition("/")[2])
            if self._tree.exists(rel):
                self._tree.put(rel, text)
            elif self._tree.is_group(rel.rpartition("/")[0]):
                self._tree.add(rel, text)

    def lack(self, path: str) -> None:
        """Remove an attribute that the copied kernel lacks; new objects are without it, too."""
        with self._act(path) as rel:
            where = locate(rel)
            self._tree.lack(where.template, where.inner)
            with suppress(FileNotFoundError):
                self._tree.unlink(rel)

    def mkdir(self, path: str) -> None:
        """Create an object, with the groups and attributes that the kernel creates with it."""
        with self._act(path) as rel:
            parent, _, name = rel.rpartition("/")
            self._check_new(parent, rel)
            where = locate(parent)
            kind = where.makes
            if kind is None:
                refuse(errno.ENOSYS if where.inner == "statistics" else errno.EPERM)
            rule = RULES.makes[kind]
            rule(self._kernel, where, name)

    def rmdir(self, path: str) -> None:
        """Remove an object that is not in use and has no other objects in it."""
        with self._act(path) as rel:
            if not stat.S_ISDIR(self._lstat(rel)):
                refuse(errno.ENOTDIR)
            where = locate(rel)
            if where.inner or not rel or _is_default(where):
                refuse(errno.EPERM)
            if self._tree.facts(rel).get("links"):
                refuse(errno.EBUSY)
            if self._has_children(where):
                refuse(errno.ENOTEMPTY)
            drop = RULES.drops.get(where.kind)
            if drop:
                drop(self._kernel, where)
            self._tree.fell(rel)

    def symlink(self, source: str, path: str) -> None:
        """Create a link in a LUN or mapped LUN to the object at `source`."""
        with self._act(path) as rel:
            parent = rel.rpartition("/")[0]
            self._check_new(parent, rel)
            where = locate(parent)
            rule = None if where.inner else RULES.links.get(where.kind)
            if rule is None:
                refuse(errno.EPERM)
            rule(self._kernel, where, rel, self._link_source(source))

    def unlink(self, path: str) -> None:
        """Remove a link; attributes cannot be removed."""
        with self._act(path) as rel:
            mode = self._lstat(rel)
            if stat.S_ISDIR(mode):
                refuse(errno.EISDIR)
            if not stat.S_ISLNK(mode):
                refuse(errno.EPERM)
            where = locate(rel.rpartition("/")[0])
            RULES.unlinks[where.kind](self._kernel, where, rel)

    def holder(self, path: str) -> str | None:
        """Return what uses the device at `path` exclusively; None if it is free.

        A missing device counts as in use.
        """
        device = self.machine.device(path)
        if device is None:
            return "no such device"
        claimed = plugins.claims(self._kernel).get(device.kernel_name)
        return device.holder or (claimed and f"storage object {claimed.removeprefix('core/')}")

    # What initiators do: there is no other host, so the caller acts for it

    def login(
        self,
        target: str,
        tag: int,
        initiator: str,
        address: str,
        chap: ChapCredentials | None = None,
    ) -> None:
        """Log in an initiator at `address`; it offers CHAP if `chap` is given.

        Raises ConnectionRefusedError if the TPG is not enabled, LoginRefusedError if the initiator
        is refused (or refuses the target), FileNotFoundError and FileExistsError.
        """
        with self._at_tpg(target, tag) as tpg:
            login_sessions.login(self._kernel, tpg, initiator, address, chap)

    def accepts_without_chap(self, target: str, tag: int, initiator: str) -> bool:
        """Return whether an initiator can log in without CHAP. Raises FileNotFoundError."""
        with self._at_tpg(target, tag) as tpg:
            return login_sessions.accepts_without_chap(self._kernel, tpg, initiator)

    def logout(self, target: str, tag: int, initiator: str) -> None:
        """End an initiator's session. Raises FileNotFoundError if it has none."""
        with self._at_tpg(target, tag) as tpg:
            login_sessions.logout(self._kernel, tpg, initiator)

    def refuse(
        self, target: str, tag: int, initiator: str, address: str, reason: str = "authenticate"
    ) -> None:
        """Count a refused login.

        `reason` is authenticate, authorize, negotiate or other.
        """
        with self._at_tpg(target, tag) as tpg, suppress(PermissionError):
            login_sessions.refuse_login(self._kernel, tpg, initiator, address, reason)

    def transfer(self, path: str, commands: int, *, read: int = 0, written: int = 0) -> None:
        """Count commands and bytes at a mapped LUN, or in demo mode at a LUN.

        Raises FileNotFoundError if nothing is exported there.
        """
        with self._refusals(path), self._tree.locked():
            login_sessions.count_commands(
                self._kernel, self._tree.inside(path), commands, read=read, written=written
            )

    def reserve(
        self, path: str, initiator: str, key: int, kind: int = 0, *, aptpl: bool = False
    ) -> None:
        """Register an initiator at a mapped LUN, in demo mode at a LUN; with `kind`, reserve it.

        Raises FileNotFoundError if nothing is exported there, OSError with EBUSY if it is reserved
        by another initiator, and with EIO if the folder for the registrations is missing.
        """
        with self._refusals(path), self._tree.locked():
            login_sessions.reserve(
                self._kernel, self._tree.inside(path), initiator, key, kind, aptpl=aptpl
            )

    # Locking and errors

    @contextmanager
    def _act(self, path: str) -> Iterator[str]:
        self.before_change(path)
        with self._refusals(path), self._tree.locked():
            yield self._tree.inside(path)

    @contextmanager
    def _at_tpg(self, target: str, tag: int) -> Iterator[str]:
        tpg = f"iscsi/{target}/tpgt_{tag}"
        with self._refusals(self._tree.path(tpg)), self._tree.locked():
            yield tpg

    @contextmanager
    def _refusals(self, path: str) -> Iterator[None]:
        try:
            yield
        except RefusalError as refusal:
            raise OSError(refusal.number, os.strerror(refusal.number), path) from None

    def _lstat(self, rel: str) -> int:
        try:
            return os.lstat(self._tree.path(rel)).st_mode
        except FileNotFoundError:
            refuse(errno.ENOENT)
        except NotADirectoryError:
            refuse(errno.ENOTDIR)

    # What each call checks before the rule of the object

    def _check_new(self, parent: str, rel: str) -> None:
        if not stat.S_ISDIR(self._lstat(parent)):
            refuse(errno.ENOTDIR)
        if len(os.fsencode(rel.rpartition("/")[2])) > _NAME_MAX:
            refuse(errno.ENAMETOOLONG)
        if self._tree.exists(rel):
            refuse(errno.EEXIST)

    def _check_writable(self, rel: str) -> None:
        if not self._tree.exists(rel):
            if not stat.S_ISDIR(self._lstat(rel.rpartition("/")[0])):
                refuse(errno.ENOTDIR)
            refuse(errno.EACCES)  # opening a missing file for writing would create it
        mode = self._lstat(rel)
        if stat.S_ISDIR(mode):
            refuse(errno.EISDIR)
        if not mode & stat.S_IWUSR:
            refuse(errno.EACCES)

    def _store(self, where: TreePath, text: str) -> None:
        own = RULES.writes.get((f"{where.kind}/{where.variant}", where.inner))
        rule = own or RULES.writes.get((where.kind, where.inner))
        if rule:
            rule(self._kernel, where, text)
            return
        if (
            where.inner not in where.template.files
            and where.inner.rpartition("/")[2] in self._unrecorded
        ):
            self._tree.put(where.path, f"{text.strip()}\n")
            return
        shown = recorded_value(self._kernel, where, text)
        if shown is not None:
            self._tree.put(where.path, shown)

    def _read_empty(self, where: TreePath) -> str:
        recorded = where.template.files.get(where.inner)
        number = recorded and recorded.errno_if_empty(state_of(self._kernel, where))
        return refuse(number) if number else ""

    def _has_children(self, where: TreePath) -> bool:
        made = set(where.template.groups)
        for slot in where.slots:
            prefix = f"{slot}/" if slot else ""
            if any(f"{prefix}{n}" not in made for n in self._tree.groups(f"{where.owner}/{slot}")):
                return True
        return where.kind in RULES.links and bool(self._tree.links(where.owner))

    def _link_source(self, source: str) -> TreePath:
        try:
            real = os.path.realpath(source, strict=True)
        except OSError as error:
            refuse(error.errno or errno.ENOENT)
        if not os.path.isdir(real):
            refuse(errno.ENOTDIR)
        if not real.startswith(f"{os.path.realpath(self.configfs)}/"):
            refuse(errno.EPERM)
        return locate(real[len(os.path.realpath(self.configfs)) + 1 :])


def _is_default(where: TreePath) -> bool:
    """Return whether the object was created with its parent, as default_tg_pt_gp is."""
    if where.kind == "lu_gp":
        return where.name == "default_lu_gp"
    return where.kind == "tg_pt_gp" and where.name == "default_tg_pt_gp"


def open_simulator(folder: Path) -> Simulator:
    """Return the simulated kernel in `folder`, which is created if it is missing.

    Raises NotADirectoryError if `folder` is something else, ValueError if it contains something
    else than a simulator, NotPermittedError if other users can change it. The folder's real path
    is used, as rtslib compares paths with the targets of links.
    """
    named, folder = folder, Path(os.path.realpath(folder))
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    paths.judge_folder(named)
    simulator = Simulator(folder)
    if not simulator.configfs.is_dir():
        create(simulator)
    return simulator


def create(simulator: Simulator) -> None:
    """Create a simulated kernel in its folder, which must be empty or missing."""
    folder = simulator.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = {entry.name for entry in folder.iterdir()}
    if names and "lock" not in names:
        raise ValueError(f"{folder} is not empty and holds no simulated kernel")
    tree = simulator._tree
    with tree.locked():
        if simulator.configfs.is_dir():
            return  # another process created it first
        folder.chmod(0o700)
        tree.prepare()
        simulator.machine.prepare()
        tree.grow("", template("root", ""), {})
