# SPDX-License-Identifier: Apache-2.0
"""Whether a command can work now: completion shows dimmed what cannot, with the reason."""

from __future__ import annotations

from pyshell.errors import PyshellError
from pyshell.tree.command import Command
from pyshell.tree.node import Node

_OPEN_TO_ALL = frozenset({"set"})
"""Commands that change the target in one of their forms only."""


def obstacle(node: Node, described: Command) -> str:
    """Return why a command cannot work now, "" where nothing is known against it."""
    if described.changes and not node.lio.may_change and described.name not in _OPEN_TO_ALL:
        return "it needs root"
    try:
        return node.obstacle(described.name)
    except (PyshellError, OSError):
        return ""  # running it says what is wrong
