# SPDX-License-Identifier: Apache-2.0
"""The root of the tree: what concerns the whole configuration.

What only some commands need (the branches, saving, sessions) is imported where it is used: a
one-liner pays for its own branch alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

from pyshell import __version__
from pyshell.commands.check import CheckingNode
from pyshell.commands.examine import DoctorNode
from pyshell.commands.graph import GraphingNode
from pyshell.commands.guide.guide import GuidingNode
from pyshell.commands.monitor import SeeingNode
from pyshell.commands.restore import RestoringNode
from pyshell.commands.share.share import SharingNode
from pyshell.commands.takeover import TakingOverNode
from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import fabrics
from pyshell.lio.fabrics import fabric
from pyshell.tree.command import command
from pyshell.tree.node import Context, Node
from pyshell.tree.results import Lines, Result, Work


class RootNode(
    RestoringNode,
    CheckingNode,
    SeeingNode,
    DoctorNode,
    SharingNode,
    GraphingNode,
    GuidingNode,
    TakingOverNode,
):
    """The root."""

    def __init__(self, context: Context) -> None:
        super().__init__("/", None, context)

    def make_children(self) -> Sequence[Node]:
        """Make the backstores and the fabrics that the kernel can provide."""
        from pyshell.tree.backstores import BackstoresNode
        from pyshell.tree.fabric import FabricNode

        every = map(fabric, fabrics.known())
        machine = self.lio.machine
        return [
            BackstoresNode("backstores", self),
            *(FabricNode(found, self) for found in every if found.is_offered(machine)),
        ]

    def find(self, name: str) -> Node | None:
        """Return the backstores or one fabric."""
        if name == "backstores":
            from pyshell.tree.backstores import BackstoresNode

            return BackstoresNode(name, self)
        if name not in fabrics.known():
            return None
        if not fabric(name).is_offered(self.lio.machine):
            if name not in self.lio.machine.loadable_fabrics():
                hint = f"This kernel cannot provide the fabric {name}."
            else:
                hint = f"This host has no hardware for the fabric {name}."
            raise NotFoundError(f"No such path /{name}", hint)
        from pyshell.tree.fabric import FabricNode

        return FabricNode(fabric(name), self)

    @command()
    def ui_command_version(self) -> Result:
        """Show the versions of pyshell, of its libraries and of the kernel."""
        if self.context.compat:
            return Lines([f"pyshell version {__version__}"])
        found = {**_versions(), "kernel": self.lio.kernel_release}
        lines = [f"{name} {number}" for name, number in found.items() if name != "pyshell"]
        simulated = self.lio.simulated is not None
        if simulated:
            lines[-1] += " (simulated, as recorded from that one)"
        data = {**found, "simulated": simulated}
        return Lines([f"pyshell version {__version__}", *lines], data)

    @command(changes=True)
    def ui_command_clearconfig(
        self, confirm: Annotated[bool, "confirm=true is needed."] = False
    ) -> Result:
        """Remove the whole running configuration. The saved file stays."""
        if not confirm:
            raise UsageError(
                "As a precaution, confirm=true needs to be set.",
                "clearconfig confirm=true removes all.",
                targetcli="As a precaution, confirm=True needs to be set",
            )

        def run() -> Lines:
            from pyshell.config.object_operations import is_clear

            idle = is_clear(self.lio)
            self.clear()
            self.forget_missing()
            return Lines(["All configuration cleared"], idle=idle)

        def foresee() -> Lines:
            from pyshell.lio.sessions import sessions

            return Lines([f"Would terminate the session of {one}." for one in sessions(self.lio)])

        would = ["All configuration would be cleared"]
        return Work(would, run, "other", foresee, operations=self.removing_all, named=None)


def _versions() -> dict[str, str]:
    """Return the versions of pyshell and of the libraries that do its work."""
    libraries = {name: _version(name) for name in ("rtslib-fb", "configshell-fb")}
    python = ".".join(map(str, sys.version_info[:3]))
    return {"pyshell": __version__, **libraries, "python": python}


def _version(library: str) -> str:
    """Return a library's version, which is unknown where it was not installed by its package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"
