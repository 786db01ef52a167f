# SPDX-License-Identifier: Apache-2.0
"""The root of the tree, and which module each of its commands is in.

A one-liner imports its own branch and its own command alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import ClassVar

from pyshell.errors import NotFoundError
from pyshell.lio import fabrics
from pyshell.lio.fabrics import Fabric, fabric
from pyshell.tree.node import Context, Node


class RootNode(Node):
    """The root."""

    more: ClassVar[Mapping[str, str]] = {
        **Node.more,
        "abort": "pyshell.commands.candidate",
        "apply": "pyshell.commands.apply",
        "begin": "pyshell.commands.candidate",
        "check": "pyshell.commands.check",
        "clearconfig": "pyshell.commands.restore",
        "cluster": "pyshell.commands.cluster",
        "commit": "pyshell.commands.candidate",
        "confirm": "pyshell.commands.confirm",
        "diff": "pyshell.commands.diff",
        "doctor": "pyshell.commands.examine",
        "export": "pyshell.commands.diff",
        "graph": "pyshell.commands.graph",
        "guide": "pyshell.commands.guide",
        "list": "pyshell.commands.tables",
        "metrics": "pyshell.commands.metrics",
        "restoreconfig": "pyshell.commands.restore",
        "revisions": "pyshell.commands.save",
        "rollback": "pyshell.commands.apply",
        "saveconfig": "pyshell.commands.save",
        "sessions": "pyshell.commands.monitor",
        "share": "pyshell.commands.share",
        "status": "pyshell.commands.diff",
        "takeover": "pyshell.commands.takeover",
        "top": "pyshell.commands.monitor",
        "trace": "pyshell.commands.trace",
        "unshare": "pyshell.commands.share",
        "version": "pyshell.commands.help",
    }

    def __init__(self, context: Context) -> None:
        super().__init__("/", None, context)

    def make_children(self) -> Sequence[Node]:
        every = (fabric(name, self.lio.root) for name in fabrics.known())
        return [
            self._backstores(),
            *(self._fabric(found) for found in every if found.is_offered(self.lio)),
        ]

    def find(self, name: str) -> Node | None:
        if name == "backstores":
            return self._backstores()
        if name not in fabrics.known():
            return None
        if not fabric(name, self.lio.root).is_offered(self.lio):
            if name not in fabrics.loadable(self.lio.machine):
                hint = f"This kernel cannot provide the fabric {name}."
            else:
                hint = f"This host has no hardware for the fabric {name}."
            raise NotFoundError(f"No such path /{name}", hint)
        return self._fabric(fabric(name, self.lio.root))

    def _backstores(self) -> Node:
        from pyshell.tree.backstores import BackstoresNode

        return BackstoresNode("backstores", self)

    def _fabric(self, found: Fabric) -> Node:
        from pyshell.tree.fabric import FabricNode

        return FabricNode(found, self)


class SimulatedRootNode(RootNode):
    """The root of a simulated target: its initiators log in by commands."""

    more: ClassVar[Mapping[str, str]] = {
        **RootNode.more,
        "login": "pyshell.commands.simulated_initiator",
        "logout": "pyshell.commands.simulated_initiator",
        "refuse": "pyshell.commands.simulated_initiator",
        "reserve": "pyshell.commands.simulated_initiator",
        "simulate": "pyshell.commands.simulate",
        "traffic": "pyshell.commands.simulated_initiator",
    }


def kinds(above: type[Node] = Node) -> Iterator[type[Node]]:
    """Yield the classes of nodes in `tree`, each before those derived from it."""
    for module in ("acls", "fabric", "user_backstores"):  # these import the others
        import_module(f"pyshell.tree.{module}")
    for kind in above.__subclasses__():
        if kind.__module__.startswith("pyshell.tree."):  # others are derived for the prompt
            yield kind
            yield from kinds(kind)
