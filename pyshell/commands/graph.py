# SPDX-License-Identifier: Apache-2.0
"""The root's command that draws the topology."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from pyshell.commands.diff import RUNNING, SAVED, items_of
from pyshell.errors import UsageError
from pyshell.tree.command import CONFIGURATION, FILE, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Picture, Result

if TYPE_CHECKING:
    from pyshell.commands.topology_reading import Seen

_ENDINGS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"}


@command(examples=("graph /tmp/target.svg", "graph format=mermaid", "graph since=saved"))
def graph(
    node: Node,
    file: Annotated[
        str | None, FILE, "Where to write the picture; standard output unless given."
    ] = None,
    *,
    format: Annotated[
        str | None,
        choice("svg", "mermaid", "dot"),
        "Form of the picture; unless given, as the file's name ends (.svg, .mmd, .dot, .gv);"
        " svg without an ending.",
    ] = None,
    of: Annotated[
        str | None, CONFIGURATION, "running, saved, a revision or a file; running unless given."
    ] = None,
    since: Annotated[
        str | None,
        CONFIGURATION,
        "Colour what differs from this one: what was added, removed, changed.",
    ] = None,
) -> Result:
    """Draw the topology: initiators, targets, LUNs, storage objects, devices.

    An SVG opens in any browser, light or dark as that is. What runs is drawn with its health
    and with who is logged in.

    A file that is there is only written anew where it holds such a picture.
    """
    from pyshell.commands import topology_reading

    form = format or _form(file)
    chosen = of or RUNNING
    before = items_of(node, since) if since else None
    seen = _seen(node) if chosen == RUNNING else topology_reading.Seen()
    title = _name(chosen) + (f", changes since {_name(since).lower()}" if since else "")
    made = topology_reading.make(title, before, items_of(node, chosen), seen)
    return Picture(made, form, file)


def _seen(node: Node) -> Seen:
    """Return what the running target tells beside its configuration."""
    from pyshell.commands.topology_reading import Seen
    from pyshell.lio import listing, storage_info
    from pyshell.lio.sessions import sessions

    sizes, missing = {}, {}
    for place in listing.storage_objects():
        found = storage_info.describe(node.lio, place)
        if found.size is not None:
            sizes[place.path] = found.size
        if found.missing:
            missing[place.path] = found.missing
    logged_in = {
        # A TPG's own path, which a fabric without tags does not show.
        (f"{s.tpg.target.path}/tpg{s.tpg.tag}", s.initiator): next(
            (connection.address for connection in s.connections), ""
        )
        for s in sessions(node.lio)
    }
    return Seen(sizes, missing, logged_in, running=True)


def _form(file: str | None) -> str:
    """Return the form of a picture by its file's name. Raises UsageError for another ending."""
    if file is None:
        return "svg"
    if file in _ENDINGS.values():
        raise UsageError(f"{file} would be a file.", f"Did you mean format={file}?")
    ending = os.path.splitext(file)[1].lower()
    if ending and ending not in _ENDINGS:
        raise UsageError(
            f"Cannot draw a picture as {ending}", "Use .svg, .mmd or .dot, or give format=."
        )
    return _ENDINGS.get(ending, "svg")


def _name(word: str) -> str:
    """Return a configuration's name as a title."""
    if word == RUNNING:
        return "Running configuration"
    if word == SAVED:
        return "Saved configuration"
    return f"Revision {word}" if word.isascii() and word.isdigit() else word
