# SPDX-License-Identifier: Apache-2.0
"""The root's commands that export a disk in one line, and take that back."""

from __future__ import annotations

from pyshell import names
from pyshell.errors import UsageError
from pyshell.tree.command import (
    BOOL,
    DISK,
    LUN,
    SIZE,
    SO_NAME,
    TARGET,
    TEXT,
    Kind,
    Param,
    choice,
    command,
)
from pyshell.tree.common import CommonNode
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


class SharingNode(CommonNode):
    """The part of the root that shares."""

    @command(
        "Export a disk over iSCSI in one line: all that is needed, or nothing.",
        Param("device", DISK, _DEVICE_HELP, required=True),
        Param("to", INITIATORS, "Names of the initiators, commas between them.", required=True),
        Param("target", TARGET, "Name of the target, made where it is missing.", named_only=True),
        Param("name", SO_NAME, "Name of a new storage object.", named_only=True),
        Param("lun", LUN, "Its number; the lowest free one unless given.", named_only=True),
        Param(
            "readonly", BOOL,
            "Let these initiators only read; unless given, a new mapping can be written.",
            named_only=True,
        ),
        Param(
            "portal", PORTALS, "Where to listen, commas between.",
            named_only=True,
        ),
        Param("size", SIZE, "Size of an image file that is to be made.", named_only=True),
        Param(
            "chap", choice("oneway", "mutual"),
            "Make CHAP secrets up where there are none: the initiator's, or both sides'.",
            named_only=True,
        ),
        Param("userid", TEXT, "CHAP name of the initiator; its own unless given.", named_only=True),
        Param(
            "password", TEXT, f"CHAP secret of the initiator. {_SECRET_HELP}",
            secret=True, named_only=True,
        ),
        Param("mutual_userid", TEXT, "CHAP name of the target; its own unless given.",
              named_only=True),
        Param(
            "mutual_password", TEXT, "CHAP secret of the target.", secret=True, named_only=True
        ),
        changes=True,
        details=(
            "What is there already is used, and running it again changes nothing.\n"
            "Storage object: the one on that device; else a new one in block, for an image file in"
            " fileio, that has the name of the device's file.\n"
            "Target: the one that exports it already; else the only iSCSI target; where there is"
            " none, a new one is named after this host and the storage object. Its TPG: the one"
            " that exports the disk, else the first.\n"
            "Portals: those given; else a new target gets the default one, or where that is in the"
            " way of other targets' portals, the same as these.\n"
            "The disk is mapped for the initiators named, by the LUN's number if that is free for"
            " them, and for nobody else. They get nothing but this disk."
        ),
        examples=(
            "share /dev/mapper/lee-lee.lv to=iqn.2020-07.192.168.56.105:client",
            "share /srv/disk2.img to=iqn.2020-07.192.168.56.105:client size=10G",
        ),
    )  # fmt: skip
    def ui_command_share(
        self,
        device: str,
        to: tuple[str, ...],
        target: str | None = None,
        name: str | None = None,
        lun: int | None = None,
        portal: tuple[tuple[str, int], ...] = (),
        size: int | None = None,
        readonly: bool | None = None,
        chap: str | None = None,
        userid: str | None = None,
        password: str | None = None,
        mutual_userid: str | None = None,
        mutual_password: str | None = None,
    ) -> Result:
        """Export a disk."""
        from pyshell.commands.share.chap_options import Chap
        from pyshell.commands.share.plan import Wish, shared

        credentials = Chap(
            chap or "", userid or "", password or "", mutual_userid or "", mutual_password or ""
        )
        wish = Wish(device, to, target, name, lun, portal or (), size, credentials, readonly)
        return shared(self, wish)

    @command(
        "Export a disk no longer, whether share did or somebody by hand. Its device or image file"
        " is left alone.",
        Param("device", DISK, _DEVICE_HELP, required=True),
        Param("to", INITIATORS, "Only for these initiators; for all unless given."),
        changes=True,
        details=(
            "Its LUNs and mappings over iSCSI go; with them initiators that see no disk any more,"
            " a target that is left with neither a LUN nor an initiator, and the storage object,"
            " unless something else still exports it. What was empty before, stays."
        ),
        examples=("unshare /dev/mapper/lee-lee.lv",),
    )
    def ui_command_unshare(self, device: str, to: tuple[str, ...] | None = None) -> Result:
        """Take back what share made."""
        from pyshell.commands.share.unshare import unshared

        return unshared(self, device, to)
