# SPDX-License-Identifier: Apache-2.0
"""What initiators are told of the disks: serial numbers, caches; and disks nobody is told of."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator, Mapping

from pyshell.doctor.findings import Finding, error, pyshell, warning
from pyshell.lio import listing, sessions, storage
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations import backing

_KEPT = ("readonly", "exclusive", "write_back", "aio", "nullio", "size", "dev", "config", "control")
"""What a storage object is made with and keeps when something else of it changes."""
Users = Mapping[StorageObject, set[str]]
"""The initiators that are logged in and have a disk."""


def check(lio: Lio) -> Iterator[Finding]:
    """Yield what is wrong with the disks as initiators see them."""
    ids: dict[str, StorageObject] = {}
    users = _users(lio)
    for place in listing.storage_objects():
        found = storage.describe(lio, place)
        if not found.configured:
            continue
        naa = storage.naa(lio.kernel, place)
        if naa and ids.setdefault(naa, place) != place:
            yield _doubled(lio, place, ids[naa], naa, users)
        if not found.exported:
            told = "no LUN exports it: it keeps its device from others, and nobody uses it"
            yield warning(
                place.path, told, choices=[pyshell(lio, "share", place.path, to="INITIATOR")]
            )
        yield from _cache(lio, place, found, users)
    yield from _shared_devices(lio)


def _shared_devices(lio: Lio) -> Iterator[Finding]:
    """Yield storage objects that use a device or file that another one uses, too."""
    for places in backing.users(lio).values():
        for place in places[1:]:
            if storage.describe(lio, place).exclusive:
                yield error(
                    place.path,
                    f"it uses the same device or file as {places[0].path}: their initiators"
                    " overwrite each other's data",
                )


def _cache(
    lio: Lio, place: StorageObject, found: storage.Described, users: Users
) -> Iterator[Finding]:
    """Yield writes that lie in this host's memory when initiators take them for written."""
    if not found.buffered:
        return
    if not found.write_back:
        yield error(
            place.path,
            "writes are kept in this host's memory, and initiators are told that they are on the"
            " disk: a crash of this host ruins file systems",
            pyshell(lio, place.path, "set", "attribute", emulate_write_cache=1),
        )
    elif not _has_battery(lio):
        yield warning(
            place.path,
            "writes are kept in this host's memory, and it has no battery: a crash loses what"
            " initiators have not flushed. Made anew with write_back=false, which takes the disk"
            f" away from them for a moment, it is slower and loses nothing{_cut(place, users)}",
            choices=[applied(lio, place, write_back=False, attributes={"emulate_write_cache": 0})],
        )


def _has_battery(lio: Lio) -> bool:
    """Tell whether the kernel knows of a battery or a UPS."""
    kinds = lio.machine.host_file("/sys/class/power_supply").glob("*/type")
    return any(kind.read_text(encoding="utf-8").strip() in ("Battery", "UPS") for kind in kinds)


def applied(lio: Lio, place: StorageObject, **wanted: object) -> str:
    """Return what makes a storage object other than it is, in one step that fails as a whole.

    Commands that delete and create would have to tell every mapping again; `apply` keeps them.
    """
    made = storage.creation_arguments(lio, place) or {}
    # What a document omits has the kernel's default: a read-only disk would become writable.
    kept = {key: made[key] for key in _KEPT if made.get(key) is not None}
    entry = {"plugin": place.plugin, "name": place.name, **kept, **wanted}
    document = shlex.quote(json.dumps({"storage_objects": [entry]}))
    return f"printf %s {document} | {pyshell(lio, 'apply', '/dev/stdin')}"


def _doubled(
    lio: Lio, place: StorageObject, other: StorageObject, naa: str, users: Users
) -> Finding:
    """Return the finding of an id that two disks have; the one that fewer use changes."""

    def weight(of: StorageObject) -> tuple[int, bool]:
        return len(users.get(of, ())), storage.is_exported(lio.kernel, of)

    if weight(place) > weight(other):
        place, other = other, place
    return error(
        place.path,
        f"it has the id {naa} of {other.path}, too, which the kernel makes of the first 25"
        " hexadecimal digits of the serial number: initiators take the two for one disk with two"
        f" paths, and ruin both{_cut(place, users)}",
        choices=[applied(lio, place, wwn=str(uuid.uuid4()))],
    )


def _users(lio: Lio) -> Users:
    found: dict[StorageObject, set[str]] = {}
    for session in sessions.sessions(lio):
        for seen in sessions.luns_of(lio, session):
            if seen.storage_object is not None:
                found.setdefault(seen.storage_object, set()).add(session.initiator)
    return found


def _cut(place: StorageObject, users: Users) -> str:
    """Return what to do on initiators first and afterwards, as the end of a message."""
    if place not in users:
        return ""
    return (
        f". It cuts off {', '.join(sorted(users[place]))}: unmount the disk and log out there"
        " first, then log in again"
    )
