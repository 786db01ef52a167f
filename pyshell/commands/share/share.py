# SPDX-License-Identifier: Apache-2.0
"""The root's commands that export a disk in one line, and take that back."""

from __future__ import annotations

from typing import Annotated

from pyshell import names
from pyshell.errors import UsageError
from pyshell.tree.command import DISK, LUN, SECRET, SIZE, SO_NAME, TARGET, Kind, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Result


def _portals(text: str) -> tuple[tuple[str, int], ...]:
    return tuple(_portal(part) for part in text.split(",") if part)


def _portal(text: str) -> tuple[str, int]:
    """Read an address, with or without a port. Raises UsageError."""
    try:
        return names.address(text), names.DEFAULT_PORT
    except UsageError:
        if ":" not in text:
            raise
    return names.split_portal(text)


def _words(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part for part in text.split(",") if part))
    if not found:
        raise UsageError("It is empty.", "Give the name of an initiator.")
    return found


INITIATORS = Kind("wwn,...", _words, source="initiator")
PORTALS = Kind("address[:port],...", _portals)
_DEVICE_HELP = "Path of a block device, image file or storage object."
_SECRET_HELP = "password=- asks for it, password=@FILE reads it from a file."  # noqa: S105


@command(
    changes=True,
    examples=(
        "share /dev/mapper/lee-lee.lv to=iqn.2020-07.192.168.56.105:client",
        "share /srv/disk2.img to=iqn.2020-07.192.168.56.105:client size=10G",
    ),
)
def share(
    node: Node,
    device: Annotated[str, DISK, _DEVICE_HELP],
    to: Annotated[tuple[str, ...], INITIATORS, "Names of the initiators, commas between them."],
    *,
    target: Annotated[str | None, TARGET, "Name of the target, made where it is missing."] = None,
    name: Annotated[str | None, SO_NAME, "Name of a new storage object."] = None,
    lun: Annotated[int | None, LUN, "Its number; the lowest free one unless given."] = None,
    readonly: Annotated[
        bool | None,
        "Let these initiators only read; unless given, a new mapping can be written.",
    ] = None,
    portal: Annotated[
        tuple[tuple[str, int], ...], PORTALS, "Where to listen, commas between."
    ] = (),
    size: Annotated[int | None, SIZE, "Size of an image file that is to be made."] = None,
    chap: Annotated[
        str | None,
        choice("oneway", "mutual"),
        "Make CHAP secrets up where there are none: the initiator's, or both sides'.",
    ] = None,
    userid: Annotated[str | None, "CHAP name of the initiator; its own unless given."] = None,
    password: Annotated[str | None, f"CHAP secret of the initiator. {_SECRET_HELP}", SECRET] = None,
    mutual_userid: Annotated[str | None, "CHAP name of the target; its own unless given."] = None,
    mutual_password: Annotated[str | None, "CHAP secret of the target.", SECRET] = None,
) -> Result:
    """Export a disk over iSCSI in one line: all that is needed, or nothing.

    What is there already is used, and running it again changes nothing.

    Storage object: the one on that device; else a new one in block, for an image file in
    fileio, that has the name of the device's file.

    Target: the one that exports it already; else the only iSCSI target; where there is none, a
    new one is named after this host and the storage object. Its TPG: the one that exports the
    disk, else the first.

    Portals: those given; else a new target gets the default one, or where that is in the way of
    other targets' portals, the same as these.

    The disk is mapped for the initiators named, by the LUN's number if that is free for them,
    and for nobody else. They get nothing but this disk.
    """
    from pyshell.commands.share.chap_options import Chap
    from pyshell.commands.share.plan import Wish, shared

    credentials = Chap(
        chap or "", userid or "", password or "", mutual_userid or "", mutual_password or ""
    )
    wish = Wish(device, to, target, name, lun, portal or (), size, credentials, readonly)
    return shared(node, wish)


@command(changes=True, examples=("unshare /dev/mapper/lee-lee.lv",))
def unshare(
    node: Node,
    device: Annotated[str, DISK, _DEVICE_HELP],
    to: Annotated[
        tuple[str, ...] | None, INITIATORS, "Only for these initiators; for all unless given."
    ] = None,
) -> Result:
    """Export a disk no longer, whether share did or somebody by hand. Its device or image file
    is left alone.

    Its LUNs and mappings over iSCSI go; with them initiators that see no disk any more, a
    target that is left with neither a LUN nor an initiator, and the storage object, unless
    something else still exports it. What was empty before, stays.
    """
    from pyshell.commands.share.unshare import unshared

    return unshared(node, device, to)
