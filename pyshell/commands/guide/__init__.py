# SPDX-License-Identifier: Apache-2.0
"""`guide`: instructions for the initiator's host, for several systems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from pyshell.commands.guide import initiators, ways
from pyshell.commands.guide.ways import Step
from pyshell.config.store.boot_file import is_unsaved
from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.lio import listing
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import Target
from pyshell.tree.command import INITIATOR, TARGET, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result

if TYPE_CHECKING:
    from pyshell.commands.guide.ways import Way
    from pyshell.lio import Lio


@command(
    examples=(
        "guide",
        "guide iqn.2020-07.192.168.56.101:server",
        "guide iqn.2020-07.192.168.56.101:server iqn.2020-07.192.168.56.105:client system=windows",
    ),
    in_candidate="running",
)
def guide(
    node: Node,
    target: Annotated[str | None, TARGET, "Name of an iSCSI target. Default: the only one."] = None,
    initiator: Annotated[
        str | None, INITIATOR, "Name of the host's initiator. Default: the only one."
    ] = None,
    *,
    system: Annotated[
        str | None,
        choice(*initiators.STEPS),
        "Operating system of that host. Default: that of the initiator's default name"
        " (iqn.1991-05.com.microsoft:… is windows), else linux.",
    ] = None,
    show_secrets: Annotated[bool, "Include the CHAP secrets. Default: placeholders."] = False,
) -> Result:
    """Print instructions for the initiator's host, ready to paste.

    They cover everything from installing packages to mounting the disk. If a target listens on all
    addresses, this host's first address is used.

    If there are several portals, the paths are combined by multipath.
    """
    place = target_called(node.lio, target)
    way = ways.way(node.lio, place, initiator, secrets=show_secrets)
    way, gone = ways.by_own_addresses(node.lio, way)
    way, left_out = ways.without_twins(way)
    system = system or initiators.system_of(way.initiator)
    found = [*initiators.STEPS[system](way), *([Step(left_out, ())] if left_out else [])]
    if (way.chap or way.discovery) and not show_secrets:
        node.context.note("show_secrets=true shows the CHAP secrets instead of placeholders.")
    for address in gone:
        node.context.note(
            f"This host has no address {address}: nobody reaches that portal. 'doctor' shows"
            " the fix."
        )
    _warn(node, way, left_out)
    return Lines(list(text_lines(found)), _data(way, system, found))


def _warn(node: Node, way: Way, left_out: Sequence[str]) -> None:
    """Note what prevents logins, omitted disks, and an unsaved configuration."""
    for line in left_out:
        node.context.note(line)
    if way.chap and not way.chap.userid:
        node.context.note(
            "The target asks for CHAP, and has no name and secret for it: nobody gets in."
            " 'doctor' shows the fix."
        )
    with suppress(PyshellError):  # 'saveconfig' and 'doctor' report a file that cannot be read
        if is_unsaved(node.lio):
            node.context.note(
                "The running configuration is not saved: 'saveconfig' saves it for the next boot."
            )


def target_called(lio: Lio, name: str | None, several: str = "Run 'guide TARGET'.") -> Target:
    """Return the target of that name, or the only one. Raises PyshellError that lists them."""
    iscsi = fabric("iscsi", lio.root)
    known = listing.targets(iscsi)
    names = ", ".join(target.wwn for target in known)
    if name is None:
        if len(known) == 1:
            return known[0]
        if known:
            raise UsageError(f"There are {len(known)} targets: {names}.", several)
        raise NotFoundError("There is no iSCSI target.", "'share' creates one.")
    there = f"There is {names}." if len(known) == 1 else f"There are {names}."
    hint = there if known else "'share' creates one."
    try:
        place = Target("iscsi", iscsi.normalise(name).wwn, lio.root)
    except UsageError as error:
        raise UsageError(error.message, hint if known else error.hint) from error
    if place not in known:
        raise NotFoundError(f"There is no {place}.", hint)
    return place


def _data(way: Way, system: str, steps: list[Step]) -> dict[str, Any]:
    disks = [
        {
            **asdict(disk),
            "by_path": initiators.by_path(way, disk),
            "by_id": initiators.by_id(way, disk),
        }
        for disk in way.disks
    ]
    return {
        "target": way.target,
        "initiator": way.initiator or None,
        "system": system,
        "portals": way.addresses,
        "chap": way.chap is not None,
        "disks": disks,
        "steps": [asdict(step) for step in steps],
    }


def text_lines(steps: Sequence[Step]) -> Iterator[str]:
    """Yield steps as text that can be pasted whole: explanations are comments."""
    for number, one in enumerate(steps):
        if number:
            yield ""
        yield from (f"# {line}" for line in one.about)
        yield from one.lines
