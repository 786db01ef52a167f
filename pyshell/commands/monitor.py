# SPDX-License-Identifier: Apache-2.0
"""The root's commands that show who is connected, and what flows.

What they need is imported where it is used, as in `root`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from pyshell.commands import top_text
from pyshell.commands.session_text import session_data, session_lines, session_table
from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import listing
from pyshell.lio.sessions import luns_of
from pyshell.lio.statistics import samples
from pyshell.names import whole
from pyshell.tree.command import INITIATOR, PATH, STORAGE_OBJECT, TARGET, ValueType, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Stream, Table

if TYPE_CHECKING:
    from pyshell.lio.attach import Lio
    from pyshell.lio.identifiers import StorageObject
    from pyshell.lio.sessions import Session

_SHORTEST, _LONGEST = 0.1, 3600.0


def _seconds(text: str) -> float:
    """Read a stretch of time. Raises UsageError."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not _SHORTEST <= found <= _LONGEST:
        raise UsageError(
            f"'{text}' is not a valid number of seconds.",
            f"Give one from {_SHORTEST} to {_LONGEST:g}.",
        )
    return found


def _looks(text: str) -> int:
    """Read how many times to look. Raises UsageError."""
    found = whole(text)
    if not found:
        raise UsageError(
            f"'{text}' is not a valid number of samples.",
            "Give 1 or more. If it is omitted, a terminal shows samples until Ctrl-C.",
        )
    return found


SECONDS = ValueType("seconds", _seconds)
LOOKS = ValueType("number", _looks)


@command(examples=("sessions", "sessions detail", "sessions storage_object=lee_block"))
def sessions(
    node: Node,
    action: Annotated[
        str, choice("list", "detail"), "list, or detail with LUNs and addresses."
    ] = "list",
    sid: Annotated[int | None, "Show only the session with this number."] = None,
    *,
    target: Annotated[str | None, TARGET, "Show only sessions with the target of this WWN."] = None,
    initiator: Annotated[str | None, INITIATOR, "Show only sessions of this initiator."] = None,
    storage_object: Annotated[
        str | None,
        STORAGE_OBJECT,
        "Show only sessions that use this storage object: NAME, PLUGIN/NAME or its path.",
    ] = None,
) -> Result:
    """Show logged-in initiators.

    An initiator without a node ACL (demo mode) is marked as dynamic; the kernel reports only its
    name. Loopback, vhost and similar fabrics have one initiator, their nexus. The start of a
    session, and the address of a dynamic initiator, are shown if the host's connection tables
    identify them.
    """
    every = _sessions(node)
    found = [
        session
        for session in every
        if (sid is None or session.sid == sid)
        and _same_name(session.tpg.target.wwn, target)
        and _same_name(session.initiator, initiator)
        and (storage_object is None or _has(node, session, storage_object))
    ]
    if sid is not None and not found:
        told = f"no session found with sid {sid}"
        raise NotFoundError(told, targetcli=told)
    if not found:
        if not node.context.compat:
            _check_names(node.lio, target, storage_object)
            if initiator is not None:
                return Lines([_nothing_of(node.lio, initiator, every)], [])
        return Lines(["(no open sessions)"], [])
    data = [session_data(node.lio, session) for session in found]
    lines = [
        line
        for session in found
        for line in session_lines(
            node.lio, session, detail=action == "detail", compat=node.context.compat
        )
    ]
    plain = node.context.compat or action == "detail"
    return Lines(lines, data, table=None if plain else session_table(node.lio, found))


def _sessions(node: Node) -> list[Session]:
    from pyshell.lio.sessions import nexuses, sessions, traced

    found = list(sessions(node.lio))
    if node.context.compat:  # targetcli looks at those of node ACLs, and no further
        return found
    return [*traced(node.lio, found), *nexuses(node.lio)]


def _has(node: Node, session: Session, storage_object: str) -> bool:
    exported = (seen.storage_object for seen in luns_of(node.lio, session))
    return any(one and _is_called(one, storage_object) for one in exported)


@command(examples=("top", "top interval=5 by=initiators", "top /backstores count=3 sort=commands"))
def top(
    node: Node,
    path: Annotated[str | None, PATH, "Show only objects at or below this path."] = None,
    *,
    interval: Annotated[float, SECONDS, "Seconds between samples."] = 1.0,
    count: Annotated[
        int | None,
        LOOKS,
        "Number of samples, at least 1. Default: until Ctrl-C at a terminal, 1 otherwise.",
    ] = None,
    by: Annotated[
        str, choice("all", "objects", "luns", "initiators"), "Kinds of objects to show."
    ] = "all",
    sort: Annotated[
        str,
        choice("bytes", "read", "written", "commands", "name"),
        "Sort by this value, highest first, or by name.",
    ] = "bytes",
    filter: Annotated[str | None, "Show only objects whose names contain this text."] = None,
) -> Result:
    """Show commands and bytes per second.

    It lists storage objects, LUNs and initiators. Bytes are counted in whole
    MiB. Initiators are counted per node ACL; those without one (demo mode) are included in the
    LUNs. With -o json, each sample is a document on one line.
    """
    below = node.get_node(path).path if path else "/"
    chosen = top_text.Choice(below, by, sort, filter or "")

    def tables() -> Iterator[Table]:
        for sample in islice(samples(node.lio, interval), count):
            yield top_text.table(sample, chosen)

    return Stream(tables(), 1 if count is None else None)


def _check_names(lio: Lio, target: str | None, storage_object: str | None) -> None:
    """Tell a mistyped name from one without sessions. Raises NotFoundError."""
    if target is not None and not any(
        _same_name(one.wwn, target)
        for fabric in listing.fabrics_in_use(lio)
        for one in listing.targets(fabric)
    ):
        raise NotFoundError(f"There is no target {target}.", "ls shows those that there are.")
    if storage_object is not None and not any(
        _is_called(one, storage_object) for one in listing.storage_objects(lio)
    ):
        raise NotFoundError(
            f"There is no storage object {storage_object}.", "ls /backstores shows them."
        )


def _nothing_of(lio: Lio, initiator: str, every: Sequence[Session]) -> str:
    """Return that an initiator has no such session, and who has any.

    Raises NotFoundError for one that has no ACL either, which may be mistyped.
    """
    known = sorted({session.initiator for session in every})
    have = f"Logged in: {', '.join(known)}." if known else "Nobody is logged in."
    if any(_same_name(name, initiator) for name in known):
        return f"(no such session of {initiator})"
    if any(
        _same_name(acl.wwn, initiator)
        for fabric in listing.fabrics_in_use(lio)
        for target in listing.targets(fabric)
        for tpg in listing.tpgs(target)
        for acl in listing.node_acls(tpg)
    ):
        return f"(no open session of {initiator}) {have}"
    raise NotFoundError(f"There is no session of {initiator}, and no ACL of that name.", have)


def _is_called(one: StorageObject, text: str) -> bool:
    return text.removeprefix("/backstores/") in (one.name, f"{one.plugin}/{one.name}")


def _same_name(name: str, wanted: str | None) -> bool:
    return wanted is None or name.lower() == wanted.lower()
