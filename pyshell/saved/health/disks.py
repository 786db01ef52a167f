# SPDX-License-Identifier: Apache-2.0
"""What initiators are told of the disks: serial numbers, caches; and disks nobody is told of."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterator

from pyshell.saved.health.findings import Finding, error, pyshell, warning
from pyshell.target import listing, storage
from pyshell.target.attach import Lio
from pyshell.target.places import Lun, StorageObject


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
    """Yield writes that lie in this host's memory when initiators take them for written."""
    if not found.buffered:
        return
    if not found.write_back:
        yield error(
            place.path,
            "writes are kept in this host's memory, and initiators are told that they are on the"
            " disk: a crash of this host ruins file systems",
            pyshell(lio, place.path, "set", "attribute", "emulate_write_cache=1"),
        )
    elif not _has_battery(lio):
        yield warning(
            place.path,
            "writes are kept in this host's memory, and it has no battery: a crash loses what"
            " initiators have not flushed. Made anew with write_back=false, which takes the disk"
            " away from them for a moment, it is slower and loses nothing",
            *_made_anew(lio, place, found),
        )


def _has_battery(lio: Lio) -> bool:
    """Tell whether the kernel knows of a battery or a UPS."""
    kinds = lio.machine.host_file("/sys/class/power_supply").glob("*/type")
    return any(kind.read_text(encoding="utf-8").strip() in ("Battery", "UPS") for kind in kinds)


def _made_anew(lio: Lio, place: StorageObject, found: storage.Described) -> list[str]:
    folder = f"/backstores/{place.plugin}"
    serial = storage.serial(lio.kernel, place)
    made = [f"name={place.name}", f"file_or_dev={found.device}", f"wwn={serial}"]
    if lio.machine.block_device(found.device) is None:
        made.append(f"size={found.size}")
    return [
        pyshell(lio, folder, "delete", place.name),
        pyshell(lio, folder, "create", *made, "write_back=false"),
        *(_creation(lio, lun) for lun in listing.luns_of(place)),
    ]


def _creation(lio: Lio, lun: Lun) -> str:
    exported = listing.storage_object_of(lun)
    assert exported is not None
    return pyshell(lio, f"{lun.tpg.path}/luns", "create", exported.path, f"lun{lun.index}")


def _doubled(lio: Lio, place: StorageObject, other: StorageObject) -> Finding:
    """Return the finding of a serial number that two disks have; the one not exported changes."""
    if storage.is_exported(lio.kernel, place) and not storage.is_exported(lio.kernel, other):
        place, other = other, place
    file = shlex.quote(f"{place.folder}/wwn/vpd_unit_serial")
    commands = [f"printf %s {uuid.uuid4()} > {file}"]
    luns = listing.luns_of(place)
    if luns:  # the kernel changes it for a disk that no LUN exports
        before = [pyshell(lio, f"{lun.tpg.path}/luns", "delete", f"lun{lun.index}") for lun in luns]
        after = [_creation(lio, lun) for lun in luns]
        commands = [*before, *commands, *after]
    return error(
        place.path,
        f"it has the serial number of {other.path}, too: initiators take the two for one disk with"
        " two paths, and ruin both",
        *commands,
    )
