# SPDX-License-Identifier: Apache-2.0
"""Whether read-only access keeps initiators from changing a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyshell.doctor import Finding, error, pyshell, warning
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.identifiers import MappedLun, NodeAcl, StorageObject, Tpg
from pyshell.text import listed

_SHOWN = 3
"""How many initiators a message names."""


@dataclass(frozen=True)
class _Access:
    """An initiator that sees a storage object: of an ACL, or those that a TPG admits without."""

    name: str
    by: NodeAcl | Tpg
    writes: bool
    mapped: MappedLun | None = None


def check_protection(lio: Lio) -> Iterator[Finding]:
    """Yield storage objects that initiators can overwrite in spite of read-only access.

    The kernel refuses only commands that send data to a write-protected mapped LUN
    (transport_lookup_cmd_lun). Others erase blocks: WRITE SAME with UNMAP and without data, and
    WRITE SAME that claims to read. EXTENDED COPY is checked at the LUN that receives it only. A
    storage object that is read-only does not refuse anything itself; its mapped LUNs are
    write-protected by the kernel until 0 is written to `write_protect`, as rtslib does. All of that
    was seen on Linux 6.1.
    """
    access = _accesses(lio)
    writers = {one.by for seen in access.values() for one in seen if one.writes}
    for place, seen in access.items():
        if storage_info.describe(lio, place).read_only:
            # This host and its virtual machines are not meant: nothing can protect it from them.
            yield from _writable(lio, place, [one for one in seen if one.writes and one.name])
        readers = [one for one in seen if not one.writes]
        if not readers:
            continue
        off, copied = {}, any(one.by in writers for one in readers)
        if place.plugin in ("block", "fileio") and _attribute(lio, place, "max_write_same_len"):
            off["max_write_same_len"] = 0
        if copied and _attribute(lio, place, "emulate_3pc"):
            off["emulate_3pc"] = 0
        if off:
            yield _erasable(lio, place, readers, off, also_written=len(readers) < len(seen))


def _erasable(
    lio: Lio, place: StorageObject, readers: list[_Access], off: Mapping[str, int], *,
    also_written: bool,
) -> Finding:  # fmt: skip
    """Return the finding of commands that the kernel carries out in spite of read-only access."""
    named = {
        "max_write_same_len": "WRITE SAME without data",
        "emulate_3pc": "EXTENDED COPY from another disk",
    }
    told = (
        f"{_names(readers)} can overwrite it in spite of read-only access: the kernel does not"
        f" refuse {' and '.join(named[name] for name in off)}. The command turns this off"
    )
    command = pyshell(lio, place.path, "set", "attribute", **off)
    if also_written:
        told += " for all initiators: those with write access erase or copy more slowly"
        return warning(place.path, told, choices=[command])
    return warning(place.path, told, command)


def _writable(lio: Lio, place: StorageObject, writers: list[_Access]) -> Iterator[Finding]:
    """Yield the finding of a read-only storage object that initiators may write to."""
    if not writers:
        return

    def protecting(path: str, name: str) -> str:
        return pyshell(lio, path, "set", "attribute", **{name: 1})

    yield error(
        place.path,
        f"it is read-only, but {_names(writers)} can write to it: the kernel only reports that it"
        " is read-only, and leaves its protection to the mapped LUNs",
        *(protecting(one.mapped.path, "write_protect") for one in writers if one.mapped),
        choices=[
            protecting(one.by.path, "demo_mode_write_protect") for one in writers if not one.mapped
        ],
    )


def _names(seen: list[_Access]) -> str:
    return listed(sorted({one.name for one in seen}), _SHOWN)


def _attribute(lio: Lio, place: StorageObject, name: str) -> bool:
    """Return whether an attribute exists and is not 0."""
    return text_or_none(lio.kernel, f"{place.folder}/attrib/{name}") not in (None, "0")


def _accesses(lio: Lio) -> dict[StorageObject, list[_Access]]:
    """Return who sees each storage object, in one pass over the mapped LUNs."""
    found: dict[StorageObject, list[_Access]] = {}
    for tpg in listing.all_tpgs(lio):
        exported = {lun: listing.storage_object_of(lun) for lun in listing.luns(tpg)}
        seen = [
            (lun, _Access(acl.wwn, acl, _writes(lio, mapped), mapped))
            for acl in listing.node_acls(tpg)
            for mapped in listing.mapped_luns(acl)
            if (lun := listing.lun_of(mapped)) is not None
        ]
        everyone = _everyone(lio, tpg)
        seen += [(lun, everyone) for lun in exported if everyone is not None]
        for lun, one in seen:
            place = exported.get(lun)
            if place is not None:
                found.setdefault(place, []).append(one)
    return found


def _writes(lio: Lio, mapped: MappedLun) -> bool:
    return not is_on(lio.kernel, f"{mapped.folder}/write_protect")


def _everyone(lio: Lio, tpg: Tpg) -> _Access | None:
    """Return the access of initiators without an ACL, None if there is none.

    The nexus of a TPG, which has no name here, writes to all its LUNs.
    """
    if os.path.exists(f"{tpg.folder}/nexus"):
        return _Access("", tpg, writes=True)
    if not is_on(lio.kernel, f"{tpg.folder}/attrib/generate_node_acls"):
        return None
    protected = is_on(lio.kernel, f"{tpg.folder}/attrib/demo_mode_write_protect")
    return _Access(f"initiators without an ACL in {tpg.path}", tpg, writes=not protected)
