# SPDX-License-Identifier: Apache-2.0
"""Acts on a target tree, and the two kernels that they are performed on.

A path is relative to /sys/kernel/config/target. What came of an act is one word: "ok" or the name
of the errno.
"""

from __future__ import annotations

import errno
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pyshell.simulator.recorded import recorded_kernel

if TYPE_CHECKING:
    from pyshell.simulator import Simulator

OK = "ok"
CONFIGFS = Path("/sys/kernel/config/target")


@dataclass(frozen=True)
class Act:
    """One system call of a user: `argument` is a text to write or the path that a link leads to."""

    operation: str
    path: str
    argument: str = ""

    def __str__(self) -> str:
        argument = self.argument if len(self.argument) < 60 else f"{self.argument[:20]}…"
        return " ".join(word for word in (self.operation, self.path, repr(argument)) if word)


def mkdir(path: str) -> Act:
    """Make an object."""
    return Act("mkdir", path)


def rmdir(path: str) -> Act:
    """Remove an object."""
    return Act("rmdir", path)


def write(path: str, text: str) -> Act:
    """Write an attribute."""
    return Act("write", path, text)


def symlink(source: str, path: str) -> Act:
    """Link a LUN to a storage object, or a mapped LUN to a LUN."""
    return Act("symlink", path, source)


def unlink(path: str) -> Act:
    """Remove a link."""
    return Act("unlink", path)


def read(path: str) -> Act:
    """Read an attribute."""
    return Act("read", path)


class Player(Protocol):
    """A kernel that acts can be performed on; each raises OSError where it refuses."""

    root: Path
    release: str

    def mkdir(self, path: str) -> None: ...
    def rmdir(self, path: str) -> None: ...
    def write(self, path: str, text: str) -> None: ...
    def symlink(self, source: str, path: str) -> None: ...
    def unlink(self, path: str) -> None: ...
    def read(self, path: str) -> str: ...


class RealKernel:
    """The kernel that this program runs on."""

    root = CONFIGFS
    release = platform.release()

    def mkdir(self, path: str) -> None:
        os.mkdir(path)

    def rmdir(self, path: str) -> None:
        os.rmdir(path)

    def write(self, path: str, text: str) -> None:
        """Write in one go, and the rest of a long text in further ones, as Python's files do."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            data = text.encode()
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)

    def symlink(self, source: str, path: str) -> None:
        os.symlink(source, path)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def read(self, path: str) -> str:
        with open(path, newline="", errors="surrogateescape") as file:
            return file.read()


class SimulatedKernel:
    """A simulator's folder."""

    def __init__(self, simulator: Simulator) -> None:
        self.root = simulator.configfs
        self.release = recorded_kernel()
        self.mkdir = simulator.mkdir
        self.rmdir = simulator.rmdir
        self.write = simulator.write
        self.symlink = simulator.symlink
        self.unlink = simulator.unlink
        self.read = simulator.read


def perform(kernel: Player, act: Act) -> str:
    """Perform an act and say what came of it."""
    path = f"{kernel.root}/{act.path}" if act.path else str(kernel.root)
    try:
        if act.operation == "write":
            kernel.write(path, act.argument)
        elif act.operation == "symlink":
            kernel.symlink(_source(kernel, act.argument), path)
        else:
            getattr(kernel, act.operation)(path)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except Exception as error:  # a fault of the simulator's, to be told with the other differences
        return repr(error)
    return OK


def _source(kernel: Player, source: str) -> str:
    return source if source.startswith("/") else f"{kernel.root}/{source}"


def text_of(kernel: Player, path: str) -> str:
    """Return an attribute's text, or in angle brackets the errno that reading it gives."""
    try:
        return kernel.read(f"{kernel.root}/{path}")
    except OSError as error:
        return f"<{errno.errorcode[error.errno or 0]}>"
