# SPDX-License-Identifier: Apache-2.0
"""Where a command is to be found that the node it was typed at has not."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.tree.node import Node

_NAMED = 4
"""How many nodes are named."""
_DEEP = 3
"""How many levels below the root are looked at: a TPG lies so deep."""


def elsewhere(node: Node, name: str) -> str:
    """Tell which nodes have a command: those below, else those above, else examples of the tree.

    Returns "" where no kind of node has it.
    """
    above = _above(node)
    root = above[-1] if above else node
    # Only what is a command somewhere is looked for: who still types shall not wait for it.
    if not (root.children and any(name in kind.commands() for kind in _kinds(Node))):
        return ""
    if above and _takes_a_child(above[0], name):  # more likely of this one than of one below it
        return f"It is a command of {above[0].path}: {above[0].path} {name} {node.name}"
    found = [str(one.name) for one in _below([node], name) if above]
    found = found or [one.path for one in above if name in one.commands()]
    found = found or _examples(root, name)
    if not found:
        return ""
    more = ", …" if len(found) > _NAMED else ""
    return f"It is a command of {', '.join(found[:_NAMED])}{more}: cd there first."


def _takes_a_child(node: Node, name: str) -> bool:
    found = node.commands().get(name)
    return found is not None and bool(found.params) and found.params[0].kind.source == "child"


def _kinds(kind: type[Node]) -> Iterator[type[Node]]:
    for below in kind.__subclasses__():
        yield below
        yield from _kinds(below)


def _above(node: Node) -> list[Node]:
    """Return the nodes above one, the root last."""
    found = []
    while node.path != "/":
        node = node.get_node("..")
        found.append(node)
    return found


def _below(nodes: list[Node], name: str) -> list[Node]:
    return [one for one in _one_a_kind(nodes) if name in one.commands()]


def _examples(root: Node, name: str) -> list[str]:
    """Return paths of nodes that have a command, one of each kind, those nearest to the root."""
    level, found = [root], []
    for depth in range(1, _DEEP + 1):
        level = list(_one_a_kind(level))
        found += [one.path for one in level if name in one.commands()]
        if found and depth > 1:
            break
    return found


def _one_a_kind(nodes: list[Node]) -> Iterator[Node]:
    """Yield the first child of each kind."""
    seen: set[type[Node]] = set()
    for node in nodes:
        for child in node.children:
            if type(child) not in seen:
                seen.add(type(child))
                yield child
