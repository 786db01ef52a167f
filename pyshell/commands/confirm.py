# SPDX-License-Identifier: Apache-2.0
"""`confirm`, and what else concerns a change that a timer reverts unless it is confirmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyshell.commands import cluster_control
from pyshell.commands.apply import brought
from pyshell.commands.diff import RUNNING, items_of
from pyshell.config import store
from pyshell.config.document_file import typed
from pyshell.config.model import items
from pyshell.config.plan import plan
from pyshell.config.store import clustered, unconfirmed
from pyshell.config.store import undo as journal
from pyshell.config.store.boot_file import is_unsaved
from pyshell.config.store.unconfirmed import Unconfirmed
from pyshell.errors import ConflictError, NotFoundError, PyshellError
from pyshell.lio import Lio
from pyshell.lio.configfs import is_below_any
from pyshell.lio.operations.base import ObjectOperation, Operation, flat
from pyshell.tree.command import command
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Result, Reversal


@command(changes=True, examples=("confirm",), in_candidate="running")
def confirm(node: Node) -> Result:
    """Keep a change that was made with confirm=TIME, and stop its timer.

    Without it, the timer restores the previous running configuration at the deadline, also if the
    shell or the connection to this host has ended. Changes that were made after that one are
    reverted, too. 'status' shows the deadline, and 'undo' reverts the change before it.

    Nothing is saved: 'saveconfig' does that. Until then, a reboot reverts the change, too.

    If the change could not be reverted at its deadline, 'status' and 'doctor' show why, and the
    timer attempts it again, at last 15 minutes later. confirm then keeps what is running.
    """
    found = unconfirmed.current(node.lio)
    if found is None:
        raise _nothing(node.lio)
    if not found.may_be_confirmed:
        raise _too_late(found)

    def after() -> list[str]:
        unconfirmed.end(node.lio, found, "confirmed", store.user_name())
        node.lio.machine.log(f"Confirmed by {store.user_name()}: {found.what}")
        return [f"Confirmed {found.what}.", *_to_save(node.lio)]

    return Change(
        [],
        after=after,
        would=[f"Would confirm {found.what}."],
        data={"line": found.line, "deadline": found.deadline},
        logged=True,
    )


def _to_save(lio: Lio) -> list[str]:
    try:
        unsaved = is_unsaved(lio)
    except PyshellError:
        return []
    return ["The running configuration is not saved. Run 'saveconfig' to save it."] * unsaved


def _nothing(lio: Lio) -> PyshellError:
    last = unconfirmed.last(lio)
    hint = f"{last.what} {last.outcome}." if last is not None else ""
    return NotFoundError("Nothing waits to be confirmed.", hint)


def _too_late(found: Unconfirmed) -> PyshellError:
    if found.state == "changing":
        why = "was interrupted and is incomplete"
    else:
        why = "was not confirmed before its deadline"
    return ConflictError(f"{found.what} {why}: it {found.reverts}.", "'undo' reverts it now.")


def is_clustered(lio: Lio, operations: Sequence[Operation]) -> str | None:
    """Return the path of an object under cluster control that operations change, if any."""
    ours = clustered.read(lio.config_dir)
    roots = {**ours.targets, **ours.storage}
    if not roots:
        return None
    paths = (one.place.path for one in flat(operations) if isinstance(one, ObjectOperation))
    return next((path for path in paths if is_below_any(path, roots)), None)


def last_undo(lio: Lio) -> int:
    """Return the highest number in the undo journal, 0 if it is empty. Raises PyshellError."""
    return max(journal.numbers(lio), default=0)


def number_of(lio: Lio, found: Unconfirmed) -> int | None:
    """Return the number of an unconfirmed change in the undo journal, None if it has none.

    Raises PyshellError.
    """
    return next((number for number in journal.numbers(lio) if number > found.undo), None)


def reverted(lio: Lio, found: Unconfirmed) -> None:
    """Record that the user reverted an unconfirmed change before its deadline."""
    user = store.user_name()
    unconfirmed.end(lio, found, "reverted", user)
    lio.machine.log(f"Reverted by {user}: {found.what}")


def undone(node: Node, found: Unconfirmed) -> Change:
    """Return the change that reverts an unconfirmed change that the undo journal lacks."""
    titles = (f"Undid {found.what}", f"Would undo {found.what}")
    change = _reverted(node, found, titles, "undo", lambda: reverted(node.lio, found))
    change.reversal = Reversal(f"undo '{found.line}'", (), lambda *_: None)
    return change


def expired(node: Node, found: Unconfirmed) -> Change:
    """Return the change that reverts an unconfirmed change at its deadline; `undo` can undo it."""

    def then() -> None:
        unconfirmed.end(node.lio, found, "reverted", "")
        node.lio.machine.announce(f"Reverted, as it was not confirmed: {found.what}")

    titles = (f"Reverted {found.what}", f"Would revert {found.what}")
    return _reverted(node, found, titles, "timer", then)


def _reverted(
    node: Node,
    timed: Unconfirmed,
    titles: tuple[str, str],
    way: str,
    then: Callable[[], None],
) -> Change:
    data, file = unconfirmed.before(node.lio)
    document, left = cluster_control.to_restore(node.context, typed(data, str(file)))
    wanted = items(document, node.lio.root)
    running = cluster_control.beside(node.context, items_of(node, RUNNING), wanted, left)
    running = {
        path: item
        for path, item in running.items()
        if path in wanted or not is_below_any(path, timed.kept)
    }
    found = plan(node.lio, running, wanted, prune=True)
    return brought(node, found, titles, way, then=then)
