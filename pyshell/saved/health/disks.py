# SPDX-License-Identifier: Apache-2.0
"""What initiators are told of the disks: serial numbers, caches; and disks nobody is told of."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterator

from pyshell.saved.health.findings import Finding, error, pyshell, warning
from pyshell.target import listing, storage
from pyshell.target.attach import Lio
from pyshell.target.places import StorageObject


def check(lio: Lio) -> Iterator[Finding]:
    """Yield what is wrong with the disks as initiators see them."""
    serials: dict[str, StorageObject] = {}
    for place in listing.storage_objects():
        found = storage.describe(lio, place)
        if not found.configured:
            continue
        serial = storage.serial(lio.kernel, place)
        if serial and serials.setdefault(serial, place) != place:
            yield _doubled(lio, place, serials[serial])
        if not found.exported:
            told = "no LUN exports it: it keeps its device from others, and nobody uses it"
            deletion = pyshell(lio, f"/backstores/{place.plugin}", "delete", place.name)
            yield warning(place.path, told, deletion)
        yield from _cache(lio, place, found)


def _cache(lio: Lio, place: StorageObject, found: storage.Described) -> Iterator[Finding]:
    """Yield caches that a crash empties. A battery cannot be seen from here."""
    setting = (place.path, "set", "attribute")
    if found.buffered and found.write_back is False:
        yield error(
            place.path,
            "writes are kept in this host's memory, and initiators are told that they are on the"
            " disk: a crash of this host ruins file systems",
            pyshell(lio, *setting, "emulate_write_cache=1"),
        )
    elif place.plugin == "block" and found.write_back:
        yield warning(
            place.path,
            "initiators are told of a write-back cache: unless the device's is backed by a"
            " battery, a power cut loses what they have not flushed",
            pyshell(lio, *setting, "emulate_write_cache=0"),
        )


def _doubled(lio: Lio, place: StorageObject, other: StorageObject) -> Finding:
    """Return the finding of a serial number that two disks have; the one not exported changes."""
    if storage.is_exported(lio.kernel, place) and not storage.is_exported(lio.kernel, other):
        place, other = other, place
    file = shlex.quote(f"{place.folder}/wwn/vpd_unit_serial")
    commands = [f"printf %s {uuid.uuid4()} > {file}"]
    luns = listing.luns_of(place)
    if luns:  # the kernel changes it for a disk that no LUN exports
        before = [pyshell(lio, f"{lun.tpg.path}/luns", "delete", f"lun{lun.index}") for lun in luns]
        after = [
            pyshell(lio, f"{lun.tpg.path}/luns", "create", place.path, f"lun{lun.index}")
            for lun in luns
        ]
        commands = [*before, *commands, *after]
    return error(
        place.path,
        f"it has the serial number of {other.path}, too: initiators take the two for one disk with"
        " two paths, and ruin both",
        *commands,
    )
