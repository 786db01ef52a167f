# SPDX-License-Identifier: Apache-2.0
"""`clearconfig`: remove the whole running configuration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pyshell.config import object_operations, store
from pyshell.config.object_operations import is_clear
from pyshell.errors import PyshellError, UsageError
from pyshell.lio import listing
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.storage import remove_unexported
from pyshell.lio.operations.targets import remove_targets
from pyshell.lio.sessions import sessions
from pyshell.tree.command import command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work


@command(changes=True)
def clearconfig(node: Node, confirm: Annotated[bool, "Must be true."] = False) -> Result:
    """Terminate all sessions and delete the running configuration.

    The saved file, devices and image files are kept; the data of ramdisks is lost.
    """
    if not confirm:
        raise UsageError(
            "As a precaution, confirm=true needs to be set.",
            "clearconfig confirm=true removes all.",
            targetcli="As a precaution, confirm=True needs to be set",
        )

    def run() -> Lines:
        idle = is_clear(node.lio)
        clear(node)
        forget_missing(node)
        return Lines(["All configuration cleared"], idle=idle)

    def foresee() -> Lines:
        return Lines([f"Would terminate the session of {one}." for one in sessions(node.lio)])

    would = ["All configuration would be cleared"]
    return Work(would, run, "other", foresee, operations=partial(removing_all, node), named=None)


def removing_all(node: Node) -> Sequence[Operation]:
    """Return the operations of a clear that terminate sessions and remove objects."""
    found: list[Operation] = []
    for fabric in listing.fabrics_in_use(node.lio):
        found += remove_targets(listing.targets(fabric))
    for place in listing.storage_objects(node.lio):
        found += remove_unexported(place)
    return found


def clear(node: Node) -> None:
    """Remove the whole running configuration. The saved file is kept."""
    # In targetcli mode cleared objects count as deleted: a save on leaving omits them. Otherwise
    # leaving asks before the saved file loses them.
    removed = [node.context.note_removed] if node.context.compat else []
    try:
        object_operations.clear(node.lio, *removed)
    except PyshellError as error:
        if node.context.way != "boot":
            error.hint = f"{error.hint} 'undo' restores the removed objects.".lstrip()
        raise


def forget_missing(node: Node) -> None:
    """Record that nothing is missing since a restore."""
    try:
        store.unmark(node.lio.mark_file)
    except PyshellError as error:
        node.context.note(f"Could not record that nothing is missing: {error}")
