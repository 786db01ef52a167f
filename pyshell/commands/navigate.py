# SPDX-License-Identifier: Apache-2.0
"""Moving about in the tree: `ls`, `cd`, `pwd`, `status`, `bookmarks` and `exit`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from pyshell.errors import NotFoundError, UsageError
from pyshell.expressions import expression
from pyshell.names import plain
from pyshell.tree.command import CD_PATH, PATH, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Go, Leave, Lines, Nothing, Pick, Preference, Result, Tree

_BOOKMARK = expression(r"[\w.:-]+")
"""A name that `@NAME` can hold: no slash, blank or `*`."""


@command(examples=("ls", "ls /backstores", "/iscsi ls depth=1"))
def ls(
    node: Node,
    path: Annotated[str | None, PATH, "Node to start at. Default: the current one."] = None,
    depth: Annotated[int | None, "Number of levels to show; 0 for all."] = None,
) -> Result:
    """Show the tree below a node."""
    start = node.get_node(path) if path else node
    levels = depth if depth is not None else node.context.preference("tree_max_depth")
    branch = start.branch()
    if (candidate := node.context.candidate) is not None:
        from pyshell.commands.candidate import marked  # few runs need it

        branch = marked(branch, candidate.differences())
    return Tree(branch, levels or None)


@command(examples=("cd /iscsi", "cd .."))
def cd(
    node: Node,
    path: Annotated[
        str | None,
        CD_PATH,
        "The new path; '-' or '<' for the previous one. Default: select from the tree, if the"
        " terminal supports that; otherwise '/'.",
    ] = None,
) -> Result:
    """Change the current path."""
    if path in ("<", "-"):
        return Go("<")
    return Go(node.get_node(path).path) if path else Pick()


@command()
def pwd(node: Node) -> Result:
    """Show the current path."""
    return Lines([node.path], node.path)


@command(examples=("/iscsi status",))
def status(node: Node) -> Lines:
    """Show the summary of a node."""
    branch = node.branch()
    data = {"path": node.path, "summary": branch.label, "healthy": branch.healthy}
    return Lines([f"Status for {node.path}: {branch.summary}"], data)


@command()
def refresh(node: Node) -> Result:
    """Do nothing; for scripts written for targetcli.

    pyshell always shows the kernel's current state.
    """
    return Nothing()


@command()
def exit_(node: Node) -> Result:
    """Leave the shell."""
    return Leave()


@command(examples=("bookmarks show",))
def bookmarks(
    node: Node,
    action: Annotated[str, choice("add", "del", "go", "show"), "The action."],
    bookmark: Annotated[str | None, "Name of the bookmark, used in paths as @NAME."] = None,
) -> Result:
    """Add, list, use or delete short names for paths."""
    known = node.context.bookmarks
    if action == "show":
        return Lines(_bookmark_lines(known), dict(known))
    if not bookmark:
        raise UsageError(f"'bookmarks {action}' needs the name of a bookmark.")
    if action == "add":
        plain(bookmark, "a bookmark's name")
        if not _BOOKMARK.fullmatch(bookmark):
            raise UsageError(
                f"'{bookmark}' is not a valid bookmark name.",
                "It consists of letters, digits, '_', '-', '.' and ':'.",
            )
        said = f"Bookmarked {node.path} as {bookmark}."
        would = f"Would bookmark {node.path} as {bookmark}."
        add = partial(_bookmarked, bookmark, node.path)
        add(known)
        return Preference({"bookmarks": add}, [said], [would], undoable=False)
    if bookmark not in known:
        raise NotFoundError(
            f"No such bookmark {bookmark}.",
            "'bookmarks show' lists them.",
            targetcli=f"No such bookmark {bookmark}.",
        )
    if action == "go":
        return Go(node.get_node(known[bookmark]).path)
    remove = partial(_without, bookmark)
    said, would = f"Deleted bookmark {bookmark}.", f"Would delete bookmark {bookmark}."
    return Preference({"bookmarks": remove}, [said], [would], undoable=False)


def _bookmarked(name: str, path: str, known: dict[str, str] | None) -> dict[str, str]:
    """Return bookmarks with one more. Raises UsageError."""
    if known and name in known:
        raise UsageError(f"Bookmark {name} already exists.", "Delete it first.")
    return {**(known or {}), name: path}


def _without(name: str, known: dict[str, str] | None) -> dict[str, str]:
    return {one: path for one, path in (known or {}).items() if one != name}


def _bookmark_lines(known: Mapping[str, str]) -> list[str]:
    lines = ["", "BOOKMARKS", "========="]
    if not known:
        return [*lines, "", "No bookmarks yet."]
    for name, path in sorted(known.items()):
        lines += ["", name, "-" * len(name), path]
    return lines
