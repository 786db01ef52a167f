# SPDX-License-Identifier: Apache-2.0
"""The root's command `trace`: why an initiator sees a disk or not, hop by hop."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

from pyshell.commands.share.sharing import initiator_named
from pyshell.doctor import access, hops, pyshell
from pyshell.doctor.hops import Hop, Question, Trace
from pyshell.errors import NotFoundError, UsageError
from pyshell.expressions import expression
from pyshell.host import BY_ID
from pyshell.lio import Lio, listing, statistics, storage_info
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, StorageObject, Tpg
from pyshell.text import did_you_mean, joined
from pyshell.tree.command import DISK, INITIATOR, INITIATOR_ADDRESS, command
from pyshell.tree.luns import nearest, storage_object_on
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result

_NAA = expression(r"(?:wwn-0x|scsi-3|dm-uuid-mpath-3|naa\.|0x|3)?(6[0-9a-f]{31})", re.IGNORECASE)
"""A disk's NAA identifier as initiators show it: udev, multipath, Windows, ESXi."""
_SHORTEST_SERIAL = 8
"""Characters that a serial number needs to be found in a longer name."""
_STATUS, _NAME = len("unknown"), len("storage object")
"""Widths of columns."""
_PART = expression(r"-part\d+$")


@command(
    examples=(
        "trace iqn.2020-07.192.168.56.105:client",
        "trace iqn.2020-07.192.168.56.105:client lee_block",
        "trace iqn.2020-07.192.168.56.105:client lee_block from=192.168.56.105",
    ),
    in_candidate="running",
)
def trace(
    node: Node,
    initiator: Annotated[str, INITIATOR, "Name of the initiator, or the path of its ACL."],
    disk: Annotated[
        str | None,
        DISK,
        "Storage object, LUN, or device of this host; or the disk's NAA identifier, serial number"
        " or name in /dev/disk/by-id as its initiator shows it. Default: all that it gets.",
    ] = None,
    *,
    from_: Annotated[
        str | None,
        INITIATOR_ADDRESS,
        "Address of the initiator, for the route and the firewall. Default: that of its session or"
        " of its last refused login.",
    ] = None,
) -> Result:
    """Show why an initiator sees a disk or not, hop by hop.

    The hops are, for each TPG that may lead to the disk: address, route, portal and firewall; the
    TPG, the ACL and CHAP, as configured and as last refused; mapping, LUN, storage object, device;
    and the session. Each is ok, broken or unknown. At the end, the first broken hop is named with
    the command that fixes it. Changes nothing.

    If none of several TPGs has an ACL for the initiator, and neither the kernel log nor the saved
    configuration shows which one it is to use, no command is printed: give the path of a LUN.

    doctor judges the same hops, for all initiators.

    Exit status: 0 the initiator sees the disk, 1 it does, but a hop is broken (it may not be able
    to log in again, or does not get another disk), 2 it does not. Usage errors also exit with 2.
    """
    asked = _question(node, _named(node.lio, initiator), disk, from_ or "")
    found = hops.traces(node.lio, asked)
    told, commands, status = _verdict(node.lio, asked, found)
    told += _hints(node.lio, asked, found)
    shown = [*_lines(found, asked), ""] if found else []
    lines = [*shown, *told, *(f"    {one}" for one in commands)]
    data = {
        "initiator": asked.initiator,
        "disk": asked.disk.path if asked.disk else asked.device or None,
        "visible": status < 2,
        "message": " ".join(told),
        "broken": _data_of(broken[1]) if (broken := _broken(found, asked)) else None,
        "commands": list(commands),
        "paths": [_data(one) for one in found],
    }
    return Lines(lines, data, status, form="sentences")


def _named(lio: Lio, text: str) -> str:
    """Return an initiator's name in its normal form, of iSCSI or of another fabric in use."""
    used = sorted(listing.fabrics_in_use(lio), key=lambda fabric: fabric.name != "iscsi")
    for fabric in used:
        with suppress(UsageError):
            return fabric.normalise(text).wwn
    for tpg in listing.all_tpgs(lio):
        for name in tpg.target.fabric.spellings(text):
            if tpg.target.fabric.has("acls") and listing.existing(NodeAcl(tpg, name)):
                return name
    return initiator_named(lio, text).wwn


def _question(node: Node, initiator: str, disk: str | None, address: str) -> Question:
    """Return what to trace. Raises NotFoundError if there is no such disk."""
    if disk is None:
        return Question(initiator, address)
    with suppress(NotFoundError):
        place = getattr(node.get_node(disk), "place", None) if "/" in disk else None
        lun = listing.lun_of(place) if isinstance(place, MappedLun) else place
        if isinstance(lun, Lun):
            exported = listing.storage_object_of(lun)
            if exported is None:
                raise UsageError(
                    f"{lun.path} exports nothing.", f"'{lun.tpg.path}/luns delete' deletes it."
                )
            return Question(initiator, address, exported, tpg=lun.tpg)
    found = storage_object_on(node, disk) or _identified(node.lio, disk)
    if found is not None:
        return Question(initiator, address, found)
    machine = node.lio.machine
    if "/" in disk and (machine.block_device(disk) or os.path.isfile(machine.host_file(disk))):
        return Question(initiator, address, device=disk)
    raise NotFoundError(
        f"No disk is called {disk}.",
        nearest(node, disk) or "'ls /backstores' lists the storage objects.",
    )


def _identified(lio: Lio, name: str) -> StorageObject | None:
    """Return the storage object that an initiator knows by a name. Raises UsageError for several.

    udev builds names of the NAA identifier or, for the vendor's own, of model and serial number.
    """
    name = _PART.sub("", name.removeprefix(BY_ID))
    match = _NAA.fullmatch(name)
    wanted = f"naa.{match[1].lower()}" if match else ""
    found = [
        place
        for place in listing.storage_objects(lio)
        if (match and storage_info.naa(lio.kernel, place) == wanted)
        or _is_of(storage_info.serial(lio.kernel, place), name)
    ]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} disks have that identifier: {', '.join(one.path for one in found)}.",
            "'doctor' shows the fix.",
        )
    return found[0] if found else None


def _is_of(serial: str, name: str) -> bool:
    """Return whether a name is a serial number, or ends in it as udev's do."""
    ends = (f"_{serial}", f":{serial}") if len(serial) >= _SHORTEST_SERIAL else ()
    return bool(serial) and (name == serial or name.endswith(ends))


def _lines(found: Sequence[Trace], asked: Question) -> Iterator[str]:
    """Yield the hops of each TPG, and of each disk if all are traced."""
    before: Trace | None = None
    for one in found:
        if before is None or one.tpg != before.tpg:
            if before is not None:
                yield ""
            yield f"{one.tpg.path if one.tpg else _disk_name(asked)}:"
            yield from _rows([*(hop for way in one.portals for hop in way), *one.login])
        before = one
        if asked.disk is None and one.lun is not None:
            yield f"  LUN {one.lun}:"
        yield from _rows([*one.storage, *([one.session] if one.session else [])])


def _disk_name(asked: Question) -> str:
    return asked.disk.path if asked.disk else asked.device


def _rows(shown: Sequence[Hop]) -> Iterator[str]:
    for hop in shown:
        name = hop.name.replace("_", " ")
        yield f"  {hop.status:{_STATUS}}  {name:{_NAME}}  {_told(hop)}"


def _told(hop: Hop) -> str:
    """Return the message of a hop, after what it is about if that is not clear."""
    portal = hop.path.rpartition("/portals/")[2] if "/portals/" in hop.path else ""
    about = portal or (hop.path if hop.name in ("firewall", "storage_object") else "")
    return f"{about}: {hop.message}" if about not in ("", hop.name) else hop.message


def _broken(found: Sequence[Trace], asked: Question) -> tuple[Tpg | None, Hop] | None:
    """Return the hop to fix first, with its TPG: where the initiator is allowed, and gets farthest.

    If it is allowed nowhere, it is not known which of several TPGs is to allow it.
    """
    if any(one.visible for one in found):
        every = ((one.tpg, hop) for one in found if one.admitted and (hop := one.impaired))
        return next(every, None)
    if not any(one.admitted for one in found):
        found = [one for one in found if one.is_meant] or found
        lacking = [one.tpg for one in found if one.tpg and _lacks_acl(one)]
        if len(lacking) > 1:
            return None, _ambiguous(lacking[0].target.fabric.name, asked)

    def far(one: Trace) -> tuple[bool, int]:
        return one.admitted, one.hops.index(one.broken) if one.broken else len(one.hops)

    best = max(found, key=far, default=None)
    return (best.tpg, best.broken) if best is not None and best.broken else None


def _lacks_acl(one: Trace) -> bool:
    return any(hop.code == "acl.missing" for hop in one.login)


def _ambiguous(fabric: str, asked: Question) -> Hop:
    """Return the hop of an initiator that each of several TPGs could allow."""
    message = (
        f"none of these TPGs has an ACL for {asked.initiator}: it cannot log in. For the commands"
        " that fix this, name a LUN of the target that it is to use:"
        f" 'trace {asked.initiator} /{fabric}/TARGET/TPG/luns/LUN'"
    )
    return Hop("acl", f"/{fabric}", "broken", message, "acl.missing")


def _verdict(
    lio: Lio, asked: Question, found: Sequence[Trace]
) -> tuple[list[str], Sequence[str], int]:
    """Return why the initiator sees the disk or not, the commands that help, and the status."""
    who, first = asked.initiator, _broken(found, asked)
    seen = [one for one in found if one.visible]
    # Several targets may export the same disk.
    disks = dict.fromkeys(f"{one.disk.path} as LUN {one.lun}" for one in seen if one.disk)
    said = [f"{who} sees {joined([*disks])}."]
    if unused := dict.fromkeys(str(one.lun) for one in seen if _is_unused(lio, one, who)):
        said.append(
            f"It sent no command to LUN {joined([*unused])} yet: if the disk is missing there,"
            " rescan on that host (iscsiadm -m session --rescan)."
        )
    if first is None:
        if seen:
            return said, (), 0
        command = access.restoring(lio, who) or pyshell(lio, "share", "DEVICE", to=who)
        return [f"{who} sees no disk: this host has no target for it."], [command], 2
    tpg, broken = first
    why = f"{broken.message if broken.path == _disk_name(asked) else _told(broken)}."
    if tpg is not None and len({one.tpg for one in found}) > 1:
        why = f"{tpg.path}: {why}"
    if seen:
        return [*said, f"But: {why}"], broken.commands, 1
    what = f"does not see {_disk_name(asked)}" if asked.disk or asked.device else "sees no disk"
    if broken.code == "session.missing":
        hidden = dict.fromkeys(h.name for one in found for h in one.hops if h.status == "unknown")
        why += f" Not checked: {joined(list(hidden))}." if hidden else ""
        why += " Run on its host:" if broken.commands and lio.simulated is None else ""
    return [f"{who} {what}: {why}"], broken.commands, 2


def _is_unused(lio: Lio, one: Trace, initiator: str) -> bool:
    """Return whether an initiator with an ACL never used a disk since it was mapped."""
    if one.tpg is None or one.lun is None or one.session is None:
        return False
    mapped = MappedLun(NodeAcl(one.tpg, initiator), one.lun)
    return listing.existing(mapped) and not statistics.of_mapped_lun(lio, mapped).commands


def _hints(lio: Lio, asked: Question, found: Sequence[Trace]) -> Iterator[str]:
    """Yield what is known of an initiator that has no ACL: a login, or a similar name with one."""
    if any(one.admitted for one in found):
        return
    if any(one.tried_somewhere for one in found):
        yield "The kernel log shows that it tried to log in to a target of this host."
    if any(target.wwn == asked.initiator for target in listing.all_targets(lio)):
        yield f"{asked.initiator} is a target of this host, not an initiator."
    known = {acl.wwn for tpg in listing.all_tpgs(lio) for acl in listing.node_acls(tpg)}
    if asked.initiator not in known and (near := did_you_mean(asked.initiator, known)):
        yield near


def _data(one: Trace) -> dict[str, Any]:
    return {
        "tpg": one.tpg.path if one.tpg else None,
        "target": one.tpg.target.wwn if one.tpg else None,
        "disk": one.disk.path if one.disk else None,
        "lun": one.lun,
        "admitted": one.admitted,
        "visible": one.visible,
        "hops": [_data_of(hop) for hop in one.hops],
    }


def _data_of(hop: Hop) -> dict[str, Any]:
    told = asdict(hop)
    return {"hop": told.pop("name"), **told, "code": hop.code or None}
