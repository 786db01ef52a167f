# SPDX-License-Identifier: Apache-2.0
"""The nodes of the prompt: pyshell's, which are configshell's as well.

configshell's conventions are those of the prompt: a node's commands are its methods
`ui_command_NAME`, and paths, bookmarks and groups of parameters are its own. A one-liner needs
nothing of configshell's and does not import it.
"""

from __future__ import annotations

from configshell import ConfigNode

from pyshell.tree.node import Node

_DERIVED: dict[type[Node], type[Node]] = {}


def as_configshell(kind: type[Node]) -> type[Node]:
    """Return a class of nodes that is derived from one of pyshell's and from configshell's."""
    if issubclass(kind, ConfigNode):
        return kind
    if kind not in _DERIVED:
        _DERIVED[kind] = type(kind.__name__, (kind, ConfigNode), {"__module__": __name__})
    return _DERIVED[kind]
